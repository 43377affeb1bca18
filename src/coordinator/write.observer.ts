import type { FailureClass } from './failure.table.js';
import { callGuarded, warn } from './guarded.call.js';

/**
 * Why rows were refused. Before they were accepted: `queue_full`, `circuit_open`, `not_running`, `spool` when
 * they could not be made safe. After it: `write_refused` by the sink, `abandoned` when the coordinator stopped.
 */
export const REFUSAL_REASONS = [
  'queue_full',
  'circuit_open',
  'not_running',
  'spool',
  'write_refused',
  'abandoned',
] as const;

/** One of them. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Who writes: a worker by its number, or the isolator. */
export type Caller = number | 'isolator';

/** What a coordinator tells metrics and logs. Every callback is optional, and what one throws does no harm. */
export interface WriteObserver {
  /** Rows were put into the queue. */
  onAccepted?(rows: number): unknown;
  /** Rows of one entry were refused. */
  onRefused?(rows: number, reason: RefusalReason): unknown;
  /** An entry was refused before anybody looked at what is in it. */
  onRefusedUnread?(): unknown;
  /** A worker, or the isolator, committed a batch; `seconds` is the time of the write that succeeded, without earlier tries. */
  onBatchWritten?(caller: Caller, rows: number, entries: number, seconds: number): unknown;
  /** A write failed; `attempt` counts from 1 per batch and error class. */
  onWriteError?(caller: Caller, errorClass: FailureClass, error: unknown, attempt: number): unknown;
  /** Rows of an entry are in the dead-letter queue. */
  onDeadLetter?(id: string, rows: number, reason: string): unknown;
  /** The spool could not be read, or the dead-letter queue not be written; it will be tried again. */
  onFeedError?(error: unknown): unknown;
  /** Code failed that should not: a worker's, a listener's or an observer's. The worker goes on. */
  onWorkerBug?(error: unknown): unknown;
}

/** An observer with every callback present and none that throws. */
export function guardObserver(observer: WriteObserver): Required<WriteObserver> {
  const onWorkerBug = (error: unknown) =>
    callGuarded(() => (observer.onWorkerBug ? observer.onWorkerBug(error) : warn(error)));
  return {
    onAccepted: (rows) => callGuarded(() => observer.onAccepted?.(rows), onWorkerBug),
    onRefused: (rows, reason) => callGuarded(() => observer.onRefused?.(rows, reason), onWorkerBug),
    onRefusedUnread: () => callGuarded(() => observer.onRefusedUnread?.(), onWorkerBug),
    onBatchWritten: (caller, rows, entries, seconds) =>
      callGuarded(() => observer.onBatchWritten?.(caller, rows, entries, seconds), onWorkerBug),
    onWriteError: (caller, errorClass, error, attempt) =>
      callGuarded(() => observer.onWriteError?.(caller, errorClass, error, attempt), onWorkerBug),
    onDeadLetter: (id, rows, reason) =>
      callGuarded(() => observer.onDeadLetter?.(id, rows, reason), onWorkerBug),
    onFeedError: (error) => callGuarded(() => observer.onFeedError?.(error), onWorkerBug),
    onWorkerBug,
  };
}
