export { AuditEnvelope } from './audit.envelope.js';
export { BACKPRESSURE_LEVELS, type BackpressureLevel } from './backpressure.level.js';
export { ClusterTopology } from './cluster.topology.js';
export { parseContract } from './contract.js';
export { CONTRACTS, type Contract } from './contract.catalogue.js';
export { ContractError, type ContractViolation } from './contract.error.js';
export { schemaOf, type JsonSchema } from './contract.schema.js';
export { CONTROL_ACTIONS, type ControlAction } from './control.action.js';
export { ControlResult } from './control.result.js';
export { ClusterId, NodeId, Region } from './federation.names.js';
export { FeedbackEvent } from './feedback.event.js';
export { HealthComponent } from './health.component.js';
export { HEALTH_STATES, type HealthState } from './health.state.js';
export { HealthStatus } from './health.status.js';
export { NODE_ROLES, NodeStatus, type NodeRole } from './node.status.js';
export {
  FEDERATION_DIRECTORY,
  FEEDBACK_PUBLISHER,
  RATE_CONTROLLER,
  type FederationDirectory,
  type FeedbackPublisher,
  type RateController,
} from './protocols.js';
export { RateAdjustment } from './rate.adjustment.js';
