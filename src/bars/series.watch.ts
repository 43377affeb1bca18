import { setTimeout as sleep } from 'node:timers/promises';

import { SECOND } from '../config/units.js';
import { classifyFailure } from '../coordinator/index.js';
import type { Database } from '../database/database.js';
import type { Metrics } from '../metrics/metrics.catalogue.js';
import { MOST_PAIRS, type NewestBars } from './newest.bars.js';

/** From one reading to the next. With very many series 50 times what one takes, which is a fiftieth of a connection. */
const PAUSE = { leastMs: 60 * SECOND, mostMs: 600 * SECOND, perReading: 50 };

/** Ages that are told apart, as PostgreSQL and PromQL write them. */
const AGES = ['5m', '15m', '1h', '1d', '7d', '31d', '100d'] as const;
/** Series with a newer bar cost a look into the partitions since then; only the others are looked for in all. */
const RECENT = `now() - '${AGES.at(-1)}'::interval`;
const LABELS = [...AGES, 'ever'];

/**
 * One entry of the index for each series. Sorting would read all bars of a series, compiling takes longer than it saves,
 * and helpers would take more than the one processor.
 */
const BEGIN = `BEGIN READ ONLY; SET LOCAL statement_timeout = '20s'; SET LOCAL jit = off;
  SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0`;

/** The pairs with the most series first: names that somebody makes up do not displace them. */
const NEWEST = `
  SELECT provider, interval, (extract(epoch FROM max(last_ts)) * 1000000)::float8 AS ts,
         ARRAY[${AGES.map((age) => `count(*) FILTER (WHERE last_ts >= now() - '${age}'::interval)`).join()}, count(*)]::int[] AS counts
    FROM series CROSS JOIN LATERAL (
      SELECT coalesce(
               (SELECT ts FROM bars WHERE series_id = series.id AND ts >= ${RECENT} ORDER BY ts DESC LIMIT 1),
               (SELECT ts FROM bars WHERE series_id = series.id ORDER BY ts DESC LIMIT 1)) AS last_ts
      OFFSET 0) AS newest -- without OFFSET it would be read again wherever last_ts stands
   WHERE last_ts IS NOT NULL
   GROUP BY provider, interval ORDER BY count(*) DESC, provider, interval LIMIT ${MOST_PAIRS}`;

interface Pair {
  readonly provider: string;
  readonly interval: string;
  /** Start of the newest bar, Unix epoch microseconds. */
  readonly ts: number;
  /** Series by age, in the order of LABELS. */
  readonly counts: readonly number[];
}

/** What `watchSeries` reads and tells. */
export interface SeriesWatch {
  readonly database: Pick<Database, 'read' | 'untilOpen'>;
  readonly newest: NewestBars;
  readonly gauge: Metrics['seriesByAge'];
  /** Hears why the ages are not known, once until they are again; an unreachable database is no reason. */
  readonly onFailure: (error: unknown) => void;
  readonly pause?: typeof PAUSE;
}

/**
 * Reads the newest bar of every series at once and then at a pace, those of other replicas and of earlier runs too.
 * Resolves once the database is closed.
 */
export async function watchSeries(watch: SeriesWatch): Promise<void> {
  const { database, newest, gauge, onFailure, pause = PAUSE } = watch;
  let isTold = false;
  while (await database.untilOpen()) {
    const began = performance.now();
    let isReachable = true;
    try {
      const pairs = await readPairs(database);
      gauge.reset();
      for (const { provider, interval, ts, counts } of pairs) {
        newest.note(provider, interval, ts);
        LABELS.forEach((within, at) => gauge.set({ provider, interval, within }, counts[at] ?? 0));
      }
      isTold = false;
    } catch (error) {
      // No sample rather than one from before the failure.
      gauge.reset();
      isReachable = classifyFailure(error) !== 'unavailable';
      if (isReachable && !isTold) {
        isTold = true;
        onFailure(error);
      }
    }
    const wantedMs = isReachable ? (performance.now() - began) * pause.perReading : 0;
    const pauseMs = Math.min(Math.max(wantedMs, pause.leastMs), pause.mostMs);
    // It does not keep the process from ending.
    await sleep(pauseMs, undefined, { ref: false });
  }
}

async function readPairs(database: Pick<Database, 'read'>): Promise<readonly Pair[]> {
  return await database.read(async (client) => {
    await client.query(BEGIN);
    const { rows } = await client.query<Pair>(NEWEST);
    await client.query('COMMIT');
    return rows;
  });
}
