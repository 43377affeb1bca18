import { ProblemError } from '../../http/problem.error.js';
import type { TokenBucketRateController } from '../../rate-control/index.js';
import type { BarBatch } from '../bar.batch.js';
import { providerOf } from '../series.key.js';
import { OFFSET, TUPLE_BYTES } from '../tuple.js';

/** What the buckets must be able to do. */
export type Buckets = Pick<
  TokenBucketRateController,
  'meet' | 'isFree' | 'tryAcquire' | 'giveBack' | 'recordSuccess'
>;

/** Rows that were let in; it is told what became of them. Rows that were given back too early may be taken after all. */
export interface Admitted {
  /** They were taken: their providers deliver, which closes a circuit that was probing. */
  readonly taken: () => void;
  /** They were not: the rows go back to the buckets. */
  readonly giveBack: () => void;
}

const NONE: ReadonlyMap<string, number> = new Map();
const NOT_LIMITED: Admitted = { taken: () => undefined, giveBack: () => undefined };

/**
 * Lets a batch in when each provider in it may send its rows now, and meets those that are new. One without a rate may,
 * whatever its scale, unless a cooldown was asked for it.
 */
export class Admission {
  /** `drainMs` tells how long the queue needs to recover: a paused provider cannot go on before. */
  constructor(
    private readonly buckets: Buckets,
    private readonly drainMs: () => number,
  ) {}

  /**
   * Takes the rows from the providers' buckets, all or none.
   * @param sender stands for who sends them
   * @throws ProblemError `rate-limited`
   */
  admit(batch: BarBatch, sender?: object): Admitted {
    const limited = this.limitedRows(batch, sender);
    if (limited.size === 0) return NOT_LIMITED;
    const granted: [string, number][] = [];
    const giveBack = () => granted.forEach(([provider, rows]) => this.buckets.giveBack(provider, rows));
    for (const [provider, rows] of limited) {
      const result = this.buckets.tryAcquire(provider, rows);
      if (!result.granted) {
        giveBack();
        throw new ProblemError(
          'rate-limited',
          `${provider} may not send ${rows} bars now (${result.reason}).`,
          result.reason === 'paused'
            ? {
                retryAfterMs: Math.max(result.retryAfterMs, this.drainMs()),
                headers: { 'x-backpressure': 'hard' },
              }
            : { retryAfterMs: result.retryAfterMs },
        );
      }
      granted.push([provider, rows]);
    }
    return { taken: () => granted.forEach(([provider]) => this.buckets.recordSuccess(provider)), giveBack };
  }

  /** Rows of each provider that may be refused. */
  private limitedRows(
    { series, rows, tuples }: BarBatch,
    sender: object | undefined,
  ): ReadonlyMap<string, number> {
    // The usual batch is of one provider: its rows are known without looking at any.
    const only = providerOf(series[0] ?? '');
    if (series.every((name) => name.startsWith(`${only} `)))
      return this.isLimited(only, sender) ? new Map([[only, rows]]) : NONE;
    const providers = series.map(providerOf);
    const limited = new Map(
      [...new Set(providers)].filter((name) => this.isLimited(name, sender)).map((name) => [name, 0]),
    );
    if (limited.size === 0) return limited;
    for (let at = OFFSET.series; at < tuples.length; at += TUPLE_BYTES) {
      const provider = providers[tuples.readInt32BE(at)] ?? '';
      const count = limited.get(provider);
      if (count !== undefined) limited.set(provider, count + 1);
    }
    return limited;
  }

  private isLimited(provider: string, sender: object | undefined): boolean {
    this.buckets.meet(provider, sender);
    return !this.buckets.isFree(provider);
  }
}
