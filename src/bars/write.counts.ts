/** What became of the lines of one batch; the three add up to the batch's `lines`. */
export interface WriteCounts {
  /** Bars that were not there before. */
  inserted: number;
  /** Stored bars whose values were replaced. */
  updated: number;
  /** Lines that changed no stored bar: the same values, or older than what is stored, or replaced in the batch. */
  unchanged: number;
}
