import { setTimeout as sleep } from 'node:timers/promises';

import type { Random } from './random.js';

const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;
const MINUTE_S = 60;
const ROWS = 40;
/** Well below what the database takes: what piles up while it is away must be gone soon after. */
const PAUSE_MS = 20;

/** How the producer reaches the service, which may be a different process every time. */
export type Post = (body: string) => Promise<number>;

/**
 * Posts bars of its own symbol, new ones and corrections of earlier ones, one request at a time: what was
 * received last is then known. `close` is the version, so that a stored value tells which request it came from.
 */
export class Producer {
  /** Versions that may be stored now, by bar: the last acknowledged one, and those whose fate is unknown since. */
  private readonly possible = new Map<number, number[]>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private version = 0;
  private bars = 0;
  acknowledged = 0;
  refused = 0;
  cut = 0;

  constructor(
    readonly symbol: string,
    private readonly post: Post,
    private readonly random: Random,
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

  /** What is wrong with the stored values (close by epoch seconds): a sentence for each bar. */
  faultsOf(stored: ReadonlyMap<number, number>): string[] {
    const faults: string[] = [];
    for (const [ts, versions] of this.possible) {
      const value = stored.get(ts);
      const fine = value === undefined ? versions.includes(0) : versions.includes(value);
      if (!fine)
        faults.push(`${this.symbol} at ${ts} is ${value ?? 'missing'}, not one of ${versions.join(', ')}`);
    }
    for (const ts of stored.keys())
      if (!this.possible.has(ts)) faults.push(`${this.symbol} at ${ts} was never sent`);
    return faults;
  }

  private async produce(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const version = ++this.version;
      const batch = this.nextBars();
      const body = batch.map((ts) => this.line(ts, version)).join('\n');
      const status = await this.post(body).catch(() => 0);
      if (status === 202) this.note(batch, () => [version]);
      // Neither stored nor refused for certain. 0 stands for a bar that may not be there at all.
      else this.note(batch, (before) => [...before, version]);
      if (status === 202) this.acknowledged += batch.length;
      else if (status === 0) this.cut++;
      else this.refused++;
      await sleep(PAUSE_MS);
    }
  }

  /** Mostly new bars, and some that were sent before. */
  private nextBars(): number[] {
    const bars = new Set<number>();
    while (bars.size < ROWS) {
      const again = this.bars > 0 && this.random.next() < 0.25;
      const index = again ? this.random.between(0, this.bars - 1) : this.bars++;
      bars.add(FIRST_TS + index * MINUTE_S);
    }
    return [...bars];
  }

  private note(batch: readonly number[], next: (before: readonly number[]) => number[]): void {
    for (const ts of batch) this.possible.set(ts, next(this.possible.get(ts) ?? [0]));
  }

  private line(ts: number, version: number): string {
    const { symbol } = this;
    const bar = {
      provider: 'chaos',
      symbol,
      interval: '1m',
      ts,
      open: 0,
      high: version,
      low: 0,
      close: version,
    };
    return JSON.stringify({ ...bar, volume: 1 });
  }
}
