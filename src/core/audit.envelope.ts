import { IsIn, IsString } from 'class-validator';

import { IsContract, IsEpochSeconds } from './contract.decorators.js';
import { CONTROL_ACTIONS, type ControlAction } from './control.action.js';
import { ControlResult } from './control.result.js';

/** Core v1.1.0 `AuditEnvelope`: who asked for a control action, and what came of it. Made by `parseContract`; immutable. */
export class AuditEnvelope {
  /** Who asked. */
  @IsString()
  readonly actor!: string;

  /** In which role. */
  @IsString()
  readonly role!: string;

  @IsIn(CONTROL_ACTIONS)
  readonly action!: ControlAction;

  @IsContract(() => ControlResult)
  readonly result!: ControlResult;

  /** Unix epoch, seconds. */
  @IsEpochSeconds()
  readonly ts!: number;
}
