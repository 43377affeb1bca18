import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';

import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { decodeBars } from '../../src/bars/decode/bars.decoder.js';
import { tuneGarbageCollection } from '../../src/garbage.collection.js';
import { BATCH_ROWS, type BarBlock, ndjsonBodies, rowsOf } from '../data/bar.block.js';
import { type Measurement, median } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;
const MICROS = 1_000_000;
/** How often a body is inflated, decoded, copied, and handed to a thread and back in a turn. */
const CALLS = 50;
/** A thread that gives back what it gets. */
const ECHO = `const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (bytes) => parentPort.postMessage(bytes, [bytes.buffer]))`;

/** What the design rests on and no other benchmark measures. Nothing of it is judged. */
export const measureChoices: Measurement = async (rig, { rounds, scale }, tell) => {
  const { databaseUrl, load } = rig;
  const service = await rig.startService();
  const minutes = Math.round(MINUTES * scale);
  const unsynced = new URL(databaseUrl);
  unsynced.searchParams.set('options', '-c synchronous_commit=off');
  /** @returns microseconds a row */
  const copied = async (block: BarBlock, into: 'bars' | 'partition', url = databaseUrl): Promise<number> => {
    await rig.clear();
    const { seconds } = await load.run('copy', { databaseUrl: url, block, connections: 2, into });
    return (seconds / rowsOf(block)) * MICROS;
  };
  const idleWhilePosting = async (block: BarBlock): Promise<number> => {
    await rig.clear();
    const { idleShare } = await load.run('post', { target: service.target(), block, clients: CLIENTS });
    return 100 * idleShare;
  };

  // As in the service.
  tuneGarbageCollection();
  const [body = Buffer.alloc(0)] = ndjsonBodies({
    symbols: SYMBOLS,
    firstMinute: 0,
    minutes: BATCH_ROWS / SYMBOLS,
  });
  const compressed = gzipSync(body);
  const decode = (): void => {
    const { batch } = decodeBars(body, 'ndjson', 'abort');
    if (batch) barBatchCodec.recycle?.(batch);
  };
  const worker = new Worker(ECHO, { eval: true });
  const handOver = async (): Promise<void> => {
    const bytes = new Uint8Array(body);
    worker.postMessage(bytes, [bytes.buffer]);
    await once(worker, 'message');
  };

  const figures = [
    { name: 'a row, COPY into the parent', unit: 'µs', turn: (block: BarBlock) => copied(block, 'bars') },
    {
      name: 'a row, COPY into its partition',
      unit: 'µs',
      turn: (block: BarBlock) => copied(block, 'partition'),
    },
    {
      name: 'a row, COPY into the parent, commits not synced',
      unit: 'µs',
      turn: (block: BarBlock) => copied(block, 'bars', unsynced.href),
    },
    { name: 'processors idle until all bars are acknowledged', unit: '%', turn: idleWhilePosting },
    {
      name: 'a gzipped body inflated on the thread',
      unit: 'ms',
      turn: () => millis(() => void gunzipSync(compressed)),
    },
    { name: 'a body decoded', unit: 'ms', turn: () => millis(decode) },
    { name: 'a body copied', unit: 'ms', turn: () => millis(() => void Buffer.from(body)) },
    { name: 'a body copied, handed to a thread and back', unit: 'ms', turn: () => millis(handOver) },
  ].map((figure) => ({ ...figure, samples: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    const block: BarBlock = { symbols: SYMBOLS, firstMinute: round * minutes, minutes };
    // Each is the first in a round once, so that nobody always follows the same.
    const first = round % figures.length;
    for (const { samples, turn } of [...figures.slice(first), ...figures.slice(0, first)]) {
      const value = await turn(block);
      if (round > 0) samples.push(value);
    }
    tell(round === 0 ? 'warmed up' : `round ${round} of ${rounds}`);
  }
  await worker.terminate();
  await service.stop();
  return {
    figures: figures.map(({ name, samples, unit }) => ({ name, samples, unit })),
    comparisons: [],
    notes: [
      `${minutes * SYMBOLS} new bars of ${SYMBOLS} symbols, COPY of 5,000 on 2 connections, posts from ${CLIENTS} clients; a body is 5,000 bars of NDJSON.`,
    ],
  };
};

/** Milliseconds that one call takes, the middle one of many. */
async function millis(call: () => Promise<void> | void): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < CALLS; at += 1) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return median(times);
}
