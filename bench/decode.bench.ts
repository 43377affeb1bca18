/**
 * How fast bodies of 5,000 bars of 1,000 symbols are decoded, per format: by the scanners, and with every row parsed,
 * in turns, on one core. `npm run bench -- decode`; exits with 1 when a format is scanned slower than its bound.
 */
import { type BodyFormat, decodeBars, decodeStrictly } from '../src/bars/decode/bars.decoder.js';

const ROWS = 5_000;
const SYMBOLS = 1_000;
const ROUNDS = 11;
const ROUND_MS = 100;
/** Scanning must be this many times as fast as parsing. */
const LEAST_RATIO = 2.5;

type Decode = typeof decodeBars;

const FIELDS = ['provider', 'symbol', 'interval', 'ts', 'open', 'high', 'low', 'close', 'volume'] as const;
const rows = Array.from({ length: ROWS }, (_, row) => {
  const open = Number((100 + ((row * 7919) % 40_000) / 100).toFixed(2));
  const price = (offset: number): number => Number((open + offset).toFixed(2));
  return {
    provider: 'bench',
    symbol: `SYM${String(row % SYMBOLS).padStart(4, '0')}`,
    interval: '1m',
    ts: new Date(Date.UTC(2026, 0, 2, 14, 30) + 60_000 * Math.floor(row / SYMBOLS))
      .toISOString()
      .replace('.000', ''),
    open,
    high: price(1.27),
    low: price(-0.93),
    close: price(0.31),
    volume: 1_000 + ((row * 104_729) % 900_000),
  };
});
const BODIES: Readonly<Record<BodyFormat, Buffer>> = {
  ndjson: Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')),
  json: Buffer.from(JSON.stringify({ bars: rows })),
  csv: Buffer.from([FIELDS, ...rows.map((row) => FIELDS.map((field) => row[field]))].join('\n')),
};

/** Rows per second of processor time in one round: what else the machine does must not count. */
function rate(decode: Decode, format: BodyFormat): number {
  const start = process.cpuUsage();
  let decoded = 0;
  let elapsedMs = 0;
  while (elapsedMs < ROUND_MS) {
    decoded += decode(BODIES[format], format, 'abort').batch?.rows ?? NaN;
    const { user, system } = process.cpuUsage(start);
    elapsedMs = (user + system) / 1_000;
  }
  return decoded / (elapsedMs / 1_000);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

print(`decoding ${ROWS} rows of ${SYMBOLS} symbols, medians of ${ROUNDS} rounds in turns:`);
print('  format   bytes/row       scanned            parsed       ratio');
for (const format of ['ndjson', 'json', 'csv'] as const) {
  const bytes = BODIES[format].length / ROWS;
  const scanned: number[] = [];
  const parsed: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const pair = [rate(decodeBars, format), rate(decodeStrictly, format)] as const;
    if (round < 0) continue;
    scanned.push(pair[0]);
    parsed.push(pair[1]);
  }
  const ratio = median(scanned.map((value, round) => value / (parsed[round] ?? NaN)));
  const cell = (values: readonly number[]): string => {
    const perSecond = median(values);
    return `${Math.round(perSecond / 1_000)} k/s ${Math.round((perSecond * bytes) / 1e6)} MB/s`.padStart(17);
  };
  print(
    `  ${format.padEnd(8)} ${bytes.toFixed(0).padStart(7)} ${cell(scanned)} ${cell(parsed)} ${ratio.toFixed(2).padStart(9)}`,
  );
  if (!(ratio >= LEAST_RATIO)) process.exitCode = 1;
}
