import type { Tries } from './guarded.sink.js';
import type { Entry } from './sink.js';
import type { AsidePart, Part } from './write.ticket.js';

/** Rows of which some are refused, or may be. */
export interface Suspect<T extends Entry, R> {
  readonly parts: readonly Part<T, R>[];
  /** Those in place of `parts` that wait outside memory. */
  readonly aside: readonly AsidePart<T, R>[];
  readonly rows: number;
  /** The number of the failed batch that they are of, ascending in time. */
  readonly origin: number;
  /** `write`: try all of them in one write. `sift`: try each by itself, in a transaction that is rolled back. */
  readonly mode: 'write' | 'sift';
  /** True when they were sifted, and refused none the less: they are halved. */
  readonly sifted: boolean;
  readonly tries: Tries;
  /** How often they waited. */
  readonly pauses: number;
  /** Not to be tried before, in milliseconds of performance.now. */
  readonly due: number;
  /** What they wait for; undefined while they only wait for their turn. */
  readonly waiting: Wait | undefined;
}

/** Why rows wait. */
export interface Wait {
  readonly error: unknown;
  /** When they failed last, in milliseconds of performance.now. */
  readonly failedAt: number;
  /** When they failed first since they wait so, in the same way. */
  readonly since: number;
  /** True when the store takes others, so that nobody knows how long they wait. */
  readonly stuck: boolean;
}

/** Suspects in the order in which they are tried. */
export class SuspectLine<T extends Entry, R> {
  private readonly suspects = new Set<Suspect<T, R>>();
  private oldestIsNext = false;

  /** Rows that wait though the store takes others. */
  get stuckRows(): number {
    let rows = 0;
    for (const suspect of this.suspects) if (suspect.waiting?.stuck) rows += suspect.rows;
    return rows;
  }

  /** Why the rows wait that began to wait last; undefined when none does. */
  get cause(): unknown {
    let newest: Wait | undefined;
    for (const { waiting } of this.suspects)
      if (waiting && waiting.failedAt >= (newest?.failedAt ?? -Infinity)) newest = waiting;
    return newest?.error;
  }

  /** Adds one at the end. */
  add(suspect: Suspect<T, R>): void {
    this.suspects.add(suspect);
  }

  /**
   * Removes the one to be tried now. In turns: of those to be written the largest, so that good rows of a later batch are
   * not held behind many bad ones that were found already; and one of the oldest batch, the sifted before the written, so
   * that it comes to an end however many fail after it. The earliest among equals. Without `stuck` those are left that wait
   * though the store takes others.
   */
  takeDue(now: number, { stuck }: { readonly stuck: boolean }): Suspect<T, R> | undefined {
    const isBefore = this.oldestIsNext ? isOlder : isLarger;
    let best: Suspect<T, R> | undefined;
    for (const suspect of this.suspects) {
      const isDue = suspect.due <= now && (stuck || !suspect.waiting?.stuck);
      if (isDue && (!best || isBefore(suspect, best))) best = suspect;
    }
    if (!best) return undefined;
    this.oldestIsNext = !this.oldestIsNext;
    this.suspects.delete(best);
    return best;
  }

  /** When the next of those is due, in milliseconds of performance.now. */
  nextDue({ stuck }: { readonly stuck: boolean }): number {
    let soonest = Infinity;
    for (const { due, waiting } of this.suspects)
      if (stuck || !waiting?.stuck) soonest = Math.min(soonest, due);
    return soonest;
  }
}

type Ranked = Pick<Suspect<Entry, unknown>, 'mode' | 'rows' | 'origin'>;

function isLarger(one: Ranked, other: Ranked): boolean {
  return writtenRows(one) > writtenRows(other);
}

function writtenRows({ mode, rows }: Ranked): number {
  return mode === 'write' ? rows : 0;
}

function isOlder(one: Ranked, other: Ranked): boolean {
  if (one.origin !== other.origin) return one.origin < other.origin;
  return one.mode === 'sift' && other.mode === 'write';
}
