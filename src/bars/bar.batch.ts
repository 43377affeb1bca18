import type { Entry } from '../coordinator/sink.js';

/**
 * What becomes of a bar where one of its series and ts is stored: it replaces the stored one if it was received later, or
 * the stored one is kept as it is.
 */
export type OnConflict = 'replace' | 'keep';

/**
 * Bars decoded once, in the form in which PostgreSQL takes them. Invariant: no two tuples have the same series
 * and ts (of two lines of a body the later one is left, and with `keep` the earlier one).
 */
export interface BarBatch extends Entry {
  /** Tuples in `tuples`. */
  readonly rows: number;
  /** Lines accepted, at least `rows`: lines that gave way to another of the same body count here only. */
  readonly lines: number;
  /** Those of the lines left out whose values differ from the line that is left. */
  readonly superseded: number;
  /**
   * The lines left out, as tuples like those of `tuples`: for the counts where another line than the body's own is stored.
   * Undefined when there are none, and when nobody waits for the counts; a batch that was cut, joined or read back
   * from disk has none.
   */
  repeated?: Buffer | undefined;
  /**
   * The batch's own dictionary of names (see seriesName): the series field of a tuple is an index into it until the
   * sink maps it.
   */
  readonly series: readonly string[];
  /** UTC years in which bars of the batch lie: the partitions it needs. */
  readonly years: ReadonlySet<number>;
  /** `rows` binary COPY tuples (see tuple.ts); the series field is a dictionary index, received_at is zero. */
  readonly tuples: Buffer;
  /** What its sender asked for; all bars of a batch have it in common. */
  readonly onConflict: OnConflict;
  /**
   * When the batch was received: Unix epoch microseconds, unique within the process. Of two versions of a bar
   * the one with the later receipt wins. Set once, when the batch is admitted; 0 before.
   */
  receivedAt: number;
}
