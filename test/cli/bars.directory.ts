import { appendFile, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { DeadLetterQueue } from '../../src/coordinator/dead-letters/dead.letter.queue.js';
import { HEADER_BYTES } from '../../src/coordinator/spool/spool.record.js';
import { Spool } from '../../src/coordinator/spool/spool.js';

/** 2026-01-01T00:00:00Z, Unix microseconds: the time of receipt of the first batch. */
export const FIRST_RECEIPT = Date.UTC(2026, 0, 1) * 1_000;
const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;

/** A data directory with a spool that the real Spool wrote: each batch has two bars and is received a second later. */
export class BarsDirectory {
  private constructor(readonly path: string) {}

  /** Each number is the batches of one life of the service, so each is a segment. */
  static async make(batches: readonly number[], settled = 0): Promise<BarsDirectory> {
    const directory = new BarsDirectory(await mkdtemp(join(tmpdir(), 'mds-cli-')));
    let given = 0;
    for (const count of batches) {
      const spool = await Spool.open<undefined>({
        directory: directory.spool,
        maxBytes: 1024 * 1024 * 1024,
        retainMs: 3_600_000,
      });
      await Promise.all(Array.from({ length: count }, () => directory.append(spool, given++)));
      const never = new AbortController().signal;
      for (let read = 0; read < spool.recovered.records + count; read++) {
        const { sequence } = await spool.next(never);
        if (sequence <= settled) spool.settle(sequence);
      }
      await spool.close();
    }
    return directory;
  }

  get spool(): string {
    return join(this.path, 'spool');
  }

  /** Paths of the segments, oldest first. */
  async segments(): Promise<string[]> {
    const names = await readdir(this.spool);
    return names
      .filter((name) => name.endsWith('.seg'))
      .sort()
      .map((name) => join(this.spool, name));
  }

  /** Adds a dead letter, and gives the path of its file. */
  async addDeadLetter(): Promise<string> {
    const deadLetters = await DeadLetterQueue.open({ directory: join(this.path, 'dlq') });
    const time = FIRST_RECEIPT;
    const why = { reason: 'bad-row', sqlstate: '22P02', detail: 'no such thing' };
    await deadLetters.add({
      id: DeadLetterQueue.idOf({ time, sequence: 1 }, 0),
      rows: 2,
      time,
      refusedAt: 0,
      ...why,
      payload: [Buffer.from('rows')],
    });
    const [name = ''] = (await readdir(join(this.path, 'dlq'))).filter((file) => file.endsWith('.dlq'));
    return join(this.path, 'dlq', name);
  }

  /** All files with their bytes and times, to see whether anything was changed. */
  async picture(): Promise<string[]> {
    const names = await readdir(this.path, { recursive: true });
    return Promise.all(
      names.sort().map(async (name) => {
        const path = join(this.path, name);
        const { mtimeMs, ctimeMs } = await stat(path);
        const bytes = await readFile(path, 'base64').catch(() => 'a directory');
        return [name, mtimeMs, ctimeMs, bytes].join(' ');
      }),
    );
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  private async append(spool: Spool<undefined>, index: number): Promise<void> {
    const builder = new BarBatchBuilder();
    for (const row of [0, 1]) {
      const ts = FIRST_RECEIPT + (2 * index + row) * MINUTE_US;
      builder.add('cli', 'BARS', '1m', ts, 0.1, index + 1, -0, 0.2, 5e-324);
    }
    const batch = builder.finish();
    const time = FIRST_RECEIPT + index * SECOND_US;
    await spool.append({ payload: barBatchCodec.encode(batch), rows: batch.rows, time, entry: undefined });
  }
}

/** Bytes of the record of one batch of a BarsDirectory. */
export const RECORD_BYTES = HEADER_BYTES + 4 + 'x 2026\ncli BARS 1m'.length + 2 * 94;

/** Inverts one bit of a file. */
export async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x10;
    await file.write(byte, 0, 1, offset);
  } finally {
    await file.close();
  }
}

/** Leaves the first so many bytes of another record at the end, as a crash does. */
export async function tearTail(path: string, bytes: number): Promise<void> {
  await appendFile(path, (await readFile(path)).subarray(0, bytes));
}
