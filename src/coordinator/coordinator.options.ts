import type { BackpressureLevel } from '../core/backpressure.level.js';
import type { Isolation } from './batch.isolator.js';
import type { CircuitBreakerOptions, CircuitState } from './circuit.breaker.js';
import type { RetryPolicyOptions } from './retry.policy.js';
import type { Entry, EntryParts, Sink } from './sink.js';
import type { WriteObserver } from './write.observer.js';

/** Settings of a WriteCoordinator. */
export interface WriteCoordinatorOptions<T extends Entry, R> {
  /** Names the coordinator in events, metrics and errors. */
  readonly id: string;
  /** Most rows held at once, queued and in flight. */
  readonly capacity: number;
  /** Rows at or above which the level is `hard`; default 0.8 of the capacity. */
  readonly highWatermark?: number | undefined;
  /** Rows at or below which the level is `ok`; default 0.5 of the capacity. */
  readonly lowWatermark?: number | undefined;
  /** Writes that run at the same time at most. */
  readonly workers: number;
  /** Rows per write; a heavier entry is written alone. */
  readonly batchSize: number;
  /** Milliseconds an entry waits at most for company, when a worker is free. */
  readonly flushIntervalMs: number;
  readonly retry?: RetryPolicyOptions | undefined;
  readonly breaker?: Omit<CircuitBreakerOptions, 'onListenerError'> | undefined;
  readonly sink: Sink<T, R>;
  /** Undefined: an entry with a row that the sink refuses is refused whole. */
  readonly parts?: EntryParts<T, R> | undefined;
  readonly observer?: WriteObserver | undefined;
}

/** Rows since the start. At every moment: accepted = committed + refused + held (the snapshot's `queueSize`). */
export interface RowLedger {
  /** Rows put into the queue. */
  readonly accepted: number;
  /** Accepted rows that the sink committed. */
  readonly committed: number;
  /** Accepted rows whose submitter got an error. */
  readonly refused: number;
}

/** A coordinator at one moment. */
export interface CoordinatorSnapshot {
  readonly coordinatorId: string;
  readonly workersAlive: number;
  /** Rows held: queued and in flight, for both take memory. */
  readonly queueSize: number;
  /** Most rows held at once. */
  readonly capacity: number;
  /** queueSize / capacity, from 0 to 1. */
  readonly utilization: number;
  readonly level: BackpressureLevel;
  readonly circuitState: CircuitState;
  /** The failure that opened the circuit; undefined while it is closed. */
  readonly circuitCause: unknown;
  /** Rows that failed while the store took others. */
  readonly isolation: Isolation;
  readonly rows: RowLedger;
}
