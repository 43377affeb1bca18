import { mkdtemp, readdir, readlink, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { EmbeddedPostgres } from '../src/database/embedded/index.js';
import { Producer } from './producer.js';
import { Random } from './random.js';
import { ServiceProcess } from './service.process.js';
import { TcpProxy } from './tcp.proxy.js';

/** Within this time after the last fault a fresh bar must be stored. */
const FLOWS_WITHIN_MS = 5_000;
const RESTARTED_WITHIN_MS = 60_000;
const DRAINED_WITHIN_MS = 60_000;
const PRODUCERS = 4;

/** What happens in a round. */
export const FAULTS = [
  'kill-service',
  'stop-service',
  'kill-postgres',
  'freeze-postgres',
  'cut',
  'away',
] as const;

/** One of FAULTS. */
export type Fault = (typeof FAULTS)[number];

/** Settings of a run. */
export interface ChaosOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly faults: readonly Fault[];
  readonly log: (line: string) => void;
}

/** What a run found. */
export interface ChaosReport {
  readonly acknowledged: number;
  readonly refused: number;
  readonly cut: number;
  /** A sentence for each thing that is not as it was promised. */
  readonly faults: readonly string[];
}

interface Coordinator {
  readonly rows: { readonly spooled: number; readonly residual: number };
  readonly dlq_records: number;
}

/** Loads a service, does to it and its database what the seed says, and asks the oracle. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const directory = await mkdtemp(join(tmpdir(), 'mds-chaos-'));
  // PostgreSQL does not run as root; its own user must be able to pass.
  if (process.getuid?.() === 0) await chmod(directory, 0o711);
  const postgres = new EmbeddedPostgres({ directory, log: () => undefined, preferredPort: 0 });
  let run: ChaosRun | undefined;
  try {
    run = new ChaosRun(options, postgres, directory, await postgres.start());
    return await run.run();
  } finally {
    await run?.end();
    await postgres.stop();
    const home = await readlink(join(directory, 'home')).catch(() => undefined);
    if (home !== undefined) await rm(home, { recursive: true, force: true });
    await rm(directory, { recursive: true, force: true });
  }
}

class ChaosRun {
  private readonly random: Random;
  private readonly faults: string[] = [];
  private service: ServiceProcess | undefined;
  private proxy: TcpProxy | undefined;

  constructor(
    private readonly options: ChaosOptions,
    private readonly postgres: EmbeddedPostgres,
    private readonly directory: string,
    private readonly databaseUrl: string,
  ) {
    this.random = new Random(options.seed);
  }

  async run(): Promise<ChaosReport> {
    const { hostname: host, port } = new URL(this.databaseUrl);
    this.proxy = await TcpProxy.start({ host, port: Number(port) });
    await this.startService();
    const post = (body: string): Promise<number> => this.service?.post(body) ?? Promise.resolve(0);
    const producers = Array.from(
      { length: PRODUCERS },
      (_, index) => new Producer(`CHAOS${index}`, post, new Random(this.random.between(0, 2 ** 31))),
    );
    for (const producer of producers) producer.start();
    try {
      for (let round = 1; round <= this.options.rounds; round++) {
        await sleep(this.random.between(100, 600));
        const fault = this.random.pick(this.options.faults);
        await this.inflict(fault);
        this.options.log(`round ${round} of ${this.options.rounds}: ${fault}`);
      }
      await this.databaseIsBack();
      await this.expectFlow();
    } finally {
      await Promise.all(producers.map((producer) => producer.stop()));
    }
    await this.expectBalance();
    await this.expectStored(producers);
    await this.expectNothingLeft();
    const sum = (of: (producer: Producer) => number) => producers.reduce((total, one) => total + of(one), 0);
    return {
      acknowledged: sum((one) => one.acknowledged),
      refused: sum((one) => one.refused),
      cut: sum((one) => one.cut),
      faults: this.faults,
    };
  }

  /** Leaves nothing running, whatever happened. */
  async end(): Promise<void> {
    await this.service?.kill();
    await this.proxy?.stop();
  }

  private async startService(): Promise<void> {
    const url = new URL(this.databaseUrl);
    url.port = String(this.proxy?.port);
    this.service = await ServiceProcess.start({
      DATABASE_URL: url.href,
      MDS_DATA_DIR: join(this.directory, 'service'),
      MDS_CB_HALF_OPEN_AFTER_SEC: '0.2',
      MDS_RETRY_MAX_BACKOFF_MS: '200',
    });
  }

  private async inflict(fault: Fault): Promise<void> {
    switch (fault) {
      case 'kill-service':
        await this.service?.kill();
        await this.startService();
        break;
      case 'stop-service': {
        const code = await this.service?.stop();
        if (code !== 0) this.faults.push(`the service ended with ${code} after SIGTERM`);
        await this.startService();
        break;
      }
      case 'kill-postgres':
        this.signalPostgres('SIGKILL');
        break;
      case 'freeze-postgres':
        this.signalPostgres('SIGSTOP');
        await sleep(this.random.between(200, 2_000));
        this.signalPostgres('SIGCONT');
        break;
      case 'cut':
        this.proxy?.cut();
        break;
      case 'away':
        this.proxy?.setClosed(true);
        await sleep(this.random.between(200, 2_000));
        this.proxy?.setClosed(false);
    }
  }

  private signalPostgres(signal: NodeJS.Signals): void {
    const { pid } = this.postgres;
    // It may be on its way up again.
    if (pid !== undefined) process.kill(pid, signal);
  }

  /** The last fault is over when PostgreSQL, which is started again less and less eagerly, takes connections. */
  private async databaseIsBack(): Promise<void> {
    const deadline = performance.now() + RESTARTED_WITHIN_MS;
    while (!(await this.databaseAnswers())) {
      if (performance.now() > deadline)
        throw new Error(`PostgreSQL did not come back in ${RESTARTED_WITHIN_MS} ms`);
      await sleep(50);
    }
  }

  private async databaseAnswers(): Promise<boolean> {
    const client = new Client({ connectionString: this.databaseUrl });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT');
      await client.end();
      return true;
    } catch {
      return false;
    }
  }

  /** A fresh bar is stored soon after the last fault. */
  private async expectFlow(): Promise<void> {
    const fresh = { provider: 'chaos', symbol: 'FRESH', interval: '1m', ts: 1_767_225_600 };
    const body = JSON.stringify({ ...fresh, open: 1, high: 1, low: 1, close: 1, volume: 1 });
    const deadline = performance.now() + FLOWS_WITHIN_MS;
    let status: number | undefined;
    while (status !== 200 && performance.now() < deadline) {
      status = await this.service?.post(body, '?ack=stored').catch(() => undefined);
      if (status !== 200) await sleep(50);
    }
    if (status !== 200)
      this.faults.push(`a fresh bar was not stored within ${FLOWS_WITHIN_MS} ms (${status})`);
  }

  private async expectBalance(): Promise<void> {
    const deadline = performance.now() + DRAINED_WITHIN_MS;
    for (;;) {
      const now = await this.service?.get<Coordinator>('/v1/coordinator');
      if (now?.rows.residual !== 0) this.faults.push(`the residual is ${now?.rows.residual}`);
      if (now?.dlq_records !== 0)
        this.faults.push(`${now?.dlq_records} records are in the dead-letter queue`);
      if (now?.rows.spooled === 0) return;
      if (performance.now() > deadline) {
        this.faults.push(`${now?.rows.spooled} rows are still in the spool after ${DRAINED_WITHIN_MS} ms`);
        return;
      }
      await sleep(50);
    }
  }

  private async expectStored(producers: readonly Producer[]): Promise<void> {
    const client = new Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      for (const producer of producers) {
        const { rows } = await client.query<{ ts: string; close: number }>(
          'SELECT extract(epoch FROM ts)::bigint AS ts, close FROM bars_ohlcv WHERE symbol = $1',
          [producer.symbol],
        );
        const stored = new Map(rows.map(({ ts, close }) => [Number(ts), close]));
        if (stored.size !== rows.length) this.faults.push(`${producer.symbol} has bars twice`);
        this.faults.push(...producer.faultsOf(stored));
      }
    } finally {
      await client.end();
    }
  }

  private async expectNothingLeft(): Promise<void> {
    const code = await this.service?.stop();
    if (code !== 0) this.faults.push(`the service ended with ${code} after SIGTERM`);
    const names = await readdir(join(this.directory, 'service'), { recursive: true });
    const left = names.filter((name) => name.endsWith('.tmp'));
    if (left.length > 0) this.faults.push(`temporary files are left: ${left.join(', ')}`);
  }
}
