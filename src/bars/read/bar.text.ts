import type { SeriesKey } from '../series.key.js';
import { formatTimestamp } from '../timestamp.js';

/** A bar. */
export interface BarRow extends SeriesKey {
  /** Start of the bar, Unix epoch microseconds. */
  readonly ts: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** A bar as a JSON object; every number reads back to the same bits. */
export function barJson(bar: BarRow): string {
  const { provider, symbol, interval, ts, open, high, low, close, volume } = bar;
  return (
    `{"provider":${JSON.stringify(provider)},"symbol":${JSON.stringify(symbol)},"interval":"${interval}",` +
    `"ts":"${formatTimestamp(ts)}","open":${numberText(open)},"high":${numberText(high)},"low":${numberText(low)},` +
    `"close":${numberText(close)},"volume":${numberText(volume)}}`
  );
}

/** A bar as a CSV record without its line end (RFC 4180). */
export function barCsv(bar: BarRow): string {
  const { provider, symbol, interval, ts, open, high, low, close, volume } = bar;
  return (
    `${provider},${csvField(symbol)},${interval},${formatTimestamp(ts)},${numberText(open)},${numberText(high)},` +
    `${numberText(low)},${numberText(close)},${numberText(volume)}`
  );
}

/** JavaScript prints the shortest text that reads back alike, save that it drops the sign of zero. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function csvField(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
