import { areSame, contentOf, valuesOf, type BarValues } from './bar.values.js';
import type { Findings } from './findings.js';
import type { Poison } from './poison.js';
import type { Sender } from './producer.js';
import type { Replica } from './replica.js';

interface DeadBar extends BarValues {
  readonly provider: string;
  readonly symbol: string;
  readonly ts: string;
}

interface Page {
  readonly records: readonly { readonly id: string; readonly reason?: unknown }[];
  readonly next_page_token: string | null;
}

const NONE: ReadonlySet<number> = new Set();

/** The versions that lie in the dead-letter queues. */
export class DeadBars {
  private readonly contents = new Map<Sender, Map<number, Set<number>>>();

  constructor(
    private readonly senders: readonly Sender[],
    private readonly poison: Poison,
    private readonly findings: Findings,
  ) {}

  /** Contents of a bar that are dead letters. */
  of(sender: Sender, bar: number): ReadonlySet<number> {
    return this.contents.get(sender)?.get(bar) ?? NONE;
  }

  /** Adds those of one service. */
  async read({ service, name }: Replica): Promise<void> {
    let letters = 0;
    for (let after = ''; ;) {
      const page = await service.get<Page>(`/v1/dlq?limit=1000${after}`);
      for (const { id } of page.records) {
        letters++;
        const { content } = await service.get<{ content: DeadBar[] }>(`/v1/dlq/${id}`);
        for (const bar of content) this.add(bar);
      }
      if (page.next_page_token === null) break;
      after = `&page_token=${page.next_page_token}`;
    }
    const { dlq_records } = await service.get<{ dlq_records: number }>('/v1/coordinator');
    if (dlq_records !== letters)
      this.findings.add('dead letters', `${name} counts ${dlq_records} and lists ${letters}`);
  }

  private add({ provider, symbol, ts, ...values }: DeadBar): void {
    const seconds = Date.parse(ts) / 1000;
    const sender = this.senders.find(({ keys }) => keys.provider === provider);
    const bar = sender?.keys.barOf(symbol, seconds);
    const content = sender && bar !== undefined ? contentOf(sender.salt, bar, values.volume) : undefined;
    if (!sender || bar === undefined || content === undefined) {
      this.findings.add('dead letters', `${symbol} at ${ts} was never sent`);
      return;
    }
    if (!areSame(values, valuesOf(sender.salt, bar, content)))
      this.findings.add('dead letters', `${symbol} at ${ts} has other values than were sent`);
    if (!this.poison.mayRefuse(symbol, seconds))
      this.findings.add('dead letters', `${symbol} at ${ts} is sound, and a dead letter`);
    const bars = this.contents.get(sender) ?? new Map<number, Set<number>>();
    this.contents.set(sender, bars);
    bars.set(bar, (bars.get(bar) ?? new Set()).add(content));
  }
}
