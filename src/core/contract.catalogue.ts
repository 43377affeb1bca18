import { AuditEnvelope } from './audit.envelope.js';
import { BACKPRESSURE_LEVELS } from './backpressure.level.js';
import { ClusterTopology } from './cluster.topology.js';
import type { ContractClass } from './contract.fields.js';
import { CONTROL_ACTIONS } from './control.action.js';
import { ControlResult } from './control.result.js';
import { FeedbackEvent } from './feedback.event.js';
import { HealthComponent, HealthStatus } from './health.status.js';
import { NodeStatus } from './node.status.js';
import { RateAdjustment } from './rate.adjustment.js';

/** What a contract is here: a class, or the words of an enumeration. */
export type Contract = ContractClass | readonly string[];

/** Every contract of Core v1.1.0 by the `$id` of its JSON Schema. */
export const CONTRACTS: ReadonlyMap<string, Contract> = new Map<string, Contract>([
  ['federation.ClusterTopology', ClusterTopology],
  ['federation.NodeStatus', NodeStatus],
  ['telemetry.AuditEnvelope', AuditEnvelope],
  ['telemetry.BackpressureLevel', BACKPRESSURE_LEVELS],
  ['telemetry.ControlAction', CONTROL_ACTIONS],
  ['telemetry.ControlResult', ControlResult],
  ['telemetry.FeedbackEvent', FeedbackEvent],
  ['telemetry.HealthComponent', HealthComponent],
  ['telemetry.HealthStatus', HealthStatus],
  ['telemetry.RateAdjustment', RateAdjustment],
]);
