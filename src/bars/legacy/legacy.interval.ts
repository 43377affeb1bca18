import { parseInterval } from '../interval.js';

const SPELLING = /^([1-9][0-9]{0,3})[ _]?([A-Za-z]+)$/;

/** Units as earlier services and their providers spelled them, in lower case. */
const UNITS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    s: ['sec', 'secs', 'second', 'seconds'],
    m: ['min', 'mins', 'minute', 'minutes'],
    h: ['hr', 'hrs', 'hour', 'hours'],
    d: ['day', 'days'],
    w: ['wk', 'week', 'weeks'],
    mo: ['mon', 'month', 'months'],
  }).flatMap(([unit, spellings]) => [unit, ...spellings].map((spelling) => [spelling, unit] as const)),
);

/**
 * The stored form of an interval in the table of an earlier release; undefined when it is not clear what is meant. `1M`
 * is a month to some and a minute to others.
 */
export function legacyInterval(text: string): string | undefined {
  const [, count = '', spelling = ''] = SPELLING.exec(text) ?? [];
  if (spelling === 'M') return undefined;
  const unit = UNITS.get(spelling.toLowerCase());
  return unit === undefined ? undefined : parseInterval(`${count}${unit}`);
}
