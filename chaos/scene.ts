import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import type { Random } from './random.js';
import type { Replica } from './replica.js';
import type { ServiceProcess } from './service.process.js';
import type { Stage } from './stage.js';
import type { StageDatabase } from './stage.database.js';

/** After a fault before this one, or beside it, it may take a time until there are writes again. */
const COMES_WITHIN_MS = 60_000;
/** A statement of ours may be the victim of a deadlock with the service, or of a server that is killed beside it. */
const TRIES = 20;

/** A stage during one fault: which service is harmed, and what is left to chance. */
export class Scene {
  constructor(
    readonly stage: Stage,
    /** The service that is harmed. */
    readonly replica: Replica,
    /** Its own, so that two faults at once do not change each other's. */
    readonly random: Random,
  ) {}

  get database(): StageDatabase {
    return this.stage.database;
  }

  get service(): ServiceProcess {
    return this.replica.service;
  }

  /** Waits a time that the seed says. */
  async pause(fromMs: number, toMs: number): Promise<void> {
    await sleep(this.random.between(fromMs, toMs));
  }

  /** Waits until something is so. @throws when it is not in 60 s */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    await this.stage.until(what, COMES_WITHIN_MS, holds);
  }

  /**
   * Begins to watch the server's log.
   * @returns resolves when an error with one of the SQLSTATEs was raised for a service. Rejects when none was in 60 s
   */
  async raises(...codes: readonly string[]): Promise<() => Promise<void>> {
    const { log } = this.database;
    const mark = await log.mark();
    return () => this.until(`PostgreSQL raises ${codes.join(' or ')}`, () => log.hasRaised(codes, mark));
  }

  /** Runs a statement that may be repeated, until it has succeeded: what is broken must be mended. */
  async mend(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) {
      for (let attempt = 1; ; attempt++) {
        try {
          await this.database.sql(statement);
          break;
        } catch (error) {
          if (attempt === TRIES) throw error;
          await sleep(50);
        }
      }
    }
  }

  /** Runs `work` with a rival of the services: a session in a transaction, which is rolled back. */
  async withRival(work: (rival: Client) => Promise<void>): Promise<void> {
    const rival = await this.database.connect();
    try {
      await rival.query('BEGIN');
      await work(rival);
    } finally {
      await rival.query('ROLLBACK').catch(() => undefined);
      await rival.end();
    }
  }

  /** Waits until a session of a service waits for a lock of the rival. */
  async untilBlocked(rival: Client): Promise<void> {
    await this.until('a write waits for the rival', () => isBlocking(rival));
  }

  /** Asks a service until it takes a bar. */
  async untilTaken(): Promise<void> {
    const { replica, stage } = this;
    await this.until('bars are taken again', async () => {
      const answer = await replica.post(stage.fresh.next(), 1);
      return typeof answer !== 'string' && answer.status === 202;
    });
  }

  /** Asks a service until it refuses a bar for this reason. */
  async untilRefused(code: string): Promise<void> {
    const { replica, stage } = this;
    await this.until(`bars are refused as ${code}`, async () => {
      const answer = await replica.post(stage.fresh.next(), 1);
      return typeof answer !== 'string' && answer.text.includes(`"code":"${code}"`);
    });
  }
}

/** Whether a session waits for a lock of this one. */
export async function isBlocking(rival: Client): Promise<boolean> {
  // Not from pg_stat_activity, which shows the same all through a transaction.
  const { rows } = await rival.query(
    'SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))',
  );
  return rows.length > 0;
}
