import { gzipSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';

import { BodyInflater } from '../../src/bars/ingest/body.inflater.js';
import { BodyBudget } from '../../src/http/body.budget.js';
import { clientGone } from '../../src/http/body.reader.js';

const MIB = 2 ** 20;

/** A body that inflates to a mebibyte, and what it has taken of its room. */
function compressed(bytes = MIB, budget = new BodyBudget(Infinity), body = gzipSync(Buffer.alloc(bytes))) {
  const room = budget.reserve(0, {});
  const gone = new AbortController();
  const state = { inflated: 0 };
  const sent = {
    body,
    gone: gone.signal,
    room: {
      grow: (more: number) => {
        room.grow(more);
        state.inflated += more;
      },
    },
  };
  return { sent, state, leave: () => gone.abort(clientGone()) };
}

describe('compressed bodies', () => {
  it('are inflated two at a time, in the order in which they came', async () => {
    const inflater = new BodyInflater();
    const done: number[] = [];
    const bodies = Array.from({ length: 6 }, () => compressed());
    let most = 0;
    await Promise.all(
      bodies.map(async ({ sent }, at) => {
        const room = {
          grow: (more: number) => {
            sent.room.grow(more);
            most = Math.max(most, bodies.filter(({ state }) => state.inflated % MIB > 0).length);
          },
        };
        expect((await inflater.inflate({ ...sent, room }, 'gzip')).length).toBe(MIB);
        done.push(at);
      }),
    );
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    expect(done.slice(0, 2).sort()).toEqual([0, 1]);
    expect(done.slice(4).sort()).toEqual([4, 5]);
  });

  it('take room as they are inflated, and are refused as soon as there is none', async () => {
    const inflater = new BodyInflater();
    const budget = new BodyBudget(10 * MIB);
    budget.reserve(0, {}).grow(6 * MIB);
    const { sent, state } = compressed(64 * MIB, budget);
    await expect(inflater.inflate(sent, 'gzip')).rejects.toMatchObject({ code: 'queue-full', status: 429 });
    expect(state.inflated).toBeGreaterThan(MIB);
    expect(state.inflated).toBeLessThanOrEqual(2 * MIB);
  });

  it('make place for others when they are refused, or their clients go', async () => {
    const inflater = new BodyInflater();
    const bad = [1, 2].map(() => compressed(0, undefined, Buffer.from('no gzip')));
    const left = [1, 2, 3].map(() => compressed());
    const last = compressed();
    const ends = [...bad, ...left].map(({ sent }) =>
      Promise.resolve(inflater.inflate(sent, 'gzip')).catch((error: unknown) => error),
    );
    const whole = inflater.inflate(last.sent, 'gzip');
    for (const { leave } of left) leave();
    expect(await whole).toHaveLength(MIB);
    expect(await Promise.all(ends)).toMatchObject([
      { code: 'malformed-body' },
      { code: 'malformed-body' },
      ...left.map(() => ({ code: 'upload-too-slow' })),
    ]);
    expect(left.map(({ state }) => state.inflated)).toEqual([0, 0, 0]);
  });

  it('are not inflated further when their clients go meanwhile', async () => {
    const { sent, state, leave } = compressed(64 * MIB);
    const room = {
      grow: (more: number) => {
        sent.room.grow(more);
        leave();
      },
    };
    const inflating = new BodyInflater().inflate({ ...sent, room }, 'gzip');
    await expect(inflating).rejects.toMatchObject({ code: 'upload-too-slow' });
    expect(state.inflated).toBeLessThan(MIB);
  });
});
