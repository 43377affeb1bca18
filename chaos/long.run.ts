import type { Fault } from './faults/index.js';
import { planOf, type Plan, type PlanOptions } from './plan.js';
import { runChaos, type ChaosReport } from './run.js';

const MINUTE_MS = 60_000;
const MOST_FAILURES = 3;

/** Settings of a row of runs. */
export interface LongRunOptions extends PlanOptions {
  /** Rounds of a run. */
  readonly rounds: number;
  /** Runs follow each other until so many minutes have passed; undefined: there is one. */
  readonly minutes: number | undefined;
  readonly log: (line: string) => void;
  /** Ends after the round under way. */
  readonly signal: AbortSignal;
}

type Sums = { -readonly [Key in keyof Omit<ChaosReport, 'broken'>]: number };

/** What a row of runs found. */
export interface LongReport extends Readonly<Sums> {
  readonly seed: number;
  readonly minutes: number;
  readonly runs: number;
  readonly rounds: number;
  /** How often each fault was inflicted. */
  readonly faults: Readonly<Record<string, number>>;
  /** Seeds of the runs in which a promise was broken. */
  readonly brokenSeeds: readonly number[];
  readonly broken: readonly string[];
}

/** Runs, each with a seed and a stage of its own, so that what is found late is repeated as soon as what is found early. */
export class LongRun {
  private readonly startedAt = performance.now();
  private readonly faults: Record<string, number> = {};
  private readonly broken: string[] = [];
  private readonly brokenSeeds: number[] = [];
  private runs = 0;
  /** In a row. */
  private failures = 0;
  private rounds = 0;
  private current = 'no fault yet';
  private sums: Sums = {
    ...{ acknowledged: 0, refused: 0, cut: 0, compared: 0, looks: 0, restarts: 0, longestWaitMs: 0 },
  };

  constructor(private readonly options: LongRunOptions) {}

  /** Runs them all. */
  async run(): Promise<LongReport> {
    const { minutes, seed, log, signal } = this.options;
    const ends = new AbortController();
    const end = (): void => ends.abort();
    // Not AbortSignal.any: on Node 20 one that only it refers to is collected, and never aborts.
    signal.addEventListener('abort', end);
    const deadline = minutes === undefined ? undefined : setTimeout(end, minutes * MINUTE_MS);
    const timer = setInterval(() => log(this.line()), MINUTE_MS);
    try {
      do await this.runOnce(seed + this.runs, ends.signal);
      while (minutes !== undefined && !ends.signal.aborted);
    } finally {
      clearTimeout(deadline);
      clearInterval(timer);
    }
    return {
      seed,
      minutes: this.minutes,
      ...{ runs: this.runs, rounds: this.rounds, ...this.sums, faults: this.faults },
      ...{ brokenSeeds: this.brokenSeeds, broken: this.broken },
    };
  }

  private async runOnce(seed: number, signal: AbortSignal): Promise<void> {
    const { rounds, log, isNamed, faults } = this.options;
    const plan = planOf({ ...this.options, seed });
    this.runs++;
    log(`seed ${seed}: ${plan.summary}`);
    const onRound = (names: readonly string[]): void => this.countRound(names);
    let broken: readonly string[];
    try {
      const report = await runChaos({ plan, rounds, log, signal, onRound });
      this.add(report);
      broken = report.broken;
      this.failures = 0;
    } catch (error) {
      // The stage could not be set up or removed: a run of hours is worth another try.
      if (++this.failures === MOST_FAILURES) throw error;
      broken = [`the run failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
    }
    if (broken.length === 0) return;
    this.brokenSeeds.push(seed);
    for (const sentence of broken) log(`BROKEN: ${sentence}`);
    log(`again: npm run chaos -- ${commandOf(seed, rounds, plan, isNamed ? faults : undefined)}`);
    this.broken.push(...broken);
  }

  private add(report: ChaosReport): void {
    const longestWaitMs = Math.max(this.sums.longestWaitMs, Math.round(report.longestWaitMs));
    for (const key of Object.keys(this.sums) as (keyof Sums)[]) this.sums[key] += report[key];
    this.sums.longestWaitMs = longestWaitMs;
  }

  private countRound(names: readonly string[]): void {
    this.rounds++;
    this.current = names.join(' and ');
    for (const name of names) this.faults[name] = (this.faults[name] ?? 0) + 1;
  }

  private get minutes(): number {
    return Math.round((performance.now() - this.startedAt) / MINUTE_MS);
  }

  /** Where it stands, on a line. */
  private line(): string {
    const { acknowledged, refused, cut, restarts } = this.sums;
    const sums = `${acknowledged} bars acknowledged, ${refused} requests refused, ${cut} cut, ${restarts} restarts`;
    const found = `${this.broken.length} broken in seeds [${this.brokenSeeds.join(', ')}]`;
    return `--- ${this.minutes} min: run ${this.runs}, ${this.rounds} rounds, now ${this.current}; before it ${sums}; ${found}`;
  }
}

function commandOf(seed: number, rounds: number, plan: Plan, faults: readonly Fault[] | undefined): string {
  const { services = 1, pooler = false } = plan.stage;
  return [
    `--seed ${seed} --rounds ${rounds} --services ${services}`,
    pooler ? '--pooler' : '--no-pooler',
    ...(faults ? [`--faults ${faults.map(({ name }) => name).join(',')}`] : []),
  ].join(' ');
}
