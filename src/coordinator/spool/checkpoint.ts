import { setTimeout as sleep } from 'node:timers/promises';

import {
  decodeSlot,
  encodeSlot,
  SLOT_BYTES,
  type CheckpointSlot,
  type LedgerRecord,
} from './checkpoint.slot.js';
import { SpoolUnavailableError } from './spool.errors.js';
import { writeFully, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';
import { readWholeFile, writeWholeFile } from './whole.file.js';

const NAME = 'checkpoint';
/** How often a checkpoint that the disk does not read is tried before the spool goes on without it. */
const READ_TRIES = 10;
const READ_PAUSE_MS = 500;

/** A checkpoint file as it lies on disk. */
export interface CheckpointLook {
  readonly sequence: number;
  readonly ledger: LedgerRecord | undefined;
  /** Offsets of the slots that are damaged. */
  readonly damaged: readonly number[];
}

/**
 * How far everything is settled, on disk: all records below a sequence number, and the ledger of that moment. Two slots
 * are written in turn. An older checkpoint only means that more is written again, which is harmless.
 */
export class Checkpoint {
  static readonly SLOT_BYTES = SLOT_BYTES;

  private file: SpoolFile | undefined;
  private making: Promise<void> | undefined;
  /** What was read after all. */
  late: Checkpoint | undefined;
  /** The slot that is written next: the older one, or the damaged one. */
  private slot = 0;

  private constructor(
    private readonly files: SpoolFileSystem,
    private readonly directory: string,
    /** Records below it need not be read again. */
    public sequence = 0,
    /** Undefined when there is none on disk. */
    public ledger?: LedgerRecord,
    /** Slots that hold something else than a checkpoint. */
    readonly damagedSlots = 0,
    /** Why the disk did not read it. Nothing is written in its place until `goOn`. */
    public unread?: unknown,
  ) {}

  /**
   * Reads the checkpoint. Without one all there is counts as not settled. The same, for the time being, when the disk does
   * not read it within some seconds: `prepare` tries again.
   */
  static async open(files: SpoolFileSystem, directory: string, pauseMs = READ_PAUSE_MS): Promise<Checkpoint> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await Checkpoint.read(files, directory);
      } catch (error) {
        if (attempt === READ_TRIES) return new Checkpoint(files, directory, 0, undefined, 0, error);
      }
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  /** Goes on from what was read after all. */
  goOn({ sequence, ledger, file, slot }: Checkpoint): void {
    this.sequence = sequence;
    this.ledger = ledger;
    this.file = file;
    this.slot = slot;
    this.unread = undefined;
    this.late = undefined;
  }

  /** No record below it may be new: the ledger would take it for one that it knows. */
  get next(): number {
    const { sequence, ledger } = this.late ?? this;
    return Math.max(sequence, ledger?.next ?? 0);
  }

  /** Makes the file when it is not there, and reads what the disk did not read at the start. */
  async prepare(): Promise<void> {
    if (this.unread !== undefined) {
      this.late ??= await this.readLate();
      return;
    }
    if (this.file) return;
    this.making ??= this.make(this.sequence, this.ledger);
    try {
      await this.making;
    } finally {
      this.making = undefined;
    }
  }

  /** What the file says, without changing it; undefined when there is none. */
  static async look(files: SpoolFileSystem, directory: string): Promise<CheckpointLook | undefined> {
    if (!(await files.list(directory)).includes(NAME)) return undefined;
    const slots = slotsOf(await readWholeFile(files, `${directory}/${NAME}`));
    const damaged = slots.flatMap((slot, index) => (slot.damaged ? [index * SLOT_BYTES] : []));
    const { sequence = 0, ledger } = slots[newestOf(slots)];
    return { sequence, ledger, damaged };
  }

  /** Puts a new file in the place of the old one, in one step. Not while it is open. */
  static async replace(
    files: SpoolFileSystem,
    directory: string,
    sequence: number,
    ledger?: LedgerRecord,
  ): Promise<void> {
    await writeWholeFile(files, directory, NAME, [encodeSlot(sequence, ledger), Buffer.alloc(SLOT_BYTES)]);
  }

  /** Resolves when it is on disk. Not to be called again before it has settled. */
  async write(sequence: number, ledger: LedgerRecord): Promise<void> {
    await this.checkPlace();
    await this.making;
    if (this.file) await this.writeSlot(this.file, sequence, ledger);
    else await this.make(sequence, ledger);
    this.sequence = sequence;
    this.ledger = ledger;
  }

  /** A file that was removed or replaced behind our back is made again. */
  private async checkPlace(): Promise<void> {
    const { file } = this;
    if (!file) return;
    const there = await this.files.identity(`${this.directory}/${NAME}`);
    if (there !== (await file.identity()) && this.file === file) await this.giveUpFile();
  }

  async close(): Promise<void> {
    await (this.file ?? this.late?.file)?.close();
  }

  private async readLate(): Promise<Checkpoint> {
    try {
      return await Checkpoint.read(this.files, this.directory);
    } catch (error) {
      // What number the next record may have, only it tells.
      throw new SpoolUnavailableError('the disk does not read the checkpoint of the spool', error);
    }
  }

  private static async read(files: SpoolFileSystem, directory: string): Promise<Checkpoint> {
    const names = await files.list(directory);
    if (!names.includes(NAME)) return new Checkpoint(files, directory);
    const file = await files.open(`${directory}/${NAME}`, 'write');
    try {
      const slots = slotsOf(await file.read(2 * SLOT_BYTES, 0));
      const newest = newestOf(slots);
      const { sequence, ledger } = slots[newest];
      const damaged = slots.filter((slot) => slot.damaged).length;
      const checkpoint = new Checkpoint(files, directory, sequence, ledger, damaged);
      checkpoint.file = file;
      checkpoint.slot = sequence === undefined ? 0 : 1 - newest;
      return checkpoint;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  private async make(sequence: number, ledger: LedgerRecord | undefined): Promise<void> {
    await Checkpoint.replace(this.files, this.directory, sequence, ledger);
    this.file = await this.files.open(`${this.directory}/${NAME}`, 'write');
    this.slot = 1;
  }

  private async writeSlot(file: SpoolFile, sequence: number, ledger: LedgerRecord): Promise<void> {
    try {
      await writeFully(file, [encodeSlot(sequence, ledger)], this.slot * SLOT_BYTES);
      await file.sync();
      this.slot = 1 - this.slot;
    } catch (error) {
      await this.giveUpFile();
      throw error;
    }
  }

  /** A place on the disk that takes no bytes would keep every segment: the next try is a new file. */
  private async giveUpFile(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => undefined);
  }
}

function slotsOf(bytes: Buffer): [CheckpointSlot, CheckpointSlot] {
  return [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
}

/** A damaged slot counts only when the other says nothing: an older checkpoint that is sound is harmless. */
function newestOf([first, second]: readonly [CheckpointSlot, CheckpointSlot]): 0 | 1 {
  if (second.sequence === undefined) return 0;
  if (first.sequence === undefined) return 1;
  if (first.damaged !== second.damaged) return first.damaged ? 1 : 0;
  return isNewer(second, first) ? 1 : 0;
}

function isNewer(slot: CheckpointSlot, other: CheckpointSlot): boolean {
  if (slot.ledger && other.ledger) return slot.ledger.serial > other.ledger.serial;
  const [sequence = 0, otherSequence = 0] = [slot.sequence, other.sequence];
  // A version without a ledger only writes larger numbers than the one before.
  return sequence > otherSequence || (sequence === otherSequence && slot.ledger !== undefined);
}
