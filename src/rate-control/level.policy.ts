import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/index.js';
import { assertScale } from './rate.scale.js';

/** The scale that each level asks for, from 0, which pauses, to 1, the full rate. */
export type LevelPolicy = Readonly<Record<BackpressureLevel, number>>;

/** `ok` full rate, `soft` half of it, `hard` pause. */
export const DEFAULT_LEVEL_POLICY: LevelPolicy = { ok: 1, soft: 0.5, hard: 0 };

/** Fills in the defaults. Throws a RangeError when a scale is not from 0 to 1. */
export function levelPolicy(policy: Partial<LevelPolicy> = {}): LevelPolicy {
  const whole = { ...DEFAULT_LEVEL_POLICY, ...policy };
  for (const level of BACKPRESSURE_LEVELS) assertScale(whole[level]);
  return whole;
}

/** The level of a word in upper or lower case; undefined when it is none. */
export function levelOf(word: unknown): BackpressureLevel | undefined {
  if (typeof word !== 'string') return undefined;
  const lower = word.trim().toLowerCase();
  return BACKPRESSURE_LEVELS.find((level) => level === lower);
}

/** How bad a level is: 0 for `ok`, then rising. */
export function severity(level: BackpressureLevel): number {
  return BACKPRESSURE_LEVELS.indexOf(level);
}
