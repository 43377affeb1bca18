import type { PoolClient } from 'pg';
import { DataSource } from 'typeorm';

import { dataSourceOptions } from '../../ormconfig.js';
import { BarSink, type BarSinkObserver } from '../../src/bars/bar.sink.js';
import { SeriesStore } from '../../src/bars/series.store.js';
import { Database } from '../../src/database/database.js';
import { PartitionStore } from '../../src/database/partition.store.js';
import { SchemaMigrator } from '../../src/database/schema.migrator.js';

/** A sink as a service of its own has it. */
export interface OpenSink {
  readonly sink: BarSink;
  readonly close: () => Promise<void>;
}

/** What a test may say of a sink. */
export interface SinkOptions {
  /** Where the schema is migrated and partitions are made; the sink's database unless said otherwise. */
  readonly adminUrl?: string;
  readonly observer?: Partial<BarSinkObserver>;
  /** Told of each statement of the sink. */
  readonly onStatement?: (text: string) => void;
}

/**
 * Opens a sink.
 * @param url its database; perhaps a pooler
 */
export async function openSink(
  url: string,
  { adminUrl = url, observer = {}, onStatement }: SinkOptions = {},
): Promise<OpenSink> {
  const partitions = new PartitionStore(adminUrl);
  const database = new Database(
    new DataSource(dataSourceOptions(url)),
    new SchemaMigrator(adminUrl, url),
    partitions,
    { migrated: () => undefined, openFailed: () => undefined, connectionLost: () => undefined },
    4,
  );
  await database.open();
  if (onStatement !== undefined) {
    const withClient = database.withClient.bind(database);
    database.withClient = (work, limitMs) =>
      withClient((client) => work(listened(client, onStatement)), limitMs);
  }
  const sink = new BarSink(database, new SeriesStore(), partitions, {
    tried: () => undefined,
    dated: () => undefined,
    ...observer,
  });
  return { sink, close: () => database.close() };
}

function listened(client: PoolClient, onStatement: (text: string) => void): PoolClient {
  return new Proxy(client, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      return (...parts: unknown[]): unknown => {
        if (property === 'query') onStatement(typeof parts[0] === 'string' ? parts[0] : 'COPY');
        return value.apply(target, parts);
      };
    },
  });
}
