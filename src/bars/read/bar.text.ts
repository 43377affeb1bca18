import { formatTimestamp } from '../timestamp.js';
import type { BarRow } from './bar.row.js';

/** A bar as a JSON object; every number reads back to the same bits. */
export function barJson(bar: BarRow, ageSeconds?: number): string {
  const { provider, symbol, interval, ts, open, high, low, close, volume } = bar;
  const age = ageSeconds === undefined ? '' : `,"age_seconds":${ageSeconds}`;
  return (
    `{"provider":${JSON.stringify(provider)},"symbol":${JSON.stringify(symbol)},"interval":"${interval}",` +
    `"ts":"${formatTimestamp(ts)}","open":${numberText(open)},"high":${numberText(high)},"low":${numberText(low)},` +
    `"close":${numberText(close)},"volume":${numberText(volume)}${age}}`
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
