import {
  type BackpressureLevel,
  type FeedbackEvent,
  parseContract,
  RateAdjustment,
  type RateController,
} from '../core/index.js';
import { LevelAggregator } from './level.aggregator.js';
import { type LevelPolicy, levelPolicy } from './level.policy.js';
import { warn } from './ordered.listeners.js';

/** Settings of a FeedbackHandler. */
export interface FeedbackHandlerOptions {
  /** Where the adjustments go. */
  readonly controller: RateController;
  /** Names of the providers that are slowed down, or `*` for all that `providersOf` names. */
  readonly providers: readonly string[] | '*';
  /** The providers that have a scale to follow the level with; for `*`. */
  readonly providersOf?: (() => readonly string[]) | undefined;
  /** The scale of each level; default 1, 0.5 and 0. */
  readonly policy?: Partial<LevelPolicy> | undefined;
  /** Default: one with default settings. */
  readonly aggregator?: LevelAggregator | undefined;
  /** Milliseconds after which a provider is tried again whose controller failed, if no event comes first; default 5,000. */
  readonly retryMs?: number | undefined;
  /** Gets what the controller rejects with. Default: a process warning. */
  readonly onError?: ((error: unknown, adjustment: RateAdjustment) => void) | undefined;
  /** Seconds since the Unix epoch, for the adjustments; default the system's clock. */
  readonly epochSeconds?: (() => number) | undefined;
}

/** How far a provider is: the level that the controller has for it (undefined: not known), and whether it is being told. */
interface Progress {
  applied: BackpressureLevel | undefined;
  busy: boolean;
}

/** Turns feedback into the scale of each provider's rate: the level that holds, by policy, each change once. */
export class FeedbackHandler implements Disposable {
  private readonly progress = new Map<string, Progress>();
  private readonly policy: LevelPolicy;
  private readonly aggregator: LevelAggregator;
  private readonly expiry: Disposable;
  private retry: NodeJS.Timeout | undefined;
  private disposed = false;

  /** Throws a RangeError when a scale of the policy is not from 0 to 1. */
  constructor(private readonly options: FeedbackHandlerOptions) {
    this.policy = levelPolicy(options.policy);
    this.aggregator = options.aggregator ?? new LevelAggregator();
    this.expiry = this.aggregator.onExpiry(() => this.refresh());
  }

  /** The level that holds now, over all coordinators. */
  get level(): BackpressureLevel {
    return this.aggregator.effective;
  }

  /** Takes an event and does what `refresh` does. */
  handle(event: FeedbackEvent): Promise<void> {
    this.aggregator.observe(event);
    return this.refresh();
  }

  /**
   * Gives each provider that has not got it the scale of the level that holds now: call it at the start. Resolves when all were told, but for those whose controller still works on an earlier
   * change: they get the newest level afterwards, and levels between are left out. Failures of the controller go to `onError`.
   */
  async refresh(): Promise<void> {
    const { providers, providersOf } = this.options;
    const names = new Set(providers === '*' ? providersOf?.() : providers);
    for (const [name, { busy }] of this.progress) if (!names.has(name) && !busy) this.progress.delete(name);
    await Promise.all([...names].map((name) => this.bringUpToDate(name)));
  }

  /** Gives one provider that is new the scale of the level that holds now, if it follows the level. */
  async follow(provider: string): Promise<void> {
    const { providers } = this.options;
    if (providers === '*' || providers.includes(provider)) await this.bringUpToDate(provider);
  }

  /** Forgets a provider. A later one of this name is told the level again. */
  forget(provider: string): void {
    if (!this.progress.get(provider)?.busy) this.progress.delete(provider);
  }

  /** Does nothing by itself any more, on expiry or failure; an aggregator that it was given goes on. */
  [Symbol.dispose](): void {
    this.disposed = true;
    clearTimeout(this.retry);
    this.expiry[Symbol.dispose]();
    if (!this.options.aggregator) this.aggregator[Symbol.dispose]();
  }

  private async bringUpToDate(provider: string): Promise<void> {
    const progress = this.progress.get(provider) ?? { applied: undefined, busy: false };
    this.progress.set(provider, progress);
    // One call at a time: of two at once a slow controller could finish the older one last.
    if (progress.busy || progress.applied === this.level) return;
    progress.busy = true;
    try {
      let level: BackpressureLevel;
      do {
        level = this.level;
        progress.applied = (await this.tell(provider, level)) ? level : undefined;
      } while (level !== this.level);
    } finally {
      progress.busy = false;
    }
    if (progress.applied === undefined) this.retryLater();
  }

  /** Coordinators that are ok fall silent: waiting for their next word could leave a provider paused for ever. */
  private retryLater(): void {
    if (this.disposed || this.retry) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.refresh().catch(warn);
    }, this.options.retryMs ?? 5_000);
    this.retry.unref();
  }

  private async tell(provider: string, level: BackpressureLevel): Promise<boolean> {
    const { controller, onError = warn, epochSeconds = () => Date.now() / 1000 } = this.options;
    const adjustment = parseContract(RateAdjustment, {
      provider,
      scale: this.policy[level],
      reason: level,
      ts: epochSeconds(),
    });
    try {
      await controller.apply(adjustment);
      return true;
    } catch (error) {
      try {
        onError(error, adjustment);
      } catch (second) {
        warn(second);
      }
      return false;
    }
  }
}
