import type { Outcome } from '../measurement.js';
import { barPlot } from './bar.plot.js';
import { linePlot } from './line.plot.js';
import { svgFile } from './svg.js';

/** Everything a measurement found, drawn: its lines, or where it has none its figures as bars, by unit. */
export function plot(title: string, { charts = [], figures }: Outcome): string {
  if (charts.length > 0) return svgFile(charts.map((chart) => linePlot(chart)));
  const units = [...new Set(figures.map(({ unit }) => unit))];
  return svgFile(
    units.map((unit) =>
      barPlot(
        `${title}, ${unit}`,
        figures.filter((figure) => figure.unit === unit),
      ),
    ),
  );
}
