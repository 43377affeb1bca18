import { type Figure, median } from '../measurement.js';
import { COLOURS, type Drawing, polyline, rectangle, text } from './svg.js';
import { spread, value } from './table.js';

const WIDTH = 860;
const LABELS = 330;
const VALUES = 200;
const ROW = 26;
const TITLE = 34;

/** Figures of one unit as bars of their medians, each with a line from the least to the most. */
export function barPlot(title: string, figures: readonly Figure[]): Drawing {
  const most = Math.max(...figures.flatMap(({ samples }) => samples));
  const scale = (WIDTH - LABELS - VALUES) / (most || 1);
  const rows = figures.flatMap((figure, index) => {
    const y = TITLE + index * ROW;
    const middle = y + ROW / 2 - 2;
    const [least, greatest] = [Math.min(...figure.samples), Math.max(...figure.samples)];
    const ends: [number, number][] = [
      [LABELS + least * scale, middle],
      [LABELS + greatest * scale, middle],
    ];
    const told = value(median(figure.samples), figure.unit);
    const range = spread(figure);
    return [
      text(LABELS - 8, y + 16, figure.name, { anchor: 'end' }),
      rectangle(
        LABELS,
        y + 3,
        median(figure.samples) * scale,
        ROW - 8,
        COLOURS[index % COLOURS.length] ?? '',
      ),
      polyline(ends, '#222', 1.5),
      text(LABELS + greatest * scale + 8, y + 16, range === '' ? told : `${told}  (${range})`, { size: 11 }),
    ];
  });
  return {
    width: WIDTH,
    height: TITLE + figures.length * ROW + 10,
    parts: [text(12, 22, title, { size: 14, bold: true }), ...rows],
  };
}
