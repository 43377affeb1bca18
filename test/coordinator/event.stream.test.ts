import { Writable } from 'node:stream';

import { afterEach, describe, expect, it } from '@jest/globals';

import { EventStream, type EventStreamOptions } from '../../src/coordinator/event.stream.js';
import { SentEvents } from '../../src/coordinator/sent.events.js';
import { settle, until } from './entries.js';

const streams: EventStream[] = [];

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

function newStream(options: EventStreamOptions = {}): EventStream {
  const stream = new EventStream({ flushPauseMs: 0, ...options });
  streams.push(stream);
  return stream;
}

/** A connection; one that is `slow` takes the first write and no other. */
class Reader extends Writable {
  text = '';
  writes = 0;

  private resume: (() => void) | undefined;

  constructor(private slow = false) {
    super();
  }

  readOn(): void {
    this.slow = false;
    this.resume?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.writes += 1;
    if (this.slow) this.resume = done;
    else done();
  }

  /** Ids and data of the events it got. */
  get events(): string[] {
    return [...this.text.matchAll(/(?:id: \w+-(\d+)\n)?event: (\w+)\ndata: (.*)\n\n/g)].map(
      ([, id = '-', event, data]) => `${id} ${event} ${data}`,
    );
  }

  /** The id of the last event, as a browser would send it back. */
  get lastId(): string | undefined {
    return [...this.text.matchAll(/id: (\S+)/g)].at(-1)?.[1];
  }
}

function follow(stream: EventStream, lastId?: string, slow = false, providers?: ReadonlySet<string>): Reader {
  const reader = new Reader(slow);
  stream.add(reader, lastId, providers);
  return reader;
}

describe('a reader', () => {
  it('gets events that come together in few writes, each with its id', async () => {
    const stream = newStream();
    const reader = follow(stream);
    await settle();
    const before = reader.writes;
    const subjects = Array.from({ length: 1_000 }, (_, at) => `p${at}`);
    subjects.forEach((subject, at) => stream.send('adjustment', subject, { at }));
    await until(() => reader.events.length === subjects.length);
    // 60 KB in chunks of 32 KiB.
    expect(reader.writes).toBe(before + 2);
    expect(reader.events).toEqual(subjects.map((_, at) => `${at + 1} adjustment {"at":${at}}`));
    const [, , third] = [...reader.text.matchAll(/id: (\S+)/g)].map(([, id]) => id);
    const returned = follow(stream, third);
    await settle();
    expect(returned.events).toHaveLength(997);
  });

  it('is told the newest of each subject first, in the order of their ids, and then everything', async () => {
    const stream = newStream();
    stream.send('feedback', 'a', { n: 1 });
    stream.send('feedback', 'a', { n: 2 });
    stream.send('adjustment', 'p', { n: 3 });
    const reader = follow(stream);
    stream.send('feedback', 'b', { n: 4 });
    await settle();
    expect(reader.events).toEqual(['2 feedback {"n":2}', '3 adjustment {"n":3}', '4 feedback {"n":4}']);
  });

  it('gets an event at once, and those that follow soon in one write', async () => {
    const stream = newStream({ flushPauseMs: 100 });
    const reader = follow(stream);
    stream.send('feedback', 'a', { n: 1 });
    await until(() => reader.events.length === 1);
    const before = reader.writes;
    for (let n = 2; n <= 10; n++) {
      stream.send('feedback', 'a', { n });
      await settle();
    }
    await until(() => reader.events.length === 10);
    expect(reader.writes - before).toBeLessThan(5);
  });

  it('that comes back is told what it missed, and nothing twice', async () => {
    const stream = newStream();
    const first = follow(stream);
    for (let n = 1; n <= 3; n++) stream.send('feedback', 'a', { n });
    await settle();
    first.destroy();
    for (let n = 4; n <= 6; n++) stream.send('feedback', 'a', { n });
    const second = follow(stream, first.lastId);
    await settle();
    expect(second.events).toEqual(['4 feedback {"n":4}', '5 feedback {"n":5}', '6 feedback {"n":6}']);
  });

  it.each(['', 'nonsense', 'other-2', 'x-y-z'])(
    'with the unknown id %j is told how everything stands',
    async (id) => {
      const stream = newStream();
      for (let n = 1; n <= 3; n++) stream.send('feedback', 'a', { n });
      const reader = follow(stream, id);
      await settle();
      expect(reader.events).toEqual(['3 feedback {"n":3}']);
    },
  );

  it.each([
    ['what it missed is more than it is sent', { maxMissed: 3 }],
    ['what it missed is not kept any more', { maxLogBytes: 500 }],
  ])('that comes back when %s is told how everything stands', async (_, options) => {
    const stream = newStream(options);
    const first = follow(stream);
    stream.send('feedback', 'a', { n: 1 });
    await settle();
    first.destroy();
    for (let n = 2; n <= 5; n++) stream.send('feedback', 'a', { n });
    const second = follow(stream, first.lastId);
    await settle();
    expect([first.events, second.events]).toEqual([['1 feedback {"n":1}'], ['5 feedback {"n":5}']]);
  });

  it('that was cut while it was told how everything stands misses nothing', async () => {
    const stream = newStream();
    for (const subject of ['a', 'b', 'a', 'c']) stream.send('feedback', subject, { subject });
    stream.send('adjustment', 'p', { subject: 'p' });
    const whole = follow(stream);
    await settle();
    expect(whole.events.map((event) => event[0])).toEqual(['2', '3', '4', '5']);
    const ids = [...whole.text.matchAll(/id: (\S+)/g)].map(([, id]) => id);
    for (const [at, id] of ids.entries()) {
      const returned = follow(stream, id);
      await settle();
      expect(returned.events).toEqual(whole.events.slice(at + 1));
    }
  });

  it('that does not read is dropped when it is too far behind, and the others are not', async () => {
    const lines: string[] = [];
    const stream = newStream({ maxLogBytes: 1_000, warn: (line) => lines.push(line) });
    const slow = follow(stream, undefined, true);
    const quick = follow(stream);
    for (let n = 0; n < 100; n++) {
      stream.send('feedback', 'a', { n });
      await settle();
    }
    expect([slow.destroyed, quick.destroyed, stream.readerCount]).toEqual([true, false, 1]);
    expect(quick.events).toHaveLength(100);
    expect(lines).toEqual(['readers of the event stream dropped because they read too slowly: 1; left: 1']);
  });

  it('that does not read has a chunk of 32 KiB waiting, however much is sent', async () => {
    const stream = newStream();
    const slow = follow(stream, undefined, true);
    const coming = follow(stream, undefined, true);
    for (let n = 0; n < 2_000; n++) stream.send('feedback', `c${n % 1_000}`, { n, text: 'x'.repeat(500) });
    await settle();
    const late = follow(stream, undefined, true);
    await settle();
    for (const reader of [slow, coming, late]) expect(reader.writableLength).toBeLessThan(33 * 1_024);
    expect(stream.readerCount).toBe(3);
  });

  it('is told everything in order when it reads on after a pause', async () => {
    const stream = newStream();
    const reader = follow(stream, undefined, true);
    for (let n = 0; n < 1_000; n++) {
      stream.send('feedback', `c${n}`, { n, text: 'x'.repeat(500) });
      if (n % 100 === 0) await settle();
    }
    reader.readOn();
    await until(() => reader.events.length === 1_000);
    expect(reader.events.map((event) => Number(event.split(' ')[0]))).toEqual(
      Array.from({ length: 1_000 }, (_, n) => n + 1),
    );
  });

  it('of certain providers is told no adjustments of others, and all that coordinators say', async () => {
    const stream = newStream();
    stream.send('adjustment', 'ibkr', { n: 1 });
    stream.send('adjustment', 'other', { n: 2 });
    stream.send('feedback', 'a', { n: 3 });
    const bound = follow(stream, undefined, false, new Set(['ibkr', 'polygon']));
    const all = follow(stream);
    stream.send('adjustment', 'polygon', { n: 4 });
    stream.send('adjustment', 'other', { n: 5 });
    await settle();
    expect(all.events).toHaveLength(5);
    expect(bound.events.map((event) => event[0])).toEqual(['1', '3', '4']);
  });

  it('hears a comment now and then, so that its connection is not taken for dead', async () => {
    const reader = follow(newStream({ heartbeatMs: 5 }));
    await until(() => /^: heartbeat$/m.test(reader.text));
  });
});

describe('the stream', () => {
  it('knows when it has as many readers as it may have, and when one has gone', async () => {
    const stream = newStream({ maxReaders: 2 });
    const first = follow(stream);
    follow(stream);
    expect(stream.isFull).toBe(true);
    first.destroy();
    await settle();
    expect([stream.isFull, stream.readerCount]).toEqual([false, 1]);
  });

  it('does not forget the rates for all the coordinators there are', async () => {
    const stream = newStream();
    stream.send('adjustment', 'ibkr', { scale: 0 });
    for (let n = 0; n < 2_000; n++) stream.send('feedback', `coordinator ${n}`, { n });
    const reader = follow(stream);
    await until(() => reader.events.length >= 1_025);
    expect(reader.events[0]).toBe('1 adjustment {"scale":0}');
    expect(reader.events).toHaveLength(1_025);
  });

  it('ends every connection when it closes', async () => {
    const stream = newStream();
    const reader = follow(stream);
    stream.close();
    await settle();
    expect([reader.writableEnded, stream.readerCount]).toEqual([true, 0]);
  });
});

describe('SentEvents', () => {
  const sent = (number: number, length = 72) => ({
    number,
    provider: undefined,
    bytes: Buffer.alloc(length),
  });
  const numbers = (events: SentEvents<string>) => [...events.values()].map(({ number }) => number);

  it('keeps the newest of each key, by number and by bytes', () => {
    const events = new SentEvents<string>({ maxEvents: 3, maxBytes: 1_000 });
    for (const [at, key] of ['a', 'b', 'a', 'c', 'd'].entries()) events.put(key, sent(at));
    expect(numbers(events)).toEqual([2, 3, 4]);
    // 872 bytes, with 128 beside each.
    events.put('long', sent(5, 744));
    expect(numbers(events)).toEqual([5]);
    events.delete('long');
    expect([events.size, events.get('long')]).toEqual([0, undefined]);
    for (let at = 0; at < 10; at++) events.put(`${at}`, sent(at));
    expect(numbers(events)).toEqual([7, 8, 9]);
  });

  it('keeps nothing of an event that is too long alone', () => {
    const events = new SentEvents<string>({ maxBytes: 1_000 });
    events.put('a', sent(1));
    events.put('b', sent(2, 2_000));
    expect(numbers(events)).toEqual([]);
  });
});
