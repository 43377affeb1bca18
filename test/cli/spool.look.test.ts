import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

import { afterEach, describe, expect, it } from '@jest/globals';

import { BarsDirectory, FIRST_RECEIPT, flipBit, RECORD_BYTES, tearTail } from './bars.directory.js';
import { mds, spawnMds } from './mds.js';

let directory: BarsDirectory;
afterEach(() => directory.remove());

const jsonOf = ({ stdout }: { readonly stdout: string }) => JSON.parse(stdout) as Record<string, unknown>;

describe('mds spool inspect', () => {
  it('tells of each segment what it holds and how it stands to the checkpoint', async () => {
    directory = await BarsDirectory.make([2, 3, 1], 3);
    await directory.addDeadLetter();
    const run = await mds(['spool', 'inspect', '--dir', directory.path, '--json']);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(jsonOf(run)).toMatchObject({
      directory: directory.path,
      service_pid: null,
      checkpoint: 4,
      replay_from: null,
      segments: [
        {
          file: '0000000000000001.seg',
          records: 2,
          rows: 4,
          bytes: 2 * RECORD_BYTES,
          first_sequence: 1,
          last_sequence: 2,
          first_received_at: '2026-01-01T00:00:00Z',
          last_received_at: '2026-01-01T00:00:01Z',
          state: 'settled',
        },
        { records: 3, state: 'partly settled', unsettled_records: 2, unsettled_rows: 4 },
        { records: 1, state: 'unsettled', first_sequence: 6 },
      ],
      totals: { records: 6, rows: 12, bytes: 6 * RECORD_BYTES, unsettled_records: 3, unsettled_rows: 6 },
      dead_letters: { letters: 1, rows: 2, quarantined: 0 },
    });
  });

  it('prints a table for people, and takes the directory from MDS_DATA_DIR', async () => {
    directory = await BarsDirectory.make([2]);
    const run = await mds(['spool', 'inspect'], { MDS_DATA_DIR: directory.path });
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('Unsettled       4 rows in 2 records\n');
    expect(run.stdout).toMatch(/^SEGMENT +RECORDS +SEQUENCE +ROWS +BYTES /m);
    expect(run.stdout).toMatch(/^0000000000000001\.seg +2 +1\.\.2 +4 +\d+ .* unsettled$/m);
  });

  it('changes no file, as verify and export', async () => {
    directory = await BarsDirectory.make([2, 1]);
    await tearTail((await directory.segments())[1] ?? '', 50);
    await flipBit((await directory.segments())[0] ?? '', 60);
    await flipBit(await directory.addDeadLetter(), 60);
    const before = await directory.picture();
    for (const command of ['inspect', 'verify', 'export'])
      await mds(['spool', command, '--dir', directory.path]);
    expect(await directory.picture()).toEqual(before);
  });

  it('answers wrong usage with 2 and one sentence', async () => {
    directory = await BarsDirectory.make([1]);
    const nowhere = await mds(['spool', 'inspect', '--dir', join(tmpdir(), 'nothing-here')]);
    expect([nowhere.code, nowhere.stdout]).toEqual([2, '']);
    expect(nowhere.stderr).toMatch(/^mds: there is no spool in \S+; name .*\n$/);
    const bad = await mds(['spool', 'export', '--since', '1767225600000', '--dir', directory.path]);
    expect(bad.code).toBe(2);
    expect(bad.stderr).toMatch(/^error: .*looks like milliseconds.*\n$/);
    expect((await mds(['spool', 'mend'])).code).toBe(2);
    expect((await mds(['spool', 'repair', '--help'])).code).toBe(0);
  });
});

describe('mds spool verify', () => {
  it('finds a sound spool sound, and a torn tail no damage', async () => {
    directory = await BarsDirectory.make([2, 1], 1);
    expect(await mds(['spool', 'verify', '--dir', directory.path])).toMatchObject({ code: 0, stderr: '' });
    await tearTail((await directory.segments())[1] ?? '', 50);
    const run = await mds(['spool', 'verify', '--dir', directory.path]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain(`at byte ${RECORD_BYTES}, 50 bytes: torn tail`);
    expect(run.stdout).toContain('result  sound\n');
  });

  it('names each damage by file and offset, and ends with 1', async () => {
    directory = await BarsDirectory.make([3, 2], 1);
    const [first = '', second = ''] = await directory.segments();
    await flipBit(first, RECORD_BYTES + 100);
    await flipBit(second, 10);
    const checkpoint = join(directory.spool, 'checkpoint');
    await flipBit(checkpoint, 4_096);
    const letter = await directory.addDeadLetter();
    await flipBit(letter, 50);
    const run = await mds(['spool', 'verify', '--dir', directory.path, '--json']);
    expect(run.code).toBe(1);
    const { sound, damage } = jsonOf(run) as { sound: boolean; damage: { what: string }[] };
    expect(sound).toBe(false);
    expect(damage).toMatchObject([
      { file: first, offset: RECORD_BYTES, bytes: RECORD_BYTES },
      { file: second, offset: 0, bytes: RECORD_BYTES },
      { file: checkpoint, offset: 4_096 },
      { file: letter, offset: 0 },
    ]);
    expect(damage[0]?.what).toBe('record 2 (2 rows) fails its checksum');
  });
});

describe('mds spool export', () => {
  const csv = async (...args: string[]) =>
    (await mds(['spool', 'export', '--dir', directory.path, '--format', 'csv', ...args])).stdout
      .split('\n')
      .slice(1, -1);

  it('writes every bar with every number as it is', async () => {
    directory = await BarsDirectory.make([2]);
    const run = await mds(['spool', 'export', '--dir', directory.path]);
    expect(run.code).toBe(0);
    expect(run.stderr).toBe('4 rows of 2 records\n');
    const lines = run.stdout.split('\n').slice(0, -1);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe(
      '{"provider":"cli","symbol":"BARS","interval":"1m","ts":"2026-01-01T00:00:00Z","open":0.1,"high":1,"low":-0,"close":0.2,"volume":5e-324}',
    );
  });

  it('takes the records of a time of receipt, or those that are not settled', async () => {
    directory = await BarsDirectory.make([2, 3], 2);
    expect(await csv()).toHaveLength(10);
    expect(await csv('--since', '2026-01-01T00:00:03Z')).toHaveLength(4);
    expect(await csv('--since', String(FIRST_RECEIPT / 1e6 + 3), '--until', '2026-01-01T00:00:04Z')).toEqual([
      'cli,BARS,1m,2026-01-01T00:06:00Z,0.1,4,-0,0.2,5e-324',
      'cli,BARS,1m,2026-01-01T00:07:00Z,0.1,4,-0,0.2,5e-324',
    ]);
    expect(await csv('--unsettled')).toHaveLength(6);
    expect(await csv('--since', '2026-01-02')).toEqual([]);
  });

  it('leaves out what is damaged, and says so with 1', async () => {
    directory = await BarsDirectory.make([3]);
    await flipBit((await directory.segments())[0] ?? '', RECORD_BYTES + 100);
    const out = join(directory.path, 'bars.ndjson');
    const run = await mds(['spool', 'export', '--dir', directory.path, '--out', out]);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain('1 piece could not be read, and left out');
    expect((await readFile(out, 'utf8')).split('\n')).toHaveLength(5);
  });

  it('makes a file that its owner alone reads, empties one that is there, and follows no link', async () => {
    directory = await BarsDirectory.make([2]);
    const [out, link] = [join(directory.path, 'bars.ndjson'), join(directory.path, 'link')];
    const run = (file: string) => mds(['spool', 'export', '--dir', directory.path, '--out', file]);
    for (const code of [(await run(out)).code, (await run(out)).code]) expect(code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect((await readFile(out, 'utf8')).split('\n')).toHaveLength(5);

    await writeFile(out, 'not to be touched');
    await symlink(out, link);
    const refused = await run(link);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining(`${link} is a link, and links are not followed: name the file itself`),
    ]);
    expect(await readFile(out, 'utf8')).toBe('not to be touched');
  });

  it('ends quietly when its reader has seen enough', async () => {
    directory = await BarsDirectory.make([4_000]);
    const child = spawnMds(['spool', 'export', '--dir', directory.path]);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout?.once('data', () => child.stdout?.destroy());
    await once(child, 'close');
    expect([child.exitCode, stderr]).toEqual([0, '']);
  });
});
