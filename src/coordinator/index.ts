export { BoundedQueue } from './bounded.queue.js';
export {
  CircuitBreaker,
  CircuitOpenError,
  type CircuitBreakerOptions,
  type CircuitChange,
  type CircuitState,
} from './circuit.breaker.js';
export { CoordinatorStoppedError, WriteRefusedError } from './coordinator.errors.js';
export type { CoordinatorSnapshot, RowLedger, WriteCoordinatorOptions } from './coordinator.options.js';
export { classifyFailure, lookUpFailure, type Failure, type FailureClass } from './failure.table.js';
export type { Listener } from './guarded.listeners.js';
export { QueueClosedError, QueueFullError } from './queue.errors.js';
export type {
  BoundedQueueOptions,
  LevelChange,
  OfferOptions,
  OverflowStrategy,
  PutOptions,
  TakeOptions,
} from './queue.options.js';
export { RetryPolicy, type RetryPolicyOptions } from './retry.policy.js';
export type { Entry, Sink } from './sink.js';
export type { LevelReason } from './watermarks.js';
export { WriteCoordinator } from './write.coordinator.js';
export type { RefusalReason, WriteObserver } from './write.observer.js';
