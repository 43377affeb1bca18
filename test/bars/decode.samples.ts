import type { BarBatch } from '../../src/bars/bar.batch.js';
import { decodeBars, type BodyFormat, type DecodeResult } from '../../src/bars/decode/bars.decoder.js';
import { parseSeriesName } from '../../src/bars/series.key.js';
import { OFFSET, readTimestamp, TUPLE_BYTES } from '../../src/bars/tuple.js';

/** A row that every decoder accepts. */
export const GOOD_ROW = {
  provider: 'ibkr',
  symbol: 'SPY',
  interval: '1d',
  ts: '2024-01-02T00:00:00Z',
  open: 1.5,
  high: 2.5,
  low: 0.5,
  close: 2,
  volume: 100,
};

/** What a tuple says, with its series looked up. */
interface SampleBar {
  readonly provider: string;
  readonly symbol: string;
  readonly interval: string;
  readonly ts: number;
  readonly prices: readonly number[];
}

/** The bars of a batch, in its order; none when there is no batch. */
export function barsOf(batch: BarBatch | null): SampleBar[] {
  if (batch === null) return [];
  return Array.from({ length: batch.rows }, (_, row) => {
    const at = row * TUPLE_BYTES;
    const name = batch.series[batch.tuples.readInt32BE(at + OFFSET.series)];
    if (name === undefined) throw new Error(`row ${row} has a series that is not in the dictionary`);
    const { open, high, low, close, volume } = OFFSET;
    const prices = [open, high, low, close, volume].map((offset) => batch.tuples.readDoubleBE(at + offset));
    return { ...parseSeriesName(name), ts: readTimestamp(batch.tuples, at + OFFSET.ts), prices };
  });
}

/** Decodes a text, keeping the good rows. */
export function decodeText(text: string, format: BodyFormat): DecodeResult {
  return decodeBars(Buffer.from(text), format, 'skip');
}

/** A CSV body of one row with the given texts in place of the good row's. */
export function csvRow(texts: Record<string, string> = {}): string {
  const row = { ...GOOD_ROW, ...texts };
  return `${Object.keys(row).join(',')}\n${Object.values(row).join(',')}\n`;
}

/** A JSON object with the given members, written as they are, in place of the good row's. */
export function jsonRow(members: Record<string, string> = {}): string {
  const row = Object.fromEntries(
    Object.entries(GOOD_ROW).map(([key, value]) => [key, JSON.stringify(value)]),
  );
  const all = Object.entries({ ...row, ...members });
  return `{${all.map(([key, value]) => `"${key}":${value}`).join(',')}}`;
}

/** The text of a time so many seconds after 2024-01-02T00:00:00Z, as a number. */
export const secondsAfter = (seconds: number): string => String(1_704_153_600 + seconds);
