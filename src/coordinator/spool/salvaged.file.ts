import type { SpoolFile } from './spool.file-system.js';

const BLOCK_BYTES = 4_096;
/** A disk may take seconds to fail each read: a file with more bad blocks than this is given up from there on. */
const MOST_BAD_BLOCKS = 64;
/** Neither a magic, nor the zeros of bytes that were never written: readers take it for damage. */
const FILLER = 0xee;

/** Reads a file whose disk fails in places: what cannot be read comes as filler, and the rest as it is. */
export class SalvagedFile implements Pick<SpoolFile, 'read'> {
  /** Blocks that could not be read. */
  badBlocks = 0;

  constructor(
    private readonly file: SpoolFile,
    /** Bytes that are in the file now. */
    private readonly size: () => number,
  ) {}

  async read(length: number, position: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.size() - position));
    if (this.badBlocks < MOST_BAD_BLOCKS) {
      try {
        return await this.file.read(wanted, position);
      } catch {
        // Which of its blocks it was, the disk does not say.
      }
    }
    const target = Buffer.alloc(wanted, FILLER);
    for (let at = 0; at < wanted && this.badBlocks < MOST_BAD_BLOCKS;) {
      const end = Math.min(wanted, at + BLOCK_BYTES - ((position + at) % BLOCK_BYTES));
      await this.readBlock(target.subarray(at, end), position + at);
      at = end;
    }
    return target;
  }

  private async readBlock(target: Buffer, position: number): Promise<void> {
    try {
      const bytes = await this.file.read(target.length, position);
      bytes.copy(target);
    } catch {
      this.badBlocks++;
    }
  }
}
