import type { Rig } from './rig.js';

/** How much a measurement does. */
export interface Effort {
  /** A round is one turn of every contestant. */
  readonly rounds: number;
  /** Share of the full amount of data. */
  readonly scale: number;
}

/** One thing that was measured, in every round. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** One value a round, in order. */
  readonly samples: readonly number[];
}

/** A figure of ours against another, judged. */
export interface Comparison {
  readonly name: string;
  /** One value a round: contestants are compared within a round. */
  readonly samples: readonly number[];
  /** `x`: a ratio. */
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly goal: number;
  readonly floor: number;
}

/** What could not be measured here, and why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** Points of a line in a plot. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A plot of lines. */
export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logarithmic?: boolean;
  readonly lines: readonly Line[];
}

/** What a measurement found. */
export interface Outcome {
  readonly figures: readonly Figure[];
  readonly comparisons: readonly Comparison[];
  readonly skipped?: readonly Skipped[];
  readonly charts?: readonly Chart[];
  /** What a reader must know to understand the figures. */
  readonly notes?: readonly string[];
}

/** Measures one thing; tells on the way what it does. */
export type Measurement = (rig: Rig, effort: Effort, tell: (line: string) => void) => Promise<Outcome>;

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.floor(half - 0.5)] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2;
}

/** The value below which a share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** Whether a comparison holds its floor. */
export function holdsFloor({ better, floor, samples }: Comparison): boolean {
  return better === 'higher' ? median(samples) >= floor : median(samples) <= floor;
}

/** Whether a comparison reaches its goal. */
export function reachesGoal({ better, goal, samples }: Comparison): boolean {
  return better === 'higher' ? median(samples) >= goal : median(samples) <= goal;
}

/** Ratio of the two, round by round. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? NaN));
}
