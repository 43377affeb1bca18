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
export { FeedbackBus } from './feedback/feedback.bus.js';
export { feedbackMessage, type FeedbackMessage } from './feedback/feedback.message.js';
export {
  HttpFeedbackBroadcaster,
  type HttpFeedbackBroadcasterOptions,
} from './feedback/http.feedback.broadcaster.js';
export { LevelSignaller, type LevelSignallerOptions, type SignalSource } from './feedback/level.signaller.js';
export type { ChannelHealth, OutageLog } from './feedback/outage.js';
export { DeadLetterQueue, type DeadLetterQueueOptions } from './dead-letters/dead.letter.queue.js';
export {
  DeadLetterDamagedError,
  type DeadLetter,
  type DeadLetterReason,
} from './dead-letters/dead.letter.js';
export { DurableCoordinator, type AwaitedEntry } from './durable.coordinator.js';
export type { DurableCoordinatorOptions, DurableSnapshot, QueueLoad, EntryCodec } from './durable.options.js';
export {
  RedisFeedbackPublisher,
  type RedisFeedbackPublisherOptions,
} from './feedback/redis.feedback.publisher.js';
export {
  RedisFeedbackSubscriber,
  type RedisFeedbackSubscriberOptions,
  type SubscriberCounts,
} from './feedback/redis.feedback.subscriber.js';
export {
  FeedbackEvent,
  parseFeedbackEvent,
  type FeedbackEventFields,
  type FeedbackReason,
} from './feedback/store.feedback.event.js';
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
export type { Isolation } from './batch.isolator.js';
export type { Entry, EntryParts, Sink, Takes } from './sink.js';
export { SpoolBusyError, SpoolFullError, SpoolUnavailableError } from './spool/spool.errors.js';
export { Spool, type SpoolItem } from './spool/spool.js';
export type { SpoolInput } from './spool/group.commit.js';
export type { SpoolObserver, SpoolOptions, SpoolRoom, SpoolSnapshot } from './spool/spool.options.js';
export type { LevelReason } from './watermarks.js';
export { WriteCoordinator } from './write.coordinator.js';
export type { Caller, RefusalReason, WriteObserver } from './write.observer.js';
