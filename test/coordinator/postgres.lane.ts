import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { barBatchCodec } from '../../src/bars/bar.batch.codec.js';
import { BarBatchBuilder } from '../../src/bars/bar.batch-builder.js';
import type { BarBatch } from '../../src/bars/bar.batch.js';
import { BarSink } from '../../src/bars/bar.sink.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import type { WriteCounts } from '../../src/bars/write.counts.js';
import {
  DeadLetterQueue,
  DurableCoordinator,
  Spool,
  type DurableCoordinatorOptions,
} from '../../src/coordinator/index.js';
import { Database } from '../../src/database/database.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

export const FIRST_DAY = Date.UTC(2026, 0, 5) * 1000;
const DAY_US = 86_400_000_000;
const MINUTE_US = 60_000_000;

/** A coordinator that writes bars into a real database, as a role that owns nothing. */
export interface PostgresLane {
  readonly test: TestDatabase;
  /** The role that writes. */
  readonly role: string;
  readonly database: Database;
  readonly sink: BarSink;
  readonly deadLetters: DeadLetterQueue;
  readonly coordinator: DurableCoordinator<BarBatch, WriteCounts>;
  /** Bars of successive days, or minutes when there are more than a thousand, received after all before. */
  batch(symbol: string, bars: number, options?: BatchOptions): BarBatch;
  /** How many bars of a symbol are stored. */
  stored(symbol: string): Promise<number>;
  /** Waits until nothing is left in the spool. */
  settled(): Promise<void>;
  /** Waits until the circuit is not closed. */
  stopped(): Promise<void>;
  close(): Promise<void>;
}

export interface BatchOptions {
  readonly volume?: number;
  /** Unix microseconds of the first bar. */
  readonly from?: number;
  /** The close of each bar, by its number from 0. */
  readonly close?: (bar: number) => number;
}

export async function openLane(
  options: Partial<DurableCoordinatorOptions<BarBatch, WriteCounts>> = {},
): Promise<PostgresLane> {
  const test = await createDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'mds-lane-'));
  const url = new URL(test.url);
  const role = url.pathname.slice(1);
  await test.query(`CREATE ROLE ${role} LOGIN PASSWORD 'lane'`);
  await test.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
  await test.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
  Object.assign(url, { username: role, password: 'lane' });
  const partitions = new PartitionStore(test.url);
  const database = new Database(
    new DataSource(dataSourceOptions(url.href)),
    new SchemaMigrator(url.href, test.url),
    partitions,
    { migrated: () => undefined, openFailed: () => undefined, connectionLost: () => undefined },
    4,
  );
  await database.open();
  const sink = new BarSink(database, new SeriesStore(), partitions, {
    tried: () => undefined,
    dated: () => undefined,
  });
  const deadLetters = await DeadLetterQueue.open({ directory: join(directory, 'dlq') });
  const coordinator = new DurableCoordinator<BarBatch, WriteCounts>({
    id: 'test',
    capacity: 100_000,
    workers: 2,
    batchSize: 10_000,
    flushIntervalMs: 10,
    retry: { initialBackoffMs: 1, maxBackoffMs: 10 },
    breaker: { failureThreshold: 3, halfOpenAfterMs: 50 },
    sink,
    codec: barBatchCodec,
    spool: await Spool.open<BarBatch>({ directory: join(directory, 'spool'), maxBytes: 1e9, retainMs: 0 }),
    deadLetters,
    ...options,
  });
  coordinator.start();
  let clock = Date.UTC(2026, 5, 1) * 1000;
  return {
    test,
    role,
    database,
    sink,
    deadLetters,
    coordinator,
    batch: (symbol, bars, { volume = 5, from = FIRST_DAY, close = () => 1 } = {}) => {
      const builder = new BarBatchBuilder();
      const [interval, step] = bars > 1_000 ? ['1m', MINUTE_US] : ['1d', DAY_US];
      for (let bar = 0; bar < bars; bar++)
        builder.add('test', symbol, interval, from + bar * step, 1, 1_000_000, 0, close(bar), volume);
      return Object.assign(builder.finish(), { receivedAt: ++clock });
    },
    stored: async (symbol) =>
      (await test.query('SELECT 1 FROM bars_ohlcv WHERE symbol = $1', [symbol])).length,
    settled: () =>
      eventually('all is written', () => Promise.resolve(coordinator.snapshot().rows.spooled === 0)),
    stopped: () =>
      eventually('the lane is stopped', () =>
        Promise.resolve(coordinator.snapshot().circuitState !== 'closed'),
      ),
    close: async () => {
      await coordinator.stop({ deadlineMs: 1_000 });
      await database.close();
      await test.query(`DROP OWNED BY ${role}`);
      await test.query(`DROP ROLE ${role}`);
      await test.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
