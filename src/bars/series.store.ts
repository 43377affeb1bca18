import type { ClientBase, PoolClient } from 'pg';

import type { Database } from '../database/database.js';
import { parseSeriesName, type SeriesKey, seriesName } from './series.key.js';

/** Maps series to their ids in PostgreSQL, for those who write and those who read. */
export class SeriesStore {
  private ids = new Map<string, number>();

  constructor(database: Pick<Database, 'onConnect'>) {
    // A new connection may lead to a server that never saw some of these ids (a failover), or gave them to others.
    database.onConnect(() => (this.ids = new Map()));
  }

  /** The id of a series; undefined when there is none. Asked on the connection that will read with it. */
  async find(client: ClientBase, name: string): Promise<number | undefined> {
    const ids = this.ids;
    if (!ids.has(name)) await load(client, [name], ids);
    return ids.get(name);
  }

  /**
   * The id of each series of each dictionary of names, in their order. Asked on the connection that will write with
   * them: were that one new, what other connections told is forgotten before.
   */
  async resolve(
    client: PoolClient,
    dictionaries: readonly (readonly string[])[],
  ): Promise<readonly Int32Array[]> {
    const ids = this.ids;
    const unknown = new Set<string>();
    const lookUp = (): Int32Array[] =>
      dictionaries.map((names) =>
        Int32Array.from(names, (name) => {
          const id = ids.get(name);
          if (id === undefined) unknown.add(name);
          return id ?? 0;
        }),
      );
    const known = lookUp();
    if (unknown.size === 0) return known;
    await load(client, [...unknown], ids);
    const absent = [...unknown].filter((name) => !ids.has(name));
    if (absent.length > 0) {
      await create(client, absent);
      await load(client, absent, ids);
    }
    unknown.clear();
    const resolved = lookUp();
    const [missing] = unknown;
    if (missing !== undefined) throw new Error(`series ${missing} was created but cannot be read`);
    return resolved;
  }
}

async function load(client: ClientBase, names: readonly string[], ids: Map<string, number>): Promise<void> {
  const { rows } = await client.query<SeriesKey & { id: number }>(
    `SELECT id, provider, symbol, interval
       FROM series JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (provider, symbol, interval)
      USING (provider, symbol, interval)`,
    columnsOf(names),
  );
  for (const { id, provider, symbol, interval } of rows) ids.set(seriesName(provider, symbol, interval), id);
}

/** Sorted, so that two writers creating the same series wait for each other in one order and cannot deadlock. */
async function create(client: PoolClient, names: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO series (provider, symbol, interval)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ORDER BY 1, 2, 3
     ON CONFLICT DO NOTHING`,
    columnsOf(names),
  );
}

function columnsOf(names: readonly string[]): [string[], string[], string[]] {
  const keys = names.map(parseSeriesName);
  return [keys.map((key) => key.provider), keys.map((key) => key.symbol), keys.map((key) => key.interval)];
}
