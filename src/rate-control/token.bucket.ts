import { type ProviderRate, rateProblem } from '../config/provider.rate.js';
import type { Refused } from './acquire.result.js';
import { assertScale } from './rate.scale.js';

/** Settings of a TokenBucket; without a rate it never runs out. */
export interface TokenBucketOptions extends Partial<ProviderRate> {
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
}

/** What a take comes to: granted with the whole rows left, at least 0, null without a rate; or refused with the time to wait. */
export type TakeResult = { readonly granted: true; readonly remaining: number | null } | Refused;

/** The end of a pause is not known; feedback is sent again this often, so there may be news then. */
const PAUSED_RETRY_MS = 5_000;
/** A wait longer than this is given as this: a tiny scale makes it longer than a header can say. */
const LONGEST_WAIT_MS = 86_400_000;
/** Share of the burst by which tokens may fall short, for the sums of floating point are not exact. */
const TOLERANCE = 1e-9;

/**
 * Rows earned at a rate and saved up to a burst. It starts full. A take of more than the burst is granted when the
 * bucket is full and leaves a debt that is earned first: refused it would be refused for ever, and in the long run
 * the rate holds. Without a rate there is nothing to run out of, whatever the scale: only a cooldown refuses.
 */
export class TokenBucket {
  private readonly now: () => number;
  private rate: ProviderRate | undefined;
  private share = 1;
  private held = 0;
  private settledAt: number;
  private coolUntil = -Infinity;

  /** Throws a RangeError when the rate is not above 0 or the burst not at least 1, or only one of them is given. */
  constructor({ refillRate, burst, now = () => performance.now() }: TokenBucketOptions) {
    this.now = now;
    this.settledAt = now();
    if (refillRate !== undefined || burst !== undefined)
      this.update({ refillRate: refillRate ?? NaN, burst: burst ?? NaN });
  }

  /** False: it never runs out. */
  get hasRate(): boolean {
    return this.rate !== undefined;
  }

  /** Rows earned per second at scale 1; Infinity without a rate. */
  get refillRate(): number {
    return this.rate?.refillRate ?? Infinity;
  }

  /** Most rows saved up; Infinity without a rate. */
  get burst(): number {
    return this.rate?.burst ?? Infinity;
  }

  /** Rows saved up now, never above the burst; below 0 is a debt; Infinity without a rate. */
  get tokens(): number {
    return this.rate ? this.tokensAt(this.now(), this.rate) : Infinity;
  }

  /** What the refill is multiplied with, from 0 to 1. At 0 nothing is earned, and nothing saved is granted. */
  get scale(): number {
    return this.share;
  }

  set scale(scale: number) {
    assertScale(scale);
    this.settle();
    this.share = scale;
  }

  /**
   * Changes rate and burst; a larger burst has to be earned, of a smaller one no more than fits is kept. The first rate
   * begins with a full burst.
   */
  update(rate: ProviderRate): void {
    const next = checked(rate);
    this.settle();
    this.held = this.rate ? Math.min(this.held, next.burst) : next.burst;
    this.rate = next;
  }

  /** Milliseconds for which nothing is earned or granted yet because of `coolDown`. */
  get cooldownMs(): number {
    return Math.max(0, this.coolUntil - this.now());
  }

  /** Earns and grants nothing for so many milliseconds from now; 0 ends a cooldown. */
  coolDown(durationMs: number): void {
    if (!(durationMs >= 0 && durationMs < Infinity)) {
      throw new RangeError(`a cooldown lasts at least 0 ms, not ${durationMs}`);
    }
    this.settle();
    this.coolUntil = this.now() + durationMs;
  }

  /** Takes the rows now or says when to try again. */
  tryTake(rows: number): TakeResult {
    const refusal = this.refusalOf(rows);
    if (refusal) return refusal;
    if (!this.rate) return { granted: true, remaining: null };
    this.settle();
    this.held -= rows;
    return { granted: true, remaining: Math.max(0, Math.floor(this.held)) };
  }

  /** Puts back rows that were taken and not used. */
  giveBack(rows: number): void {
    this.settle();
    if (this.rate) this.held = Math.min(this.rate.burst, this.held + rows);
  }

  /** Why a take of these rows, after others that want `ahead` rows first, fails now; undefined when it would not. */
  refusalOf(rows: number, ahead = 0): Refused | undefined {
    if (!Number.isSafeInteger(rows) || rows < 1) {
      throw new RangeError(`a take asks for a whole number of rows, at least 1, not ${rows}`);
    }
    const { rate } = this;
    const now = this.now();
    const coolingMs = Math.max(0, this.coolUntil - now);
    if (!rate) return coolingMs > 0 ? refused('cooldown', coolingMs) : undefined;
    if (this.share === 0) return refused('paused', Math.max(PAUSED_RETRY_MS, coolingMs));
    const missing = ahead + Math.min(rows, rate.burst) - this.tokensAt(now, rate);
    const refillMs = missing > TOLERANCE * rate.burst ? (missing / (rate.refillRate * this.share)) * 1000 : 0;
    if (coolingMs + refillMs === 0) return undefined;
    return refused(coolingMs > 0 ? 'cooldown' : 'tokens', coolingMs + refillMs);
  }

  private tokensAt(now: number, { refillRate, burst }: ProviderRate): number {
    const earningMs = Math.max(0, now - Math.max(this.settledAt, this.coolUntil));
    return Math.min(burst, this.held + (earningMs / 1000) * refillRate * this.share);
  }

  /** Before rate, scale or cooldown change: what was earned until now was earned on the old terms. */
  private settle(): void {
    const now = this.now();
    if (this.rate) this.held = this.tokensAt(now, this.rate);
    this.settledAt = Math.max(this.settledAt, now);
  }
}

function checked({ refillRate, burst }: ProviderRate): ProviderRate {
  const problem = rateProblem({ refillRate, burst });
  if (problem !== undefined) throw new RangeError(problem);
  return { refillRate, burst };
}

function refused(reason: Refused['reason'], waitMs: number): Refused {
  return { granted: false, retryAfterMs: Math.min(LONGEST_WAIT_MS, Math.ceil(waitMs)), reason };
}
