/**
 * Time from a change of the queue's level to the applied adjustment, in one process and across Redis, at 1,000
 * changes each. `npm run bench -- feedback`; exits with 1 when the 99th percentile is above its bound.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { FeedbackPublisher } from '../src/core/index.js';
import {
  BoundedQueue,
  FeedbackBus,
  FeedbackEvent,
  RedisFeedbackPublisher,
  RedisFeedbackSubscriber,
} from '../src/coordinator/index.js';
import { FeedbackHandler } from '../src/rate-control/index.js';
import { freePort } from './process/free.port.js';
import { findProgram, startProgram, untilReady } from './process/program.js';

const CHANGES = 1_000;

/** Fills and empties a queue so that its level changes, and times each change until it is applied. */
async function measure(publisher: FeedbackPublisher, arrivals: FeedbackBus): Promise<number[]> {
  const times: number[] = [];
  let changedAt = 0;
  let applied: (() => void) | undefined;
  const handler = new FeedbackHandler({
    providers: ['bench'],
    controller: {
      apply: () => {
        if (changedAt > 0) times.push(performance.now() - changedAt);
        applied?.();
        return Promise.resolve();
      },
    },
  });
  arrivals.subscribe((event) => void handler.handle(event));
  const queue = new BoundedQueue<{ rows: number }>({ capacity: 10, overflow: 'error' });
  queue.onLevelChange(({ level, reason, size, capacity }) =>
    publisher.publish(
      FeedbackEvent.create({ coordinator_id: 'bench', queue_size: size, capacity, level, reason }),
    ),
  );
  for (let change = 0; change < CHANGES; change += 1) {
    const done = new Promise<void>((resolve) => (applied = resolve));
    changedAt = performance.now();
    if (change % 2 === 0) queue.offer({ rows: 9 });
    else await queue.take(9);
    await done;
    await sleep(1);
  }
  handler[Symbol.dispose]();
  return times.sort((a, b) => a - b);
}

function tell(name: string, times: readonly number[], boundMs: number): boolean {
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
  const ok = times.length >= CHANGES && at(0.99) < boundMs;
  process.stdout.write(
    `${name.padEnd(12)} ${times.length} changes  p50 ${at(0.5).toFixed(2)} ms  p99 ${at(0.99).toFixed(2)} ms  ` +
      `max ${at(1).toFixed(2)} ms  bound ${boundMs} ms  ${ok ? 'met' : 'NOT MET'}\n`,
  );
  return ok;
}

const bus = new FeedbackBus();
const inProcess = tell('in process', await measure(bus, bus), 5);

const program = findProgram('redis-server');
if (program === undefined) {
  process.stdout.write(
    'skipped: across Redis: redis-server is not on the PATH (Debian package redis-server)\n',
  );
  process.exit(inProcess ? 0 : 1);
}
const port = await freePort();
const redis = startProgram(program, ['--port', String(port), '--bind', '127.0.0.1', '--save', '']);
await untilReady(redis, () => redis.output().includes('Ready to accept connections') || undefined);
const url = `redis://127.0.0.1:${port}`;
const received = new FeedbackBus();
const publisher = new RedisFeedbackPublisher({ url, channel: 'bench', origin: 'one' });
const subscriber = new RedisFeedbackSubscriber({
  url,
  channel: 'bench',
  origin: 'two',
  onEvent: (event) => received.publish(event),
});
publisher.start();
subscriber.start();
await sleep(500);
const acrossRedis = tell('across Redis', await measure(publisher, received), 25);
await Promise.all([publisher.stop(), subscriber.stop()]);
redis.child.kill();
process.exit(inProcess && acrossRedis ? 0 : 1);
