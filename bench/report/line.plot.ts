import type { Chart } from '../measurement.js';
import { COLOURS, type Drawing, polyline, text } from './svg.js';

const WIDTH = 860;
const HEIGHT = 320;
const LEFT = 80;
const RIGHT = 150;
const TOP = 40;
const BOTTOM = 50;
const TICKS = 6;
/** Nothing that we plot is less; a logarithm needs something above 0. */
const LEAST_LOGARITHMIC = 0.1;

/** Lines over a common axis. */
export function linePlot({ lines, logarithmic = false, title, x, y }: Chart): Drawing {
  const points = lines.flatMap((line) => line.points);
  const gridX = ticks(Math.max(...points.map(([px]) => px)));
  const mostX = gridX.at(-1) ?? 1;
  const values = points.map(([, py]) => py);
  const bounds = logarithmic
    ? [
        10 ** Math.floor(Math.log10(Math.max(Math.min(...values), LEAST_LOGARITHMIC))),
        10 ** Math.ceil(Math.log10(Math.max(...values))),
      ]
    : [0, ticks(Math.max(...values)).at(-1)];
  const [low = 0, high = 1] = bounds;
  const share = (value: number): number =>
    logarithmic
      ? Math.log10(Math.max(value, low) / low) / Math.log10(high / low)
      : (value - low) / (high - low || 1);
  const atX = (px: number): number => LEFT + (px / (mostX || 1)) * (WIDTH - LEFT - RIGHT);
  const atY = (py: number): number => HEIGHT - BOTTOM - share(py) * (HEIGHT - TOP - BOTTOM);

  const gridY = logarithmic
    ? Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, step) => low * 10 ** step)
    : ticks(high);
  return {
    width: WIDTH,
    height: HEIGHT,
    parts: [
      text(12, 22, title, { size: 14, bold: true }),
      text(LEFT, TOP - 6, y, { size: 11 }),
      text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x, { anchor: 'middle', size: 11 }),
      ...gridY.flatMap((value) => [
        polyline(
          [
            [LEFT, atY(value)],
            [WIDTH - RIGHT, atY(value)],
          ],
          '#ddd',
          1,
        ),
        text(LEFT - 6, atY(value) + 4, short(value), { anchor: 'end', size: 11 }),
      ]),
      ...gridX.map((value) =>
        text(atX(value), HEIGHT - BOTTOM + 16, short(value), { anchor: 'middle', size: 11 }),
      ),
      ...lines.flatMap((line, index) => {
        const colour = COLOURS[index % COLOURS.length] ?? '';
        const legendY = TOP + 8 + index * 18;
        const key: [number, number][] = [
          [WIDTH - RIGHT + 12, legendY],
          [WIDTH - RIGHT + 32, legendY],
        ];
        return [
          polyline(
            line.points.map(([px, py]) => [atX(px), atY(py)]),
            colour,
          ),
          polyline(key, colour),
          text(WIDTH - RIGHT + 38, legendY + 4, line.name, { size: 11 }),
        ];
      }),
    ],
  };
}

/** Round numbers from 0 to just above the most. */
function ticks(most: number): number[] {
  const rough = most / TICKS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

function short(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} M`;
  if (value >= 10_000) return `${Math.round(value / 1_000)} k`;
  return String(Number(value.toPrecision(3)));
}
