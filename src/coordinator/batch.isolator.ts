import { rowsOf, type BatchCutting } from './batch.cutting.js';
import { CoordinatorStoppedError, WriteRefusedError } from './coordinator.errors.js';
import { lookUpFailure, sqlstateOf, type Failure, type FailureClass } from './failure.table.js';
import { noTries, type GuardedSink, type SinkFailure, type Trial } from './guarded.sink.js';
import type { RetryPolicy } from './retry.policy.js';
import type { Entry, Takes } from './sink.js';
import { SuspectLine, type Suspect } from './suspect.line.js';
import { Waiter } from './waiter.js';
import type { WriteObserver } from './write.observer.js';
import type { AsidePart, Part, Settlement } from './write.ticket.js';

/** Rows that are tried one by one in one transaction: some tenths of a second. */
const SIFTED_ROWS = 500;
/** Most rows wait for one or two pauses only, and stay in memory meanwhile. */
const PAUSES_IN_MEMORY = 2;
/** Bytes for what is kept of rows outside memory, about. What is more stays in memory. */
const MOST_ASIDE_BYTES = 50_000_000;
/** Of an entry, about, and of each of its parts. */
const ENTRY_BYTES = 1_000;
const PART_BYTES = 80;

/** What a BatchIsolator works with. */
export interface BatchIsolatorOptions<T extends Entry, R> {
  readonly sink: GuardedSink<T, R>;
  readonly cutting: BatchCutting<T, R>;
  /** Pauses of rows that wait as long as the store takes nothing, and tries of rows that lost a race. */
  readonly retry: RetryPolicy;
  /** Pauses of rows that wait though the store takes others. */
  readonly pauses: RetryPolicy;
  readonly observer: Required<WriteObserver>;
  readonly settlement: Settlement<T, R>;
  /** Isolated rows that memory holds; what is more waits for its turn outside. */
  readonly mostRowsInMemory: number;
  /** Gives up: nothing is written or settled after it. */
  readonly signal: AbortSignal;
}

/** The rows that are isolated at one moment. */
export interface Isolation {
  /** Rows of batches that failed while the store took others: tried apart, or waiting. */
  readonly rows: number;
  /** Those of them that wait, and are tried again after growing pauses. */
  readonly waitingRows: number;
  /** Those that are outside memory. */
  readonly asideRows: number;
  /** Why the newest of them wait. */
  readonly cause: unknown;
}

/**
 * Finds the rows at fault in batches that failed, one write at a time for the whole coordinator, so that the workers go
 * on meanwhile. A row becomes a dead letter when it fails alone by an error that blames it, and the store is proven to
 * take others. Every other row waits.
 */
export class BatchIsolator<T extends Entry, R> {
  private readonly line = new SuspectLine<T, R>();
  private heldRows = 0;
  private asideBytes = 0;
  private asideRows = 0;
  /** The entry that was read last: the pieces of one are mostly tried one after the other. */
  private readLast: Part<T, R> | undefined;
  /** Reads that failed since one succeeded. */
  private readFailures = 0;
  private failedBatches = 0;
  private loop: Promise<void> | undefined;
  private finishing = false;
  private wake: Waiter<void> | undefined;
  /** Dead letters on their way to the disk, one after the other. */
  private burying: Promise<void> = Promise.resolve();

  constructor(private readonly options: BatchIsolatorOptions<T, R>) {}

  /** Rows that are isolated now, without those outside memory. */
  get rowsInMemory(): number {
    return this.heldRows - this.asideRows;
  }

  /** What is isolated now, and why. */
  get state(): Isolation {
    const { heldRows: rows, asideRows } = this;
    return { rows, waitingRows: this.line.stuckRows, asideRows, cause: this.line.cause };
  }

  /** Takes over parts that failed; settles each of their rows, sooner or later. */
  isolate(parts: readonly Part<T, R>[], failure: SinkFailure): void {
    this.heldRows += rowsOf(parts);
    this.judge(suspectOf(parts, 'write', false, ++this.failedBatches), failure, -Infinity);
  }

  /** Resolves when none is left but rows that wait though the store takes others, and dead letters are safe. */
  async finish(): Promise<void> {
    this.finishing = true;
    this.wake?.resolve();
    await this.loop;
    await this.burying;
  }

  private add(suspect: Suspect<T, R>): void {
    const isRoom = this.rowsInMemory <= this.options.mostRowsInMemory;
    this.line.add(isRoom ? suspect : this.setAside(suspect));
    this.wake?.resolve();
    this.loop ??= this.run();
  }

  private async run(): Promise<void> {
    // `add` notes the loop first.
    await Promise.resolve();
    while (!this.options.signal.aborted) {
      const suspect = this.line.takeDue(performance.now(), { stuck: !this.finishing });
      if (suspect) await this.tryGuarded(suspect);
      else if (!(await this.pause())) break;
    }
    // Here and not later: what is added from now on begins another.
    this.loop = undefined;
  }

  /** Waits until one is due or added; false when there is nothing to wait for. */
  private async pause(): Promise<boolean> {
    const due = this.line.nextDue({ stuck: !this.finishing });
    this.readLast = undefined;
    if (due === Infinity) return false;
    this.wake = new Waiter<void>(this.options.signal);
    const timer = setTimeout(() => this.wake?.resolve(), Math.ceil(due - performance.now()));
    await this.wake.promise.catch(() => undefined);
    clearTimeout(timer);
    this.wake = undefined;
    return true;
  }

  /** Whatever goes wrong, the rows stay: a bug is one more reason to wait. */
  private async tryGuarded(waiting: Suspect<T, R>): Promise<void> {
    const suspect = await this.bringBack(waiting);
    if (suspect === undefined) return;
    try {
      await (suspect.mode === 'write' ? this.write(suspect) : this.sift(suspect));
    } catch (bug) {
      if (this.options.signal.aborted) return;
      this.options.observer.onWorkerBug(bug);
      this.hold(suspect, { error: bug, at: performance.now(), verdict: 'rows' });
    }
  }

  /** Undefined when they cannot be read, and wait on, or are given up. */
  private async bringBack(suspect: Suspect<T, R>): Promise<Suspect<T, R> | undefined> {
    const { aside } = suspect;
    const { settlement, signal } = this.options;
    if (aside.length === 0) return suspect;
    try {
      const parts = await this.readAll(aside);
      this.readFailures = 0;
      if (signal.aborted) return undefined;
      for (const part of aside) settlement.broughtBack(part);
      this.asideBytes -= bytesOf(aside);
      this.asideRows -= suspect.rows;
      return { ...suspect, parts, aside: [] };
    } catch (error) {
      this.leaveUnread(suspect, error);
      return undefined;
    }
  }

  /** Not like rows that failed once more: a disk that does not read is no try, and proves nothing against them. */
  private leaveUnread(suspect: Suspect<T, R>, error: unknown): void {
    const { observer, pauses } = this.options;
    const failedAt = performance.now();
    // Told once, and not for each of the thousands that may wait; the state tells of it meanwhile.
    if (++this.readFailures === 1) observer.onFeedError(error);
    const due = failedAt + pauses.delayMs(this.readFailures);
    const since = suspect.waiting?.since ?? failedAt;
    this.add({ ...suspect, due, waiting: { error, failedAt, since, stuck: true } });
  }

  private async readAll(aside: readonly AsidePart<T, R>[]): Promise<readonly Part<T, R>[]> {
    const parts: Part<T, R>[] = [];
    for (const { ticket, firstRow, rows } of aside) {
      if (ticket.safe && this.readLast?.ticket !== ticket)
        this.readLast = { ticket, entry: await ticket.safe.source.read(), firstRow: 0 };
      if (this.readLast) parts.push(this.options.cutting.between(this.readLast, firstRow, firstRow + rows));
    }
    return parts;
  }

  private async write(suspect: Suspect<T, R>): Promise<void> {
    const { parts, tries } = suspect;
    const commitBefore = this.options.sink.newestCommitBegan;
    const outcome = await this.options.sink.write('isolator', parts, tries);
    if (this.options.signal.aborted) return;
    if ('verdict' in outcome) {
      this.judge(suspect, outcome, commitBefore);
      return;
    }
    this.heldRows -= suspect.rows;
    this.options.settlement.committed(parts, outcome);
  }

  /** What comes next for rows that failed together. */
  private judge(suspect: Suspect<T, R>, failure: SinkFailure, commitBefore: number): void {
    const pieces = this.apart(suspect, failure);
    for (const piece of pieces) this.add(piece);
    if (pieces.length > 0) return;
    const [only] = suspect.parts;
    if (
      only &&
      failure.verdict === 'rows' &&
      this.isProven(suspect, failure, failure.takes, suspect.tries.transient, commitBefore)
    )
      this.bury(only, failure, failure.error, suspect.origin);
    else this.hold(suspect, failure);
  }

  /** Smaller pieces; none when they would tell no more. */
  private apart(
    { parts, rows, sifted, origin }: Suspect<T, R>,
    { verdict, class: failureClass }: SinkFailure,
  ): readonly Suspect<T, R>[] {
    if (verdict !== 'rows' && verdict !== 'kind') return [];
    const { sink, cutting } = this.options;
    const sifts = sink.canTryEach && !sifted;
    // Each half might take as long as the whole did.
    if (sifts && verdict === 'rows' && failureClass === 'timeout')
      return cutting.slicesByKind(parts, SIFTED_ROWS).map((slice) => suspectOf(slice, 'sift', false, origin));
    const kinds = cutting.byKind(parts);
    if (kinds.length > 1) return kinds.map((kind) => suspectOf(kind, 'write', sifted, origin));
    if (verdict === 'kind') return [];
    if (sifts && rows <= SIFTED_ROWS) return [suspectOf(parts, 'sift', false, origin)];
    return cutting.halve(parts).map((half) => suspectOf(half, 'write', sifted, origin));
  }

  private async sift(suspect: Suspect<T, R>): Promise<void> {
    const { sink, cutting, signal } = this.options;
    const { parts, tries, origin } = suspect;
    const singles = parts.map((part) => cutting.singles(part));
    const entries = singles.flat().map(({ entry }) => entry);
    const commitBefore = sink.newestCommitBegan;
    const outcome = await sink.tryEach('isolator', parts, entries, tries);
    if (signal.aborted) return;
    if ('verdict' in outcome) {
      if (outcome.verdict === 'rows') this.add(suspectOf(parts, 'write', true, origin));
      else this.hold(suspect, outcome);
      return;
    }
    this.sort(suspect, singles, outcome, commitBefore);
  }

  /** Good rows are written together, rows at fault are dead letters, a run of them together, and the others wait. */
  private sort(
    suspect: Suspect<T, R>,
    singles: readonly (readonly Part<T, R>[])[],
    { errors, takes, at }: Trial,
    commitBefore: number,
  ): void {
    const good: Part<T, R>[] = [];
    /** By class: races that some have lost must not count against others. */
    const waiting = new Map<FailureClass, { readonly error: Error; readonly runs: Part<T, R>[] }>();
    let first = 0;
    suspect.parts.forEach((part, index) => {
      const count = singles[index]?.length ?? 0;
      const own = errors.slice(first, first + count);
      first += count;
      for (const { from, end, error } of runsOf(own)) {
        const run = this.options.cutting.between(part, from, end);
        if (error === undefined) {
          good.push(run);
          continue;
        }
        const failure = lookUpFailure(error);
        const alike = waiting.get(failure.class);
        if (this.isProven(suspect, failure, takes, suspect.tries.transient + 1, commitBefore))
          this.bury(run, failure, error, suspect.origin);
        else if (alike) alike.runs.push(run);
        else waiting.set(failure.class, { error, runs: [run] });
      }
    });
    if (good.length > 0) this.add(suspectOf(good, 'write', true, suspect.origin));
    const verdict = takes?.alike === false ? 'kind' : 'rows';
    for (const [failureClass, { error, runs }] of waiting) {
      const tries = { ...suspect.tries };
      this.options.observer.onWriteError('isolator', failureClass, error, ++tries[failureClass]);
      this.hold({ ...suspect, tries, parts: runs, rows: rowsOf(runs) }, { error, at, verdict });
    }
  }

  /**
   * Whether rows that failed alone are at fault: others were taken right afterwards, or by a commit since they failed
   * before.
   * @param commitBefore when the newest commit began of those that were done before this try
   */
  private isProven(
    { waiting }: Suspect<T, R>,
    { class: failureClass, blamesRow }: Failure,
    takes: Takes | undefined,
    lostRaces: number,
    commitBefore: number,
  ): boolean {
    const mayWin = failureClass === 'transient' && lostRaces < this.options.retry.maxAttempts;
    if (!blamesRow || mayWin) return false;
    const taken = takes?.alike ?? takes?.any;
    return taken ?? commitBefore > (waiting?.since ?? Infinity);
  }

  /** Keeps rows to be tried again. */
  private hold(
    suspect: Suspect<T, R>,
    { error, at, verdict }: Pick<SinkFailure, 'error' | 'at' | 'verdict'>,
  ): void {
    const stuck = verdict === 'rows' || verdict === 'kind';
    const since = stuck && suspect.waiting?.stuck ? suspect.waiting.since : at;
    const pauses = suspect.pauses + 1;
    const policy = stuck ? this.options.pauses : this.options.retry;
    const due = performance.now() + policy.delayMs(pauses);
    const waiting = { error, failedAt: at, since, stuck };
    const waitsLong = stuck && pauses > PAUSES_IN_MEMORY;
    this.add({ ...(waitsLong ? this.setAside(suspect) : suspect), pauses, due, waiting });
  }

  /** Memory, and room in the queue, are for others. */
  private setAside(suspect: Suspect<T, R>): Suspect<T, R> {
    const { parts, rows } = suspect;
    const bytes = bytesOf(parts);
    if (parts.length === 0 || this.asideBytes + bytes > MOST_ASIDE_BYTES) return suspect;
    this.asideBytes += bytes;
    this.asideRows += rows;
    return { ...suspect, parts: [], aside: parts.map((part) => this.options.settlement.setAside(part)) };
  }

  private bury(part: Part<T, R>, { name }: Failure, error: unknown, origin: number): void {
    const { settlement, observer, signal } = this.options;
    const { rows } = part.entry;
    this.burying = this.burying
      .then(() => settlement.refused(part, new WriteRefusedError(rows, name, error)))
      .then(
        () => void (this.heldRows -= rows),
        (bug: unknown) => {
          // Refused rows that could not be made safe before the end are no bug.
          if (signal.aborted || bug instanceof CoordinatorStoppedError) return;
          observer.onWorkerBug(bug);
          this.hold(suspectOf([part], 'write', true, origin), {
            error: bug,
            at: performance.now(),
            verdict: 'rows',
          });
        },
      );
  }
}

function suspectOf<T extends Entry, R>(
  parts: readonly Part<T, R>[],
  mode: 'write' | 'sift',
  sifted: boolean,
  origin: number,
): Suspect<T, R> {
  const rows = rowsOf(parts);
  const fresh = { tries: noTries(), pauses: 0, due: 0, waiting: undefined };
  return { parts, aside: [], rows, origin, mode, sifted, ...fresh };
}

/** What is kept of parts outside memory, about. */
function bytesOf(parts: readonly { readonly ticket: object }[]): number {
  return parts.reduce(
    (bytes, { ticket }, at) => bytes + PART_BYTES + (parts[at - 1]?.ticket === ticket ? 0 : ENTRY_BYTES),
    0,
  );
}

/** Neighbours with the same outcome: the same SQLSTATE and message, or none. */
function runsOf(errors: readonly (Error | undefined)[]): { from: number; end: number; error?: Error }[] {
  const runs: { from: number; end: number; error?: Error; key: string | undefined }[] = [];
  errors.forEach((error, row) => {
    const key = error && `${sqlstateOf(error)} ${error.message}`;
    const last = runs.at(-1);
    if (last && last.key === key) last.end = row + 1;
    else runs.push({ from: row, end: row + 1, key, ...(error && { error }) });
  });
  return runs;
}
