import {
  type BackpressureLevel,
  ContractError,
  parseContract,
  RateAdjustment,
  type RateController,
} from '../core/index.js';
import { levelOf, type LevelPolicy, levelPolicy } from './level.policy.js';

/** The older interface of rate control, replaced by Core's RateController. */
export interface RateCoordinator {
  /** `level` in upper or lower case. */
  set_global_pressure(provider: string, level: string): unknown;
  /** `scale` from 0 to 1. */
  set_budget_scale(provider: string, scale: number): unknown;
}

let warned = false;

/**
 * Both interfaces on top of either: calls of the older one become adjustments of a RateController, and an object
 * that has only the older one can be used as a RateController. Version 0.5.0 removes it.
 */
export class RateCoordinatorAdapter implements RateController, RateCoordinator {
  private readonly controller: RateController;
  private readonly policy: LevelPolicy;

  /** Emits the DeprecationWarning MDS_DEP0001, once per process. */
  constructor(target: RateController | RateCoordinator, policy?: Partial<LevelPolicy>) {
    this.controller = 'apply' in target ? target : controllerOf(target);
    this.policy = levelPolicy(policy);
    if (warned) return;
    warned = true;
    process.emitWarning('set_global_pressure and set_budget_scale are replaced by RateController.apply', {
      type: 'DeprecationWarning',
      code: 'MDS_DEP0001',
      detail: 'Version 0.5.0 removes them, and with them MDP_FB_USE_CORE_CONTRACTS.',
    });
  }

  /** A level with its own scale is a pressure; what the older calls cannot say is passed on as it is. */
  apply(adjustment: RateAdjustment): Promise<void> {
    const { provider, scale, reason } = adjustment;
    return scale === this.policy[reason]
      ? this.set_global_pressure(provider, reason)
      : this.controller.apply(adjustment);
  }

  /** Gives the provider the scale of a level. Rejects with a ContractError when the level is none. */
  async set_global_pressure(provider: string, level: string): Promise<void> {
    const reason = levelOf(level);
    if (reason === undefined) {
      throw new ContractError('BackpressureLevel', [
        { field: 'level', detail: `must be ok, soft or hard, not ${JSON.stringify(level)}` },
      ]);
    }
    await this.adjust(provider, this.policy[reason], reason);
  }

  /** Gives the provider a scale. Rejects with a ContractError when it is not from 0 to 1. */
  async set_budget_scale(provider: string, scale: number): Promise<void> {
    await this.adjust(provider, scale, this.reasonOf(scale));
  }

  /** The older call names no level: the one whose scale it reaches. */
  private reasonOf(scale: number): BackpressureLevel {
    if (scale >= this.policy.ok) return 'ok';
    return scale <= this.policy.hard ? 'hard' : 'soft';
  }

  private adjust(provider: string, scale: number, reason: BackpressureLevel): Promise<void> {
    return this.controller.apply(
      parseContract(RateAdjustment, { provider, scale, reason, ts: Date.now() / 1000 }),
    );
  }
}

function controllerOf(older: RateCoordinator): RateController {
  return {
    apply: async ({ provider, scale, reason }) => {
      // The scale last: what it says is exact, where a pressure may be turned into a scale of the other's choice.
      await older.set_global_pressure(provider, reason);
      await older.set_budget_scale(provider, scale);
    },
  };
}
