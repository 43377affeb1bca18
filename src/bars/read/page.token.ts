import { ProblemError } from '../../http/problem.error.js';
import type { SeriesKey } from '../series.key.js';
import { END_TS_US, FIRST_TS_US } from '../timestamp.js';

const NAME = /^[!-~]{1,64}$/;
const LAST_SERIES_ID = 2 ** 31 - 1;

/** What a part may be. A forged one is refused here: PostgreSQL would fail on NUL and on numbers out of range. */
const PART_CHECKS = {
  name: (part: unknown) => typeof part === 'string' && NAME.test(part),
  ts: (part: unknown) => Number.isInteger(part) && Number(part) >= FIRST_TS_US && Number(part) < END_TS_US,
  seriesId: (part: unknown) => Number.isInteger(part) && Number(part) > 0 && Number(part) <= LAST_SERIES_ID,
} satisfies Record<string, (part: unknown) => boolean>;

/** What a part of a token is: a part of a series' key, Unix epoch microseconds, or the id of a series. */
type PartKind = keyof typeof PART_CHECKS;

/** Makes a position opaque for the client. */
export function encodePageToken(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/**
 * Reads a token back; `shape` names what each part is.
 * @throws ProblemError `invalid-parameter` for a token that this service did not make
 */
export function decodePageToken(token: string, shape: readonly PartKind[]): (string | number)[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === shape.length && parts.every(isPartOf(shape))) return parts;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new ProblemError('invalid-parameter', 'page_token is not one that a former answer gave.');
}

/** The token of the page behind a series, in an order of symbol, provider, interval. */
export function encodeSeriesToken({ symbol, provider, interval }: SeriesKey): string {
  return encodePageToken([symbol, provider, interval]);
}

/**
 * The series that a token of encodeSeriesToken() names.
 * @throws ProblemError `invalid-parameter` for a token that this service did not make
 */
export function decodeSeriesToken(token: string): SeriesKey {
  const [symbol, provider, interval] = decodePageToken(token, ['name', 'name', 'name']);
  return { symbol: String(symbol), provider: String(provider), interval: String(interval) };
}

const isPartOf =
  (shape: readonly PartKind[]) =>
  (part: unknown, index: number): part is string | number => {
    const kind = shape[index];
    return kind !== undefined && PART_CHECKS[kind](part);
  };
