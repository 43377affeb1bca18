import { PassThrough } from 'node:stream';
import type { IncomingMessage } from 'node:http';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FastifyRequest } from 'fastify';

import { BodyBudget, type BodyRoom } from '../../src/http/body.budget.js';
import { readBody } from '../../src/http/body.reader.js';

const LIMIT = 1_000_000;
const SECOND = 1_000;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** A body under way, whose bytes the test sends. */
function upload(headers: Record<string, string> = {}, bodyRoom?: BodyRoom) {
  const payload = new PassThrough();
  const socket = { setTimeout: jest.fn() };
  const request = { headers, bodyRoom, routeOptions: { bodyLimit: LIMIT } } as unknown as FastifyRequest;
  const read = readBody(request, Object.assign(payload, { socket }) as unknown as IncomingMessage);
  const outcome = read.catch((error: unknown) => error);
  const send = async (bytes: number): Promise<void> => {
    payload.write(Buffer.alloc(bytes, 'x'));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { payload, outcome, send };
}

describe('a body that is read', () => {
  it('is given whole, however long it takes', async () => {
    const { payload, outcome, send } = upload();
    for (let minute = 0; minute < 60; minute++) {
      for (let i = 0; i < 3; i++) {
        await send(25_000);
        await jest.advanceTimersByTimeAsync(20 * SECOND);
      }
      if (minute === 11) break;
    }
    payload.end();
    expect(await outcome).toHaveLength(12 * 3 * 25_000);
  });

  it.each([
    ['says so', { 'content-length': String(LIMIT + 1) }, 0],
    ['turns out to be so', {}, LIMIT + 1],
  ])('is refused when it is too large, as soon as it %s', async (_, headers, bytes) => {
    const { outcome, send } = upload(headers);
    await send(bytes);
    expect(await outcome).toMatchObject({ code: 'body-too-large' });
  });

  it('is given up when nothing comes for 30 s', async () => {
    const { outcome, send } = upload();
    await send(500_000);
    await jest.advanceTimersByTimeAsync(31 * SECOND);
    expect(await outcome).toMatchObject({ code: 'upload-too-slow', status: 408 });
  });

  it('is given up when less than 1 KiB a second comes', async () => {
    const { outcome, send } = upload();
    for (let i = 0; i < 12; i++) {
      await send(1_000);
      await jest.advanceTimersByTimeAsync(5_100);
    }
    expect(await outcome).toMatchObject({ code: 'upload-too-slow' });
  });

  it('is given up when its client goes', async () => {
    const { payload, outcome, send } = upload();
    await send(100);
    payload.destroy();
    expect(await outcome).toMatchObject({ name: 'ProblemError' });
  });

  it('takes room as it comes, and is refused when there is none', async () => {
    const budget = new BodyBudget(100_000);
    const [sender, another] = [{}, {}];
    const first = budget.reserve(0, sender);
    const one = upload({}, first);
    await one.send(60_000);
    const other = upload({}, budget.reserve(0, another));
    await other.send(20_000);
    expect(() => budget.reserve(1, another)).toThrow(expect.objectContaining({ code: 'queue-full' }));
    await other.send(1);
    expect(await other.outcome).toMatchObject({ code: 'queue-full', status: 429 });
    first.release();
    first.release();
    one.payload.end();
    expect(await one.outcome).toHaveLength(60_000);
    budget.reserve(40_000, sender);
  });

  it('may be larger than all room when it is alone', async () => {
    const { payload, outcome, send } = upload({}, new BodyBudget(1_000).reserve(500_000, {}));
    await send(500_000);
    payload.end();
    expect(await outcome).toHaveLength(500_000);
  });
});
