import type { Entry, EntryParts, KindRun } from './sink.js';
import type { Part } from './write.ticket.js';

/** Most runs of a kind in a batch that is cut by kind. */
const MOST_RUNS = 200;

/** Rows in the parts. */
export function rowsOf<T extends Entry, R>(parts: readonly Part<T, R>[]): number {
  return parts.reduce((sum, { entry }) => sum + entry.rows, 0);
}

/** Takes batches apart. Without `parts` no entry is taken apart, only batches of several. */
export class BatchCutting<T extends Entry, R> {
  constructor(private readonly parts: EntryParts<T, R> | undefined) {}

  /**
   * Two halves, by rows and not by entries: a heavy one among many light ones must not cost more tries. None when the
   * batch is one row, or one entry that is not taken apart.
   */
  halve(batch: readonly Part<T, R>[]): readonly (readonly Part<T, R>[])[] {
    const [only] = batch;
    if (only && batch.length === 1) return this.splitInTwo(only);
    const half = rowsOf(batch) / 2;
    let rows = 0;
    const reached = batch.findIndex(({ entry }) => (rows += entry.rows) >= half) + 1;
    const cut = Math.min(reached, batch.length - 1);
    return [batch.slice(0, cut), batch.slice(cut)];
  }

  /** A batch for the rows of each kind; halves of a batch whose kinds alternate too often. */
  byKind(batch: readonly Part<T, R>[]): readonly (readonly Part<T, R>[])[] {
    const kinds = new Map<number, Part<T, R>[]>();
    let runs = 0;
    let last: number | undefined;
    for (const part of batch) {
      let from = 0;
      for (const { kind, rows } of this.runsOf(part)) {
        if (kind !== last && ++runs > MOST_RUNS) return this.halve(batch);
        last = kind;
        const run = this.between(part, from, from + rows);
        const alike = kinds.get(kind);
        if (alike) alike.push(run);
        else kinds.set(kind, [run]);
        from += rows;
      }
    }
    return [...kinds.values()];
  }

  /** Pieces of at most `mostRows` rows, in order. */
  private slices(batch: readonly Part<T, R>[], mostRows: number): readonly (readonly Part<T, R>[])[] {
    if (rowsOf(batch) <= mostRows) return [batch];
    const halves = this.halve(batch);
    return halves.length === 0 ? [batch] : halves.flatMap((half) => this.slices(half, mostRows));
  }

  /** Pieces of at most `mostRows` rows, each of one kind. */
  slicesByKind(batch: readonly Part<T, R>[], mostRows: number): readonly (readonly Part<T, R>[])[] {
    const kinds = this.byKind(batch);
    return kinds.length === 1
      ? this.slices(batch, mostRows)
      : kinds.flatMap((kind) => this.slicesByKind(kind, mostRows));
  }

  /** Each row of a part as a part of its own. */
  singles(part: Part<T, R>): readonly Part<T, R>[] {
    if (!this.parts || !part.ticket.safe) return [part];
    return Array.from({ length: part.entry.rows }, (_, row) => this.between(part, row, row + 1));
  }

  /** The rows of a part from `from` up to `end`, counted within the part; all of one that is not taken apart. */
  between(part: Part<T, R>, from: number, end: number): Part<T, R> {
    const { ticket, entry, firstRow } = part;
    if (!this.parts || !ticket.safe || end - from === entry.rows) return part;
    return { ticket, entry: this.parts.slice(entry, from, end), firstRow: firstRow + from };
  }

  private runsOf({ ticket, entry }: Part<T, R>): Iterable<KindRun> {
    return (ticket.safe && this.parts?.kinds?.(entry)) ?? [{ kind: 0, rows: entry.rows }];
  }

  private splitInTwo(part: Part<T, R>): readonly (readonly Part<T, R>[])[] {
    const { rows } = part.entry;
    if (rows < 2 || !this.parts || !part.ticket.safe) return [];
    const half = rows >> 1;
    return [[this.between(part, 0, half)], [this.between(part, half, rows)]];
  }
}
