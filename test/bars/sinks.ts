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

/**
 * Opens a sink.
 * @param url its database; perhaps a pooler
 * @param adminUrl where the schema is migrated and partitions are made
 */
export async function openSink(
  url: string,
  { adminUrl = url, observer = {} }: { adminUrl?: string; observer?: Partial<BarSinkObserver> } = {},
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
  const sink = new BarSink(database, new SeriesStore(), partitions, {
    tried: () => undefined,
    dated: () => undefined,
    ...observer,
  });
  return { sink, close: () => database.close() };
}
