import { BarKeys } from './bar.keys.js';
import { LargeProducer } from './large.producer.js';
import { Producer, type Post, type Sender } from './producer.js';
import { Random } from './random.js';
import type { Replica } from './replica.js';

const STEADY = 3;
/** So few that a few bodies begin a new series: services remember series that an older copy of the database lacks. */
const BARS_PER_NEW_SERIES = 30;

/** Who loads the services: producers that send all the time, and some that send when a fault wants it. */
export class Load {
  private readonly random: Random;
  private readonly running: Producer[] = [];
  private readonly occasional = new Map<string, Producer>();
  private large: LargeProducer | undefined;

  constructor(
    random: Random,
    private readonly replicas: readonly Replica[],
    /** Rows that a body may have. */
    private readonly mostRows: number,
  ) {
    this.random = new Random(random.between(0, 2 ** 31));
  }

  /** Those that send all the time, of whom the first has bars of one series. */
  get producers(): readonly Producer[] {
    return this.running;
  }

  /** All that ever sent. */
  get senders(): readonly Sender[] {
    return [...this.running, ...this.occasional.values(), ...(this.large ? [this.large] : [])];
  }

  /** What they sent, in sums. */
  get totals(): { readonly acknowledged: number; readonly refused: number; readonly cut: number } {
    const sum = (of: (producer: Producer) => number) =>
      [...this.running, ...this.occasional.values()].reduce((total, one) => total + of(one), 0);
    return {
      acknowledged: sum((one) => one.acknowledged) + (this.large?.acknowledged ?? 0),
      refused: sum((one) => one.refused),
      cut: sum((one) => one.cut),
    };
  }

  /** Adds those of a usual run. */
  addAll(): void {
    for (let index = 0; index < STEADY; index++)
      this.add({ keys: new BarKeys({ provider: `STEADY${index}` }) });
    this.add({ keys: new BarKeys({ provider: 'COUNTED' }), awaitsCommit: true });
    this.add({ keys: new BarKeys({ provider: 'NEWSERIES', barsPerSeries: BARS_PER_NEW_SERIES }) });
  }

  /** Adds one; by default it sends through any of the services. */
  add(options: { keys: BarKeys; awaitsCommit?: boolean; post?: Post }): void {
    const random = this.nextRandom();
    const post: Post = (body, rows, query) => random.pick(this.replicas).post(body, rows, query);
    this.running.push(new Producer({ post, ...options, random }));
  }

  /** Begins to send. */
  start(): void {
    for (const producer of this.running) producer.start();
  }

  /** Stops after the requests under way. */
  async stop(): Promise<void> {
    await Promise.all(this.running.map((producer) => producer.stop()));
  }

  /** One that sends to this service alone, and when it is asked. */
  occasionalProducer(kind: string, replica: Replica): Producer {
    const provider = `${kind}${this.replicas.indexOf(replica)}`;
    const post: Post = (body, rows, query) => replica.post(body, rows, query);
    const producer =
      this.occasional.get(provider) ??
      new Producer({ keys: new BarKeys({ provider }), post, random: this.nextRandom() });
    this.occasional.set(provider, producer);
    return producer;
  }

  /** The one that sends large bodies. */
  largeProducer(): LargeProducer {
    return (this.large ??= new LargeProducer(this.nextRandom(), this.mostRows));
  }

  private nextRandom(): Random {
    return new Random(this.random.between(0, 2 ** 31));
  }
}
