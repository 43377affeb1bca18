import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../config/units.js';
import { classifyFailure } from '../coordinator/index.js';
import type { Database } from '../database/database.js';
import { MOST_PAIRS, type NewestBars } from './newest.bars.js';

const AGAIN_MS = 10 * SECOND;

/** One entry of the index for each series; hundreds of thousands take seconds, and then it is given up. */
const BEGIN = `BEGIN READ ONLY; SET LOCAL statement_timeout = '20s'`;
const NEWEST = `
  SELECT provider, interval, (extract(epoch FROM max(last_ts)) * 1000000)::float8 AS ts
    FROM (SELECT provider, interval, (SELECT max(ts) FROM bars WHERE series_id = series.id) AS last_ts
            FROM series) AS extent
   WHERE last_ts IS NOT NULL GROUP BY provider, interval LIMIT ${MOST_PAIRS}`;

/**
 * Notes the newest bars that are stored already, once the database can be read: a restart does not forget them.
 * `onGivenUp` hears why they will not be known.
 */
export async function readNewestBars(
  database: Pick<Database, 'read'>,
  newest: NewestBars,
  onGivenUp: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    try {
      const rows = await database.read(async (client) => {
        await client.query(BEGIN);
        const found = await client.query<{ provider: string; interval: string; ts: number }>(NEWEST);
        await client.query('COMMIT');
        return found.rows;
      });
      for (const { provider, interval, ts } of rows) newest.note(provider, interval, ts);
      return;
    } catch (error) {
      if (classifyFailure(error) !== 'unavailable') {
        onGivenUp(error);
        return;
      }
      // It does not keep the process from ending.
      await sleep(AGAIN_MS, undefined, { ref: false });
    }
  }
}
