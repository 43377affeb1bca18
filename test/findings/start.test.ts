import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis.js';
import { launchService, runService, startService, TOKENS } from '../support/service.js';

const releasers: (() => unknown)[] = [];
afterEach(async () => {
  for (let release = releasers.pop(); release !== undefined; release = releasers.pop()) await release();
});

async function newDatabase(): Promise<string> {
  const database = await createDatabase();
  releasers.push(() => database.drop());
  return database.url;
}

async function start(env: Record<string, string | undefined>) {
  const service = await startService({ DATABASE_URL: await newDatabase(), ...env });
  releasers.push(() => service.stop());
  return { service, port: Number(new URL(service.url).port) };
}

/** Whether something listens on this address of the loopback network. */
async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('B6: a service with the default token', () => {
  onLinux('listens on 127.0.0.1 alone, and says so', async () => {
    const { service, port } = await start({ ADMIN_TOKEN: undefined, APP_HOST: undefined });
    expect([await isListening('127.0.0.1', port), await isListening('127.0.0.2', port)]).toEqual([
      true,
      false,
    ]);
    expect(service.output()).toContain(`Address  127.0.0.1:${port}`);
    expect(service.output()).not.toContain('WARN');
  });

  onLinux('listens where APP_HOST says, and warns', async () => {
    const { service, port } = await start({ ADMIN_TOKEN: undefined, APP_HOST: '0.0.0.0' });
    expect(await isListening('127.0.0.2', port)).toBe(true);
    expect(service.output()).toContain(`Address  0.0.0.0:${port}`);
    expect(service.output()).toMatch(/WARN.*the admin token is the default.*ADMIN_TOKEN/);
  });
});

describe('B6: a service with a token of its own', () => {
  onLinux('listens on every address, says so, and has nothing to warn of', async () => {
    const { service, port } = await start({ APP_HOST: undefined });
    expect(await isListening('127.0.0.2', port)).toBe(true);
    expect(service.output()).toContain(`Address  0.0.0.0:${port}`);
    expect(service.output()).not.toContain('WARN');
  });
});

describe('B6: names that are none', () => {
  it('stop the start, all in one message with what else is wrong, each with the nearest that is one', async () => {
    const { code, output } = await runService({
      NODE_ENV: 'prod',
      ADMIN_TOKN: 's3cret',
      MDS_COORDINATOR_BATCHSIZE: '1',
      APP_PORT: 'x',
    });
    expect(code).toBe(1);
    const lines = output.split('\n').filter((line) => line.startsWith('  - '));
    expect(lines.sort()).toEqual([
      '  - ADMIN_TOKN is no setting; the nearest is ADMIN_TOKEN',
      '  - APP_PORT must be a whole number from 0 to 65535',
      '  - MDS_COORDINATOR_BATCHSIZE is no setting; the nearest is MDS_COORDINATOR_BATCH_SIZE',
      '  - NODE_ENV must be one of production, development, test',
    ]);
    expect(output).not.toContain('s3cret');
  });
});

describe('D5: a port that is taken', () => {
  it('ends the service before anything is started, with one line that names APP_PORT', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    releasers.push(() => other.close());
    const { port } = other.address() as AddressInfo;
    const directory = await mkdtemp(join(tmpdir(), 'mds-start-'));
    releasers.push(() => rm(directory, { recursive: true, force: true }));
    const data = join(directory, 'data');
    // Without DATABASE_URL a PostgreSQL of its own would be started in it.
    const { code, output } = await runService({ APP_PORT: String(port), MDS_DATA_DIR: data });
    expect(code).toBe(1);
    expect(output).toBe(
      `the service does not start: 127.0.0.1:${port} cannot be listened on (EADDRINUSE); ` +
        'another program has the port: stop it, or set APP_PORT to another port\n',
    );
    expect(existsSync(data)).toBe(false);
  });

  it('names APP_HOST for an address that the machine has not', async () => {
    const { code, output } = await runService({ APP_HOST: '192.0.2.1' });
    expect([code, output.split('\n').length]).toEqual([1, 2]);
    expect(output).toContain('APP_HOST');
  });
});

describe('D5: a service whose database is not there yet', () => {
  it('lives, is not ready, and says that it starts, until it serves', async () => {
    const url = await newDatabase();
    const holder = new Client({ connectionString: url });
    await holder.connect();
    releasers.push(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE');
    const port = await freePort();
    const service = launchService({ DATABASE_URL: url, APP_PORT: String(port) });
    releasers.push(async () => {
      service.process.kill('SIGKILL');
      await service.ended;
    });
    const base = `http://127.0.0.1:${port}`;
    await eventually('it listens', () => isListening('127.0.0.1', port));

    const alive = await fetch(`${base}/livez`);
    const text = await alive.text();
    expect(text).toMatch(/\}\n$/);
    expect([alive.status, JSON.parse(text)]).toEqual([
      200,
      expect.objectContaining({ service: 'market-data-store', state: 'healthy', ok: true }),
    ]);
    const ready = await fetch(`${base}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, expect.objectContaining({ ready: false })]);
    const refused = await fetch(`${base}/v1/bars`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKENS.admin}`,
        'content-type': 'text/csv',
        'x-request-id': 'mine',
      },
      body: 'provider\n',
    });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused.headers.get('x-content-type-options')).toBe('nosniff');
    expect([refused.headers.get('retry-after'), refused.headers.get('x-request-id')]).toEqual(['1', 'mine']);
    expect(await refused.json()).toMatchObject({
      code: 'starting',
      instance: '/v1/bars',
      request_id: 'mine',
    });

    await holder.query('ROLLBACK');
    await eventually('it is ready', async () => (await fetch(`${base}/readyz`)).status === 200);
    const headers = { authorization: `Bearer ${TOKENS.admin}` };
    expect((await fetch(`${base}/v1/bars`, { headers })).status).toBe(200);
  });
});

it.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('%s is obeyed before the service is loaded', async (signal) => {
  // Sends the signal as soon as somebody listens for it.
  const preload = `
    process.on('newListener', function send(event) {
      if (event !== '${signal}') return;
      process.off('newListener', send);
      setImmediate(() => process.kill(process.pid, '${signal}'));
    });`;
  const service = launchService({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
    // Stops a service that got as far as this.
    APP_PORT: 'x',
  });
  const code = await service.ended;
  if (signal === 'SIGHUP') expect([code, service.output()]).toEqual([1, expect.stringContaining('APP_PORT')]);
  else expect([code, service.output()]).toEqual([0, '']);
});
