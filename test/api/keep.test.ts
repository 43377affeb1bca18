import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { mds } from '../cli/mds.js';
import { eventually } from '../support/eventually.js';
import { startService, type TestService } from '../support/service.js';
import { ServedDatabase } from './api.samples.js';

/** Nobody listens there. */
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';
const KEEP = '?on_conflict=keep';
const FIRST_TS = Date.UTC(2026, 0, 5) / 1000;
const NDJSON = 'application/x-ndjson';

const served = new ServedDatabase();

/** A bar of each close, a minute apart. */
const bars = (symbol: string, ...closes: number[]): string =>
  closes
    .map((close, minute) => {
      const ts = FIRST_TS + minute * 60;
      return JSON.stringify({
        provider: 'p',
        symbol,
        interval: '1m',
        ts,
        open: 0,
        high: 1_000,
        low: 0,
        close,
        volume: 1,
      });
    })
    .join('\n');

const post = async (body: string, query = '') => {
  const { status, json } = await served.service.post(body, NDJSON, query);
  const { accepted, inserted, updated, unchanged, superseded } = json;
  expect(status).toBe(200);
  expect(Number(inserted) + Number(updated) + Number(unchanged) + Number(superseded)).toBe(accepted);
  return [inserted, updated, unchanged, superseded];
};

const closesOf = async (symbol: string, table = 'bars') =>
  (
    await served.database.query<{ close: number }>(
      `SELECT close FROM ${table} JOIN series ON id = series_id WHERE symbol = $1 ORDER BY ts`,
      [symbol],
    )
  ).map(({ close }) => close);

const isSettled = (one = served.service) =>
  eventually('the spool is empty', async () => {
    const { rows } = (await (await one.fetch('/v1/coordinator')).json()) as {
      rows: { spooled: number; residual: number };
    };
    expect(rows.residual).toBe(0);
    return rows.spooled === 0;
  });

describe('POST /v1/bars?on_conflict=keep', () => {
  it('stores bars where none are, and counts the others by whether their values are stored', async () => {
    expect(await post(bars('SOME', 1, 2))).toEqual([2, 0, 0, 0]);
    expect(await post(bars('SOME', 1, 9, 3), KEEP)).toEqual([1, 0, 1, 1]);
    expect(await closesOf('SOME')).toEqual([1, 2, 3]);
    expect(await closesOf('SOME', 'bar_revisions')).toEqual([]);
    expect(await post(bars('SOME', 1, 9, 3), KEEP)).toEqual([0, 0, 2, 1]);
    expect(await post(bars('SOME', 1, 9, 3), '?on_conflict=replace')).toEqual([0, 1, 2, 0]);
    expect(await closesOf('SOME')).toEqual([1, 9, 3]);
  });

  it('leaves of two lines for one bar the first', async () => {
    expect(await post(`${bars('LINES', 1, 5)}\n${bars('LINES', 2, 5)}`, KEEP)).toEqual([2, 0, 1, 1]);
    expect(await closesOf('LINES')).toEqual([1, 5]);
  });

  it('leaves a correction that came between alone, and gives way to the next', async () => {
    await post(bars('FILE', 1), KEEP);
    expect(await post(bars('FILE', 2))).toEqual([0, 1, 0, 0]);
    expect(await post(bars('FILE', 1), KEEP)).toEqual([0, 0, 0, 1]);
    expect(await closesOf('FILE')).toEqual([2]);
    expect(await closesOf('FILE', 'bar_revisions')).toEqual([1]);
  });

  it('of small bodies that come together with others: each does what it was asked for', async () => {
    const keys = Array.from({ length: 40 }, (_, key) => `TOGETHER${key}`);
    await post(
      keys
        .slice(0, 20)
        .map((symbol) => bars(symbol, 7))
        .join('\n'),
    );
    const send = (body: string, query = '') =>
      served.service.fetch(`/v1/bars${query}`, { method: 'POST', headers: { 'content-type': NDJSON }, body });
    const answers = await Promise.all(
      keys.flatMap((symbol, key) => [
        send(bars(symbol, 1), KEEP),
        // Between two that keep one that replaces, of another bar or of this one.
        send(bars(key % 2 === 0 ? symbol : `ANOTHER${key}`, 2)),
        send(bars(symbol, 3), KEEP),
      ]),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    await isSettled();
    for (const [key, symbol] of keys.entries()) {
      const [close] = await closesOf(symbol);
      if (key % 2 === 0) expect([symbol, close]).toEqual([symbol, 2]);
      else if (key < 20) expect([symbol, close]).toEqual([symbol, 7]);
      else expect([1, 3]).toContain(close);
    }
  });

  it('is what a dead letter does when it is replayed', async () => {
    await served.database.query('ALTER TABLE bars ADD CONSTRAINT not_the_devil CHECK (close <> 666)');
    await post(bars('OTHER', 1));
    const refused = await served.service.post(bars('LETTER', 1, 666, 2), NDJSON, KEEP);
    expect(refused.json.code).toBe('write-refused');
    await isSettled();
    expect(await closesOf('LETTER')).toEqual([1, 2]);
    const page = (await (await served.service.fetch('/v1/dlq')).json()) as { records: { id: string }[] };
    expect(page.records).toEqual([expect.objectContaining({ rows: 1, on_conflict: 'keep' })]);
    const one = await served.service.fetch(`/v1/dlq/${page.records[0]?.id}`);
    expect(await one.json()).toMatchObject({ on_conflict: 'keep', content: [{ close: 666 }] });
    await served.database.query('ALTER TABLE bars DROP CONSTRAINT not_the_devil');
    await post(bars('LETTER', 1, 5, 2));
    const replayed = await served.service.fetch('/v1/dlq/replay', { method: 'POST' });
    expect(await replayed.json()).toEqual({ replayed: 1 });
    await isSettled();
    expect(await closesOf('LETTER')).toEqual([1, 5, 2]);
  });
});

describe('bars that waited in the spool of a service that was killed', () => {
  it('keep what was stored meanwhile, and replace what was kept meanwhile', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mds-keep-'));
    const away = await startService({ DATABASE_URL: NO_DATABASE, MDS_DATA_DIR: directory });
    let back: TestService | undefined;
    try {
      for (const [body, query] of [
        [bars('KEPT', 1, 1), '?ack=durable&on_conflict=keep'],
        [bars('REPLACED', 2), '?ack=durable'],
      ] as const)
        expect((await away.post(body, NDJSON, query)).status).toBe(202);
      await away.kill();
      const exported = ['spool', 'export', '--dir', directory, '--on-conflict'];
      const kept = await mds([...exported, 'keep']);
      expect([kept.stdout.match(/KEPT|REPLACED/g), kept.stderr]).toEqual([
        ['KEPT', 'KEPT'],
        '2 rows of 1 record\n',
      ]);
      const replacing = await mds([...exported, 'replace']);
      expect(replacing.stdout.match(/KEPT|REPLACED/g)).toEqual(['REPLACED']);
      const all = await mds(['spool', 'export', '--dir', directory]);
      expect(all.stderr).toBe('3 rows of 2 records, 2 rows of them sent with on_conflict=keep\n');
      await post(bars('KEPT', 9));
      await post(bars('REPLACED', 1), KEEP);

      back = await startService({ DATABASE_URL: served.database.url, MDS_DATA_DIR: directory });
      await isSettled(back);
      expect(await closesOf('KEPT')).toEqual([9, 1]);
      // It was received earlier, and committed later.
      expect(await closesOf('REPLACED')).toEqual([2]);
    } finally {
      await away.stop();
      await back?.stop();
      await rm(directory, { recursive: true });
    }
  });
});
