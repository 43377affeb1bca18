/** What became of the lines of one batch; the four add up to the batch's `lines`. */
export interface WriteCounts {
  /** Bars that were not there before. */
  inserted: number;
  /** Stored bars whose values were replaced. */
  updated: number;
  /** Lines that changed nothing, and whose values are those that are stored afterwards. */
  unchanged: number;
  /**
   * Lines whose values are not those that are stored afterwards: a later version, another line of the batch, or a stored
   * bar that is kept won.
   */
  superseded: number;
  /**
   * Those of `superseded` that gave way to another line of their batch, and are none of its rows. Missing where there are
   * none, and in sums.
   */
  repeated?: number;
}
