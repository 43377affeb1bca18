import 'reflect-metadata';

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { readSettings } from '../../src/config/settings.js';
import { DEFAULT_ADMIN_TOKEN } from '../../src/config/token.settings.js';
import { TokenAuthenticator } from '../../src/config/token.authenticator.js';
import { DeadLetterQueue, DurableCoordinator, Spool, type Entry } from '../../src/coordinator/index.js';
import type { HealthComponent } from '../../src/core/health.status.js';
import { HealthController } from '../../src/health/health.controller.js';
import { HealthReporter } from '../../src/health/health.reporter.js';
import { SpoolIndicator } from '../../src/health/spool.indicator.js';
import { DrainState } from '../../src/http/drain.state.js';
import { diskThat } from '../coordinator/disk.js';
import { eventually } from '../support/eventually.js';

const ENTRY: Entry = { rows: 1 };

let directory: string;
let coordinator: DurableCoordinator<Entry, number>;
let controller: HealthController;
/** What becomes of a write to a segment; undefined: it succeeds. */
let beforeWrite: (() => Promise<void>) | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mds-readiness-'));
  beforeWrite = undefined;
  const files = diskThat(async (path, write) => {
    if (path.endsWith('.seg')) await beforeWrite?.();
    return await write();
  });
  coordinator = new DurableCoordinator<Entry, number>({
    ...{ id: 'test', capacity: 100, workers: 1, batchSize: 10, flushIntervalMs: 0 },
    sink: { write: (batch) => Promise.resolve(batch.map(({ rows }) => rows)) },
    codec: {
      encode: () => [Buffer.from('entry')],
      decode: () => ENTRY,
      timeOf: () => Date.now() * 1_000,
      slice: (entry) => entry,
      sum: (results) => results.length,
      show: () => [],
    },
    spool: await Spool.open({
      ...{ directory: join(directory, 'spool'), maxBytes: 1e9, retainMs: 0, healMs: 20, files },
    }),
    deadLetters: await DeadLetterQueue.open({ directory: join(directory, 'dlq') }),
  });
  coordinator.start();
  const spool = new SpoolIndicator(
    new HealthIndicatorService(),
    coordinator as unknown as DurableCoordinator<never, unknown>,
  );
  const settings = readSettings({});
  controller = new HealthController(
    new HealthReporter([spool]),
    new DrainState(),
    new TokenAuthenticator(settings.tokens),
    settings,
  );
});
afterEach(async () => {
  await coordinator.stop({ deadlineMs: 0 });
  await rm(directory, { recursive: true, force: true });
});

/** What /readyz answers, and the components that it blames. */
async function readiness(): Promise<{ status: number; failing: string[] }> {
  let status = 0;
  let failing: string[] = [];
  const reply = {
    status: (code: number) => void (status = code),
    header: () => undefined,
    send: ({ components }: { components: HealthComponent[] }) => {
      failing = components
        .filter(({ state }) => state === 'unhealthy')
        .map(({ name, details }) => `${name}: ${details['message'] ?? ''}`);
    },
  };
  const request = { headers: { authorization: `Bearer ${DEFAULT_ADMIN_TOKEN}` } } as FastifyRequest;
  await controller.readyz(undefined, request, reply as unknown as FastifyReply);
  return { status, failing };
}

const READY = { status: 200, failing: [] };

it('A service whose spool cannot be written is not ready, names the spool, and is ready when it can', async () => {
  await coordinator.accept(ENTRY);
  await expect(readiness()).resolves.toEqual(READY);
  beforeWrite = () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
  await expect(coordinator.accept(ENTRY)).rejects.toThrow();
  await expect(readiness()).resolves.toEqual({
    status: 503,
    failing: [expect.stringMatching(/^spool: .*i\/o error/)],
  });
  beforeWrite = undefined;
  await eventually('it is ready', async () => (await readiness()).status === 200);
});

it('A service whose disk does not confirm a write is not ready, names the spool, and is ready when it does', async () => {
  let confirm: () => void = () => undefined;
  beforeWrite = () => new Promise((resolve) => (confirm = resolve));
  const accepting = coordinator.accept(ENTRY);
  // A slow disk is not a hung one.
  await expect(readiness()).resolves.toEqual(READY);
  await eventually('it is not ready', async () => (await readiness()).status === 503);
  await expect(readiness()).resolves.toEqual({
    status: 503,
    failing: [expect.stringMatching(/^spool: the disk has not confirmed a write for \d+ s$/)],
  });
  beforeWrite = undefined;
  confirm();
  await accepting;
  await expect(readiness()).resolves.toEqual(READY);
});
