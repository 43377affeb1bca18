import { describe, expect, it } from '@jest/globals';

import { EntryGathering } from '../../src/coordinator/entry.gathering.js';
import type { Entry } from '../../src/coordinator/index.js';
import { settle } from './entries.js';

/** An entry that is what was put together in it; `alone` is one that cannot be put together with others. */
interface Named extends Entry {
  readonly names: readonly string[];
  readonly time: number;
}

function named(name: string, rows = 1, time = 0): Named {
  return { rows, names: [name], time };
}

const codec = {
  join(entries: readonly Named[]): Named | undefined {
    const names = entries.flatMap((entry) => entry.names);
    if (names.includes('bug')) throw new Error('a bug');
    if (names.includes('alone')) return undefined;
    return { rows: entries.reduce((sum, { rows }) => sum + rows, 0), names, time: entries.at(-1)?.time ?? 0 };
  },
  timeOf: ({ time }: Named) => time,
};

/** A gathering, and the names in each entry that it had written, in order. */
function gather(write: () => Promise<void> = () => Promise.resolve(), limit = Infinity) {
  const written: string[][] = [];
  const gathering = new EntryGathering<Named>(codec, limit, (entry) => {
    written.push([...entry.names]);
    return write();
  });
  return { gathering, written };
}

describe('a gathering of small entries', () => {
  it('puts those of one turn together, in order, and those of the next into another', async () => {
    const { gathering, written } = gather();
    await Promise.all(['a', 'b', 'c'].map((name) => gathering.add(named(name))));
    await gathering.add(named('d'));
    expect(written).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('writes nothing before the turn is over, and answers nobody before it is safe', async () => {
    let safe = (): void => undefined;
    const { gathering, written } = gather(() => new Promise((resolve) => (safe = resolve)));
    let answers = 0;
    for (const name of ['a', 'b']) void gathering.add(named(name)).then(() => answers++);
    expect(written).toEqual([]);
    await settle();
    expect([written, answers]).toEqual([[['a', 'b']], 0]);
    safe();
    await settle();
    expect(answers).toBe(2);
  });

  it('puts those together that come, in whatever turn, while others are written', async () => {
    const ends: (() => void)[] = [];
    const { gathering, written } = gather(() => new Promise((resolve) => ends.push(resolve)));
    const answers: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      void gathering.add(named(name)).then(() => answers.push(name));
      await settle();
    }
    expect([written, answers]).toEqual([[['a']], []]);
    ends[0]?.();
    await settle();
    expect([written, answers]).toEqual([[['a'], ['b', 'c']], ['a']]);
    ends[1]?.();
    await settle();
    expect(answers).toEqual(['a', 'b', 'c']);
    void gathering.add(named('d'));
    await settle();
    expect(written).toEqual([['a'], ['b', 'c'], ['d']]);
  });

  it('goes on after a write that failed', async () => {
    const ends: (() => void)[] = [];
    const { gathering, written } = gather(
      () => new Promise((_, reject) => ends.push(() => reject(new Error('full')))),
    );
    const first = gathering.add(named('a'));
    await settle();
    const second = gathering.add(named('b'));
    await settle();
    ends[0]?.();
    await expect(first).rejects.toThrow('full');
    expect(written).toEqual([['a'], ['b']]);
    ends[1]?.();
    await expect(second).rejects.toThrow('full');
  });

  it('writes what has come before something else, once', async () => {
    const { gathering, written } = gather();
    const added = gathering.add(named('a'));
    gathering.flush();
    expect(written).toEqual([['a']]);
    gathering.flush();
    await added;
    await settle();
    expect(written).toEqual([['a']]);
  });

  it('writes each by itself when they cannot be one', async () => {
    const { gathering, written } = gather();
    await Promise.all(['a', 'alone', 'c'].map((name) => gathering.add(named(name))));
    expect(written).toEqual([['a'], ['alone'], ['c']]);
  });

  it('fails all that were put together, and none of the next', async () => {
    let writes = 0;
    const { gathering } = gather(() =>
      ++writes === 1 ? Promise.reject(new Error('full')) : Promise.resolve(),
    );
    const first = await Promise.allSettled([gathering.add(named('a')), gathering.add(named('b'))]);
    expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(gathering.add(named('c'))).resolves.toBeUndefined();
  });

  it('answers each by its own write when they cannot be one', async () => {
    let writes = 0;
    const { gathering } = gather(() =>
      ++writes === 2 ? Promise.reject(new Error('full')) : Promise.resolve(),
    );
    const answers = await Promise.allSettled(['a', 'alone', 'c'].map((name) => gathering.add(named(name))));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('answers all when they cannot be put together for a bug', async () => {
    const { gathering, written } = gather();
    const answers = await Promise.allSettled(['a', 'bug'].map((name) => gathering.add(named(name))));
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(written).toEqual([]);
  });

  it('puts together what came within 10 ms, however long the turn', async () => {
    const { gathering, written } = gather();
    const times = [0, 10_000, 10_001, 20_001, 20_002];
    await Promise.all(times.map((time) => gathering.add(named(String(time), 1, time))));
    expect(written).toEqual([['0', '10000'], ['10001', '20001'], ['20002']]);
  });

  it.each([
    [Infinity, [17, 17, 6]],
    [130, Array<number>(20).fill(2)],
    [60, Array<number>(40).fill(1)],
  ])('makes no entry of more than 1,024 rows or the limit, here %d', async (limit, lengths) => {
    const { gathering, written } = gather(undefined, limit);
    await Promise.all(Array.from({ length: 40 }, (_, i) => gathering.add(named(String(i), 60))));
    expect(written.map((names) => names.length)).toEqual(lengths);
  });

  it('makes no entry of more than 64', async () => {
    const { gathering, written } = gather();
    await Promise.all(Array.from({ length: 140 }, (_, i) => gathering.add(named(String(i)))));
    expect(written.map((names) => names.length)).toEqual([64, 64, 12]);
  });

  it('takes what is small, and nothing without a codec that joins', () => {
    const { gathering } = gather();
    expect([1, 64, 65].map((rows) => gathering.takes(named('a', rows)))).toEqual([true, true, false]);
    expect(
      new EntryGathering<Named>({ timeOf: codec.timeOf }, Infinity, () => Promise.resolve()).takes(
        named('a'),
      ),
    ).toBe(false);
  });
});
