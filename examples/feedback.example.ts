/**
 * The feedback loop, to be watched: a slow sink, a producer that sends four times as much and obeys the stream of
 * rates, and a receiver of webhooks. Run it with `npm run example:feedback`; it ends by itself.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { EventStream } from '../src/coordinator/event.stream.js';
import {
  FeedbackBus,
  feedbackMessage,
  HttpFeedbackBroadcaster,
  LevelSignaller,
  QueueFullError,
  WriteCoordinator,
} from '../src/coordinator/index.js';
import { FeedbackHandler, TokenBucketRateController } from '../src/rate-control/index.js';

const CAPACITY = 10_000;
const SINK_ROWS_PER_SECOND = 2_000;
const PRODUCER_ROWS_PER_SECOND = 8_000;
const BATCH_ROWS = 200;

const started = performance.now();
const print = (line: string): void => {
  const seconds = ((performance.now() - started) / 1_000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds} s  ${line}\n`);
};

/** Takes as long for its rows as a database that is too slow. */
const slowSink = {
  async write(entries: readonly { rows: number }[]): Promise<readonly number[]> {
    const rows = entries.map((entry) => entry.rows);
    await sleep((rows.reduce((sum, count) => sum + count, 0) / SINK_ROWS_PER_SECOND) * 1_000);
    return rows;
  },
};

const coordinator = new WriteCoordinator({
  id: 'example',
  capacity: CAPACITY,
  workers: 1,
  batchSize: 500,
  flushIntervalMs: 50,
  sink: slowSink,
});

// Core's protocols in a row: the signaller publishes, the handler adjusts, the stream and the webhook tell.
const bus = new FeedbackBus();
const signaller = new LevelSignaller(coordinator, bus, { heartbeatMs: 1_000 });
const rates = new TokenBucketRateController();
const handler = new FeedbackHandler({ controller: rates, providers: ['example'] });
const stream = new EventStream();
rates.register('example', { refillRate: PRODUCER_ROWS_PER_SECOND, burst: BATCH_ROWS });
bus.subscribe((event) => void handler.handle(event));
bus.subscribe((event) => stream.send('feedback', event.coordinator_id, feedbackMessage(event)));
rates.onAdjustment((adjustment) => stream.send('adjustment', adjustment.provider, adjustment));

const store = await listen((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  stream.add(response, undefined);
});
let recovered = 0;
let paused = false;
const receiver = await listen((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const { level, reason, queue_size } = JSON.parse(body) as Record<string, string>;
    print(`webhook   level ${level}, because of ${reason}, ${queue_size} rows queued`);
    if (level === 'hard') paused = true;
    if (level === 'ok' && paused) {
      paused = false;
      recovered += 1;
    }
    response.writeHead(204).end();
  });
});
const broadcaster = new HttpFeedbackBroadcaster({ endpoint: `${urlOf(receiver)}/feedback` });
bus.subscribe((event) => broadcaster.publish(event));

coordinator.start();
signaller.start();

/** The share of its full rate at which the producer sends; only the stream changes it. */
let scale = 1;
const following = new AbortController();
void followRates();
void report();

// Twice round, so that it is seen to speed up again.
const end = Date.now() + 60_000;
while (recovered < 2 && Date.now() < end) {
  if (scale === 0) {
    await sleep(20);
    continue;
  }
  coordinator.submit({ rows: BATCH_ROWS }).catch((error: unknown) => {
    if (error instanceof QueueFullError) print(`refused   ${error.message}`);
  });
  await sleep((BATCH_ROWS / (PRODUCER_ROWS_PER_SECOND * scale)) * 1_000);
}
print(recovered < 2 ? 'it did not recover' : 'recovered twice, at full speed again: the loop is closed');

signaller.stop();
following.abort();
stream.close();
await broadcaster.stop();
await coordinator.stop({ deadlineMs: 5_000 });
handler[Symbol.dispose]();
rates.close();
store.close();
receiver.close();
process.exit(recovered < 2 ? 1 : 0);

async function listen(handle: RequestListener): Promise<Server> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What any producer does: reads the stream and takes the newest scale. */
async function followRates(): Promise<void> {
  const answer = await fetch(urlOf(store), { signal: following.signal });
  const decoder = new TextDecoder();
  try {
    for await (const chunk of answer.body ?? []) {
      for (const [, data = ''] of decoder
        .decode(chunk as Uint8Array)
        .matchAll(/event: adjustment\ndata: (.*)/g)) {
        const adjustment = JSON.parse(data) as { scale: number; reason: string };
        scale = adjustment.scale;
        print(`producer  sends at ${scale * PRODUCER_ROWS_PER_SECOND} rows/s now (${adjustment.reason})`);
      }
    }
  } catch (error) {
    if (!following.signal.aborted) throw error;
  }
}

async function report(): Promise<void> {
  while (!following.signal.aborted) {
    const { queueSize, level } = coordinator.snapshot();
    const bar = '#'.repeat(Math.round((queueSize / CAPACITY) * 40)).padEnd(40, '.');
    print(`queue     ${bar} ${String(queueSize).padStart(5)} of ${CAPACITY} (${level})`);
    await sleep(250);
  }
}
