import { IsIn, IsString } from 'class-validator';

import { IsContract, IsEpochSeconds } from './contract.decorators.js';
import { NodeId } from './federation.names.js';
import { HEALTH_STATES, type HealthState } from './health.state.js';

/** The node roles of Core v1.1.0. */
export const NODE_ROLES = ['orchestrator', 'pipeline', 'store'] as const;

/** Core v1.1.0 `NodeRole`: what a service of the family does. */
export type NodeRole = (typeof NODE_ROLES)[number];

/** Core v1.1.0 `NodeStatus`: one service of a cluster and how it is. Made by `parseContract`; immutable. */
export class NodeStatus {
  @IsContract(() => NodeId)
  readonly node_id!: NodeId;

  @IsIn(NODE_ROLES)
  readonly role!: NodeRole;

  @IsIn(HEALTH_STATES)
  readonly health!: HealthState;

  @IsString()
  readonly version!: string;

  /** When it was last heard of: Unix epoch, seconds. */
  @IsEpochSeconds()
  readonly last_seen_ts!: number;
}
