import type { Entry } from '../coordinator/sink.js';

/**
 * Bars decoded once, in the form in which PostgreSQL takes them. Invariant: no two tuples have the same series
 * and ts (the later line of a body replaced the earlier one).
 */
export interface BarBatch extends Entry {
  /** Tuples in `tuples`. */
  readonly rows: number;
  /** Lines accepted, at least `rows`: lines that a later line of the same body replaced count here only. */
  readonly lines: number;
  /** Those of the replaced lines whose values differ from the line that replaced them. */
  readonly superseded: number;
  /**
   * The batch's own dictionary of names (see seriesName): the series field of a tuple is an index into it until the
   * sink maps it.
   */
  readonly series: readonly string[];
  /** UTC years in which bars of the batch lie: the partitions it needs. */
  readonly years: ReadonlySet<number>;
  /** `rows` binary COPY tuples (see tuple.ts); the series field is a dictionary index, received_at is zero. */
  readonly tuples: Buffer;
  /**
   * When the batch was received: Unix epoch microseconds, unique within the process. Of two versions of a bar
   * the one with the later receipt wins. Set once, when the batch is admitted; 0 before.
   */
  receivedAt: number;
}
