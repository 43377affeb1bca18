import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase } from '../support/database.js';
import { runService, startService, TOKENS } from '../support/service.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mds-settings-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('a service in production', () => {
  const production = { NODE_ENV: 'production', INGEST_TOKEN: undefined, READ_TOKEN: undefined };

  it('does not start with no, an empty, the default or a short ADMIN_TOKEN', async () => {
    const tokens = [undefined, '', 'changeme', 'Zq7fifteenchars'];
    const ends = await Promise.all(tokens.map((token) => runService({ ...production, ADMIN_TOKEN: token })));
    for (const { code, output } of ends) {
      expect(code).not.toBe(0);
      expect(output).toContain('ADMIN_TOKEN must have at least 16 characters and not be the default');
      expect(output).not.toMatch(/changeme|fifteen/);
    }
  });

  it('does not start with a weak ingest or read token among good ones', async () => {
    const { code, output } = await runService({
      ...production,
      INGEST_TOKEN: `${TOKENS.ingest},weak-ingest`,
      READ_TOKEN: 'weak-read',
    });
    expect(code).not.toBe(0);
    expect(output).toContain('INGEST_TOKEN must have');
    expect(output).toContain('READ_TOKEN must have');
    expect(output).not.toContain('ADMIN_TOKEN');
    expect(output).not.toMatch(/weak-(ingest|read)/);
  });
});

describe('a service with bad settings', () => {
  it('lists every bad key at once and prints no value', async () => {
    const bad = {
      NODE_ENV: 'production',
      APP_PORT: '65536secret',
      LOG_LEVEL: 'secretlevel',
      DATABASE_URL: 'mysql://user:secretpassword@host/db',
      ADMIN_DATABASE_URL: 'secretadmin',
      DB_POOL_MAX: '-7777',
      ADMIN_TOKEN: 'secret token',
      INGEST_TOKEN: 'secret;ingest',
      READ_TOKEN: 'secretread',
      MDS_COORDINATOR_CAPACITY: '0',
      MDS_COORDINATOR_WORKERS: '1.5',
      MDS_COORDINATOR_FLUSH_INTERVAL: 'secretinterval',
      MDS_RETRY_JITTER: 'secretbool',
      MDS_CB_HALF_OPEN_AFTER_SEC: '1e3',
      MDS_SHUTDOWN_TIMEOUT_SEC: 'NaN',
    };
    const { code, output } = await runService(bad);
    expect(code).not.toBe(0);
    for (const key of Object.keys(bad).filter((name) => name !== 'NODE_ENV')) {
      expect(output).toMatch(new RegExp(`^ +- ${key} must`, 'm'));
    }
    expect(output).not.toMatch(/secret|mysql|65536s|7777|1e3/);
    expect(output).not.toMatch(/\bat .*\.js:\d+/);
  });

  it('says that two settings contradict each other', async () => {
    const { code, output } = await runService({
      ADMIN_TOKEN_FILE: join(directory, 'token'),
      MDS_COORDINATOR_CAPACITY: '100',
      MDS_COORDINATOR_HIGH_WATERMARK: '101',
      MDS_COORDINATOR_LOW_WATERMARK: '101',
      MDS_RETRY_INITIAL_BACKOFF_MS: '500',
      MDS_RETRY_MAX_BACKOFF_MS: '100',
    });
    expect(code).not.toBe(0);
    expect(output).toContain('ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set');
    for (const key of [
      'MDS_COORDINATOR_HIGH_WATERMARK',
      'MDS_COORDINATOR_LOW_WATERMARK',
      'MDS_RETRY_MAX_BACKOFF_MS',
    ]) {
      expect(output).toContain(key);
    }
    expect(output).not.toContain(TOKENS.admin);
  });
});

describe('ADMIN_TOKEN_FILE', () => {
  const token = 'token-from-a-file-0001';
  const withFile = (path: string): Record<string, string | undefined> => ({
    NODE_ENV: 'production',
    ADMIN_TOKEN: undefined,
    ADMIN_TOKEN_FILE: path,
  });

  it('names the file of the admin token, whose last newline does not count', async () => {
    const path = join(directory, 'good');
    await writeFile(path, `${token}\n`);
    const database = await createDatabase();
    const service = await startService({ ...withFile(path), DATABASE_URL: database.url });
    try {
      const answer = await service.fetch('/v1/bars', { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(200);
      expect((await service.fetch('/v1/bars')).status).toBe(401);
      expect(service.output()).not.toContain(token);
    } finally {
      await service.stop();
      await database.drop();
    }
  });

  it('stops the start when the file is absent, empty, or has two tokens or a weak one', async () => {
    const cases: [string, string | undefined, RegExp][] = [
      ['absent', undefined, /ADMIN_TOKEN_FILE must name a readable file \(ENOENT\)/],
      ['empty', '', /ADMIN_TOKEN_FILE must name a file with one token in it/],
      [
        'two',
        'hidden-token-number-1 hidden-token-number-2',
        /ADMIN_TOKEN_FILE must name a file with one token/,
      ],
      ['weak', 'hidden\n', /must have at least 16 characters/],
    ];
    await Promise.all(
      cases.map(async ([name, content, message]) => {
        const path = join(directory, name);
        if (content !== undefined) await writeFile(path, content);
        const { code, output } = await runService(withFile(path));
        expect(code).not.toBe(0);
        expect(output).toMatch(message);
        expect(output).not.toContain('hidden');
      }),
    );
  });
});
