import { median } from '../measurement.js';
import { describePlace } from './machine.js';
import type { Kept } from './results.file.js';
import { bound, spread, value, verdict } from './table.js';

/** The comparisons of all results as Markdown, with where each was taken. */
export function report(results: readonly Kept[]): string {
  if (results.length === 0) return 'Nothing is measured yet: `npm run bench`.';
  const rows = results.flatMap((kept) =>
    kept.comparisons.map(
      (comparison) =>
        `| [${comparison.name}](results/${kept.name}.svg) | ${value(median(comparison.samples), comparison.unit)} | ` +
        `${spread(comparison)} | ${bound(comparison, comparison.goal)} | ${bound(comparison, comparison.floor)} | ${verdict(comparison)} |`,
    ),
  );
  const others = results.filter(({ comparisons }) => comparisons.length === 0);
  const places = new Map<string, Kept[]>();
  for (const kept of results) {
    const where = describePlace(kept.taken);
    places.set(where, [...(places.get(where) ?? []), kept]);
  }
  return [
    [
      '| measured | median | least to most | goal | floor | |',
      '| --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
    ...others.map(({ about, name }) => `Without a bound: [${about}](results/${name}.svg).`),
    ...[...places].map(([where, kept]) => `${namesOf(kept)}: ${datesOf(kept)}, ${where}.`),
  ].join('\n\n');
}

function namesOf(results: readonly Kept[]): string {
  return results.map(({ name }) => name).join(', ');
}

/** The dates of the first and of the last. */
function datesOf(results: readonly Kept[]): string {
  const dates = results.map(({ taken }) => taken.date).sort();
  const [first = '', last = ''] = [dates.at(0), dates.at(-1)];
  return first === last ? first : `${first} to ${last}`;
}
