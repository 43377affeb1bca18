import { constants } from 'node:fs';
import fileSystem, { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Spool } from '../../src/coordinator/spool/spool.js';
import { nodeFileSystem } from '../../src/coordinator/spool/spool.file-system.js';
import { crcOf, encodeHeader, HEADER_BYTES } from '../../src/coordinator/spool/spool.record.js';

const MIB = 1024 * 1024;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mds-spool-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function optionsFor(path: string) {
  return { directory: path, maxBytes: 4 * 1024 * MIB, retainMs: 0 };
}

/** Writes a segment as the spool would have; faster, as nothing is synced. */
async function writeSegment(first: number, records: number, payload: Buffer): Promise<void> {
  const payloadCrc = crcOf([payload]);
  const parts: Buffer[] = [];
  for (let sequence = first; sequence < first + records; sequence++) {
    parts.push(encodeHeader({ sequence, time: 1e15, rows: 10, length: payload.length, payloadCrc }), payload);
  }
  await writeFile(join(directory, `${String(first).padStart(16, '0')}.seg`), Buffer.concat(parts));
}

describe('a large backlog', () => {
  it('opens, and is read back in little memory', async () => {
    const payload = Buffer.alloc(470 * 1024, 'bars');
    const perSegment = 64;
    const segments = 10;
    for (let i = 0; i < segments; i++) await writeSegment(1 + i * perSegment, perSegment, payload);

    const before = process.memoryUsage();
    const spool = await Spool.open<never>(optionsFor(directory));
    expect(spool.recovered).toMatchObject({
      records: segments * perSegment,
      rows: segments * perSegment * 10,
    });

    const { signal } = new AbortController();
    let mostRss = 0;
    let mostUsed = 0;
    for (let i = 1; i <= segments * perSegment; i++) {
      const { sequence, content } = await spool.next(signal);
      expect(sequence).toBe(i);
      expect('payload' in content && content.payload.equals(payload)).toBe(true);
      spool.settle(sequence);
      const { rss, heapUsed, external } = process.memoryUsage();
      mostRss = Math.max(mostRss, rss);
      mostUsed = Math.max(mostUsed, heapUsed + external);
    }
    expect(mostUsed - before.heapUsed - before.external).toBeLessThan(128 * MIB);
    expect(mostRss - before.rss).toBeLessThan(128 * MIB);
    await spool.close();
    expect((await readdir(directory)).filter((name) => name.endsWith('.seg'))).toEqual([]);
  });

  it('opens when it is hundreds of thousands of small records', async () => {
    const payload = Buffer.alloc(160, 'bar');
    const records = Math.floor((64 * MIB) / (payload.length + HEADER_BYTES));
    await writeSegment(1, records, payload);
    const spool = await Spool.open<never>(optionsFor(directory));
    expect(spool.recovered.records).toBe(records);
    await spool.close();
  });
});

describe('on a real file system', () => {
  it('keeps what it acknowledged, and leaves nothing behind but its segments and the checkpoint', async () => {
    const path = join(directory, 'data', 'spool');
    const options = { ...optionsFor(path), tailBytes: 0, segmentBytes: 1_000 };
    const first = await Spool.open<number>(options);
    const given = Array.from({ length: 50 }, (_, i) => Buffer.from(`entry ${i} `.repeat(10)));
    await Promise.all(
      given.map((payload, entry) => first.append({ payload: [payload], rows: 1, time: 1e15, entry })),
    );
    await first.close();
    const again = await Spool.open<number>(options);
    const { signal } = new AbortController();
    for (const payload of given) {
      const { content, sequence } = await again.next(signal);
      expect('payload' in content && content.payload.toString()).toBe(payload.toString());
      again.settle(sequence);
    }
    await again.close();
    expect(await readdir(path)).toEqual(['checkpoint']);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  // A write that only reached the memory of the system would pass every other test.
  (process.platform === 'linux' ? it : it.skip)(
    'writes its segments through to the disk (Linux)',
    async () => {
      const spool = await Spool.open<string>(optionsFor(directory));
      try {
        await spool.append({ payload: [Buffer.from('x')], rows: 1, time: 1, entry: 'x' });
        const links = await Promise.all(
          (await readdir('/proc/self/fd')).map(async (fd) => ({
            fd,
            path: await readlink(`/proc/self/fd/${fd}`).catch(() => ''),
          })),
        );
        const segments = links.filter(({ path }) => path.startsWith(directory) && path.endsWith('.seg'));
        expect(segments).toHaveLength(1);
        const info = await readFile(`/proc/self/fdinfo/${segments[0]?.fd ?? ''}`, 'utf8');
        const flags = Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8);
        expect(flags & constants.O_DSYNC).toBe(constants.O_DSYNC);
      } finally {
        await spool.close();
      }
    },
  );

  it('makes new directories so that they outlive a power cut, each in the one above', async () => {
    const opened = jest.spyOn(fileSystem, 'open');
    try {
      await nodeFileSystem.makeDirectory(join(directory, 'a', 'b', 'c'));
      expect(opened.mock.calls.map(([path]) => path)).toEqual([
        join(directory, 'a', 'b'),
        join(directory, 'a'),
        directory,
      ]);
      opened.mockClear();
      await nodeFileSystem.makeDirectory(join(directory, 'a', 'b', 'c/'));
      expect(opened).not.toHaveBeenCalled();
    } finally {
      opened.mockRestore();
    }
  });
});
