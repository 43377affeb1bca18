import { crc32 } from 'node:zlib';
import { writeFully, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';
import { readWholeFile, writeWholeFile } from './whole.file.js';

const NAME = 'checkpoint';
const SLOT_BYTES = 4_096;
const CRC_AT = 12;
const MAGIC = Buffer.from('MDSC', 'latin1');
const TWO_32 = 2 ** 32;

/** A checkpoint file as it lies on disk. */
export interface CheckpointLook {
  readonly sequence: number;
  /** Offsets of the slots that are damaged. */
  readonly damaged: readonly number[];
}

/**
 * How far everything is settled, on disk: all records below a sequence number. Two slots are written in turn, each
 * a block of its own with a checksum, so that a write that is cut short leaves the one before. An older checkpoint
 * only means that more is written again, which is harmless.
 */
export class Checkpoint {
  static readonly SLOT_BYTES = SLOT_BYTES;

  private file: SpoolFile | undefined;
  private making: Promise<void> | undefined;
  /** The slot that is written next: the older one, or the damaged one. */
  private slot = 0;

  private constructor(
    private readonly files: SpoolFileSystem,
    private readonly directory: string,
    /** Records below it need not be read again. */
    public sequence = 0,
    /** Slots that hold something else than a checkpoint. */
    readonly damagedSlots = 0,
  ) {}

  /** Reads the checkpoint; without one, or when it cannot be read, all there is counts as not settled. */
  static async open(files: SpoolFileSystem, directory: string): Promise<Checkpoint> {
    const names = await files.list(directory);
    if (!names.includes(NAME)) return new Checkpoint(files, directory);
    let file: SpoolFile | undefined;
    try {
      file = await files.open(`${directory}/${NAME}`, 'write');
      const slots = slotsOf(await file.read(2 * SLOT_BYTES, 0));
      const sequence = newestOf(slots);
      const damaged = slots.filter((slot) => slot.damaged).length;
      const checkpoint = new Checkpoint(files, directory, sequence, damaged);
      checkpoint.file = file;
      checkpoint.slot = slots[0].sequence === sequence ? 1 : 0;
      return checkpoint;
    } catch {
      await file?.close().catch(() => undefined);
      return new Checkpoint(files, directory, 0, 2);
    }
  }

  /** Makes the file when it is not there. */
  async prepare(): Promise<void> {
    if (this.file) return;
    this.making ??= this.make();
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
    return { sequence: newestOf(slots), damaged };
  }

  /** Puts a new file in the place of the old one, in one step. Not while it is open. */
  static async replace(files: SpoolFileSystem, directory: string, sequence: number): Promise<void> {
    await writeWholeFile(files, directory, NAME, [encodeSlot(sequence), Buffer.alloc(SLOT_BYTES)]);
  }

  /** Resolves when it is on disk. Not to be called again before it has settled. */
  async write(sequence: number): Promise<void> {
    await this.prepare();
    try {
      await this.writeSlot(sequence);
    } catch (error) {
      await this.giveUpFile();
      throw error;
    }
    this.slot = 1 - this.slot;
    this.sequence = sequence;
  }

  async close(): Promise<void> {
    await this.file?.close();
  }

  private async make(): Promise<void> {
    await this.files.makeDirectory(this.directory);
    await writeWholeFile(this.files, this.directory, NAME, [
      encodeSlot(this.sequence),
      Buffer.alloc(SLOT_BYTES),
    ]);
    this.file = await this.files.open(`${this.directory}/${NAME}`, 'write');
    this.slot = 1;
  }

  private async writeSlot(sequence: number): Promise<void> {
    if (!this.file) throw new Error('the checkpoint has no file');
    await writeFully(this.file, [encodeSlot(sequence)], this.slot * SLOT_BYTES);
    await this.file.sync();
  }

  /** A place on the disk that takes no bytes would keep every segment: the next try is a new file. */
  private async giveUpFile(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => undefined);
  }
}

/** A sequence number as a block with a checksum. */
export function encodeSlot(sequence: number): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeUInt32BE(Math.floor(sequence / TWO_32), 4);
  slot.writeUInt32BE(sequence % TWO_32, 8);
  slot.writeUInt32BE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
  return slot;
}

interface Slot {
  readonly sequence: number | undefined;
  readonly damaged: boolean;
}

function slotsOf(bytes: Buffer): [Slot, Slot] {
  return [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
}

function newestOf(slots: readonly Slot[]): number {
  return Math.max(0, ...slots.map(({ sequence }) => sequence ?? 0));
}

/** Whatever is neither a checkpoint nor blank is damage, also in the bytes that are always zero. */
export function decodeSlot(slot: Buffer): Slot {
  if (slot.every((byte) => byte === 0)) return { sequence: undefined, damaged: false };
  const whole = slot.length === SLOT_BYTES && slot.subarray(0, MAGIC.length).equals(MAGIC);
  if (!whole || crc32(slot.subarray(0, CRC_AT)) !== slot.readUInt32BE(CRC_AT))
    return { sequence: undefined, damaged: true };
  return {
    sequence: slot.readUInt32BE(4) * TWO_32 + slot.readUInt32BE(8),
    damaged: slot.subarray(CRC_AT + 4).some((byte) => byte !== 0),
  };
}
