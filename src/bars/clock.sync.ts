import { SECOND } from '../config/units.js';
import type { ServerTime } from '../database/database.clock.js';
import { reasonOf } from '../logging/error.text.js';
import type { ReceiptClock } from './receipt.clock.js';

const MICROS_PER_SECOND = 1_000_000;
/** An oscillator is wrong by some 50 parts in a million: 3 ms in this time. */
const READ_EVERY_MS = 60 * SECOND;
const RETRY_EVERY_MS = 2 * SECOND;
const LOOK_EVERY_MS = SECOND;
/** A larger difference is worth a log line, and shows that the machine's clock was stepped. */
const LARGE_SECONDS = 1;

/** Settings of a ClockSync. */
export interface ClockSyncOptions {
  readonly clock: ReceiptClock;
  /** PostgreSQL's clock. */
  readonly server: { read(): Promise<ServerTime> };
  readonly log: { log(message: string): void; warn(message: string): void };
  /** How often it is looked whether the clock is to be read, milliseconds; default 1,000. */
  readonly lookEveryMs?: number;
  /** Milliseconds from one reading to the next; default 60,000. */
  readonly readEveryMs?: number;
}

/** Lets the clock of receipt follow PostgreSQL's: reads that one at the start and then every minute. */
export class ClockSync {
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;
  private nextReadAt = 0;
  /** The machine's clock, as it was ahead of PostgreSQL's after the last reading, in seconds. */
  private machineAhead: number | undefined;
  private failing = false;

  constructor(private readonly options: ClockSyncOptions) {}

  /** Resolves after the first reading, whether or not the database answered. It goes on until `stop`. */
  start(): Promise<void> {
    this.timer ??= setInterval(() => this.look(), this.options.lookEveryMs ?? LOOK_EVERY_MS).unref();
    return this.read();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    if (performance.now() >= this.nextReadAt || this.wasMachineStepped()) void this.read();
  }

  /** After a machine slept its clock is set, and the timer lacks the time of the sleep. */
  private wasMachineStepped(): boolean {
    const { machineAheadSeconds } = this.options.clock.compare() ?? {};
    if (machineAheadSeconds === undefined || this.machineAhead === undefined) return false;
    return Math.abs(machineAheadSeconds - this.machineAhead) > LARGE_SECONDS;
  }

  private read(): Promise<void> {
    this.reading ??= this.readServer().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readServer(): Promise<void> {
    const { clock, server, readEveryMs = READ_EVERY_MS } = this.options;
    try {
      const time = await server.read();
      const before = clock.compare()?.receiptAheadSeconds ?? 0;
      const forward = clock.follow(time) / MICROS_PER_SECOND;
      this.tellStep(before, forward);
      this.nextReadAt = performance.now() + readEveryMs;
      this.failing = false;
      this.machineAhead = clock.compare()?.machineAheadSeconds;
    } catch (error) {
      this.nextReadAt = performance.now() + RETRY_EVERY_MS;
      this.tellFailure(error);
    }
  }

  private tellStep(aheadBefore: number, forward: number): void {
    const { clock, log } = this.options;
    const ahead = clock.compare()?.receiptAheadSeconds ?? 0;
    if (ahead - aheadBefore > LARGE_SECONDS)
      log.warn(
        `times of receipt are ${ahead.toFixed(3)} s ahead of PostgreSQL's clock and ascend slowly until it has caught up`,
      );
    else if (forward > LARGE_SECONDS)
      log.warn(`the clock of receipt was ${forward.toFixed(3)} s behind PostgreSQL's and was set to it`);
  }

  /** Once in an outage. */
  private tellFailure(error: unknown): void {
    if (this.failing) return;
    this.failing = true;
    this.options.log.warn(
      `PostgreSQL's clock cannot be read, times of receipt go on without it: ${reasonOf(error)}`,
    );
  }
}
