import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';

import { VERSION } from '../../src/config/version.js';
import { Metrics } from '../../src/metrics/metrics.catalogue.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itWith } from '../support/requirement.js';
import { startService, type TestService } from '../support/service.js';
import { readExposition, type Exposition } from './exposition.js';

const itWithPromtool = itWith('promtool', 'Debian package prometheus');

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url, MDS_COORDINATOR_ID: 'bars-test' });
});

afterAll(async () => {
  await service.stop();
  await database.drop();
});

const bar = (ts: string, close: number) =>
  JSON.stringify({
    provider: 'ibkr',
    symbol: 'AAPL',
    interval: '1d',
    ts,
    open: 1,
    high: 9,
    low: 1,
    close,
    volume: 1,
  });

const scrape = async (): Promise<string> => {
  const answer = await fetch(`${service.url}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=/);
  return await answer.text();
};

/** A few requests of every outcome: two bars in, one sent twice in a body, one corrected, one bad, one lost. */
async function traffic(): Promise<void> {
  const first = [bar('2026-01-02', 2), bar('2026-01-05', 2)];
  await expect(service.post(first.join('\n'))).resolves.toMatchObject({ status: 200 });
  const again = [bar('2026-01-02', 2), bar('2026-01-05', 3), bar('2026-01-05', 4), bar('2026-01-06', 2)];
  const { json } = await service.post(again.join('\n'));
  expect(json).toMatchObject({ accepted: 4, inserted: 1, updated: 1, unchanged: 1, superseded: 1 });
  await expect(service.post(bar('2026-01-07', 99))).resolves.toMatchObject({ status: 422 });
  await service.fetch('/v1/bars?symbols=AAPL');
  await service.fetch('/no/such/address');
  await service.fetch('/no/other/address?at=all', { method: 'POST', body: '{}' });
}

describe('after known traffic', () => {
  let before: Exposition;
  let after: Exposition;

  beforeAll(async () => {
    before = readExposition(await scrape());
    await traffic();
    after = readExposition(await scrape());
  });

  const rise = (name: string, labels: Record<string, string> = {}) =>
    (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);

  it('rows are accepted and committed by what became of them, and the two balance', () => {
    expect(rise('mds_rows_accepted_total')).toBe(5);
    expect(rise('mds_coord_items_submitted_total', { coord_id: 'bars-test' })).toBe(5);
    expect(rise('mds_rows_committed_total', { outcome: 'inserted' })).toBe(3);
    expect(rise('mds_rows_committed_total', { outcome: 'updated' })).toBe(1);
    expect(rise('mds_rows_committed_total', { outcome: 'unchanged' })).toBe(1);
  });

  it('bars are written by the lane that took them', () => {
    expect(rise('store_bars_written_total', { method: 'COPY', status: 'success' })).toBe(2);
    expect(rise('store_bars_written_total', { method: 'UPSERT', status: 'success' })).toBe(3);
    expect(rise('store_bars_written_total', { method: 'COPY', status: 'failure' })).toBe(0);
    expect(rise('store_bars_written_total', { method: 'UPSERT', status: 'failure' })).toBe(0);
    expect(rise('store_bars_write_latency_seconds_count', { method: 'UPSERT' })).toBe(1);
    expect(after.sum('mds_worker_batches_written_total', { coord_id: 'bars-test' })).toBe(2);
    expect(after.sum('mds_worker_write_latency_seconds_count')).toBe(2);
  });

  it('requests are counted by route template, those without a route together', () => {
    const answered = (method: string, endpoint: string, status: string) =>
      rise('http_requests_total', { method, endpoint, status });
    expect(answered('POST', '/v1/bars', '200')).toBe(2);
    expect(answered('POST', '/v1/bars', '422')).toBe(1);
    expect(answered('GET', '/v1/bars', '200')).toBe(1);
    expect(answered('GET', 'unknown', '404')).toBe(1);
    expect(answered('POST', 'unknown', '404')).toBe(1);
    expect(rise('http_request_duration_seconds_count', { method: 'POST', endpoint: '/v1/bars' })).toBe(3);
    const seconds = after.value('http_request_duration_seconds_sum', {
      method: 'POST',
      endpoint: '/v1/bars',
    });
    expect(seconds).toBeGreaterThan(0.001);
    expect(seconds).toBeLessThan(20);
  });

  it('the coordinator, the pool, the newest bar and the build are told', () => {
    const coordinator = { coord_id: 'bars-test' };
    expect(after.value('store_up')).toBe(1);
    expect(after.value('mds_coord_queue_depth', coordinator)).toBe(0);
    expect(after.value('mds_coord_queue_capacity', coordinator)).toBe(500_000);
    expect(after.value('mds_coord_workers_alive', coordinator)).toBe(
      Math.min(4, Math.max(2, availableParallelism())),
    );
    expect(after.value('mds_coord_circuit_state', coordinator)).toBe(0);
    expect(after.value('mds_db_pool_connections', { state: 'waiting' })).toBe(0);
    expect(after.value('mds_last_bar_timestamp_seconds', { provider: 'ibkr', interval: '1d' })).toBe(
      Date.parse('2026-01-06') / 1000,
    );
    expect(after.sum('mds_build_info', { version: VERSION })).toBe(1);
    expect(after.value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  it('no label holds a symbol', async () => {
    await expect(scrape()).resolves.not.toContain('AAPL');
  });

  itWithPromtool('promtool has nothing to say against them', async () => {
    await expect(promtool(await scrape())).resolves.toEqual({ code: 0, output: '' });
  });
});

describe('docs/metrics.md', () => {
  it('has every metric of the service with its type, labels and help, and no other', async () => {
    const { metrics } = readExposition(await scrape());
    const [ours, runtime] = await documentedMetrics();
    const registered = new Metrics();
    const catalogue = Object.values(registered) as Labelled[];
    expect(catalogue).toHaveLength(ours.size);
    for (const { name, labelNames } of catalogue) {
      expect([name, ours.get(name)]).toEqual([name, { ...metrics.get(name), labels: labelNames }]);
    }
    register.clear();

    // The system has a say in what the runtime measures; what it does measure is documented.
    const others = [...metrics].filter(([name]) => !ours.has(name));
    for (const [name, { type, help }] of others) {
      expect([name, runtime.get(name)]).toEqual([name, expect.objectContaining({ type, help })]);
    }
    if (process.platform === 'linux') expect([...runtime.keys()]).toEqual(others.map(([name]) => name));
  });
});

interface Labelled {
  readonly name: string;
  readonly labelNames: readonly string[];
}

interface Documented {
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** The rows of the two tables: the service's metrics, the runtime's. */
async function documentedMetrics(): Promise<[Map<string, Documented>, Map<string, Documented>]> {
  const text = await readFile('docs/metrics.md', 'utf8');
  const tables = text.split('\n## Of the runtime\n').map((part) => {
    const rows = part.split('\n').filter((line) => line.startsWith('| `'));
    return new Map(
      rows.map((row) => {
        const [, name = '', type = '', labels = '', help = ''] = row.split('|').map((cell) => cell.trim());
        return [bare(name), { type, labels: labels === '' ? [] : labels.split(', ').map(bare), help }];
      }),
    );
  });
  return [tables[0] ?? new Map(), tables[1] ?? new Map()];
}

function bare(code: string): string {
  return code.replaceAll('`', '');
}

function promtool(metrics: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = execFile('promtool', ['check', 'metrics'], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, output: stdout + stderr }),
    );
    child.stdin?.end(metrics);
  });
}
