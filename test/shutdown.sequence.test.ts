import 'reflect-metadata';

import { setTimeout as sleep } from 'node:timers/promises';

import { Logger } from '@nestjs/common';
import { beforeEach, expect, it } from '@jest/globals';

import { StopRequest } from '../src/config/stop.request.js';
import { ShutdownSequence } from '../src/shutdown.sequence.js';

type Parts = ConstructorParameters<typeof ShutdownSequence>;

let steps: string[];
/** A database that hangs never answers a farewell. */
let databaseHangs: boolean;

/** A step that takes its time: one that nobody waits for ends after the next has begun. */
const takesTime = (name: string) => async (): Promise<void> => {
  steps.push(`${name} begins`);
  await sleep(5);
  steps.push(`${name} ends`);
};
const atOnce = (name: string) => (): void => void steps.push(name);

function sequence(stop: StopRequest, queued = 0): ShutdownSequence {
  const parts = [
    stop,
    { httpAdapter: { getHttpServer: () => ({ closeAllConnections: atOnce('connections are cut') }) } },
    { start: atOnce('bars are refused') },
    { refuseWaiting: atOnce('acquires are refused'), stop: atOnce('signals end') },
    {
      load: { queueSize: queued },
      snapshot: () => ({ queueSize: queued, circuitCause: undefined }),
      stop: takesTime('the queue is written'),
    },
    { close: atOnce('event streams end') },
    { stop: takesTime('channels close') },
    { stop: atOnce('the clock stops') },
    { close: () => (databaseHangs ? new Promise<void>(() => undefined) : takesTime('the pool ends')()) },
    { close: takesTime('the probe ends') },
    { stop: takesTime('the server ends') },
    { release: takesTime('the directory is released') },
  ];
  return new ShutdownSequence(...(parts as unknown as Parts));
}

beforeEach(() => {
  Logger.overrideLogger(false);
  steps = [];
  databaseHangs = false;
});

it('The service stops its parts in the order in which bars flow through them', async () => {
  const shutdown = sequence(new StopRequest(10_000));
  await shutdown.beforeApplicationShutdown();
  // Here Nest closes the HTTP server: the answers to what was written have gone out.
  steps.push('the HTTP server closes');
  await shutdown.onApplicationShutdown();
  expect(steps).toEqual([
    'bars are refused',
    'acquires are refused',
    'the queue is written begins',
    'the queue is written ends',
    // After the last change of the level, and before the HTTP server, which waits for its readers.
    'event streams end',
    'the HTTP server closes',
    'signals end',
    'the clock stops',
    'channels close begins',
    'channels close ends',
    // Both at once.
    'the probe ends begins',
    'the pool ends begins',
    'the probe ends ends',
    'the pool ends ends',
    // Into which the queue was written.
    'the server ends begins',
    'the server ends ends',
    // Whoever takes the directory finds no server in it.
    'the directory is released begins',
    'the directory is released ends',
  ]);
});

it('The service ends its server though the database does not answer a farewell', async () => {
  databaseHangs = true;
  const shutdown = sequence(new StopRequest(500), 3);
  await shutdown.beforeApplicationShutdown();
  await shutdown.onApplicationShutdown();
  expect(steps.slice(-4)).toEqual([
    'the server ends begins',
    'the server ends ends',
    'the directory is released begins',
    'the directory is released ends',
  ]);
});

it('The service cuts connections whose answers take too long', async () => {
  const shutdown = sequence(new StopRequest(200));
  await shutdown.beforeApplicationShutdown();
  expect(steps).not.toContain('connections are cut');
  await sleep(100);
  expect(steps).toContain('connections are cut');
});
