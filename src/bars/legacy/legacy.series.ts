import type { ClientBase } from 'pg';

import { LEGACY } from '../../database/legacy/legacy.table.js';
import { isProvider, SYMBOL } from '../series.key.js';
import type { SymbolCase } from '../symbol.case.js';
import { legacyInterval } from './legacy.interval.js';
import { LIST_SERIES, NAME_SERIES, NO_TIME_LIMIT, NOTE_LISTED, SET_CONFLICTS_APART } from './legacy.sql.js';

/** Lists the series of the earlier release's table and how each is named in the bars, in a transaction. */
export async function listLegacySeries(client: ClientBase, symbolCase: SymbolCase): Promise<void> {
  await client.query('BEGIN');
  await client.query(NO_TIME_LIMIT);
  await nameLegacySeries(client, symbolCase);
  // A table that came from a dump has no statistics, and its number of rows is estimated from them.
  await client.query(`ANALYZE ${LEGACY.adopted}`);
  await client.query(NOTE_LISTED);
  await client.query('COMMIT');
}

/** The same in the transaction of the caller. */
export async function nameLegacySeries(client: ClientBase, symbolCase: SymbolCase): Promise<void> {
  await client.query('DELETE FROM legacy_series');
  await client.query(LIST_SERIES);
  const intervals = await distinct(client, 'interval');
  const providers = (await distinct(client, 'provider')).filter(isProvider);
  await client.query(NAME_SERIES, [
    intervals,
    intervals.map((interval) => legacyInterval(interval) ?? null),
    providers,
    providers.filter((provider) => symbolCase.keeps(provider)),
    SYMBOL.source,
  ]);
  await client.query(SET_CONFLICTS_APART);
  // Without its size the planner would read the whole table for each row of a page.
  await client.query('ANALYZE legacy_series');
}

async function distinct(client: ClientBase, column: 'interval' | 'provider'): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT ${column} AS name FROM legacy_series ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}
