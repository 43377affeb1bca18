import { MIB } from '../../config/units.js';
import { MalformedBodyError } from './malformed-body.error.js';

/**
 * The longest row that is parsed, bytes: what JSON.parse makes of a text may take 30 times its size, so that a body
 * of `[[],[],...` would end the process for want of memory if it were parsed at once.
 */
export const MAX_ROW_BYTES = MIB;

/**
 * Bad rows that a body may have. No body has as many rows worth the name, and 20 million of `{}` would hold up the
 * process for half a minute.
 */
export const MAX_BAD_ROWS = 1_000_000;

/**
 * Lines that are no JSON objects which a body may have beside good ones. JSON.parse takes about 15 microseconds to
 * refuse one: 64 MiB of them would hold up the process for minutes.
 */
export const MAX_LINES_WITHOUT_ROW = 10_000;

/**
 * Blank lines that a body may have more than others: a file with every second line blank is taken, 64 MiB of line ends
 * are not read to their end.
 */
export const MAX_BLANK_LINES = 10_000;

/** @throws MalformedBodyError when there are too many blank lines beside so many others */
export function checkBlankLines(blank: number, others: number): void {
  if (blank <= MAX_BLANK_LINES + others) return;
  throw new MalformedBodyError(
    `The body has ${limitText(blank)} blank lines beside ${limitText(others)} others; at most ${limitText(MAX_BLANK_LINES)} more may be blank than are not.`,
  );
}

/** Relative: prices that were adjusted by a factor are off by a few units in the last place. */
export const PRICE_TOLERANCE = 4 * Number.EPSILON;

/** A limit as error details name it: 10,000. */
export function limitText(limit: number): string {
  return limit.toLocaleString('en');
}
