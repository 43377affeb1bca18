import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import { FIRST_TS } from './bar.keys.js';
import type { Stage } from './stage.js';

const ROWS = 2_000;
/** The close of a bar is its number modulo this. */
const MODULUS = 9_973;
const BACK_OFF_MS = 50;

/**
 * Posts new bars of one symbol as fast as they are taken, each batch until it is acknowledged. A second apart: minutes
 * would come to the last year that a bar may have within five minutes.
 */
export class BulkLoad {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** Bars below this number were acknowledged. */
  acknowledged = 0;

  constructor(
    private readonly symbol: string,
    private readonly stage: Stage,
  ) {}

  /** Begins to post. */
  start(): void {
    this.running = this.produce();
    // Heard when it is stopped.
    this.running.catch(() => undefined);
  }

  /** Stops after the batch under way was acknowledged. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** What is wrong with the bars in the table, a sentence each. */
  async faults(client: Client): Promise<string[]> {
    const { rows } = await client.query<{ found: string; wrong: string }>(
      `SELECT count(*) AS found,
              count(*) FILTER (WHERE close <> (extract(epoch FROM ts)::bigint - $2) % ${MODULUS}) AS wrong
         FROM bars_ohlcv WHERE symbol = $1`,
      [this.symbol, FIRST_TS],
    );
    const { found, wrong } = rows[0] ?? { found: 0, wrong: 0 };
    if (Number(found) === this.acknowledged && Number(wrong) === 0) return [];
    return [`${this.symbol} has ${found} of ${this.acknowledged} bars, ${wrong} with another value`];
  }

  private async produce(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const body = this.nextBody();
      while (!(await this.isTaken(body))) await sleep(BACK_OFF_MS);
      this.acknowledged += ROWS;
    }
  }

  private async isTaken(body: string): Promise<boolean> {
    const answer = await this.stage.service.post(body, '', 'text/csv').catch(() => undefined);
    if (answer?.status === 422)
      throw new Error(`${this.symbol} was answered 422: ${answer.text.slice(0, 300)}`);
    return answer?.status === 202;
  }

  private nextBody(): string {
    const rows = Array.from({ length: ROWS }, (_, index) => {
      const bar = this.acknowledged + index;
      return `chaos,${this.symbol},1s,${FIRST_TS + bar},0,${MODULUS},0,${bar % MODULUS},1`;
    });
    return ['provider,symbol,interval,ts,open,high,low,close,volume', ...rows].join('\n');
  }
}
