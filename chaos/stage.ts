import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Producer } from './producer.js';
import type { Random } from './random.js';
import { ServiceProcess } from './service.process.js';
import { SmallDisk } from './small.disk.js';
import { StageDatabase } from './stage.database.js';

const GIB = 1024 ** 3;
const LOOK_MS = 50;

/** How a stage is set up. */
export interface StageOptions {
  readonly random: Random;
  /** Whether the spool and the tables of the database lie on disks that can be full. */
  readonly smallDisks: boolean;
  /** More settings of the service. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

interface Parts {
  readonly directory: string;
  readonly database: StageDatabase;
  readonly spoolDisk: SmallDisk | undefined;
  readonly tablesDisk: SmallDisk | undefined;
}

/** A service, its database and the way between them: what harm is done to. */
export class Stage {
  /** Who loads the service; a fault may tell them what to send. */
  producers: readonly Producer[] = [];
  private readonly launched: ServiceProcess[] = [];
  private current: ServiceProcess | undefined;

  private constructor(
    private readonly options: StageOptions,
    private readonly parts: Parts,
  ) {}

  /** Sets everything up but the service; `work` is done there, and everything is ended and removed. */
  static async with<T>(options: StageOptions, work: (stage: Stage) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), 'mds-chaos-'));
    // PostgreSQL does not run as root; its own user must be able to pass.
    if (process.getuid?.() === 0) await chmod(directory, 0o711);
    const disks: SmallDisk[] = [];
    let database: StageDatabase | undefined;
    let stage: Stage | undefined;
    try {
      for (const name of options.smallDisks ? ['service', 'tables'] : [])
        disks.push(await SmallDisk.mount(join(directory, name), GIB));
      const [spoolDisk, tablesDisk] = disks;
      database = await StageDatabase.start(join(directory, 'database'), tablesDisk);
      stage = new Stage(options, { directory, database, spoolDisk, tablesDisk });
      return await work(stage);
    } finally {
      for (const service of stage?.launched ?? []) await service.kill();
      await database?.stop();
      for (const disk of disks) await disk.unmount();
      await rm(directory, { recursive: true, force: true });
    }
  }

  get random(): Random {
    return this.options.random;
  }

  get database(): StageDatabase {
    return this.parts.database;
  }

  /** The service that runs now, or ran last. */
  get service(): ServiceProcess {
    if (!this.current) throw new Error('no service was started');
    return this.current;
  }

  /** Everything of this stage lies below it. */
  get directory(): string {
    return this.parts.directory;
  }

  /** The service's MDS_DATA_DIR. */
  get dataDirectory(): string {
    return join(this.directory, 'service');
  }

  /** Where the spool lies. @throws when it is not a small disk */
  get spoolDisk(): SmallDisk {
    return required(this.parts.spoolDisk);
  }

  /** Where the database has its tables. @throws when it is not a small disk */
  get tablesDisk(): SmallDisk {
    return required(this.parts.tablesDisk);
  }

  /** Process ids of all services that were started. */
  get pids(): readonly number[] {
    return this.launched.map(({ pid }) => pid);
  }

  /** Starts the service, or starts it again. */
  async startService(): Promise<void> {
    this.current = await this.launch('service');
  }

  /** Starts a service with a data directory of that name. */
  async launch(name: string): Promise<ServiceProcess> {
    const service = await ServiceProcess.start({
      DATABASE_URL: this.database.serviceUrl,
      MDS_DATA_DIR: join(this.directory, name),
      MDS_CB_HALF_OPEN_AFTER_SEC: '0.2',
      MDS_RETRY_MAX_BACKOFF_MS: '200',
      ...this.options.env,
    });
    this.launched.push(service);
    return service;
  }

  /** Waits until something is so. @throws when it is not in time */
  async until(what: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
      await sleep(LOOK_MS);
    }
  }

  /** Waits a time that the seed says. */
  async pause(fromMs: number, toMs: number): Promise<void> {
    await sleep(this.random.between(fromMs, toMs));
  }
}

function required(disk: SmallDisk | undefined): SmallDisk {
  if (!disk) throw new Error('this stage has no small disks');
  return disk;
}
