/** Ending of a segment's name. */
export const SUFFIX = '.seg';
const NAME = /^(\d{16})\.seg$/;
/** Folder in the spool's directory for bytes that were damaged. */
export const QUARANTINE = 'quarantine';

/** What became of the rows of a record that is settled. */
export interface Settled {
  readonly committed: number;
  readonly deadLettered: number;
}

/** One file of records. Its state is read-only outside and changes by named transitions. */
export class Segment {
  private lastSequence: number;
  private size = 0;
  private sizeKnown = true;
  private holds = 0;
  private settledSince: number | undefined;
  private rowsCounted = true;
  private outcomesFolded = false;
  private readonly settledAhead = new Map<number, Settled>();
  private committedAhead = 0;
  private deadLetteredAhead = 0;
  private forgottenBelow = 0;

  constructor(
    readonly name: string,
    readonly path: string,
    /** No record in it has a smaller sequence number. */
    readonly first: number,
  ) {
    this.lastSequence = first - 1;
  }

  /** No record in it has a larger sequence number. */
  get last(): number {
    return this.lastSequence;
  }

  /** Bytes that are durable; what lies beyond was never acknowledged. 0 while the file could not be opened. */
  get bytes(): number {
    return this.size;
  }

  /** False while the file could not be opened since the start. */
  get opened(): boolean {
    return this.sizeKnown;
  }

  /** When all of it was seen to be settled, milliseconds of Date.now. */
  get settledAt(): number | undefined {
    return this.settledSince;
  }

  /** True while something in it is needed: a record that is not settled, or bytes that were not read yet. */
  get held(): boolean {
    return this.holds > 0;
  }

  /** False when it could not be read whole at the start: its rows are counted as they are found. */
  get counted(): boolean {
    return this.rowsCounted;
  }

  /** Rows of records in it that are settled and lie above the checkpoint. */
  get ahead(): Settled {
    return { committed: this.committedAhead, deadLettered: this.deadLetteredAhead };
  }

  /** True when the ledger on disk counts all of it as settled: it is not read again after a restart. */
  get folded(): boolean {
    return this.outcomesFolded;
  }

  /** The file was opened and has this many bytes. */
  measured(bytes: number): void {
    this.size = bytes;
    this.sizeKnown = true;
  }

  /** The file cannot be opened now. */
  notOpened(): void {
    this.sizeKnown = false;
    this.rowsCounted = false;
  }

  /** Records were written to it; `last` is the sequence number of the last. */
  grew(bytes: number, last: number): void {
    this.size += bytes;
    this.lastSequence = last;
    this.settledSince = undefined;
  }

  /** It may hold records up to this number. */
  reaches(sequence: number): void {
    this.lastSequence = Math.max(this.lastSequence, sequence);
  }

  /** Numbers from this one on belong to the next segment. */
  endsBefore(sequence: number): void {
    this.lastSequence = sequence - 1;
  }

  /** Some of it could not be read at the start. */
  notCounted(): void {
    this.rowsCounted = false;
  }

  /** Something in it is needed until `release`. */
  hold(): void {
    this.holds++;
  }

  release(): void {
    if (this.holds === 0) throw new Error(`segment ${this.name} is held by nothing`);
    this.holds--;
  }

  /** A record in it is settled, and an earlier one may not be. */
  settle(sequence: number, outcome: Settled): void {
    this.settledAhead.set(sequence, outcome);
    this.committedAhead += outcome.committed;
    this.deadLetteredAhead += outcome.deadLettered;
  }

  /** What became of the records below this number that are settled and lie above the checkpoint. */
  settledBelow(sequence: number): Settled {
    const sum = { committed: 0, deadLettered: 0 };
    for (const [settled, { committed, deadLettered }] of this.settledAhead) {
      if (settled >= sequence) continue;
      sum.committed += committed;
      sum.deadLettered += deadLettered;
    }
    return sum;
  }

  /** The checkpoint covers all records below this number: their outcomes need not be kept. */
  forgetBelow(sequence: number): void {
    if (sequence <= this.first || sequence === this.forgottenBelow) return;
    this.forgottenBelow = sequence;
    for (const [settled, outcome] of this.settledAhead) {
      if (settled >= sequence) continue;
      this.settledAhead.delete(settled);
      this.committedAhead -= outcome.committed;
      this.deadLetteredAhead -= outcome.deadLettered;
    }
  }

  /** The ledger counts all of it from now on: single outcomes need not be kept. */
  fold(): void {
    this.outcomesFolded = true;
    this.settledAhead.clear();
    this.committedAhead = 0;
    this.deadLetteredAhead = 0;
  }

  /** All of it is settled; `now` in milliseconds of Date.now. */
  markSettled(now: number): void {
    this.settledSince ??= now;
  }
}

/** Those of the names in a directory that are segments', oldest first. */
export function segmentNames(names: readonly string[]): string[] {
  return names.filter((name) => NAME.test(name)).sort();
}

/** The number that a segment is named by: no record in it has a smaller one. */
export function firstNumberOf(name: string): number {
  return Number(name.slice(0, -SUFFIX.length));
}
