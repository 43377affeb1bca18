import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import { missingBars, startLoad } from '../support/load.js';
import { makeOpenDirectory, removeDatabase } from '../support/postgres.js';
import { runService, startService, type TestService } from '../support/service.js';

const SERVE_WITHIN_MS = 10_000;

let service: TestService | undefined;
let directory: string | undefined;

afterEach(async () => {
  await service?.stop();
  if (directory !== undefined) await removeDatabase(join(directory, 'postgres'));
});

describe('a service with its own database', () => {
  it('serves within 10 s after kill -9 and has every bar that it answered 200', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const stored = new Map<number, number>();
    for (let round = 0; round < 3; round += 1) {
      const load = startLoad(service, 4, `KILL${round}`);
      try {
        await eventually('bars are stored', 10_000, () => load.stored.size > 1_000);
      } finally {
        await service.kill();
        await load.stop();
      }

      const start = Date.now();
      service = await startService({ MDS_DATA_DIR: directory });
      expect(Date.now() - start).toBeLessThan(SERVE_WITHIN_MS);
      await expect(missingBars(service, load.stored, `KILL${round}`)).resolves.toEqual([]);
      for (const [ts, close] of load.stored) stored.set(ts, close);
    }
    expect(stored.size).toBeGreaterThan(1_000);
  }, 90_000);

  it('tells a second service on the same data directory in one sentence, and goes on serving', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const second = await runService({ MDS_DATA_DIR: directory });
    expect(second.code).toBe(1);
    expect(second.output.trim()).toMatch(/^the data directory \S+ is in use by process \d+; .*$/);
    await expect(service.fetch('/readyz').then(({ status }) => status)).resolves.toBe(200);
  }, 60_000);

  it('leaves no server behind when it is stopped, and exits 0', async () => {
    directory = await makeOpenDirectory();
    service = await startService({ MDS_DATA_DIR: directory });
    const url = (await readFile(join(directory, 'postgres', 'url'), 'utf8')).trim();
    await expect(service.stop()).resolves.toBe(0);
    const port = Number(new URL(url).port);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  }, 60_000);
});
