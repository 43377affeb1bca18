import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import { lookUpFailure } from '../../src/coordinator/failure.table.js';
import { openSink, type OpenSink } from '../bars/sinks.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let test: TestDatabase;
let open: OpenSink;
let receipts = Date.UTC(2026, 5, 1) * 1000;

beforeEach(async () => {
  test = await createDatabase();
  open = await openSink(test.url);
});
afterEach(async () => {
  await open.close();
  await test.drop();
});

function bar(close: number): BarBatch {
  const builder = new BarBatchBuilder();
  builder.add('test', 'S', '1d', Date.UTC(1962, 0, 2) * 1000, 1, 99, 0, close, 1);
  return Object.assign(builder.finish(), { receivedAt: ++receipts });
}

/** Cancels a DETACH CONCURRENTLY while it waits for a reader: the partition is there from then on, and takes nothing. */
async function breakOffDetaching(): Promise<void> {
  const [reader, detaching] = [new Client(test.url), new Client(test.url)];
  await Promise.all([reader.connect(), detaching.connect()]);
  await reader.query('BEGIN; SELECT FROM bars');
  const detached = reasonOf(detaching.query('ALTER TABLE bars DETACH PARTITION bars_1962 CONCURRENTLY'));
  await eventually('the detaching waits and is cancelled', async () => {
    const cancelled = await test.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'ALTER%'`,
    );
    return cancelled.length === 1;
  });
  await expect(detached).resolves.toMatchObject({ code: '57014' });
  await Promise.all([reader.end(), detaching.end()]);
}

const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a partition of bars', () => {
  it('that is detached keeps its bars waiting: it is not made again, and no row is at fault', async () => {
    await open.sink.write([bar(1)]);
    await test.query('ALTER TABLE bars DETACH PARTITION bars_1962');
    const error = await reasonOf(open.sink.write([bar(2)]));
    expect(error).toMatchObject({ code: '42P07' });
    await test.query(
      `ALTER TABLE bars ATTACH PARTITION bars_1962 FOR VALUES FROM ('1962-01-01Z') TO ('1963-01-01Z')`,
    );
    await expect(open.sink.write([bar(2)])).resolves.toMatchObject([{ updated: 1 }]);
  });

  it.each(['COPY', 'merge'])(
    'that is being detached is an error of the table to a %s, not of a row',
    async (lane) => {
      await open.sink.write([bar(1)]);
      await breakOffDetaching();
      const batches = lane === 'COPY' ? [bar(2)] : [bar(2), bar(3)];
      const error = await reasonOf(open.sink.write(batches));
      expect(lookUpFailure(error)).toMatchObject({ name: 'no_partition' });
    },
  );

  it('is not what a check constraint complains of', async () => {
    await open.sink.write([bar(1)]);
    await test.query('ALTER TABLE bars ADD CONSTRAINT sane CHECK (close < 50)');
    const error = await reasonOf(open.sink.write([bar(60)]));
    expect(error).toMatchObject({ code: '23514', constraint: 'sane' });
    expect(lookUpFailure(error).name).not.toBe('no_partition');
  });
});
