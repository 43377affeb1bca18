import type { ProviderRate } from '../config/provider.rate.js';
import type { BackpressureLevel, RateAdjustment } from '../core/index.js';
import { AcquireLine } from './acquire.line.js';
import type { AcquireOptions, AcquireResult, Refused } from './acquire.result.js';
import { ProviderCircuit, type ProviderCircuitOptions } from './provider.circuit.js';
import type { ProviderEntry } from './provider.entry.js';
import { TokenBucket } from './token.bucket.js';

/** Settings of a ProviderLimiter. */
export interface ProviderLimiterOptions {
  readonly circuit?: Omit<ProviderCircuitOptions, 'now'> | undefined;
  /** Most acquires that wait at once; default 1,000. */
  readonly maxWaiting?: number | undefined;
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
}

/**
 * What one provider may send: its bucket, its circuit, and the acquires that wait, served in order. Without a rate only
 * a cooldown and the circuit refuse.
 */
export class ProviderLimiter {
  private readonly bucket: TokenBucket;
  private readonly circuit: ProviderCircuit;
  private readonly line = new AcquireLine(() => this.serve());
  private readonly maxWaiting: number;
  private timer: NodeJS.Timeout | undefined;
  private pressure: BackpressureLevel = 'ok';
  private cooldownEnds = 0;
  private closed = false;

  constructor(
    rate: ProviderRate | undefined,
    { circuit, maxWaiting = 1_000, now }: ProviderLimiterOptions = {},
  ) {
    this.bucket = new TokenBucket({ ...rate, now });
    this.circuit = new ProviderCircuit({ ...circuit, now });
    this.maxWaiting = maxWaiting;
  }

  /** True when rows need not be asked for: nothing limits it, and no pause was reported since it last delivered. */
  get isFree(): boolean {
    return !this.bucket.hasRate && this.circuit.isUnharmed && this.bucket.cooldownMs === 0;
  }

  /** How it stands now, under the name it is registered with. */
  entry(provider: string): ProviderEntry {
    const { hasRate, refillRate, burst, tokens } = this.bucket;
    return {
      provider,
      refill_rate: hasRate ? refillRate : null,
      burst: hasRate ? burst : null,
      scale: this.bucket.scale,
      pressure: this.pressure,
      tokens: hasRate ? Math.floor(tokens) : null,
      circuit_state: this.circuit.state,
      cooldown_until: this.bucket.cooldownMs > 0 ? this.cooldownEnds : null,
    };
  }

  /** Changes rate and burst; what was earned so far stays, as far as it fits; a first rate begins with a full burst. */
  update(rate: ProviderRate): void {
    this.bucket.update(rate);
    this.serve();
  }

  /** Takes over scale and level; false when both were so already. */
  apply({ scale, reason }: Pick<RateAdjustment, 'scale' | 'reason'>): boolean {
    if (this.bucket.scale === scale && this.pressure === reason) return false;
    this.bucket.scale = scale;
    this.pressure = reason;
    this.serve();
    return true;
  }

  /**
   * Pauses for so many seconds from now, or longer if an earlier cooldown lasts longer; 0 ends one. A pause is a
   * failure to the circuit: enough of them with nothing delivered in between open it.
   */
  coolDown(seconds: number): void {
    const durationMs = seconds * 1000;
    if (!(durationMs > 0 && durationMs < this.bucket.cooldownMs)) {
      this.bucket.coolDown(durationMs);
      this.cooldownEnds = (Date.now() + durationMs) / 1000;
    }
    if (durationMs > 0) this.circuit.recordFailure();
    this.serve();
  }

  /** The provider answered as it should. */
  recordSuccess(): void {
    this.circuit.recordSuccess();
    this.serve();
  }

  /** The provider failed. */
  recordFailure(): void {
    this.circuit.recordFailure();
    this.serve();
  }

  /** Puts back rows that were granted and not used. */
  giveBack(rows: number): void {
    this.bucket.giveBack(rows);
    this.serve();
  }

  /** Takes rows now or says why not; those that wait already go first. */
  tryAcquire(rows: number): AcquireResult {
    this.serve();
    return this.refusalOf(rows, this.line.rows) ?? this.grant(rows);
  }

  /** Takes rows, waiting in line if need be; see TokenBucketRateController.acquire. */
  async acquire(rows: number, options: AcquireOptions = {}): Promise<AcquireResult> {
    options.signal?.throwIfAborted();
    const maxWaitMs = options.maxWaitMs ?? 0;
    const result = this.tryAcquire(rows);
    if (result.granted || this.closed || !(maxWaitMs > 0) || this.line.length >= this.maxWaiting)
      return result;
    // Whoever cannot be served in time hears so at once; how long a pause lasts is not known, so that may be waited for.
    if (result.reason !== 'paused' && result.retryAfterMs > maxWaitMs) return result;
    return this.line.wait(rows, options, () => this.tryAcquire(rows));
  }

  /** Refuses those that wait; from now on acquires do not wait. */
  close(): void {
    this.closed = true;
    for (const waiting of this.line) waiting.end();
    clearTimeout(this.timer);
  }

  private refusalOf(rows: number, ahead: number): Refused | undefined {
    const refusal = this.bucket.refusalOf(rows, ahead);
    const circuitMs = Math.ceil(this.circuit.retryAfterMs);
    if (circuitMs <= (refusal?.retryAfterMs ?? 0)) return refusal;
    return { granted: false, retryAfterMs: circuitMs, reason: 'circuit_open' };
  }

  private grant(rows: number): AcquireResult {
    this.circuit.enter();
    return this.bucket.tryTake(rows);
  }

  /** Grants in order whatever can be granted now, and sleeps until the next one can be. */
  private serve(): void {
    clearTimeout(this.timer);
    for (const waiting of this.line) {
      const refusal = this.refusalOf(waiting.rows, 0);
      if (refusal) {
        // A pause ends by an adjustment, which comes here by itself.
        if (refusal.reason !== 'paused') this.timer = setTimeout(() => this.serve(), refusal.retryAfterMs);
        return;
      }
      waiting.end(this.grant(waiting.rows));
    }
  }
}
