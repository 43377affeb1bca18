import { CircuitOpenError, type CircuitBreaker } from './circuit.breaker.js';
import { lookUpFailure, sqlstateOf, type Failure, type FailureClass } from './failure.table.js';
import type { Entry, Sink, Takes } from './sink.js';
import type { Caller, WriteObserver } from './write.observer.js';
import type { Part } from './write.ticket.js';

/**
 * What a failed write calls for. `again`: another try soon. `store`: the store takes nothing now, so wait. `kind`: it
 * takes others, but none like these, so wait without keeping others waiting. `rows`: these rows are refused while
 * others are taken, or nobody can tell: take them apart.
 */
export type Verdict = 'again' | 'store' | 'kind' | 'rows';

/** A write that failed, and what was found out about it. */
export interface SinkFailure extends Failure {
  readonly verdict: Verdict;
  readonly error: unknown;
  /** When, in milliseconds of performance.now. */
  readonly at: number;
  /** What the store took right afterwards; undefined when it was not asked. */
  readonly takes: Takes | undefined;
}

/** What became of entries that were tried one by one, in their order. */
export interface Trial {
  /** The error of each that would be refused. */
  readonly errors: readonly (Error | undefined)[];
  readonly takes: Takes | undefined;
  readonly at: number;
}

/** How often a batch failed, by class of failure. */
export type Tries = Record<FailureClass, number>;

/** The tries of a batch that was not tried yet. */
export function noTries(): Tries {
  return { data: 0, transient: 0, timeout: 0, unavailable: 0, unknown: 0 };
}

/** What a GuardedSink works with. */
export interface GuardedSinkOptions<T extends Entry, R> {
  readonly sink: Sink<T, R>;
  readonly breaker: CircuitBreaker;
  readonly observer: Required<WriteObserver>;
  /** Tries of a batch that lost a race, before that counts as a failure of the store. */
  readonly maxAttempts: number;
  /** Ends every wait for the circuit. */
  readonly signal: AbortSignal;
}

/** A call's result, and the error that counts against the circuit. */
interface Counted<V> {
  readonly value: V;
  readonly against: unknown;
}

/**
 * The sink behind the circuit breaker. After a failure it asks the store whether it takes others: only when it does not
 * is that a failure for the circuit, and only when it does can rows be at fault.
 */
export class GuardedSink<T extends Entry, R> {
  private newestCommit = -Infinity;

  constructor(private readonly options: GuardedSinkOptions<T, R>) {}

  /** When the commit that began last began, in milliseconds of performance.now. */
  get newestCommitBegan(): number {
    return this.newestCommit;
  }

  /** True when the sink can try entries one by one. */
  get canTryEach(): boolean {
    return this.options.sink.tryEach !== undefined;
  }

  /** Writes the parts in one transaction; counts a failure in `tries`. Rejects on the signal only. */
  async write(
    caller: Caller,
    parts: readonly Part<T, R>[],
    tries: Tries,
  ): Promise<readonly R[] | SinkFailure> {
    return await this.guarded<readonly R[] | SinkFailure>(async () => {
      try {
        return { value: await this.writeOnce(caller, parts), against: undefined };
      } catch (error) {
        return await this.examine(caller, parts, tries, error);
      }
    });
  }

  /** Tries each of the singles by itself; `parts` are what they were cut from. */
  async tryEach(
    caller: Caller,
    parts: readonly Part<T, R>[],
    singles: readonly T[],
    tries: Tries,
  ): Promise<Trial | SinkFailure> {
    return await this.guarded<Trial | SinkFailure>(async () => {
      try {
        let errors = await this.tryOnce(singles);
        const passed = errors.includes(undefined);
        const takes = passed ? { alike: true, any: true } : await this.ask(parts);
        // What refused them may have ended before others were taken: then they are taken now.
        if (takes && isTaking(takes)) errors = await this.tryAgain(singles, errors);
        const against = takes && !isTaking(takes) ? errors[0] : undefined;
        return { value: { errors, takes, at: performance.now() }, against };
      } catch (error) {
        return await this.examine(caller, parts, tries, error);
      }
    });
  }

  private async tryOnce(singles: readonly T[]): Promise<readonly (Error | undefined)[]> {
    const errors = (await this.options.sink.tryEach?.(singles)) ?? [];
    if (errors.length !== singles.length)
      throw new TypeError(`the sink tried ${errors.length} of ${singles.length} entries`);
    return errors;
  }

  /** Tries those again that failed. */
  private async tryAgain(
    singles: readonly T[],
    errors: readonly (Error | undefined)[],
  ): Promise<readonly (Error | undefined)[]> {
    const failed = singles.filter((_, at) => errors[at] !== undefined);
    if (failed.length === 0) return errors;
    const again = (await this.tryOnce(failed)).values();
    return errors.map((error) => error && again.next().value);
  }

  private async writeOnce(caller: Caller, parts: readonly Part<T, R>[]): Promise<readonly R[]> {
    const startedAt = performance.now();
    const results = await this.options.sink.write(parts.map(({ entry }) => entry));
    if (results.length !== parts.length) {
      throw new TypeError(`the sink gave ${results.length} results for ${parts.length} entries`);
    }
    this.newestCommit = Math.max(this.newestCommit, startedAt);
    const rows = parts.reduce((sum, { entry }) => sum + entry.rows, 0);
    const seconds = (performance.now() - startedAt) / 1000;
    this.options.observer.onBatchWritten(caller, rows, parts.length, seconds);
    return results;
  }

  private async examine(
    caller: Caller,
    parts: readonly Part<T, R>[],
    tries: Tries,
    error: unknown,
  ): Promise<Counted<SinkFailure>> {
    const { observer, maxAttempts, breaker } = this.options;
    const at = performance.now();
    const failure = lookUpFailure(error);
    const attempt = ++tries[failure.class];
    observer.onWriteError(caller, failure.class, error, attempt);
    const of = (verdict: Verdict, takes?: Takes): SinkFailure => ({ ...failure, verdict, error, at, takes });

    const lostRace = failure.class === 'transient' && attempt < maxAttempts;
    if (lostRace) return { value: of('again'), against: undefined };
    // Whoever submitted them is told, and decides; only rows that have nobody wait as long as it takes.
    if (parts.some(({ ticket }) => !ticket.safe)) {
      const tooLong = failure.class === 'timeout' && attempt < maxAttempts;
      const verdict = failure.class === 'unavailable' ? 'store' : tooLong ? 'again' : 'rows';
      return { value: of(verdict), against: breaker.isFailure(error) ? error : undefined };
    }
    // No server gave a SQLSTATE: asking would only wait for it as long again.
    const unreachable = failure.class === 'unavailable' && sqlstateOf(error) === undefined;
    const takes = unreachable ? undefined : await this.ask(parts);
    if (takes) return { value: of(verdictOf(takes), takes), against: isTaking(takes) ? undefined : error };
    return {
      value: of(failure.class === 'unavailable' ? 'store' : 'rows'),
      against: failure.class === 'data' ? undefined : error,
    };
  }

  /** Undefined when the sink cannot be asked. */
  private async ask(parts: readonly Part<T, R>[]): Promise<Takes | undefined> {
    try {
      return await this.options.sink.takesOthers?.(parts.map(({ entry }) => entry));
    } catch {
      // It is the first error that says why; this one only says that nothing is taken.
      return { alike: false, any: false };
    }
  }

  private async guarded<V>(call: () => Promise<Counted<V>>): Promise<V> {
    const { breaker, signal } = this.options;
    for (;;) {
      await breaker.whenAllowed(signal);
      const made: { outcome?: Counted<V> } = {};
      try {
        await breaker.execute(
          async () => {
            made.outcome = await call();
            if (made.outcome.against !== undefined) throw made.outcome.against as Error;
          },
          () => true,
        );
      } catch (error) {
        // Another caller got the probe. What the sink throws never comes here.
        if (!made.outcome && error instanceof CircuitOpenError) continue;
        if (!made.outcome) throw error;
      }
      if (made.outcome) return made.outcome.value;
    }
  }
}

function isTaking({ alike, any }: Takes): boolean {
  return alike === true || any === true;
}

function verdictOf({ alike, any }: Takes): Verdict {
  if (alike === true) return 'rows';
  if (alike === false) return any === true ? 'kind' : 'store';
  return any === false ? 'store' : 'rows';
}
