import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';

import { decodeBars } from '../../src/bars/decode/bars.decoder.js';
import { type BarBlock, ndjsonBodies, rowsOf } from '../data/bar.block.js';
import { type Measurement, median } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 500;
const CLIENTS = 4;
const MICROS = 1_000_000;
/** Bodies that are inflated, decoded, and handed to a thread and back, a round. */
const BODIES = 50;
/** Gives back what it gets. */
const ECHO = `require('node:worker_threads').parentPort.on('message', (bytes) =>
  require('node:worker_threads').parentPort.postMessage(bytes, [bytes.buffer]))`;

/** What the way of a bar was chosen by, that no other benchmark compares. Nothing of it is judged. */
export const measureChoices: Measurement = async (rig, { rounds, scale }, tell) => {
  const { databaseUrl, load } = rig;
  const service = await rig.startService();
  const minutes = Math.round(MINUTES * scale);
  const copied = async (into: 'bars' | 'partition', block: BarBlock, url = databaseUrl): Promise<number> => {
    await rig.clear();
    const { seconds } = await load.run('copy', { databaseUrl: url, block, connections: 2, into });
    return (seconds / rowsOf(block)) * MICROS;
  };
  const idleWhilePosting = async (block: BarBlock): Promise<number> => {
    await rig.clear();
    const posted = await load.run('post', { target: service.target(), block, clients: CLIENTS });
    return 100 * posted.idleShare;
  };
  const unsynced = new URL(databaseUrl);
  unsynced.searchParams.set('options', '-c synchronous_commit=off');

  const [body = Buffer.alloc(0)] = ndjsonBodies({ symbols: SYMBOLS, firstMinute: 0, minutes: 5 });
  const compressed = gzipSync(body);
  const worker = new Worker(ECHO, { eval: true });
  const handedOver = async (): Promise<void> => {
    const bytes = new Uint8Array(body);
    worker.postMessage(bytes, [bytes.buffer]);
    await once(worker, 'message');
  };
  const copiedBody = (): Uint8Array => new Uint8Array(body);

  const samples = Array.from({ length: 8 }, () => [] as number[]);
  for (let round = 0; round <= rounds; round += 1) {
    const block: BarBlock = { symbols: SYMBOLS, firstMinute: round * minutes, minutes };
    const taken = [
      await copied('bars', block),
      await copied('partition', block),
      await copied('bars', block, unsynced.href),
      await idleWhilePosting(block),
      await millis(() => void gunzipSync(compressed)),
      await millis(() => void decodeBars(body, 'ndjson', 'abort')),
      await millis(() => void copiedBody()),
      await millis(handedOver),
    ];
    tell(round === 0 ? 'warmed up' : `round ${round} of ${rounds}`);
    if (round > 0) taken.forEach((value, index) => samples[index]?.push(value));
  }
  await worker.terminate();
  await service.stop();
  const figure = (name: string, unit: string) => ({ name, unit, samples: samples.shift() ?? [] });
  return {
    figures: [
      figure('a row, COPY into the parent', 'µs'),
      figure('a row, COPY into its partition', 'µs'),
      figure('a row, COPY into the parent, commits not synced', 'µs'),
      figure('processors idle until all bars are acknowledged', '%'),
      figure('a gzipped body inflated on the thread', 'ms'),
      figure('a body decoded', 'ms'),
      figure('a body copied', 'ms'),
      figure('a body copied, handed to a thread and back', 'ms'),
    ],
    comparisons: [],
    notes: [
      `${minutes * SYMBOLS} new bars of ${SYMBOLS} symbols a round, COPY of 5,000 on 2 connections, posts from ${CLIENTS} clients; a body is 5,000 bars of NDJSON.`,
    ],
  };
};

/** Milliseconds that one call takes, the middle one of many. */
async function millis(call: () => Promise<void> | void): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < BODIES; at += 1) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return median(times);
}
