import { setTimeout as sleep } from 'node:timers/promises';

import { BarModel, tsOf } from './bar.model.js';
import type { Random } from './random.js';
import type { Answer } from './service.process.js';

const ROWS = 40;
/** Share of the bars in a batch that were sent before, while the producer corrects. */
const CORRECTED = 0.25;
const ACCEPTED = 202;
/** Statuses that a producer must take for "later", provided that they say when. */
const LATER: ReadonlySet<number> = new Set([429, 503]);

/** How the producer reaches the service, which may be a different process every time; undefined: it was cut off. */
export type Post = (body: string) => Promise<Answer | undefined>;

/**
 * Posts bars of its own symbol, new ones and corrections of earlier ones, one request at a time: what was
 * received last is then known. `close` is the version, so that a stored value tells which request it came from.
 */
export class Producer {
  readonly model = new BarModel();
  /** False: only new bars, which the sink can write by a plain COPY. */
  corrects = true;
  acknowledged = 0;
  refused = 0;
  cut = 0;
  /** Answers that no producer can do anything with. */
  readonly wrong: string[] = [];
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private version = 0;

  /** @param pauseMs between requests: 20 is well below what the database takes */
  constructor(
    readonly symbol: string,
    private readonly post: Post,
    private readonly random: Random,
    private readonly pauseMs = 20,
  ) {}

  /** Begins to post. */
  start(): void {
    this.running = this.produce();
  }

  /** Stops after the request under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async produce(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const version = ++this.version;
      const bars = this.nextBars();
      const answer = await this.post(bars.map((bar) => this.line(bar, version)).join('\n'));
      if (answer?.status === ACCEPTED) {
        this.model.confirm(bars, version);
        this.acknowledged += bars.length;
      } else {
        // Also what was refused may be stored: a write may fail when its bytes are on the disk already.
        this.model.doubt(bars, version);
        if (answer) this.note(answer);
        else this.cut++;
      }
      await sleep(this.pauseMs);
    }
  }

  private note({ status, retryAfter, text }: Answer): void {
    this.refused++;
    if (!LATER.has(status)) this.wrong.push(`${this.symbol} was answered ${status}: ${text.slice(0, 300)}`);
    else if (retryAfter === null)
      this.wrong.push(`${this.symbol} was answered ${status} without Retry-After`);
  }

  private nextBars(): number[] {
    const bars = new Set<number>();
    while (bars.size < ROWS) {
      const again = this.corrects && this.model.size > 0 && this.random.next() < CORRECTED;
      bars.add(again ? this.random.between(0, this.model.size - 1) : this.model.add());
    }
    return [...bars];
  }

  private line(bar: number, version: number): string {
    const { symbol } = this;
    const prices = { open: 0, high: version, low: 0, close: version, volume: 1 };
    return JSON.stringify({ provider: 'chaos', symbol, interval: '1m', ts: tsOf(bar), ...prices });
  }
}
