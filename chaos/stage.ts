import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { buildHarmLibrary } from './preload/harm-library.build.js';
import { HarmControl } from './preload/harm.control.js';
import { FreshBars } from './fresh.bars.js';
import { Load } from './load.js';
import { Poison } from './poison.js';
import type { Random } from './random.js';
import { Replica } from './replica.js';
import type { ServiceProcess } from './service.process.js';
import { SmallDisk } from './small.disk.js';
import { StageDatabase } from './stage.database.js';

const DISK_BYTES = 2 * 1024 ** 3;
const LOOK_MS = 50;
/** Rows that a service holds, and that a body may have. */
export const CAPACITY = 'MDS_COORDINATOR_CAPACITY';
const DEFAULT_CAPACITY = 500_000;

/** How a stage is set up. */
export interface StageOptions {
  readonly random: Random;
  /** Whether the spool of the first service and the tables of the database lie on disks that can be full. */
  readonly smallDisks?: boolean;
  /** Services on the one database; default 1. */
  readonly services?: number;
  /** Whether they reach it through PgBouncer. */
  readonly pooler?: boolean;
  /** Whether reads of the spools can fail, and clocks step. */
  readonly preload?: boolean;
  /** More settings of the services. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Parts {
  readonly directory: string;
  readonly database: StageDatabase;
  readonly replicas: readonly Replica[];
  readonly spoolDisk: SmallDisk | undefined;
  readonly tablesDisk: SmallDisk | undefined;
}

/** Services, their database and the way between them: what harm is done to. */
export class Stage {
  /** Who loads the services; a fault may tell them what to send. */
  readonly load: Load;
  /** Which bars the database was made to refuse. */
  readonly poison = new Poison();
  readonly fresh = new FreshBars();

  private constructor(
    private readonly options: StageOptions,
    private readonly parts: Parts,
  ) {
    this.load = new Load(options.random, parts.replicas, Number(options.env?.[CAPACITY] ?? DEFAULT_CAPACITY));
  }

  /** Sets everything up and starts no service; `work` is done there, and everything is ended and removed. */
  static async with<T>(options: StageOptions, work: (stage: Stage) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), 'mds-chaos-'));
    // PostgreSQL does not run as root; its own user must be able to pass.
    if (process.getuid?.() === 0) await chmod(directory, 0o711);
    const disks: SmallDisk[] = [];
    const controls: HarmControl[] = [];
    let database: StageDatabase | undefined;
    let replicas: Replica[] = [];
    try {
      for (const name of options.smallDisks ? ['service', 'tables'] : [])
        disks.push(await SmallDisk.mount(join(directory, name), DISK_BYTES));
      const [spoolDisk, tablesDisk] = disks;
      const { pooler = false, services = 1 } = options;
      database = await StageDatabase.start({
        directory: join(directory, 'database'),
        disk: tablesDisk,
        pooler,
      });
      const logDirectory = join(directory, 'logs');
      await mkdir(logDirectory);
      const library = options.preload ? buildHarmLibrary(directory) : undefined;
      const environment = { ...QUICK, ...database.serviceEnvironment, ...options.env };
      replicas = namesOf(services).map((name) => {
        const control = library === undefined ? undefined : new HarmControl(directory, name, library);
        if (control) controls.push(control);
        return new Replica({
          ...{ name, environment, control, logDirectory },
          dataDirectory: join(directory, name),
        });
      });
      return await work(new Stage(options, { directory, database, replicas, spoolDisk, tablesDisk }));
    } finally {
      for (const replica of replicas) for (const service of replica.launched) await service.kill();
      for (const control of controls) control.close();
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

  get replicas(): readonly Replica[] {
    return this.parts.replicas;
  }

  /** The first of the services. */
  get replica(): Replica {
    const [first] = this.replicas;
    if (!first) throw new Error('this stage has no service');
    return first;
  }

  /** The process of the first service that runs now, or ran last. */
  get service(): ServiceProcess {
    return this.replica.service;
  }

  /** Everything of this stage lies below it. */
  get directory(): string {
    return this.parts.directory;
  }

  /** Where the spool of the first service lies. @throws when it is not a small disk */
  get spoolDisk(): SmallDisk {
    return required(this.parts.spoolDisk);
  }

  /** Where the database has its tables. @throws when it is not a small disk */
  get tablesDisk(): SmallDisk {
    return required(this.parts.tablesDisk);
  }

  /** Process ids of all services that were started. */
  get pids(): readonly number[] {
    return this.replicas.flatMap(({ launched }) => launched.map(({ pid }) => pid));
  }

  /** Starts all services. */
  async start(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.start()));
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

/** Settings with which services notice soon that what was broken is there again. */
const QUICK = { MDS_CB_HALF_OPEN_AFTER_SEC: '0.2', MDS_RETRY_MAX_BACKOFF_MS: '200' } as const;

/** The first one's name is also its disk's. */
const namesOf = (services: number): string[] =>
  Array.from({ length: services }, (_, index) => (index === 0 ? 'service' : `service-${index + 1}`));

function required(disk: SmallDisk | undefined): SmallDisk {
  if (!disk) throw new Error('this stage has no small disks');
  return disk;
}
