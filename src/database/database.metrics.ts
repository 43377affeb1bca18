import { SECOND } from '../config/units.js';
import type { Metrics } from '../metrics/metrics.catalogue.js';
import { readOnScrape } from '../metrics/read.on.scrape.js';
import type { Database } from './database.js';
import type { DatabasePing } from './database.ping.js';

/** Longest time that a scrape waits for the database, milliseconds. */
const LONGEST_WAIT_MS = SECOND;

/** Lets every scrape read the pool and whether the database answers, as they are then. */
export function exposeDatabase(database: Database, ping: DatabasePing, metrics: Metrics): void {
  readOnScrape(metrics.poolConnections, () => {
    const { total, idle, waiting } = database.connections;
    metrics.poolConnections.set({ state: 'active' }, total - idle);
    metrics.poolConnections.set({ state: 'idle' }, idle);
    metrics.poolConnections.set({ state: 'waiting' }, waiting);
  });
  readOnScrape(metrics.storeUp, async () => metrics.storeUp.set((await answers(ping)) ? 1 : 0));
}

/** A ping may take its time twice, to connect and to ask; a scrape does not wait for that. */
async function answers(ping: DatabasePing): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, LONGEST_WAIT_MS, false);
  });
  const answer = ping.ping(LONGEST_WAIT_MS).then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
