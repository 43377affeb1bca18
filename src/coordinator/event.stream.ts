import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';

import { KIB, MIB } from '../config/units.js';
import { type SentEvent, SentEvents } from './sent.events.js';

/** What the readers of a stream may be told. */
export type StreamEvent = 'feedback' | 'adjustment';

/** Settings of an EventStream. */
export interface EventStreamOptions {
  /** Bytes of the newest events that are kept for all readers; default 4 MiB. A reader that is further behind is dropped. */
  readonly maxLogBytes?: number;
  /** Most events that a reader that comes back has missed and is sent one by one; default 1,000. */
  readonly maxMissed?: number;
  /** Milliseconds between comments that keep idle connections open; default 15 s. */
  readonly heartbeatMs?: number;
  /**
   * Milliseconds between two times at which readers are sent what is new; default 50. An event that comes alone goes out
   * at once, many in a row go out together: each time costs a write for each reader.
   */
  readonly flushPauseMs?: number;
  /** Most readers at once; default 1,000. */
  readonly maxReaders?: number;
  /** Gets a line for the log when readers are dropped. */
  readonly warn?: (message: string) => void;
}

interface Reader {
  readonly connection: Writable;
  /** The providers whose adjustments it is sent; undefined: all. */
  readonly providers: ReadonlySet<string> | undefined;
  /** What it is sent before the events from `next` on. The buffers are shared. */
  readonly first: Buffer[];
  /** Number of the event that it is sent next. */
  next: number;
  /** True while a chunk is on its way to the kernel. */
  busy: boolean;
}

interface Chunk {
  readonly from: number;
  /** Number of the event behind it. */
  readonly next: number;
  readonly bytes: Buffer;
}

/** Bytes that a reader has in its connection at once. With the most readers, all of them have some 32 MiB. */
const CHUNK_BYTES = 32 * KIB;
const RETRY = Buffer.from('retry: 1000\n\n');
const HEARTBEAT = Buffer.from(': heartbeat\n\n');

/**
 * Server-sent events (WHATWG HTML, "Server-sent events") to any number of readers. An event is serialised once, into a
 * log that all readers share; each reader has a place in it and one chunk on its way. So the memory does not depend on
 * how much the readers leave unread. A reader whose place has left the log is dropped. One that comes back with the
 * id of the last event that it saw is sent those it missed.
 */
export class EventStream {
  /** Ids of another process must not be taken for ours. */
  private readonly run = randomUUID().slice(0, 8);
  /** The newest events by number, without gaps. */
  private readonly log: SentEvents<number>;
  /** The newest event about each subject: what a reader is sent that comes without a past. */
  private readonly newest: Record<StreamEvent, SentEvents<string>> = {
    feedback: new SentEvents({ maxEvents: 1_024, maxBytes: MIB }),
    // Room for all the providers that may have an entry.
    adjustment: new SentEvents({ maxBytes: 4 * MIB }),
  };
  private readonly readers = new Set<Reader>();
  private readonly maxMissed: number;
  private readonly flushPauseMs: number;
  private readonly maxReaders: number;
  private readonly warn: (message: string) => void;
  private readonly heartbeat: NodeJS.Timeout;
  /** Of the newest event. */
  private number = 0;
  /** Whether a flush is on its way. */
  private flushing = false;
  /** When the last one was, as of performance.now(), and the number of the newest event then: readers are sent no later one. */
  private flushedAt = -Infinity;
  private flushed = 0;
  /** The last chunk that was made: readers that keep up are all sent the same. */
  private chunk: Chunk | undefined;

  constructor({
    maxLogBytes = 4 * MIB,
    maxMissed = 1_000,
    heartbeatMs = 15_000,
    flushPauseMs = 50,
    maxReaders = 1_000,
    warn = () => undefined,
  }: EventStreamOptions = {}) {
    this.log = new SentEvents({ maxBytes: maxLogBytes });
    this.maxMissed = maxMissed;
    this.flushPauseMs = flushPauseMs;
    this.maxReaders = maxReaders;
    this.warn = warn;
    this.heartbeat = setInterval(() => this.keepOpen(), heartbeatMs).unref();
  }

  /** Readers connected now. */
  get readerCount(): number {
    return this.readers.size;
  }

  /** Whether one more reader would be too many. */
  get isFull(): boolean {
    return this.readers.size >= this.maxReaders;
  }

  /** Sends an event to every reader. Of one subject, such as a provider, the newest event is enough to know how it stands. */
  send(event: StreamEvent, subject: string, data: object): void {
    this.number += 1;
    const id = `${this.run}-${this.number}`;
    const bytes = Buffer.from(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const provider = event === 'adjustment' ? subject : undefined;
    const sent = { number: this.number, provider, bytes };
    this.log.put(this.number, sent);
    this.newest[event].put(subject, sent);
    if (this.flushing) return;
    this.flushing = true;
    const pauseMs = this.flushedAt + this.flushPauseMs - performance.now();
    if (pauseMs > 0) setTimeout(() => this.flush(), pauseMs).unref();
    // A level reaches all providers in one turn: their events go out in few writes.
    else setImmediate(() => this.flush());
  }

  /**
   * Adds a reader until its connection ends. One whose past is not known is sent the newest event of each subject. Of
   * adjustments it is sent those of `providers`, or all.
   */
  add(connection: Writable, lastEventId?: string, providers?: ReadonlySet<string>): void {
    const missedFrom = this.firstMissed(lastEventId);
    const reader: Reader = {
      connection,
      providers,
      first: [RETRY, ...(missedFrom === undefined ? this.standingFor(providers) : [])],
      next: missedFrom ?? this.number + 1,
      busy: false,
    };
    connection.once('close', () => this.readers.delete(reader));
    // A connection that breaks ends in `close`; unheard, its error would end the process.
    connection.on('error', () => undefined);
    this.readers.add(reader);
    this.feed(reader);
  }

  /** Ends every connection. */
  close(): void {
    clearInterval(this.heartbeat);
    for (const { connection } of this.readers) connection.end();
    this.readers.clear();
  }

  /** The number of the first event after that with this id; undefined when what came since is not known or too much. */
  private firstMissed(id: string | undefined): number | undefined {
    const [run, text] = id?.split('-') ?? [];
    const last = Number(text);
    const known = run === this.run && Number.isInteger(last) && last <= this.number;
    const from = last + 1;
    return known && from >= this.oldest && this.number - last <= this.maxMissed ? from : undefined;
  }

  /** In the order of their ids: a reader that is cut in between comes back with an id before which it knows all. */
  private standingFor(providers: Reader['providers']): Buffer[] {
    return [...this.newest.feedback.values(), ...this.newest.adjustment.values()]
      .filter((sent) => concerns(providers, sent))
      .sort((a, b) => a.number - b.number)
      .map(({ bytes }) => bytes);
  }

  /** Number of the oldest event in the log, or of the next one when it is empty. */
  private get oldest(): number {
    return this.number - this.log.size + 1;
  }

  private flush(): void {
    this.flushing = false;
    this.flushedAt = performance.now();
    this.flushed = this.number;
    let dropped = 0;
    for (const reader of this.readers) {
      if (reader.next >= this.oldest) this.feed(reader);
      else {
        dropped += 1;
        this.readers.delete(reader);
        reader.connection.destroy();
      }
    }
    if (dropped > 0)
      this.warn(
        `readers of the event stream dropped because they read too slowly: ${dropped}; left: ${this.readers.size}`,
      );
  }

  /** Sends the next chunk, if there is one and none is on its way. */
  private feed(reader: Reader): void {
    if (reader.busy || !this.readers.has(reader)) return;
    const bytes = this.takeChunk(reader);
    if (bytes.length === 0) return;
    reader.busy = true;
    reader.connection.write(bytes, () => {
      reader.busy = false;
      this.feed(reader);
    });
  }

  private takeChunk(reader: Reader): Buffer {
    if (reader.first.length > 0) return takeFirst(reader.first);
    const chunk =
      reader.providers === undefined && this.chunk?.from === reader.next
        ? this.chunk
        : this.chunkFrom(reader.next, reader.providers);
    if (reader.providers === undefined && chunk.bytes.length > 0) this.chunk = chunk;
    reader.next = chunk.next;
    return chunk.bytes;
  }

  private chunkFrom(from: number, providers: Reader['providers']): Chunk {
    const pieces: Buffer[] = [];
    let length = 0;
    let next = from;
    for (; next <= this.flushed && length < CHUNK_BYTES; next++) {
      const sent = this.log.get(next);
      // Gone from the log: the next flush drops the reader.
      if (sent === undefined) break;
      if (!concerns(providers, sent)) continue;
      pieces.push(sent.bytes);
      length += sent.bytes.length;
    }
    return { from, next, bytes: Buffer.concat(pieces, length) };
  }

  private keepOpen(): void {
    for (const { connection, busy } of this.readers) if (!busy) connection.write(HEARTBEAT);
  }
}

/** Whether a reader is sent the event: adjustments of its providers, and the events of all coordinators. */
function concerns(providers: Reader['providers'], { provider }: SentEvent): boolean {
  return provider === undefined || providers === undefined || providers.has(provider);
}

/** Removes buffers for one chunk. */
function takeFirst(buffers: Buffer[]): Buffer {
  let length = 0;
  let count = 0;
  for (const { length: more } of buffers) {
    if (length >= CHUNK_BYTES) break;
    length += more;
    count += 1;
  }
  return Buffer.concat(buffers.splice(0, count), length);
}
