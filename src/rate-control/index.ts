export type { ProviderRate } from '../config/provider.rate.js';
export type { AcquireOptions, AcquireRefusal, AcquireResult, Refused } from './acquire.result.js';
export { parseDuckTypedEvent } from './duck.typed.event.js';
export { FeedbackHandler, type FeedbackHandlerOptions } from './feedback.handler.js';
export { LevelAggregator, type LevelAggregatorOptions } from './level.aggregator.js';
export { DEFAULT_LEVEL_POLICY, type LevelPolicy } from './level.policy.js';
export type { RateListener } from './ordered.listeners.js';
export type { ProviderCircuitOptions, ProviderCircuitState } from './provider.circuit.js';
export type { ProviderEntry } from './provider.entry.js';
export { RateCoordinatorAdapter, type RateCoordinator } from './rate.coordinator.adapter.js';
export { ProviderNameError, TooManyProvidersError, UnknownProviderError } from './rate.errors.js';
export {
  TokenBucketRateController,
  type TokenBucketRateControllerOptions,
} from './token.bucket.rate.controller.js';
