/** What became of the lines of one batch; the four add up to the batch's `lines`. */
export interface WriteCounts {
  /** Bars that were not there before. */
  inserted: number;
  /** Stored bars whose values were replaced. */
  updated: number;
  /** Lines whose values were stored before. */
  unchanged: number;
  /**
   * Lines whose values are not those that are stored afterwards: a later version, another line of the batch, or a stored
   * bar that is kept won.
   */
  superseded: number;
}
