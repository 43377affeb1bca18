import { isProviderName, type ProviderRate } from '../config/provider.rate.js';
import type { RateAdjustment, RateController } from '../core/index.js';
import type { AcquireOptions, AcquireResult } from './acquire.result.js';
import { MetProviders } from './met.providers.js';
import { OrderedListeners, type RateListener } from './ordered.listeners.js';
import type { ProviderEntry } from './provider.entry.js';
import { ProviderLimiter, type ProviderLimiterOptions } from './provider.limiter.js';
import { ProviderNameError, TooManyProvidersError, UnknownProviderError } from './rate.errors.js';
import { assertScale } from './rate.scale.js';

/** Settings of a TokenBucketRateController. */
export interface TokenBucketRateControllerOptions {
  /** Most providers registered; default 10,000. */
  readonly maxProviders?: number | undefined;
  /** Most providers that have an entry only because they were met, and most without one whose scale is kept; default 1,000. */
  readonly maxMet?: number | undefined;
  /** Hears of each provider that gets no entry because none makes room for it. */
  readonly onFull?: ((provider: string, limit: number) => void) | undefined;
  /** Most acquires of one provider that wait at once; default 1,000. */
  readonly maxWaiting?: number | undefined;
  /** Of each provider's circuit. */
  readonly circuit?: ProviderLimiterOptions['circuit'];
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
}

const UNLIMITED: AcquireResult = { granted: true, remaining: null };
/** Stands for a sender that is not named. */
const NOBODY = {};

/**
 * Limits each registered provider to its rate, scaled by adjustments. One that was only met has an entry with a scale,
 * which it is told, and no rate: its rows are granted whatever the scale, unless it cools down or its circuit is open.
 * Others are not limited.
 */
export class TokenBucketRateController implements RateController {
  private readonly providers = new Map<string, ProviderLimiter>();
  /** The last adjustment of providers that have no entry (yet, or any more), the one changed longest ago first. */
  private readonly remembered = new Map<string, RateAdjustment>();
  private readonly adjustments = new OrderedListeners<RateAdjustment>();
  private readonly registrations = new OrderedListeners<string>();
  private readonly losses = new OrderedListeners<string>();
  private readonly maxProviders: number;
  private readonly maxMet: number;
  private readonly met: MetProviders;
  private closed = false;

  constructor(private readonly options: TokenBucketRateControllerOptions = {}) {
    this.maxProviders = options.maxProviders ?? 10_000;
    this.maxMet = options.maxMet ?? 1_000;
    this.met = new MetProviders({
      limit: this.maxMet,
      isHeld: (provider) => !this.isFree(provider),
      now: options.now ?? (() => performance.now()),
    });
  }

  /**
   * Limits a provider from now on, or changes its rate; true when it is new. A new one starts with the scale of
   * the last adjustment that was made for it. Throws ProviderNameError, RangeError or TooManyProvidersError.
   */
  register(provider: string, rate: ProviderRate): boolean {
    const known = this.providers.get(provider);
    const isRegistered = known !== undefined && !this.met.has(provider);
    if (!isRegistered && this.providers.size - this.met.size >= this.maxProviders)
      throw new TooManyProvidersError(provider, this.maxProviders);
    if (known) {
      known.update(rate);
      this.met.delete(provider);
      return false;
    }
    assertName(provider);
    this.enter(provider, rate);
    return true;
  }

  /**
   * Notes that a sender uses a provider. One that has no entry gets one without a rate, unless there is no room and no
   * provider that was met makes room (MetProviders). It starts with the scale that is kept for it. Throws
   * ProviderNameError.
   */
  meet(provider: string, sender: object = NOBODY): void {
    this.welcome(provider, sender, false);
  }

  /** As `meet`, for a provider about which an order came: another one always makes room. */
  meetForOrder(provider: string, sender: object = NOBODY): void {
    this.welcome(provider, sender, true);
  }

  /** True when nothing may refuse the provider's rows now, and nobody need be told that they were taken. */
  isFree(provider: string): boolean {
    return this.providers.get(provider)?.isFree ?? true;
  }

  /** True when the provider has an entry. */
  has(provider: string): boolean {
    return this.providers.has(provider);
  }

  /** The names of the providers that have an entry, in the order in which they got it. */
  names(): string[] {
    return [...this.providers.keys()];
  }

  /** The names of all providers whose scale is kept: those that have an entry, and those that are not at the full rate. */
  scaled(): string[] {
    return [...this.providers.keys(), ...this.remembered.keys()];
  }

  /** How a provider with an entry stands; undefined for others. */
  entry(provider: string): ProviderEntry | undefined {
    return this.providers.get(provider)?.entry(provider);
  }

  /** How every provider with an entry stands. */
  entries(): ProviderEntry[] {
    return [...this.providers].map(([provider, limiter]) => limiter.entry(provider));
  }

  /**
   * Scales the provider's rate; in effect when the call returns. For one that has no entry it is remembered
   * until it has. Rejects with a RangeError when the scale is not from 0 to 1.
   */
  apply(adjustment: RateAdjustment): Promise<void> {
    return new Promise((resolve) => {
      assertScale(adjustment.scale);
      const limiter = this.providers.get(adjustment.provider);
      const changed = limiter ? limiter.apply(adjustment) : this.remember(adjustment);
      if (changed) this.adjustments.emit(adjustment);
      resolve();
    });
  }

  /**
   * Takes rows from the provider's bucket; waits its turn, first come first served, for at most `maxWaitMs`. When
   * the wait is known to be longer it is refused at once. Rejects with the signal's reason and then took nothing.
   */
  acquire(provider: string, rows: number, options: AcquireOptions = {}): Promise<AcquireResult> {
    return this.providers.get(provider)?.acquire(rows, options) ?? Promise.resolve(UNLIMITED);
  }

  /** Takes rows from the provider's bucket now, or says why not and when to ask again. */
  tryAcquire(provider: string, rows: number): AcquireResult {
    return this.providers.get(provider)?.tryAcquire(rows) ?? UNLIMITED;
  }

  /** Puts back rows that were granted and then not used, up to the burst. */
  giveBack(provider: string, rows: number): void {
    this.providers.get(provider)?.giveBack(rows);
  }

  /**
   * Pauses a provider for so many seconds from now; a longer cooldown that is on stays, 0 ends it. Nothing is
   * earned meanwhile, and a pause counts as a failure to the provider's circuit. Throws UnknownProviderError when it
   * has no entry.
   */
  cooldown(provider: string, seconds: number): void {
    const limiter = this.providers.get(provider);
    if (!limiter) throw new UnknownProviderError(provider);
    limiter.coolDown(seconds);
  }

  /** Notes that the provider answered as it should: closes its circuit after a probe. */
  recordSuccess(provider: string): void {
    this.providers.get(provider)?.recordSuccess();
  }

  /** Notes that the provider failed: enough of them in a row open its circuit. */
  recordFailure(provider: string): void {
    this.providers.get(provider)?.recordFailure();
  }

  /** Hears each adjustment that changed a scale or its reason, before `apply` returns. Dispose to unsubscribe. */
  onAdjustment(listener: RateListener<RateAdjustment>): Disposable {
    return this.adjustments.add(listener);
  }

  /** Hears the name of each provider that got an entry, before `register` or `meet` returns. Dispose to unsubscribe. */
  onRegistration(listener: RateListener<string>): Disposable {
    return this.registrations.add(listener);
  }

  /** Hears the name of each provider whose scale is not kept any more. Dispose to unsubscribe. */
  onLoss(listener: RateListener<string>): Disposable {
    return this.losses.add(listener);
  }

  /** Refuses the acquires that wait; from now on none waits. */
  close(): void {
    this.closed = true;
    for (const limiter of this.providers.values()) limiter.close();
  }

  private welcome(provider: string, sender: object, isOrder: boolean): void {
    if (this.met.touch(provider, sender) || this.providers.has(provider)) return;
    assertName(provider);
    const leaving = isOrder ? this.met.leaverForOrder() : this.met.leaverFor(sender);
    if (leaving === undefined && this.met.isFull) {
      this.options.onFull?.(provider, this.maxMet);
      return;
    }
    this.met.put(provider, sender);
    // First, so that the scale that is left behind does not displace the one it takes over.
    this.enter(provider, undefined);
    if (leaving !== undefined) this.leave(leaving);
  }

  private enter(provider: string, rate: ProviderRate | undefined): void {
    const limiter = new ProviderLimiter(rate, this.options);
    const adjustment = this.remembered.get(provider);
    if (adjustment) limiter.apply(adjustment);
    if (this.closed) limiter.close();
    this.remembered.delete(provider);
    this.providers.set(provider, limiter);
    this.registrations.emit(provider);
  }

  /** Takes the entry of a provider that was met. Its scale is kept: a producer that obeys it must hear when it changes. */
  private leave(provider: string): void {
    const { scale = 1, pressure: reason = 'ok' } = this.entry(provider) ?? {};
    this.met.delete(provider);
    this.providers.delete(provider);
    if (!this.remember({ provider, scale, reason, ts: Date.now() / 1000 })) this.losses.emit(provider);
  }

  private remember(adjustment: RateAdjustment): boolean {
    const { provider, scale, reason } = adjustment;
    // It can never be registered, and may be as long as its sender likes.
    if (!isProviderName(provider)) return false;
    const last = this.remembered.get(provider) ?? { scale: 1, reason: 'ok' };
    if (last.scale === scale && last.reason === reason) return false;
    this.remembered.delete(provider);
    // The full rate is where a new provider starts anyway.
    if (scale < 1 || reason !== 'ok') this.remembered.set(provider, adjustment);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= this.maxMet) break;
      this.remembered.delete(oldest);
      this.losses.emit(oldest);
      // Otherwise its reader would obey the old scale indefinitely.
      this.adjustments.emit({ provider: oldest, scale: 1, reason: 'ok', ts: Date.now() / 1000 });
    }
    return true;
  }
}

function assertName(provider: string): void {
  if (!isProviderName(provider)) throw new ProviderNameError(provider);
}
