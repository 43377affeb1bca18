import 'reflect-metadata';

import { createHook, type AsyncHook } from 'node:async_hooks';
import { resolve } from 'node:path';

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { AppModule } from '../../src/app.module.js';
import { StopRequest } from '../../src/config/stop.request.js';
import { TokenAuthenticator } from '../../src/config/token.authenticator.js';
import { FeedbackBus, FeedbackEvent } from '../../src/coordinator/index.js';
import { AllowedMethods } from '../../src/http/allowed.methods.js';
import { ConnectionLimit } from '../../src/http/connection.limit.js';
import { DrainState } from '../../src/http/drain.state.js';
import { createHttpAdapter, prepareHttp } from '../../src/http/http.server.js';
import { ProblemFilter } from '../../src/http/problem.filter.js';
import { TokenBucketRateController } from '../../src/rate-control/index.js';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.ts';
import { TOKENS } from '../support/service.ts';

/** Timers of ours that are set, by where they were set; those of Jest are not. */
const timers = new Map<number, string>();
const hook: AsyncHook = createHook({
  init(id, type) {
    if (type !== 'Timeout') return;
    const { stack = '' } = new Error();
    if (stack.includes(resolve('src'))) timers.set(id, stack);
  },
  destroy: (id) => void timers.delete(id),
});

const { stackTraceLimit } = Error;
let database: TestDatabase;
let directory: string;

beforeAll(async () => {
  database = await createDatabase();
  directory = await makeOpenDirectory();
  Object.assign(process.env, {
    DATABASE_URL: database.url,
    MDS_DATA_DIR: directory,
    ADMIN_TOKEN: TOKENS.admin,
    MDP_RATE_PROVIDERS: 'ibkr:1:1',
    MDS_COORDINATOR_CAPACITY: '1',
    MDS_FB_ENABLE_HTTP_BROADCAST: 'true',
    MDS_FB_HTTP_ENDPOINT: 'http://127.0.0.1:9/',
    MDS_FB_ENABLE_REDIS: 'true',
    MDP_FB_REDIS_SUBSCRIBE: 'true',
    REDIS_URL: 'redis://127.0.0.1:9',
  });
  Error.stackTraceLimit = 50;
  hook.enable();
});
afterAll(async () => {
  hook.disable();
  Error.stackTraceLimit = stackTraceLimit;
  await database.drop();
  await removeDatabase(directory);
});

it('an application that is closed refuses the acquires that wait and leaves no timer', async () => {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.for(new StopRequest(8_000)),
    createHttpAdapter(),
    {
      bodyParser: false,
      logger: false,
    },
  );
  prepareHttp(app.getHttpAdapter().getInstance(), {
    allowedMethods: app.get(AllowedMethods),
    authenticator: app.get(TokenAuthenticator),
    connections: new ConnectionLimit(100),
    drain: app.get(DrainState),
    filter: app.get(ProblemFilter),
  });
  await app.listen(0, '127.0.0.1');
  const buckets = app.get(TokenBucketRateController);
  buckets.tryAcquire('ibkr', 1);
  const waiting = buckets.acquire('ibkr', 1, { maxWaitMs: 60_000 });
  const hard = { coordinator_id: 'another', queue_size: 9, capacity: 9, level: 'hard' } as const;
  await app.get(FeedbackBus).publish(FeedbackEvent.create(hard));
  // It fills the queue, which is told, and told again a heartbeat later.
  const answer = await fetch(`${await app.getUrl()}/v1/bars`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'application/x-ndjson' },
    body: JSON.stringify({
      ...{ provider: 'other', symbol: 'SPY', interval: '1d', ts: Date.now() / 1000 },
      ...{ open: 1, high: 2, low: 0, close: 1, volume: 5 },
    }),
  });
  expect(answer.ok).toBe(true);
  const files = ['level.signaller', 'level.aggregator', 'provider.limiter', 'event.stream'];
  await eventually('all that wait have a timer', () => {
    const setAt = [...timers.values()].join('\n');
    return files.every((file) => setAt.includes(file));
  });

  await app.close();
  expect(await waiting).toMatchObject({ granted: false });
  // Much sooner than any of them would end by itself.
  await eventually('no timer is left', () => timers.size === 0).catch(() => undefined);
  expect([...timers.values()]).toEqual([]);
});
