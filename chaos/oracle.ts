import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import { barAt, FRESH_BAR, tsOf } from './bar.model.js';
import { strayFiles, strayHandles } from './leftovers.js';
import type { Producer } from './producer.js';
import type { CoordinatorState, ServiceProcess } from './service.process.js';
import type { Stage } from './stage.js';

/** Within this time after the last fault a fresh bar must be stored. */
const FLOWS_WITHIN_MS = 5_000;
const STUCK_AFTER_MS = 60_000;
const SAMPLE_MS = 100;
/** Bars that are compared at a time: a long run has millions of them. */
const COMPARED = 100_000;

interface DeadBar {
  readonly symbol: string;
  readonly ts: string;
  readonly close: number;
}

/** Says what is not as it was promised. */
export class Oracle {
  /** A sentence for each thing. */
  readonly broken: string[] = [];
  /** How often the books were looked at. */
  samples = 0;
  private readonly watching = new AbortController();
  private watch: Promise<void> | undefined;

  /** @param deadLetters whether there may be any: PostgreSQL was made to refuse bars for good */
  constructor(
    private readonly stage: Stage,
    private readonly deadLetters: boolean,
  ) {}

  /** Looks at the books from now on, whenever the service answers. */
  start(): void {
    this.watch = this.sample();
  }

  async stop(): Promise<void> {
    this.watching.abort();
    await this.watch;
  }

  /** A fresh bar must be stored soon after the last fault, once the server is there again. */
  async expectFlow(): Promise<void> {
    await this.stage.database.ready();
    const deadline = performance.now() + FLOWS_WITHIN_MS;
    let status: number | undefined;
    while (status !== 200 && performance.now() < deadline) {
      status = (await this.stage.service.post(FRESH_BAR, '?ack=stored').catch(() => undefined))?.status;
      if (status !== 200) await sleep(50);
    }
    if (status !== 200)
      this.broken.push(`a fresh bar was not stored within ${FLOWS_WITHIN_MS} ms (${status})`);
  }

  /** Everything leaves the spool, however long that takes, and the books balance all the while. */
  async expectDrained(): Promise<void> {
    let least = Infinity;
    let deadline = 0;
    for (;;) {
      const { spooled } = (await this.look()).rows;
      if (spooled === 0) return;
      if (spooled < least) deadline = performance.now() + STUCK_AFTER_MS;
      least = Math.min(least, spooled);
      if (performance.now() > deadline) {
        this.broken.push(`${spooled} rows are in the spool and none left it in ${STUCK_AFTER_MS} ms`);
        return;
      }
      await sleep(50);
    }
  }

  /** Every acknowledged bar is in the table or in the dead-letter queue, as it was received last; no other is. */
  async expectStored(
    producers: readonly Producer[],
    services: readonly ServiceProcess[] = [this.stage.service],
  ): Promise<void> {
    const dead = new Map<string, number[]>();
    for (const service of services) await this.readDeadBars(service, dead);
    const client = await this.stage.database.connect();
    try {
      for (const producer of producers) {
        this.broken.push(...producer.wrong);
        await this.compare(producer, client, dead);
      }
    } finally {
      await client.end();
    }
  }

  /** The service ends in order and leaves nothing but its data. */
  async expectNothingLeft(): Promise<void> {
    const { service, dataDirectory } = this.stage;
    this.broken.push(...(await strayHandles(service.pid, dataDirectory)));
    const code = await service.stop();
    if (code !== 0) this.broken.push(`the service ended with ${code} after SIGTERM`);
    this.broken.push(...(await strayFiles(dataDirectory)));
  }

  private async sample(): Promise<void> {
    const { signal } = this.watching;
    while (!signal.aborted) {
      await this.look().catch(() => undefined);
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async look(service = this.stage.service): Promise<CoordinatorState> {
    const state = await service.get<CoordinatorState>('/v1/coordinator');
    this.samples++;
    const { rows, dlq_records } = state;
    if (rows.residual !== 0) this.broken.push(`the residual is ${rows.residual}: ${JSON.stringify(rows)}`);
    if (dlq_records > 0 && !this.deadLetters)
      this.broken.push(`${dlq_records} records are in the dead-letter queue`);
    return state;
  }

  private async compare(
    { symbol, model }: Producer,
    client: Client,
    dead: ReadonlyMap<string, readonly number[]>,
  ): Promise<void> {
    for (let from = 0; from <= model.size; from += COMPARED) {
      const to = from + COMPARED;
      const { rows } = await client.query<{ ts: string; close: number }>(
        `SELECT extract(epoch FROM ts)::bigint AS ts, close FROM bars_ohlcv
          WHERE symbol = $1 AND ts >= to_timestamp($2) AND ts < to_timestamp($3)`,
        [symbol, tsOf(from), tsOf(to)],
      );
      const stored = new Map(rows.map(({ ts, close }) => [barAt(Number(ts)), close]));
      if (stored.size !== rows.length) this.broken.push(`${symbol} has bars twice`);
      for (let bar = from; bar < Math.min(to, model.size); bar++) {
        const value = stored.get(bar) ?? 0;
        const possible = model.possible(bar);
        const dying = dead.get(`${symbol} ${bar}`) ?? [];
        if (possible.includes(value) || possible.some((version) => dying.includes(version))) continue;
        this.broken.push(`${symbol} bar ${bar} is ${value || 'missing'}, not ${possible.join(' or ')}`);
      }
      for (const bar of stored.keys())
        if (bar >= model.size) this.broken.push(`${symbol} bar ${bar} was never sent`);
    }
  }

  /** Adds the versions in a dead-letter queue, by symbol and bar. */
  private async readDeadBars(service: ServiceProcess, found: Map<string, number[]>): Promise<void> {
    let letters = 0;
    for (let after = ''; ;) {
      const page = await service.get<{ records: { id: string }[]; next_page_token: string | null }>(
        `/v1/dlq?limit=1000${after}`,
      );
      for (const { id } of page.records) {
        letters++;
        const { content } = await service.get<{ content: DeadBar[] }>(`/v1/dlq/${id}`);
        for (const { symbol, ts, close } of content) {
          const key = `${symbol} ${barAt(Date.parse(ts) / 1000)}`;
          found.set(key, [...(found.get(key) ?? []), close]);
        }
      }
      if (page.next_page_token === null) break;
      after = `&page_token=${page.next_page_token}`;
    }
    const { dlq_records } = await this.look(service);
    if (dlq_records !== letters)
      this.broken.push(`${dlq_records} dead letters are counted and ${letters} listed`);
  }
}
