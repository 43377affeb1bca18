import type { ClusterTopology } from './cluster.topology.js';
import type { FeedbackEvent } from './feedback.event.js';
import type { RateAdjustment } from './rate.adjustment.js';

/** Core v1.1.0 protocol: takes events to whoever listens. */
export interface FeedbackPublisher {
  /** Resolves when the event is handed over; a listener's failure never rejects it. */
  publish(event: FeedbackEvent): Promise<void>;
}

/** Core v1.1.0 protocol: changes the rate of a provider. */
export interface RateController {
  apply(adjustment: RateAdjustment): Promise<void>;
}

/** Core v1.1.0 protocol: knows the services of the family. */
export interface FederationDirectory {
  /** The services that are alive. */
  topology(): Promise<ClusterTopology>;
  /** Base URL of each by its node id. */
  endpoints(): Promise<Readonly<Record<string, string>>>;
}

/** Injection token of the FeedbackPublisher that the coordinator's events go to. */
export const FEEDBACK_PUBLISHER = Symbol('FEEDBACK_PUBLISHER');

/** Injection token of the RateController that adjustments go to. */
export const RATE_CONTROLLER = Symbol('RATE_CONTROLLER');

/** Injection token of the FederationDirectory that answers who is there. */
export const FEDERATION_DIRECTORY = Symbol('FEDERATION_DIRECTORY');
