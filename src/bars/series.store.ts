import type { PoolClient } from 'pg';

import type { Database } from '../database/database.js';
import type { SeriesKey } from './series.key.js';

/** Maps series to their ids in PostgreSQL, creating those that are new. */
export class SeriesStore {
  private ids = new Map<string, number>();

  constructor(database: Pick<Database, 'onConnect'>) {
    // A new connection may lead to a server that never saw some of these ids (a failover), or gave them to others.
    database.onConnect(() => (this.ids = new Map()));
  }

  /**
   * The id of each series of each dictionary, in their order. Asked on the connection that will write with them: were
   * that one new, what other connections told is forgotten before.
   */
  async resolve(
    client: PoolClient,
    dictionaries: readonly (readonly SeriesKey[])[],
  ): Promise<readonly Int32Array[]> {
    const ids = this.ids;
    const unknown = new Map<string, SeriesKey>();
    const lookUp = (): Int32Array[] =>
      dictionaries.map((keys) =>
        Int32Array.from(keys, (key) => {
          const text = textOf(key);
          const id = ids.get(text);
          if (id === undefined) unknown.set(text, key);
          return id ?? 0;
        }),
      );
    const known = lookUp();
    if (unknown.size === 0) return known;
    await load(client, [...unknown.values()], ids);
    const absent = [...unknown].filter(([text]) => !ids.has(text)).map(([, key]) => key);
    if (absent.length > 0) {
      await create(client, absent);
      await load(client, absent, ids);
    }
    unknown.clear();
    const resolved = lookUp();
    const [missing] = unknown.keys();
    if (missing !== undefined) throw new Error(`series ${missing} was created but cannot be read`);
    return resolved;
  }
}

async function load(client: PoolClient, keys: readonly SeriesKey[], ids: Map<string, number>): Promise<void> {
  const { rows } = await client.query<SeriesKey & { id: number }>(
    `SELECT id, provider, symbol, interval
       FROM series JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (provider, symbol, interval)
      USING (provider, symbol, interval)`,
    columnsOf(keys),
  );
  for (const row of rows) ids.set(textOf(row), row.id);
}

/** Sorted, so that two writers creating the same series wait for each other in one order and cannot deadlock. */
async function create(client: PoolClient, keys: readonly SeriesKey[]): Promise<void> {
  await client.query(
    `INSERT INTO series (provider, symbol, interval)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ORDER BY 1, 2, 3
     ON CONFLICT DO NOTHING`,
    columnsOf(keys),
  );
}

/** No part of a key may hold a space, so the text of two keys is never the same. */
function textOf({ provider, symbol, interval }: SeriesKey): string {
  return `${provider} ${symbol} ${interval}`;
}

function columnsOf(keys: readonly SeriesKey[]): [string[], string[], string[]] {
  return [keys.map((key) => key.provider), keys.map((key) => key.symbol), keys.map((key) => key.interval)];
}
