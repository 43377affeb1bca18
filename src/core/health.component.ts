import { IsIn, IsString } from 'class-validator';

import { IsTextMap } from './contract.decorators.js';
import { HEALTH_STATES, type HealthState } from './health.state.js';

/** Core v1.1.0 `HealthComponent`: one part of a service and how it is. Made by `parseContract`; immutable. */
export class HealthComponent {
  @IsString()
  readonly name!: string;

  @IsIn(HEALTH_STATES)
  readonly state!: HealthState;

  /** Why, in words or numbers. */
  @IsTextMap()
  readonly details: Readonly<Record<string, string>> = {};
}
