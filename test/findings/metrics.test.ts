import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { ROW_ERROR_CODES } from '../../src/bars/decode/row-error.codes.js';
import { PROBLEMS } from '../../src/http/problem.catalogue.js';
import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';
import { type Exposition, readExposition } from '../contract/exposition.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { RawClient } from '../support/raw.client.js';
import { startService, type TestService, TOKENS } from '../support/service.js';

const above = (value: number | undefined, least: number): boolean => value !== undefined && value > least;

const scrapeOf = async (service: TestService): Promise<Exposition> =>
  readExposition(await (await service.fetch('/metrics')).text());

describe('D1: what was refused', () => {
  const served = new ServedDatabase({ MDS_COORDINATOR_ID: 'bars-test' });
  const scrape = () => scrapeOf(served.service);

  it('has a sample of 0 from the start, for every code, reason, level and worker', async () => {
    const scraped = await scrape();
    const value: Exposition['value'] = (...one) => scraped.value(...one);
    const coordinator = (name: string, labels: Record<string, string> = {}) =>
      value(name, { coord_id: 'bars-test', ...labels });
    for (const code of Object.keys(PROBLEMS)) expect(value('mds_requests_refused_total', { code })).toBe(0);
    for (const code of Object.keys(ROW_ERROR_CODES))
      expect(value('mds_rows_rejected_total', { code })).toBe(0);
    for (const level of ['ok', 'soft', 'hard']) expect(value('mds_feedback_events_total', { level })).toBe(0);
    for (const outcome of ['inserted', 'updated', 'unchanged', 'superseded'])
      expect(value('mds_rows_committed_total', { outcome })).toBe(0);
    for (const reason of ['spool', 'circuit_open', 'not_running', 'write_refused', 'abandoned'])
      expect(coordinator('mds_coord_items_dropped_total', { reason })).toBe(0);
    for (const name of ['mds_coord_items_submitted_total', 'mds_coord_bodies_refused_total'])
      expect(coordinator(name)).toBe(0);
    for (const worker_id of ['0', '1', 'isolator']) {
      expect(coordinator('mds_worker_batches_written_total', { worker_id })).toBe(0);
      for (const error_type of ['data', 'transient', 'timeout', 'unavailable', 'unknown'])
        expect(coordinator('mds_worker_write_errors_total', { worker_id, error_type })).toBe(0);
    }
  });

  it('is counted by code, whichever way the answer takes', async () => {
    const before = await scrape();
    const small = write([bar({ volume: -1 })], 'ndjson');
    const post = (body: string, query = '', token = TOKENS.ingest) =>
      served.service.fetch(`/v1/bars${query}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': TYPES.ndjson },
        body,
      });
    // Past Node's HTTP server; with a query through Nest's pipeline; and too long for both.
    expect((await post(small)).status).toBe(422);
    expect((await post(small, '?ack=stored')).status).toBe(422);
    expect((await post(small, '', 'wrong')).status).toBe(401);
    expect((await served.service.fetch('/v1/bars?ends=1')).status).toBe(400);
    expect((await served.service.fetch('/%zz')).status).toBe(400);
    expect((await served.service.fetch('/nothing')).status).toBe(404);
    const client = await RawClient.to(served.service.url);
    await client.send('GET / HTTP/9.9\r\n\r\n');
    await client.answers();

    const after = await scrape();
    const rise = (name: string, labels: Record<string, string>) =>
      (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);
    const refused = (code: string) => rise('mds_requests_refused_total', { code });
    expect(refused('invalid-bars')).toBe(2);
    expect(refused('unauthorized')).toBe(1);
    expect(refused('invalid-parameter')).toBe(1);
    expect(refused('bad-request')).toBe(2);
    expect(refused('not-found')).toBe(1);
    const answered = (method: string, endpoint: string, status: string) =>
      rise('http_requests_total', { method, endpoint, status });
    expect(answered('POST', '/v1/bars', '422')).toBe(2);
    expect(answered('POST', '/v1/bars', '401')).toBe(1);
    expect(answered('GET', '/v1/bars', '400')).toBe(1);
    expect(answered('GET', 'unknown', '404')).toBe(1);
  });

  it('is counted by row, also beyond the rows that an answer names', async () => {
    const before = await scrape();
    const bad = [
      ...Array.from({ length: 150 }, (_, at) => bar({ symbol: `S${at}`, volume: -1 })),
      ...Array.from({ length: 7 }, (_, at) => bar({ symbol: `T${at}`, high: -5 })),
    ];
    const { json } = await served.service.post(write([bar(), ...bad], 'csv'), TYPES.csv, '?on_error=skip');
    expect(json).toMatchObject({ accepted: 1, rejected: 157 });
    const after = await scrape();
    const rise = (code: string) =>
      (after.value('mds_rows_rejected_total', { code }) ?? 0) -
      (before.value('mds_rows_rejected_total', { code }) ?? 0);
    expect(rise('negative-volume')).toBe(150);
    expect(rise('prices-inconsistent')).toBe(7);
  });
});

describe('D1: lag, the room of the spool, and freshness', () => {
  let database: TestDatabase;
  let service: TestService;
  const env = () => ({ DATABASE_URL: database.url, MDS_SPOOL_MAX_BYTES: String(64 * 1024 * 1024) });

  beforeAll(async () => {
    database = await createDatabase();
    service = await startService(env());
  });
  afterAll(async () => {
    await service.stop();
    await database.drop();
  });

  it('are told while bars wait, without what is kept for replay', async () => {
    const start = Date.now() / 1_000;
    const idle = await scrapeOf(service);
    expect(idle.value('mds_spool_max_bytes')).toBe(64 * 1024 * 1024);
    expect(idle.value('mds_spool_oldest_age_seconds')).toBe(0);
    expect(idle.value('mds_spool_unsettled_bytes')).toBe(0);
    expect(idle.value('mds_last_commit_timestamp_seconds')).toBe(0);

    await database.query('ALTER TABLE series RENAME TO series_away');
    const sent = await service.post(
      write([bar({ ts: '2026-01-05T00:00:00Z' })], 'csv'),
      TYPES.csv,
      '?ack=durable',
    );
    expect(sent.status).toBe(202);
    await eventually('the bar that waits is seen', async () => {
      const scraped = await scrapeOf(service);
      const value = (name: string) => scraped.value(name);
      return above(value('mds_spool_oldest_age_seconds'), 0) && above(value('mds_spool_unsettled_bytes'), 0);
    });
    await database.query('ALTER TABLE series_away RENAME TO series');

    await eventually('nothing waits, and what is kept for replay does not count', async () => {
      const scraped = await scrapeOf(service);
      const value = (name: string) => scraped.value(name);
      return (
        value('mds_spool_unsettled_bytes') === 0 &&
        value('mds_spool_oldest_age_seconds') === 0 &&
        above(value('mds_spool_bytes'), 0) &&
        above(value('mds_last_commit_timestamp_seconds'), start)
      );
    });
  });

  it('are not forgotten by a restart', async () => {
    await service.post(
      write(
        [
          bar({ symbol: 'B', interval: '1m', ts: '2026-01-07T00:00:00Z' }),
          bar({ symbol: 'A', interval: '1m', ts: '2025-01-07T00:00:00Z' }),
        ],
        'csv',
      ),
      TYPES.csv,
    );
    await service.stop();
    service = await startService(env());
    const newest = (exposition: Exposition, interval: string) =>
      exposition.value('mds_last_bar_timestamp_seconds', { provider: 'ibkr', interval });
    await eventually('what was stored before is known', async () => {
      const scraped = await scrapeOf(service);
      return (
        newest(scraped, '1d') === Date.parse('2026-01-05') / 1_000 &&
        newest(scraped, '1m') === Date.parse('2026-01-07') / 1_000
      );
    });
    // An older bar does not set it back.
    await service.post(write([bar({ ts: '2020-01-02T00:00:00Z' })], 'csv'), TYPES.csv);
    expect(newest(await scrapeOf(service), '1d')).toBe(Date.parse('2026-01-05') / 1_000);
  });

  it('tells how many symbols live, after a restart too: one that does hides no dead ones', async () => {
    const HOUR_MS = 3_600_000;
    const silent = (symbol: string, ms: number) =>
      bar({ symbol, provider: 'feed', interval: '5m', ts: new Date(Date.now() - ms).toISOString() });
    await service.post(
      write([silent('LIVES', 0), silent('DEAD1', 48 * HOUR_MS), silent('DEAD2', 9_000 * HOUR_MS)], 'csv'),
      TYPES.csv,
    );
    await service.stop();
    service = await startService(env());
    const within = (scraped: Exposition, age: string) =>
      scraped.value('mds_series_by_age', { provider: 'feed', interval: '5m', within: age });
    await eventually('there are three', async () => within(await scrapeOf(service), 'ever') === 3);
    const scraped = await scrapeOf(service);
    expect(within(scraped, '1h')).toBe(1);
    expect(within(scraped, '1d')).toBe(1);
    expect(within(scraped, '7d')).toBe(2);
    expect(within(scraped, '100d')).toBe(2);
  });
});
