import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { EmbeddedPostgres } from '../src/database/embedded/index.js';
import { PartitionStore } from '../src/database/partition.store.js';
import type { Absent, Contestant, Installed } from './contestants/contestant.js';
import { startFastify } from './contestants/fastify.js';
import { startInflux } from './contestants/influx.js';
import { Service } from './contestants/service.js';
import { startVictoriaMetrics } from './contestants/victoria-metrics.js';
import { YEAR } from './data/bar.block.js';
import { CREATE_EARLIER } from './load/copy.job.js';
import { LoadProcess } from './load/load.process.js';
import { endProcess } from './process/end.process.js';
import { findProgram, packageVersion } from './process/program.js';
import type { Releasers } from './process/releasers.js';

/** What a measurement works with: a PostgreSQL server, the service on it, and a process that makes the load. */
export class Rig {
  private services = 0;

  private constructor(
    private readonly directory: string,
    private readonly releasers: Releasers,
    /** With the password. */
    readonly databaseUrl: string,
    readonly load: LoadProcess,
    private readonly profile: string | undefined,
  ) {}

  /** Starts the database and the load process; `releasers` end everything that the rig ever starts. */
  static async start(releasers: Releasers, profile?: string): Promise<Rig> {
    const directory = await mkdtemp(join(tmpdir(), 'mds-bench-'));
    releasers.add(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
    // As root the database runs as another user, who must get there.
    await chmod(directory, 0o711);
    const postgres = new EmbeddedPostgres({
      directory: join(directory, 'postgres'),
      log: () => undefined,
      preferredPort: 0,
    });
    releasers.add(() => postgres.stop());
    const url = await postgres.start();
    const load = new LoadProcess();
    releasers.add(() => load.stop());
    return new Rig(directory, releasers, url, load, profile);
  }

  /** Starts a service of its own directory on the rig's database, with the partition that the bars need. */
  async startService(env: Readonly<Record<string, string>> = {}): Promise<Service> {
    this.services += 1;
    const dataDirectory = join(this.directory, `service-${this.services}`);
    await mkdir(dataDirectory);
    const { databaseUrl, profile } = this;
    const service = await Service.start({ databaseUrl, dataDirectory, env, profile });
    this.releasers.add(() => service.stop());
    await new PartitionStore(databaseUrl).ensure([YEAR, YEAR + 1]);
    return service;
  }

  async startInflux(): Promise<Installed | Absent> {
    return await this.startInstalled('influxd', 'influxdb', startInflux);
  }

  async startVictoriaMetrics(): Promise<Installed | Absent> {
    return await this.startInstalled('victoria-metrics', 'victoria-metrics', startVictoriaMetrics);
  }

  async startFastify(): Promise<Contestant> {
    const contestant = await startFastify();
    this.releasers.add(() => endProcess(contestant.child));
    return contestant;
  }

  /** Empties the tables, so that every contestant begins alike. */
  async clear(): Promise<void> {
    await this.query('TRUNCATE bars, bar_revisions, bar_confirmations');
    await this.query(CREATE_EARLIER);
    await this.settle();
  }

  /** Writes what is dirty: the checkpoint that is due must not fall into the next turn. */
  async settle(): Promise<void> {
    await this.query('CHECKPOINT');
  }

  /** Version of the database server. */
  async serverVersion(): Promise<string> {
    const [row] = await this.query<{ server_version: string }>('SHOW server_version');
    return row?.server_version ?? 'unknown';
  }

  /** One statement on a connection of its own. */
  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  private async startInstalled(
    program: string,
    debianPackage: string,
    start: (program: string, directory: string) => Promise<Contestant>,
  ): Promise<Installed | Absent> {
    const path = findProgram(program);
    if (path === undefined) {
      return { absent: `${program} is not on the PATH (Debian package ${debianPackage})` };
    }
    const contestant = await start(path, join(this.directory, program));
    this.releasers.add(() => endProcess(contestant.child));
    return { ...contestant, version: packageVersion(debianPackage) };
  }
}
