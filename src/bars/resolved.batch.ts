import type { BarBatch } from './bar.batch.js';

/** One batch and the series id of each entry of its dictionary. */
export interface ResolvedBatch {
  readonly batch: BarBatch;
  readonly ids: Int32Array;
}
