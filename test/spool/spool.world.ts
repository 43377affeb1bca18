import { jest } from '@jest/globals';
import { Spool, type SpoolItem } from '../../src/coordinator/spool/spool.js';
import {
  SpoolBusyError,
  SpoolFullError,
  SpoolUnavailableError,
} from '../../src/coordinator/spool/spool.errors.js';
import type { SpoolOptions } from '../../src/coordinator/spool/spool.options.js';
import { SimulatedDisk, type Chance, type Survival } from './simulated.disk.js';

export const DIRECTORY = '/spool';
export const CHECKPOINT_MS = 500;
export const HEAL_MS = 1_000;

/** An entry and what became of it. */
export interface Given {
  readonly id: number;
  readonly payload: Buffer;
  acknowledged: boolean;
  settled: boolean;
}

/** Timers and clocks stand still between the steps of a test; the disk's microtasks do not need them. */
export function stopTime(): void {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'clearImmediate', 'nextTick', 'queueMicrotask'] });
}

export function startTime(): void {
  jest.useRealTimers();
}

/** Lets everything happen that waits for no timer. */
export async function idle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** A spool on a simulated disk through all its lives, and a record of all it was given. */
export class SpoolWorld {
  readonly disk: SimulatedDisk;
  readonly given: Given[] = [];
  readonly quarantined: { file: string; bytes: number; rows: number | undefined }[] = [];
  readonly retries: string[] = [];
  readonly faults: Error[] = [];
  healed = 0;
  /** Read in this life and not settled. */
  unsettled: { readonly sequence: number; readonly given: Given }[] = [];
  /** Ids read in this life. */
  readonly readNow = new Set<number>();
  /** How often the disk did not read some place, in all lives. */
  unread = 0;
  private readonly sequences = new Set<number>();
  private lastRead = 0;
  private life: Spool<Given> | undefined;

  constructor(
    private readonly options: Partial<SpoolOptions> = {},
    chance?: Chance,
    disk?: SimulatedDisk,
  ) {
    this.disk = disk ?? new SimulatedDisk(chance);
  }

  get spool(): Spool<Given> {
    if (!this.life) throw new Error('the spool is not open');
    return this.life;
  }

  /** Opens the spool, as a new process would. */
  async start(): Promise<void> {
    this.unsettled = [];
    this.readNow.clear();
    this.sequences.clear();
    this.lastRead = 0;
    this.life = await Spool.open<Given>({
      directory: DIRECTORY,
      maxBytes: 1024 * 1024,
      retainMs: 0,
      segmentBytes: 2_048,
      tailBytes: 700,
      checkpointMs: CHECKPOINT_MS,
      healMs: HEAL_MS,
      checkpointPauseMs: 0,
      files: this.disk.mount(),
      observer: {
        onQuarantine: (file, bytes, rows) => this.quarantined.push({ file, bytes, rows }),
        onUnread: () => this.unread++,
        onRetry: (what) => this.retries.push(what),
        onFault: (error) => this.faults.push(error),
        onHealed: () => this.healed++,
      },
      ...this.options,
    });
  }

  /** Appends an entry of so many bytes; false when it was refused, which must be for a reason with a name. */
  async append(length: number, rows = 1): Promise<boolean> {
    const given = this.give(length);
    try {
      await this.spool.append({
        payload: [given.payload.subarray(0, 3), given.payload.subarray(3)],
        rows,
        time: Date.now() * 1_000,
        entry: given,
      });
      given.acknowledged = true;
      return true;
    } catch (error) {
      const named = [SpoolFullError, SpoolUnavailableError, SpoolBusyError];
      if (!named.some((kind) => error instanceof kind)) throw error;
      return false;
    }
  }

  /** Reads until nothing more comes, or so many. Nothing comes that was not given, and all in order. */
  async read(most = Infinity): Promise<Given[]> {
    const read: Given[] = [];
    while (read.length < most) {
      const item = await this.nextIfAny();
      if (!item) break;
      const late = item.sequence <= this.lastRead;
      // Only what the disk did not read in its turn may come late, and nothing comes twice.
      if (this.sequences.has(item.sequence) || (late && this.unread === 0))
        throw new Error(`${item.sequence} after ${this.lastRead}`);
      this.sequences.add(item.sequence);
      this.lastRead = Math.max(this.lastRead, item.sequence);
      const given = this.recognise(item);
      this.unsettled.push({ sequence: item.sequence, given });
      this.readNow.add(given.id);
      read.push(given);
    }
    return read;
  }

  /** Settles the entry at this place among those that were read and are not settled. */
  settle(index: number): void {
    const [entry] = this.unsettled.splice(index, 1);
    if (!entry) return;
    entry.given.settled = true;
    this.spool.settle(entry.sequence);
  }

  settleAll(): void {
    while (this.unsettled.length > 0) this.settle(0);
  }

  /** Lets timers run. */
  async pass(ms: number): Promise<void> {
    await jest.advanceTimersByTimeAsync(ms);
    await idle();
  }

  /** The power fails, now. */
  async cutPower(survival: Survival): Promise<void> {
    this.disk.cutPower(survival);
    await this.forget();
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.disk.endProcesses();
    await this.forget();
  }

  async close(): Promise<void> {
    await this.spool.close();
    this.life = undefined;
  }

  /** Ids that were acknowledged and never settled, and were not read in this life. */
  missing(): number[] {
    return this.given
      .filter(({ id, acknowledged, settled }) => acknowledged && !settled && !this.readNow.has(id))
      .map(({ id }) => id);
  }

  /** Segments on disk. */
  segments(): string[] {
    return this.disk.names(DIRECTORY).filter((name) => name.endsWith('.seg'));
  }

  quarantineFiles(): string[] {
    return this.disk.names(`${DIRECTORY}/quarantine`);
  }

  private give(length: number): Given {
    const id = this.given.length;
    const payload = Buffer.alloc(length, `entry ${id}, `);
    const given = { id, payload, acknowledged: false, settled: false };
    this.given.push(given);
    return given;
  }

  private recognise({ content }: SpoolItem<Given>): Given {
    const payload = 'payload' in content ? content.payload : content.entry.payload;
    const id = Number(/^entry (\d+),/.exec(payload.toString('latin1', 0, 20))?.[1]);
    const given = this.given[id];
    if (!given?.payload.equals(payload)) throw new Error(`never given: ${payload.toString('latin1')}`);
    return given;
  }

  private async nextIfAny(): Promise<SpoolItem<Given> | undefined> {
    const nothing = new Error('nothing came');
    const waiting = new AbortController();
    const found: SpoolItem<Given>[] = [];
    const next = this.spool.next(waiting.signal).then(
      (item) => void found.push(item),
      (error: unknown) => error,
    );
    await idle();
    if (found.length === 0) waiting.abort(nothing);
    const end = await next;
    if (end === undefined || end === nothing) return found[0];
    throw end as Error;
  }

  /** The timers of a process that is gone must not go on. */
  private async forget(): Promise<void> {
    const { life } = this;
    this.life = undefined;
    await life?.close().catch(() => undefined);
    await idle();
  }
}
