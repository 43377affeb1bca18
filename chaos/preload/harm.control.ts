import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const BYTES = 24;
const AT = { offset: 0, frozen: 8, failReads: 16 } as const;

/** What a service with the preloaded library is made to see; a change takes effect with its next call. */
export class HarmControl {
  private readonly file: number;
  private readonly path: string;

  /** @param directory where its file goes, which is made */
  constructor(
    directory: string,
    name: string,
    private readonly library: string,
  ) {
    this.path = join(directory, `${name}.control`);
    this.file = openSync(this.path, 'w');
    writeSync(this.file, Buffer.alloc(BYTES), 0, BYTES, 0);
  }

  /** The environment of a service whose spool lies there. */
  environment(spool: string): Record<string, string> {
    return { LD_PRELOAD: this.library, CHAOS_CONTROL: this.path, CHAOS_READS_BELOW: `${spool}/` };
  }

  /** So many of a thousand reads of the spool fail with EIO. */
  failReads(ofThousand: number): void {
    this.write(AT.failReads, BigInt(ofThousand));
  }

  /** The wall clock is ahead by so many milliseconds, or behind. */
  stepClock(ms: number): void {
    this.write(AT.offset, BigInt(ms) * 1_000n);
  }

  /** The wall clock stands still at this time, Unix microseconds; undefined: it runs again. */
  freezeClock(micros: bigint | undefined): void {
    this.write(AT.frozen, micros ?? 0n);
  }

  close(): void {
    closeSync(this.file);
  }

  private write(at: number, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    writeSync(this.file, bytes, 0, bytes.length, at);
  }
}
