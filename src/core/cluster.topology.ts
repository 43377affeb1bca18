import { IsContract, IsListOf } from './contract.decorators.js';
import { ClusterId, Region } from './federation.names.js';
import { NodeStatus } from './node.status.js';

/** Core v1.1.0 `ClusterTopology`: the services of a cluster. Made by `parseContract`; immutable. */
export class ClusterTopology {
  @IsContract(() => ClusterId)
  readonly cluster_id!: ClusterId;

  @IsContract(() => Region)
  readonly region!: Region;

  @IsListOf(() => NodeStatus)
  readonly nodes!: readonly NodeStatus[];
}
