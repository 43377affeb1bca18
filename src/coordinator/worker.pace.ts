import type { TakeOptions } from './queue.options.js';

/** A worker begins with small batches: a service that dies again and again soon after its start must get on. */
const FIRST_BATCH_ROWS = 1_000;
/**
 * Up to the low watermark one worker writes while entries come: the database would take the processor from those who
 * bring them, and one keeps up with what they bring most of the time. Once none has come for this long, all write.
 */
const QUIET_MS = 100;
/** And one whose write hangs must not hold up the others for longer than this. */
const BACKLOG_LINGER_MS = 500;

/** Rows of a worker's batches at most, one after the other, without end. */
export function* batchSizes(batchSize: number): Generator<number> {
  for (let size = FIRST_BATCH_ROWS; ; size *= 2) yield Math.min(size, batchSize);
}

/** When a worker takes its next batch: the first as soon as there is company, the others when there is a backlog. */
export function paceOf(
  workerId: number,
  {
    maxRows,
    flushIntervalMs,
    lowWatermark,
  }: { readonly maxRows: number; readonly flushIntervalMs: number; readonly lowWatermark: number },
): TakeOptions {
  if (workerId === 0) return { lingerMs: flushIntervalMs };
  return {
    lingerMs: flushIntervalMs + BACKLOG_LINGER_MS,
    quietMs: QUIET_MS,
    // However low the watermark, a batch waits for company.
    readyRows: Math.max(maxRows, lowWatermark),
  };
}
