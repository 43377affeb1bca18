import { join } from 'node:path';

import type { HarmControl } from './preload/harm.control.js';
import { type Answer, type CoordinatorState, type NoAnswer, ServiceProcess } from './service.process.js';

/** Answers that promise that the bars are safe, though not that they are stored. */
const SAFE_CODES = /"code":"(commit-unconfirmed|write-refused)"/;

/** What a replica is given. */
export interface ReplicaOptions {
  readonly name: string;
  /** Its MDS_DATA_DIR. */
  readonly dataDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined where no library can be preloaded. */
  readonly control: HarmControl | undefined;
  readonly logDirectory: string;
}

/** A service with its data, whichever process serves it. */
export class Replica {
  /** Processes that were started, the present one included. */
  readonly launched: ServiceProcess[] = [];
  /** Rows that were sent to it and may have been accepted. */
  sent = 0;
  /** Rows that it answered as safe. */
  acknowledged = 0;
  /** True when rows may have been accepted more than once: after `mds spool replay`, for example. */
  acceptedTwice = false;
  /** Main file of the build that is started next; undefined: this one. */
  program: string | undefined;
  /** True while it cannot know all that it accepted: reads of its spool fail. */
  isUnreadable = false;

  constructor(private readonly options: ReplicaOptions) {}

  get name(): string {
    return this.options.name;
  }

  get dataDirectory(): string {
    return this.options.dataDirectory;
  }

  get spool(): string {
    return join(this.dataDirectory, 'spool');
  }

  get logPath(): string {
    return join(this.options.logDirectory, `${this.name}.log`);
  }

  /** What the preloaded library does. @throws where there is none */
  get control(): HarmControl {
    const { control } = this.options;
    if (!control) throw new Error('no library is preloaded into the services of this stage');
    return control;
  }

  /** The process that runs now, or ran last. */
  get service(): ServiceProcess {
    const service = this.launched.at(-1);
    if (!service) throw new Error('no service was started');
    return service;
  }

  /** Begins to start it. */
  launch(): ServiceProcess {
    const { environment, dataDirectory, control } = this.options;
    const harm = control?.environment(this.spool) ?? {};
    const service = ServiceProcess.launch(
      { ...environment, MDS_DATA_DIR: dataDirectory, MDS_COORDINATOR_ID: this.name, ...harm },
      this.logPath,
      this.program,
    );
    this.launched.push(service);
    return service;
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<void> {
    await this.launch().untilListening();
  }

  /** kill -9, and a new start. */
  async restart(): Promise<void> {
    await this.service.kill();
    await this.start();
  }

  /** Posts so many rows, and keeps count of them. */
  async post(body: string, rows: number, query = '', type?: string): Promise<Answer | NoAnswer> {
    this.sent += rows;
    const answer = await this.service.tryPost(body, query, type);
    if (answer === 'never') this.sent -= rows;
    else if (isSafe(answer)) this.acknowledged += rows;
    return answer;
  }

  /** Where its rows are. */
  async look(): Promise<CoordinatorState> {
    return await this.service.get<CoordinatorState>('/v1/coordinator');
  }

  /**
   * Its spool was taken from it, and with it what it counted: both begin again, with the rows of its dead letters, which
   * lie elsewhere.
   */
  forgetCounts(deadRows: number): void {
    this.sent = deadRows;
    this.acknowledged = deadRows;
  }
}

/** Whether an answer promises that the rows are not lost. */
export function isSafe(answer: Answer | NoAnswer): boolean {
  if (typeof answer === 'string') return false;
  return answer.status === 202 || answer.status === 200 || SAFE_CODES.test(answer.text);
}
