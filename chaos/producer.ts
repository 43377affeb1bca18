import { setTimeout as sleep } from 'node:timers/promises';

import type { BarKeys } from './bar.keys.js';
import { BarModel, type Send } from './bar.model.js';
import { valuesOf } from './bar.values.js';
import { CountsCheck } from './counts.check.js';
import type { Random } from './random.js';
import { isSafe } from './replica.js';
import type { Answer, NoAnswer } from './service.process.js';

const ROWS = 40;
/** Share of the bars in a body that were sent before, while the producer corrects. */
const CORRECTED = 0.25;
/** Half of those are among the first bars, which come to have a long history. */
const OFTEN_CORRECTED = 60;
/** Share of the bodies that are an earlier one, sent again. */
const REPEATED = 0.05;
const REMEMBERED = 50;
/**
 * A bar is not sent again within this time: replicas agree about the time to half a round trip to PostgreSQL, and which
 * of two versions was received last must be known.
 */
const APART_MS = 300;
/** Statuses that a producer must take for "later", provided that they say when. */
const LATER: ReadonlySet<number> = new Set([429, 503]);
const REFUSED_PAUSE_MS = 100;

/** How a producer reaches a service, which may be a different one every time. */
export type Post = (body: string, rows: number, query: string) => Promise<Answer | NoAnswer>;

/** What a producer sends. */
export interface ProducerOptions {
  readonly keys: BarKeys;
  readonly post: Post;
  readonly random: Random;
  /** True: it waits for the commit of each body (`ack=stored`), and compares what the answer counts. */
  readonly awaitsCommit?: boolean;
  /** Milliseconds between requests; default 20, well below what the database takes. */
  readonly pauseMs?: number;
}

/** A body whose rows have the same fate: all of them are stored, or none. */
export interface SentBody {
  /** The first bar. */
  readonly from: number;
  readonly rows: number;
  readonly sends: readonly Send[];
}

/** Somebody who sent bars, and knows which. */
export interface Sender {
  readonly keys: BarKeys;
  /** Its values are a function of this. */
  readonly salt: number;
  readonly model: { readonly size: number; sendsOf(bar: number): readonly Send[] };
  /** What it counted; undefined when it does not wait for commits. */
  readonly counts: CountsCheck | undefined;
  /** Answers that no producer can do anything with. */
  readonly wrong: readonly string[];
  readonly acknowledged: number;
  /** Where they are known to be whole. */
  readonly bodies?: readonly SentBody[];
}

interface Body {
  readonly bars: readonly number[];
  readonly content: number;
}

/**
 * Posts bars of its own, new ones, corrections of earlier ones, and earlier bodies again, one request at a time: what
 * was received last is then known. Every value of a bar tells which version it is of.
 */
export class Producer implements Sender {
  readonly keys: BarKeys;
  readonly salt: number;
  readonly model = new BarModel();
  readonly counts: CountsCheck | undefined;
  /** False: only new bars, which the sink can write by a plain COPY. */
  corrects = true;
  acknowledged = 0;
  refused = 0;
  cut = 0;
  readonly wrong: string[] = [];
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private contents = 0;
  private readonly lastSent: number[] = [];
  private readonly earlier: Body[] = [];

  constructor(private readonly options: ProducerOptions) {
    this.keys = options.keys;
    this.salt = options.random.between(0, 2 ** 31);
    this.counts = options.awaitsCommit ? new CountsCheck(this.model) : undefined;
  }

  /** Begins to post. */
  start(): void {
    this.running = this.produce();
    // Heard when it is stopped.
    this.running.catch(() => undefined);
  }

  /** Stops after the request under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Sends a version of these bars. @returns whether it was answered as safe */
  async send(bars: readonly number[], content = ++this.contents): Promise<boolean> {
    const query = this.counts ? '?ack=stored' : '';
    const body = bars.map((bar) => this.line(bar, content)).join('\n');
    const answer = await this.options.post(body, bars.length, query);
    this.take(answer, { bars, content });
    return isSafe(answer);
  }

  /** A new bar, to be sent. */
  addBar(): number {
    return this.model.add();
  }

  private async produce(): Promise<void> {
    const { random, pauseMs = 20 } = this.options;
    while (!this.stopping.signal.aborted) {
      const again = this.corrects && random.next() < REPEATED ? this.bodyToRepeat() : undefined;
      const isTaken = await (again ? this.send(again.bars, again.content) : this.send(this.nextBars()));
      await sleep(isTaken ? pauseMs : REFUSED_PAUSE_MS);
    }
  }

  private take(answer: Answer | NoAnswer, { bars, content }: Body): void {
    const now = performance.now();
    for (const bar of bars) this.lastSent[bar] = answer === 'late' ? Infinity : now;
    if (answer === 'never') return;
    this.counts?.check(bars, content, answer);
    // Also what was refused may be stored: a write may fail when its bytes are on the disk already.
    this.model.note(bars, content, isSafe(answer) ? 'sure' : 'doubt');
    if (isSafe(answer)) {
      this.acknowledged += bars.length;
      this.earlier.push({ bars, content });
      if (this.earlier.length > REMEMBERED) this.earlier.shift();
    } else if (typeof answer === 'string') this.cut++;
    else this.noteRefusal(answer);
  }

  private noteRefusal({ status, retryAfter, text }: Answer): void {
    this.refused++;
    const { provider } = this.keys;
    if (!LATER.has(status)) this.wrong.push(`${provider} was answered ${status}: ${text.slice(0, 300)}`);
    else if (retryAfter === null) this.wrong.push(`${provider} was answered ${status} without Retry-After`);
  }

  private nextBars(): number[] {
    const { random } = this.options;
    const bars = new Set<number>();
    while (bars.size < ROWS) {
      const again = this.corrects && random.next() < CORRECTED ? this.barToCorrect() : undefined;
      bars.add(again ?? this.addBar());
    }
    return [...bars];
  }

  private barToCorrect(): number | undefined {
    const { random } = this.options;
    const most = Math.min(this.model.size, random.next() < 0.5 ? OFTEN_CORRECTED : Infinity);
    if (most === 0) return undefined;
    const bar = random.between(0, most - 1);
    return this.isLongAgo(bar) ? bar : undefined;
  }

  private bodyToRepeat(): Body | undefined {
    if (this.earlier.length === 0) return undefined;
    const body = this.options.random.pick(this.earlier);
    return body.bars.every((bar) => this.isLongAgo(bar)) ? body : undefined;
  }

  private isLongAgo(bar: number): boolean {
    return performance.now() - (this.lastSent[bar] ?? Infinity) > APART_MS;
  }

  private line(bar: number, content: number): string {
    const { keys } = this;
    const { provider, interval } = keys;
    const values = valuesOf(this.salt, bar, content);
    return JSON.stringify({ provider, symbol: keys.symbolOf(bar), interval, ts: keys.tsOf(bar), ...values });
  }
}
