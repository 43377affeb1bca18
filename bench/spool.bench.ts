/**
 * What durability costs: bodies of NDJSON are decoded and accepted, with the spool and without it, in turns, by four
 * clients; the sink takes everything at once. Then the time from a decoded batch to its 202, as a multiple of a bare
 * write and fdatasync of the same bytes. `npm run bench -- spool`; exits with 1 when the ratio is below its bound.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { barBatchCodec } from '../src/bars/bar.batch.codec.js';
import type { BarBatch } from '../src/bars/bar.batch.js';
import { decodeBars } from '../src/bars/decode/bars.decoder.js';
import { ReceiptClock } from '../src/bars/receipt.clock.js';
import type { WriteCounts } from '../src/bars/write.counts.js';
import { tuneGarbageCollection } from '../src/garbage.collection.js';
import { DeadLetterQueue, DurableCoordinator, Spool, WriteCoordinator } from '../src/coordinator/index.js';

const ROWS = 5_000;
const SYMBOLS = 1_000;
const CLIENTS = 4;
const BATCHES = 400;
const ROUNDS = 5;
const LATENCIES = 400;
const LEAST_RATIO = 0.8;

type Accept = (batch: BarBatch) => Promise<unknown>;

tuneGarbageCollection();
const clock = new ReceiptClock();
const body = Buffer.from(
  Array.from({ length: ROWS }, (_, row) => {
    const ts = 1_767_225_600 + 60 * Math.floor(row / SYMBOLS);
    const symbol = `SYM${row % SYMBOLS}`;
    const price = 100 + (row % 97) / 100;
    const bar = {
      provider: 'bench',
      symbol,
      interval: '1m',
      ts,
      open: price,
      high: price + 1,
      low: price - 1,
    };
    return JSON.stringify({ ...bar, close: price, volume: row });
  }).join('\n'),
);
const sink = {
  write: (batches: readonly BarBatch[]) =>
    Promise.resolve(
      batches.map(({ rows }): WriteCounts => ({ inserted: rows, updated: 0, unchanged: 0, superseded: 0 })),
    ),
};
/** With the spool a batch's memory is used again once it is written; so it is without. */
const recyclingSink = {
  write: async (batches: readonly BarBatch[]) => {
    const counts = await sink.write(batches);
    for (const batch of batches) barBatchCodec.recycle?.(batch);
    return counts;
  },
};
const settings = { id: 'bench', workers: 4, batchSize: 10_000, flushIntervalMs: 0, capacity: 100_000_000 };

function decoded(): BarBatch {
  const { batch } = decodeBars(body, 'ndjson', 'abort');
  if (batch === null) throw new Error('the body of the benchmark is not valid');
  batch.receivedAt = clock.next();
  return batch;
}

/** Rows per second that four clients get accepted. */
async function rate(accept: Accept): Promise<number> {
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let batch = 0; batch < BATCHES / CLIENTS; batch++) await accept(decoded());
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (BATCHES * ROWS) / ((performance.now() - start) / 1_000);
}

async function times<V>(
  prepare: () => V,
  once: (prepared: V) => Promise<unknown>,
): Promise<(share: number) => number> {
  const taken: number[] = [];
  for (let i = 0; i < LATENCIES; i++) {
    const prepared = prepare();
    const start = performance.now();
    await once(prepared);
    taken.push(performance.now() - start);
  }
  taken.sort((a, b) => a - b);
  return (share) => taken[Math.min(LATENCIES - 1, Math.floor(LATENCIES * share))] ?? NaN;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

const directory = await mkdtemp(join(tmpdir(), 'mds-bench-'));
const spool = await Spool.open<BarBatch>({ directory: join(directory, 'spool'), maxBytes: 4e9, retainMs: 0 });
const deadLetters = await DeadLetterQueue.open({ directory: join(directory, 'dlq') });
const durable = new DurableCoordinator<BarBatch, WriteCounts>({
  ...settings,
  sink,
  codec: barBatchCodec,
  spool,
  deadLetters,
});
const memory = new WriteCoordinator<BarBatch, WriteCounts>({ ...settings, sink: recyclingSink });
durable.start();
memory.start();

const withSpool: Accept = (batch) => durable.accept(batch);
const without: Accept = (batch) => memory.submit(batch);
await rate(withSpool);
await rate(without);
const rates = { spool: [] as number[], memory: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  rates.memory.push(await rate(without));
  rates.spool.push(await rate(withSpool));
}
const ratio = median(rates.spool.map((value, round) => value / (rates.memory[round] ?? NaN)));

const batch = decoded();
const bytes = barBatchCodec.encode(batch);
const file = await open(join(directory, 'bare'), 'w');
let position = 0;
const bare = await times(
  () => [...bytes],
  async (parts) => {
    position += (await file.writev(parts, position)).bytesWritten;
    await file.datasync();
  },
);
await file.close();
const accepted = await times(decoded, withSpool);

await durable.stop({ deadlineMs: 10_000 });
await memory.stop({ deadlineMs: 10_000 });
await rm(directory, { recursive: true, force: true });

const thousands = (value: number) => `${Math.round(value / 1_000)} k rows/s`;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
print(`accepting, ${ROWS} rows a body, ${CLIENTS} clients, medians of ${ROUNDS} rounds in turns:`);
print(`  with the spool ${thousands(median(rates.spool))}, without ${thousands(median(rates.memory))}`);
print(`  ratio ${ratio.toFixed(2)} (at least ${LEAST_RATIO})`);
for (const share of [0.5, 0.99]) {
  print(
    `from a decoded batch to 202, p${share * 100}: ${accepted(share).toFixed(2)} ms, ` +
      `${(accepted(share) / bare(share)).toFixed(1)} x a bare write + fdatasync (${bare(share).toFixed(2)} ms)`,
  );
}
if (!(ratio >= LEAST_RATIO)) process.exitCode = 1;
