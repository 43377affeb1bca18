import { Writable } from 'node:stream';

import { afterEach, describe, expect, it } from '@jest/globals';

import { EventStream, type EventStreamOptions } from '../../src/coordinator/event.stream.js';
import { settle, until } from './entries.js';

const streams: EventStream[] = [];

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

function newStream(options: EventStreamOptions = {}): EventStream {
  const stream = new EventStream(options);
  streams.push(stream);
  return stream;
}

/** A connection; one that is `slow` takes the first write and never asks for more. */
class Reader extends Writable {
  text = '';
  writes = 0;

  constructor(private readonly slow = false) {
    super();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.writes += 1;
    if (!this.slow) done();
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

function follow(stream: EventStream, lastId?: string, slow = false): Reader {
  const reader = new Reader(slow);
  stream.add(reader, lastId);
  return reader;
}

describe('a reader', () => {
  it('gets events that come together in one write, each with its id', async () => {
    const stream = newStream();
    const reader = follow(stream);
    await settle();
    const before = reader.writes;
    const subjects = Array.from({ length: 1_000 }, (_, at) => `p${at}`);
    stream.sendAll(
      'adjustment',
      subjects.map((subject, at) => [subject, { at }] as const),
    );
    await settle();
    expect(reader.writes).toBe(before + 1);
    expect(reader.events).toEqual(subjects.map((_, at) => `${at + 1} adjustment {"at":${at}}`));
    const [, , third] = [...reader.text.matchAll(/id: (\S+)/g)].map(([, id]) => id);
    const returned = follow(stream, third);
    await settle();
    expect(returned.events).toHaveLength(997);
  });

  it('is told the newest of each subject first, with the id at the end, and then everything', async () => {
    const stream = newStream();
    stream.send('feedback', 'a', { n: 1 });
    stream.send('feedback', 'a', { n: 2 });
    stream.send('adjustment', 'p', { n: 3 });
    const reader = follow(stream);
    stream.send('feedback', 'b', { n: 4 });
    await settle();
    expect(reader.events).toEqual(['- feedback {"n":2}', '3 adjustment {"n":3}', '4 feedback {"n":4}']);
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

  it('whose id is too old to know what it missed is told how everything stands', async () => {
    const stream = newStream({ keep: 2 });
    const first = follow(stream);
    stream.send('feedback', 'a', { n: 1 });
    await settle();
    for (let n = 2; n <= 5; n++) stream.send('feedback', 'a', { n });
    first.destroy();
    const second = follow(stream, first.lastId?.replace(/\d+$/, '1'));
    await settle();
    expect(second.events).toEqual(['5 feedback {"n":5}']);
  });

  it('that reads too slowly is dropped, and the others are not', async () => {
    const stream = newStream({ maxUnreadBytes: 1_000 });
    const slow = follow(stream, undefined, true);
    const quick = follow(stream);
    for (let n = 0; n < 100; n++) {
      stream.send('feedback', 'a', { n });
      await settle();
    }
    expect([slow.destroyed, quick.destroyed, stream.readerCount]).toEqual([true, false, 1]);
    expect(slow.writableLength).toBeLessThanOrEqual(1_100);
    expect(quick.events).toHaveLength(100);
  });

  it('is not dropped for the length of the first thing it is told', async () => {
    const stream = newStream({ maxUnreadBytes: 1_000 });
    for (let n = 0; n < 100; n++) stream.send('feedback', `coordinator ${n}`, { n });
    const reader = follow(stream);
    stream.send('feedback', 'last', { n: 100 });
    await settle();
    expect([reader.destroyed, reader.events.length]).toEqual([false, 101]);
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
    const stream = newStream({ keep: 10 });
    stream.send('adjustment', 'ibkr', { scale: 0 });
    for (let n = 0; n < 50; n++) stream.send('feedback', `coordinator ${n}`, { n });
    const reader = follow(stream);
    await settle();
    expect(reader.events.at(-1)).toBe('51 adjustment {"scale":0}');
  });

  it('ends every connection when it closes', async () => {
    const stream = newStream();
    const reader = follow(stream);
    stream.close();
    await settle();
    expect([reader.writableEnded, stream.readerCount]).toEqual([true, 0]);
  });
});
