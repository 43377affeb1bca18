import { IsString } from 'class-validator';

/** Core v1.1.0 `ClusterId`: which cluster of services. */
export class ClusterId {
  @IsString()
  readonly value!: string;
}

/** Core v1.1.0 `NodeId`: which service of a cluster. */
export class NodeId {
  @IsString()
  readonly value!: string;
}

/** Core v1.1.0 `Region`: where a cluster runs. */
export class Region {
  @IsString()
  readonly name!: string;
}
