import { IsIn, IsString } from 'class-validator';

import { IsEpochSeconds, IsListOf } from './contract.decorators.js';
import { HealthComponent } from './health.component.js';
import { HEALTH_STATES, type HealthState } from './health.state.js';

export { HealthComponent } from './health.component.js';
export type { HealthState } from './health.state.js';

/** Core v1.1.0 `HealthStatus`: how a service and each of its parts is. Made by `parseContract`; immutable. */
export class HealthStatus {
  @IsString()
  readonly service!: string;

  @IsIn(HEALTH_STATES)
  readonly state!: HealthState;

  @IsListOf(() => HealthComponent)
  readonly components: readonly HealthComponent[] = [];

  @IsString()
  readonly version!: string;

  /** Unix epoch, seconds. */
  @IsEpochSeconds()
  readonly ts!: number;
}
