import type { BackpressureLevel, FeedbackEvent } from '../core/index.js';
import { severity } from './level.policy.js';
import { OrderedListeners, type RateListener } from './ordered.listeners.js';

/** A coordinator that is not `ok` and silent for so many heartbeats counts as gone. */
const LIFETIME_HEARTBEATS = 3;

/** Settings of a LevelAggregator. */
export interface LevelAggregatorOptions {
  /** Milliseconds after which a coordinator that is not `ok` says so again; default 5,000. */
  readonly heartbeatMs?: number | undefined;
  /** Most coordinators remembered; beyond it the least bad, then the longest silent, are forgotten. Default 1,000. */
  readonly maxCoordinators?: number | undefined;
  /** A clock that never goes back, in milliseconds; default performance.now. */
  readonly now?: (() => number) | undefined;
}

interface Heard {
  readonly level: BackpressureLevel;
  /** Of the event: seconds on the sender's clock. */
  readonly ts: number;
  /** Milliseconds on the receiver's clock: the sender's may be wrong. */
  readonly expiresAt: number;
}

/**
 * The worst level among the coordinators heard from within three heartbeats: one replica's `ok` cannot hide
 * another's `hard`, and a dead replica's `hard` expires. A coordinator that is not heard from counts as `ok`.
 */
export class LevelAggregator implements Disposable {
  /** By coordinator, the longest silent first. */
  private readonly heard = new Map<string, Heard>();
  private readonly expiries = new OrderedListeners<BackpressureLevel>();
  private readonly lifetimeMs: number;
  private readonly maxCoordinators: number;
  private readonly now: () => number;
  private announced: BackpressureLevel = 'ok';
  private timer: NodeJS.Timeout | undefined;
  private disposed = false;

  constructor(options: LevelAggregatorOptions = {}) {
    this.lifetimeMs = LIFETIME_HEARTBEATS * (options.heartbeatMs ?? 5_000);
    this.maxCoordinators = options.maxCoordinators ?? 1_000;
    this.now = options.now ?? (() => performance.now());
  }

  /** The level that holds now. */
  get effective(): BackpressureLevel {
    this.forgetExpired();
    let worst: BackpressureLevel = 'ok';
    for (const { level } of this.heard.values()) if (severity(level) > severity(worst)) worst = level;
    return worst;
  }

  /** Coordinators remembered. */
  get size(): number {
    return this.heard.size;
  }

  /** Takes an event, unless one with a later `ts` came from the same coordinator before; the level that holds now. */
  observe({ coordinator_id, level, ts }: FeedbackEvent): BackpressureLevel {
    this.forgetExpired();
    const last = this.heard.get(coordinator_id);
    if (last === undefined || ts >= last.ts) {
      this.heard.delete(coordinator_id);
      this.heard.set(coordinator_id, { level, ts, expiresAt: this.now() + this.lifetimeMs });
      if (this.heard.size > this.maxCoordinators) this.forgetLeast();
    }
    this.announced = this.effective;
    this.watch();
    return this.announced;
  }

  /** Hears the level when it changed because a coordinator fell silent. Dispose of the result to unsubscribe. */
  onExpiry(listener: RateListener<BackpressureLevel>): Disposable {
    return this.expiries.add(listener);
  }

  /** Stops the timer: from now on nobody is told of expiries, though `effective` knows them. */
  [Symbol.dispose](): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }

  /** All live equally long, so the longest silent expire first. */
  private forgetExpired(): void {
    const now = this.now();
    for (const [id, { expiresAt }] of this.heard) {
      if (now < expiresAt) return;
      this.heard.delete(id);
    }
  }

  private forgetLeast(): void {
    const [id] = [...this.heard].reduce((a, b) => (severity(b[1].level) < severity(a[1].level) ? b : a));
    this.heard.delete(id);
  }

  /** Sleeps until the first level that is not `ok` may expire. A timer that is set already is never too late. */
  private watch(): void {
    if (this.timer || this.disposed) return;
    const next = [...this.heard.values()].find(({ level }) => level !== 'ok');
    if (!next) return;
    this.timer = setTimeout(() => this.expire(), Math.ceil(next.expiresAt - this.now()));
    this.timer.unref();
  }

  private expire(): void {
    this.timer = undefined;
    const before = this.announced;
    this.announced = this.effective;
    this.watch();
    if (this.announced !== before) this.expiries.emit(this.announced);
  }
}
