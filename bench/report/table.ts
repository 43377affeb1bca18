import {
  type Comparison,
  type Figure,
  holdsFloor,
  median,
  type Outcome,
  reachesGoal,
} from '../measurement.js';

/** A table for people: figures with their spread, then each comparison beside its goal and its floor. */
export function table({ comparisons, figures, notes = [], skipped = [] }: Outcome): string {
  const rows = figures.map((figure) => [
    figure.name,
    value(median(figure.samples), figure.unit),
    spread(figure),
  ]);
  const verdicts = comparisons.map((comparison) => [
    comparison.name,
    value(median(comparison.samples), comparison.unit),
    spread(comparison),
    bound(comparison, comparison.goal),
    bound(comparison, comparison.floor),
    verdict(comparison),
  ]);
  return [
    ...columns([['', 'median', 'least to most'], ...rows]),
    ...(verdicts.length > 0
      ? ['', ...columns([['', 'median', 'least to most', 'goal', 'floor', ''], ...verdicts])]
      : []),
    ...skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`),
    ...notes.map((note) => `note: ${note}`),
  ].join('\n');
}

/** How a comparison came out. */
export function verdict(comparison: Comparison): string {
  if (reachesGoal(comparison)) return 'goal met';
  return holdsFloor(comparison) ? 'above the floor' : 'BELOW THE FLOOR';
}

/** Goal or floor with its direction. */
export function bound({ better, unit }: Comparison, limit: number): string {
  return `${better === 'higher' ? '>=' : '<='} ${limit} ${unit}`;
}

/** A number with its unit, in as many digits as mean something. */
export function value(number: number, unit: string): string {
  if (number >= 10_000) return `${Math.round(number / 1_000).toLocaleString('en')} k ${unit}`;
  return `${number >= 100 ? Math.round(number) : Number(number.toPrecision(3))} ${unit}`;
}

/** From the least to the most of the rounds. */
export function spread({ samples, unit }: Figure | Comparison): string {
  if (samples.length < 2) return '';
  return `${value(Math.min(...samples), '').trim()} to ${value(Math.max(...samples), unit)}`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
