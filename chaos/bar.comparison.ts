import type { Client } from 'pg';

import { areSame, contentOf, valuesOf, type BarValues } from './bar.values.js';
import type { DeadBars } from './dead.bars.js';
import type { Findings } from './findings.js';
import { faultOfHistory } from './history.check.js';
import type { Sender } from './producer.js';
import type { ServiceProcess } from './service.process.js';
import { readStoredBars, type KnownVersion, type StoredBar } from './stored.bars.js';

/** Compares the bars of one sender, their histories and what the API answers, with what was sent. */
export class BarComparison {
  /** The content that is stored, by bar; 0: none. */
  private readonly stored: Float64Array;
  private bars = 0;
  private revisions = 0;

  constructor(
    private readonly sender: Sender,
    private readonly dead: DeadBars,
    private readonly findings: Findings,
  ) {
    this.stored = new Float64Array(sender.model.size);
  }

  /** Reads the tables. @returns how many bars were compared */
  async compareTables(client: Client): Promise<number> {
    const { model, keys, counts } = this.sender;
    for await (const stored of readStoredBars(client, keys.provider)) this.compareStored(stored);
    for (let bar = 0; bar < model.size; bar++) {
      if (this.stored[bar] !== 0) continue;
      const fault = faultOfHistory(model.sendsOf(bar), [], this.dead.of(this.sender, bar));
      if (fault !== undefined) this.findings.add('missing', `${this.nameOf(bar)} ${fault}`);
    }
    this.compareBodies();
    if (counts && !counts.lostCommits) this.compareSums(counts.sums, counts.uncounted === 0);
    return this.bars;
  }

  /** Reads the same through the API. */
  async compareAnswers(service: ServiceProcess): Promise<void> {
    const { provider } = this.sender.keys;
    let answered = 0;
    for await (const line of service.lines(`/v1/bars?provider=${provider}&format=ndjson`)) {
      const { symbol, ts, ...values } = JSON.parse(line) as BarValues & { symbol: string; ts: string };
      const bar = this.sender.keys.barOf(symbol, Date.parse(ts) / 1000);
      const content = bar === undefined ? 0 : (this.stored[bar] ?? 0);
      answered++;
      if (bar === undefined || content === 0)
        this.findings.add('answered', `${symbol} at ${ts} is answered and not stored`);
      else if (!areSame(values, valuesOf(this.sender.salt, bar, content)))
        this.findings.add('answered', `${this.nameOf(bar)} is answered as ${JSON.stringify(values)}`);
    }
    if (answered !== this.bars)
      this.findings.add('answered', `${answered} of ${this.bars} stored bars of ${provider}`);
  }

  private compareStored({ symbol, ts, versions }: StoredBar): void {
    const { keys, model } = this.sender;
    this.bars++;
    this.revisions += versions.length - 1;
    const bar = keys.barOf(symbol, ts);
    if (bar === undefined || bar >= model.size) {
      this.findings.add('misfiled', `${symbol} at ${new Date(ts * 1000).toISOString()} was never sent`);
      return;
    }
    const contents = versions.map((version) => this.identify(bar, version));
    this.stored[bar] = contents.at(-1) ?? 0;
    this.compareSpans(bar, versions);
    const fault = faultOfHistory(model.sendsOf(bar), contents, this.dead.of(this.sender, bar));
    if (fault !== undefined) this.findings.add('history', `${this.nameOf(bar)} ${fault}`);
  }

  /** @returns the content of a version; -1 when nobody sent these values */
  private identify(bar: number, version: KnownVersion): number {
    const { salt } = this.sender;
    const content = contentOf(salt, bar, version.volume);
    if (content !== undefined && areSame(version, valuesOf(salt, bar, content))) return content;
    const { open, high, low, close, volume } = version;
    const found = JSON.stringify({ open, high, low, close, volume });
    const owner = this.ownerOf(version);
    if (owner === undefined)
      this.findings.add('values', `${this.nameOf(bar)} has ${found}, which nobody sent`);
    else this.findings.add('misfiled', `${this.nameOf(bar)} has what was sent as ${owner}`);
    return -1;
  }

  /** The bar and version of which these values are, if they are any. */
  private ownerOf(version: BarValues): string | undefined {
    const { salt, model } = this.sender;
    for (let bar = 0; bar < model.size; bar++) {
      const content = contentOf(salt, bar, version.volume);
      if (content !== undefined && areSame(version, valuesOf(salt, bar, content)))
        return `${this.nameOf(bar)} in version ${content}`;
    }
    return undefined;
  }

  /** Each version lasts until the next one, and for a time. */
  private compareSpans(bar: number, versions: readonly KnownVersion[]): void {
    versions.forEach(({ receivedAt, supersededAt }, index) => {
      if (supersededAt === undefined) return;
      const next = versions[index + 1]?.receivedAt;
      if (supersededAt <= receivedAt)
        this.findings.add('spans', `${this.nameOf(bar)} has an empty one at ${receivedAt}`);
      if (supersededAt !== next)
        this.findings.add(
          'spans',
          `${this.nameOf(bar)} has one until ${supersededAt}, the next begins ${next}`,
        );
    });
  }

  /** Of a body that nobody knows of, all rows are stored, or none. */
  private compareBodies(): void {
    for (const { from, rows, sends } of this.sender.bodies ?? []) {
      const stored = this.stored.subarray(from, from + rows).reduce((sum, one) => sum + (one > 0 ? 1 : 0), 0);
      if (stored > 0 && stored < rows && sends.every(({ fate }) => fate === 'doubt'))
        this.findings.add('bodies', `${stored} of ${rows} rows of a body that was not answered are stored`);
    }
  }

  private compareSums(sums: { answers: number; inserted: number; updated: number }, isAll: boolean): void {
    const { bars, revisions } = this;
    const isKept = isAll
      ? sums.inserted === bars && sums.updated === revisions
      : sums.inserted <= bars && sums.updated <= revisions;
    if (isKept) return;
    const found = `${bars} bars and ${revisions} earlier versions`;
    this.findings.add('counts', `${JSON.stringify(sums)} were answered, there are ${found}`);
  }

  private nameOf(bar: number): string {
    const { keys } = this.sender;
    return `${keys.symbolOf(bar)} at ${new Date(keys.tsOf(bar) * 1000).toISOString()} (bar ${bar})`;
  }
}
