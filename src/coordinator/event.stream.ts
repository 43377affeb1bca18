import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';

/** What the readers of a stream may be told. */
export type StreamEvent = 'feedback' | 'adjustment';

/** Settings of an EventStream. */
export interface EventStreamOptions {
  /** Events kept for readers that come back; default 1,000. */
  readonly keep?: number;
  /** Bytes that a reader may leave unread before it is dropped; default 256 KiB. */
  readonly maxUnreadBytes?: number;
  /** Milliseconds between comments that keep idle connections open; default 15 s. */
  readonly heartbeatMs?: number;
  /** Most readers at once; default 1,000. */
  readonly maxReaders?: number;
}

interface Sent {
  readonly number: number;
  readonly text: string;
}

/**
 * Server-sent events (WHATWG HTML, "Server-sent events") to any number of readers. A reader that comes back with
 * the id of the last event it saw gets those it missed; one that reads too slowly is dropped, not buffered for.
 */
export class EventStream {
  /** Ids of another process must not be taken for ours. */
  private readonly run = randomUUID().slice(0, 8);
  private readonly sent: Sent[] = [];
  /** Each with the bytes that it may leave unread. */
  private readonly readers = new Map<Writable, number>();
  private readonly keep: number;
  private readonly maxUnreadBytes: number;
  private readonly maxReaders: number;
  private readonly heartbeat: NodeJS.Timeout;
  /** The newest event about each subject: what a reader is told that comes without a past. */
  private readonly newest: Record<StreamEvent, Map<string, object>> = {
    feedback: new Map(),
    adjustment: new Map(),
  };
  private number = 0;

  constructor({
    keep = 1_000,
    maxUnreadBytes = 256 * 1024,
    heartbeatMs = 15_000,
    maxReaders = 1_000,
  }: EventStreamOptions = {}) {
    this.keep = keep;
    this.maxUnreadBytes = maxUnreadBytes;
    this.maxReaders = maxReaders;
    this.heartbeat = setInterval(() => this.toAll(': heartbeat\n\n'), heartbeatMs).unref();
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
    this.sendAll(event, [[subject, data]]);
  }

  /** Sends an event about each of several subjects, in one write for each reader: a thousand each would take seconds. */
  sendAll(event: StreamEvent, events: Iterable<readonly [subject: string, data: object]>): void {
    let texts = '';
    for (const [subject, data] of events) texts += this.keepEvent(event, subject, data);
    this.toAll(texts);
  }

  /** Adds a reader until its connection ends. One whose past is not known is told the newest of each subject. */
  add(reader: Writable, lastEventId: string | undefined): void {
    reader.once('close', () => this.readers.delete(reader));
    // A connection that breaks ends in `close`; unheard, its error would end the process.
    reader.on('error', () => undefined);
    const past = this.missedSince(lastEventId)?.join('') ?? this.standing();
    const first = `retry: 1000\n\n${past}`;
    // Bounded by what is kept, and no sign of a slow reader.
    this.readers.set(reader, this.maxUnreadBytes + first.length);
    this.write(reader, first);
  }

  /** Ends every connection. */
  close(): void {
    clearInterval(this.heartbeat);
    for (const reader of this.readers.keys()) reader.end();
    this.readers.clear();
  }

  /** What came after the event with this id; undefined when that is not known any more. */
  private missedSince(id: string | undefined): string[] | undefined {
    const [run, text] = id?.split('-') ?? [];
    const last = Number(text);
    const oldest = this.sent[0]?.number ?? this.number + 1;
    if (run !== this.run || !Number.isInteger(last) || last > this.number || last < oldest - 1)
      return undefined;
    return this.sent.filter(({ number }) => number > last).map((event) => event.text);
  }

  /** How everything stands. Only the last event has an id: a reader that was cut before it is told all of it again. */
  private standing(): string {
    const texts = (['feedback', 'adjustment'] as const).flatMap((event) =>
      [...this.newest[event].values()].map((data) => textOf(event, data)),
    );
    const last = texts.pop();
    return last === undefined ? '' : `${texts.join('')}${this.idLine()}${last}`;
  }

  /** The event as it is sent. */
  private keepEvent(event: StreamEvent, subject: string, data: object): string {
    this.number += 1;
    const newest = this.newest[event];
    newest.delete(subject);
    newest.set(subject, data);
    if (newest.size > this.keep) newest.delete(newest.keys().next().value ?? '');
    const text = `${this.idLine()}${textOf(event, data)}`;
    this.sent.push({ number: this.number, text });
    if (this.sent.length > this.keep) this.sent.shift();
    return text;
  }

  private idLine(): string {
    return `id: ${this.run}-${this.number}\n`;
  }

  private toAll(text: string): void {
    for (const reader of this.readers.keys()) this.write(reader, text);
  }

  private write(reader: Writable, text: string): void {
    if (reader.writableLength + text.length > (this.readers.get(reader) ?? 0)) {
      this.readers.delete(reader);
      reader.destroy();
    } else {
      reader.write(text);
    }
  }
}

function textOf(event: StreamEvent, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
