import { median } from '../measurement.js';
import { describe } from './machine.js';
import type { Kept } from './results.file.js';
import { bound, spread, value, verdict } from './table.js';

/** The comparisons of all results as Markdown, with where each was taken. */
export function report(results: readonly Kept[]): string {
  if (results.length === 0) return 'Nothing is measured yet: `npm run bench`.';
  const rows = results.flatMap((kept) =>
    kept.comparisons.map(
      (comparison) =>
        `| [${comparison.name}](bench/results/${kept.name}.svg) | ${value(median(comparison.samples), comparison.unit)} | ` +
        `${spread(comparison)} | ${bound(comparison, comparison.goal)} | ${bound(comparison, comparison.floor)} | ${verdict(comparison)} |`,
    ),
  );
  const others = results.filter(({ comparisons }) => comparisons.length === 0);
  const places = new Map<string, string[]>();
  for (const { name, taken } of results) {
    places.set(describe(taken), [...(places.get(describe(taken)) ?? []), name]);
  }
  return [
    [
      '| measured | median | least to most | goal | floor | |',
      '| --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
    ...others.map(({ about, name }) => `Without a bound: [${about}](bench/results/${name}.svg).`),
    ...[...places].map(([where, names]) => `${names.join(', ')}: ${where}.`),
  ].join('\n\n');
}
