import { Client } from 'pg';

import { SECOND } from '../config/units.js';

/** The least round trip of a few counts: one answer may have been held up on its way. */
const SAMPLES = 5;
/** Half of a longer round trip says too little of the time; and the start waits for the first answer. */
const ANSWER_LIMIT_MS = SECOND;

/** What PostgreSQL's clock showed at one moment. */
export interface ServerTime {
  /** PostgreSQL's time: Unix epoch, microseconds. */
  readonly time: number;
  /** When it was that time, by `monotonicMicros`. */
  readonly at: number;
}

/** The process's own timer in microseconds. No step of the machine's clock moves it. */
export function monotonicMicros(): number {
  return performance.now() * 1_000;
}

/**
 * Reads PostgreSQL's clock. Over a connection made for each reading: it waits behind no other work, and leads to the
 * server that is the primary now.
 */
export class DatabaseClock {
  constructor(private readonly url: string) {}

  /**
   * PostgreSQL's time in the middle of the shortest of a few round trips.
   * @throws Error when the database cannot be reached, or does not answer within a second
   */
  async read(): Promise<ServerTime> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'market-data-store clock',
      connectionTimeoutMillis: ANSWER_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
    });
    // A connection cut between two questions: the next one rejects.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const end = performance.now() + ANSWER_LIMIT_MS;
      let best = await sample(client);
      for (let taken = 1; taken < SAMPLES && performance.now() < end; taken++) {
        const next = await sample(client);
        if (next.roundTrip < best.roundTrip) best = next;
      }
      return best;
    } finally {
      // The server may be stopped and never answer a farewell; nobody waits for it.
      client.end().catch(() => undefined);
    }
  }
}

async function sample(client: Client): Promise<ServerTime & { readonly roundTrip: number }> {
  const asked = monotonicMicros();
  const { rows } = await client.query<{ micros: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS micros',
  );
  const roundTrip = monotonicMicros() - asked;
  const time = Number(rows[0]?.micros);
  if (!Number.isSafeInteger(time)) throw new Error('the database did not answer with a time');
  return { time, at: asked + roundTrip / 2, roundTrip };
}
