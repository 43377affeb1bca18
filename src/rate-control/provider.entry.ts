import type { BackpressureLevel } from '../core/index.js';
import type { ProviderCircuitState } from './provider.circuit.js';

/** A provider and how it stands, as `/v1/rate-control/providers` shows it. */
export interface ProviderEntry {
  readonly provider: string;
  /** Rows per second at scale 1; null when it has no rate: then it is told its scale, and nothing is enforced. */
  readonly refill_rate: number | null;
  /** Most rows saved up; null without a rate. */
  readonly burst: number | null;
  /** From 0, paused, to 1, the full rate. */
  readonly scale: number;
  /** The level that asked for the scale. */
  readonly pressure: BackpressureLevel;
  /** Whole rows saved up; below 0 after a batch larger than the burst; null without a rate. */
  readonly tokens: number | null;
  readonly circuit_state: ProviderCircuitState;
  /** Unix epoch, seconds; null when no cooldown is on. */
  readonly cooldown_until: number | null;
}
