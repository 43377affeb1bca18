import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { FRESH } from './fresh.bars.js';
import { ServiceProcess } from './service.process.js';
import type { Stage } from './stage.js';
import { SERVICE_ROLE } from './stage.database.js';

const COMES_WITHIN_MS = 60_000;
const LOOK_MS = 5;

/** A service with a database and a data directory of its own, beside those that are loaded. */
export class SideService {
  private current: ServiceProcess | undefined;

  private constructor(
    private readonly stage: Stage,
    private readonly name: string,
  ) {}

  /** Makes its database, which is empty. */
  static async create(stage: Stage, number: number): Promise<SideService> {
    const name = `side_${number}`;
    await stage.database.sql(`CREATE DATABASE ${name} OWNER ${SERVICE_ROLE}`);
    return new SideService(stage, name);
  }

  /** Starts it, and kills it some time after it has come to its database. */
  async killWhileMigrating(afterMs: number): Promise<void> {
    const service = this.launch();
    const client = await this.stage.database.connect();
    try {
      const deadline = performance.now() + COMES_WITHIN_MS;
      for (;;) {
        const { rows } = await client.query('SELECT FROM pg_stat_activity WHERE datname = $1', [this.name]);
        if (rows.length > 0) break;
        if (performance.now() > deadline) throw new Error('the service did not come to its new database');
        await sleep(LOOK_MS);
      }
      await sleep(afterMs);
    } finally {
      await client.end();
      await service.kill();
    }
  }

  /** Starts it once more: it has to migrate, and to store a bar. */
  async expectWorking(): Promise<void> {
    const service = this.launch();
    await service.untilListening();
    const bar = `${FRESH},${FRESH},1m,2026-01-01T00:00:00Z,1,1,1,1,1`;
    const body = `provider,symbol,interval,ts,open,high,low,close,volume\n${bar}\n`;
    await this.stage.until('a bar is stored in the new database', COMES_WITHIN_MS, async () => {
      const answer = await service.tryPost(body, '?ack=stored', 'text/csv');
      return typeof answer !== 'string' && answer.status === 200;
    });
    const code = await service.stop();
    if (code !== 0) throw new Error(`the service of the new database ended with ${code} after SIGTERM`);
  }

  /** Ends it and removes what it had. */
  async remove(): Promise<void> {
    await this.current?.kill();
    await this.stage.database.sql(`DROP DATABASE ${this.name} WITH (FORCE)`);
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  private get dataDirectory(): string {
    return join(this.stage.directory, this.name);
  }

  private launch(): ServiceProcess {
    const service = ServiceProcess.launch({
      DATABASE_URL: this.stage.database.urlOf(this.name).href,
      MDS_DATA_DIR: this.dataDirectory,
    });
    this.current = service;
    return service;
  }
}
