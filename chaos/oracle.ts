import { setTimeout as sleep } from 'node:timers/promises';

import { BarComparison } from './bar.comparison.js';
import { Books } from './books.js';
import { DeadBars } from './dead.bars.js';
import { Findings } from './findings.js';
import { strayFiles, strayHandles } from './leftovers.js';
import { verifySpool } from './mds.command.js';
import type { Replica } from './replica.js';
import type { Stage } from './stage.js';

const STUCK_AFTER_MS = 60_000;
const SAMPLE_MS = 100;
const LOOK_MS = 50;
/** How far a time of receipt may be from PostgreSQL's clock. */
const CLOCK_TOLERANCE = "interval '1 second'";

/** Says what is not as it was promised. */
export class Oracle {
  readonly findings = new Findings();
  readonly books = new Books(this.findings, () => this.stage.poison.isUsed);
  /** Bars that were compared. */
  compared = 0;
  private readonly watching = new AbortController();
  private watch: Promise<unknown> = Promise.resolve();

  constructor(private readonly stage: Stage) {}

  /** A sentence for each thing. */
  get broken(): string[] {
    return this.findings.sentences;
  }

  /** Looks at the books from now on, whenever a service answers. */
  start(): void {
    this.watch = Promise.all(this.stage.replicas.map((replica) => this.sample(replica)));
  }

  async stop(): Promise<void> {
    this.watching.abort();
    await this.watch;
  }

  /**
   * A fresh bar must be stored through each service, after what was accepted before it: bars are written in their order.
   * @returns the longest time that it took, milliseconds
   */
  async expectFlow(): Promise<number> {
    await this.stage.database.ready();
    const startedAt = performance.now();
    for (const replica of this.stage.replicas) {
      const obstacle = await this.stage.fresh.untilStored(replica);
      if (obstacle !== undefined) this.findings.add('flow', `${replica.name}: ${obstacle}`);
    }
    return performance.now() - startedAt;
  }

  /** Everything leaves the spools, however long that takes, and the books balance all the while. */
  async expectDrained(): Promise<void> {
    for (const replica of this.stage.replicas) {
      let least = Infinity;
      let deadline = 0;
      for (;;) {
        const { spooled, unread = 0 } = (await this.books.look(replica)).rows;
        const left = spooled + unread;
        if (left === 0) break;
        if (left < least) deadline = performance.now() + STUCK_AFTER_MS;
        least = Math.min(least, left);
        if (performance.now() > deadline) {
          this.findings.add('flow', `${left} rows are in the spool and none left it in ${STUCK_AFTER_MS} ms`);
          break;
        }
        await sleep(LOOK_MS);
      }
    }
  }

  /** Every acknowledged version is where it belongs, in the tables and in the answers; no other is. */
  async expectStored(): Promise<void> {
    const { stage, findings } = this;
    const { senders } = stage.load;
    const dead = new DeadBars(senders, stage.poison, findings);
    for (const replica of stage.replicas) await dead.read(replica);
    const client = await stage.database.connect();
    try {
      for (const [index, sender] of senders.entries()) {
        for (const wrong of sender.wrong) findings.add('answers', wrong);
        for (const wrong of sender.counts?.wrong ?? []) findings.add('counts', wrong);
        const comparison = new BarComparison(sender, dead, findings);
        this.compared += await comparison.compareTables(client);
        const replica = stage.replicas[index % stage.replicas.length] ?? stage.replica;
        await comparison.compareAnswers(replica.service);
      }
      await this.expectNoOrphans();
    } finally {
      await client.end();
    }
  }

  /** The services end in order and leave nothing but their data, which is sound. */
  async expectNothingLeft(): Promise<void> {
    for (const replica of this.stage.replicas) {
      const { service, dataDirectory, name } = replica;
      for (const found of await strayHandles(service.pid, dataDirectory)) this.findings.add('handles', found);
      const code = await service.stop();
      if (code !== 0) this.findings.add('stop', `${name} ended with ${code} after SIGTERM`);
      for (const found of await strayFiles(dataDirectory)) this.findings.add('files', found);
      const damage = await verifySpool(dataDirectory);
      if (damage !== undefined) this.findings.add('spool', `${name} is not sound: ${damage}`);
    }
  }

  private async sample(replica: Replica): Promise<void> {
    const { signal } = this.watching;
    while (!signal.aborted) {
      await this.books.look(replica).catch(() => undefined);
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Nothing lies under a series that does not exist, without its bar, or at a time that has not come. */
  private async expectNoOrphans(): Promise<void> {
    const queries = {
      'bars of no series':
        'SELECT count(*) AS n FROM bars LEFT JOIN series ON id = series_id WHERE id IS NULL',
      'earlier versions of no bar':
        'SELECT count(*) AS n FROM bar_revisions LEFT JOIN bars USING (series_id, ts) WHERE bars.open IS NULL',
      'bars received in the future': `SELECT count(*) AS n FROM bars WHERE received_at > clock_timestamp() + ${CLOCK_TOLERANCE}`,
      'bars received before the run': `SELECT count(*) AS n FROM bars, pg_stat_file('PG_VERSION') WHERE received_at < modification - ${CLOCK_TOLERANCE}`,
    };
    for (const [what, query] of Object.entries(queries)) {
      const [row] = await this.stage.database.sql<{ n: string }>(query);
      if (row?.n !== '0') this.findings.add('orphans', `${row?.n ?? '?'} ${what}`);
    }
  }
}
