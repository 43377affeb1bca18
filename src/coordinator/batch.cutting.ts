import type { Entry, EntryParts } from './sink.js';
import type { Part } from './write.ticket.js';

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
    if (only && batch.length === 1) return this.splitInTwo(only, only.entry.rows >> 1);
    const half = rowsOf(batch) / 2;
    let rows = 0;
    const reached = batch.findIndex(({ entry }) => (rows += entry.rows) >= half) + 1;
    const cut = Math.min(reached, batch.length - 1);
    return [batch.slice(0, cut), batch.slice(cut)];
  }

  /** Pieces of at most `mostRows` rows, in order. */
  slices(batch: readonly Part<T, R>[], mostRows: number): readonly (readonly Part<T, R>[])[] {
    if (rowsOf(batch) <= mostRows) return [batch];
    const halves = this.halve(batch);
    return halves.length === 0 ? [batch] : halves.flatMap((half) => this.slices(half, mostRows));
  }

  /** Each row of a part as a part of its own. */
  singles(part: Part<T, R>): readonly Part<T, R>[] {
    const singles: Part<T, R>[] = [];
    let rest = part;
    for (;;) {
      const [first, more] = this.splitAt(rest, 1);
      singles.push(first);
      if (!more) return singles;
      rest = more;
    }
  }

  /** The rows of a part from `from` up to `end`, counted within the part. */
  between(part: Part<T, R>, from: number, end: number): Part<T, R> {
    const [, tail = part] = from === 0 ? [] : this.splitAt(part, from);
    const [head] = this.splitAt(tail, end - from);
    return head;
  }

  private splitInTwo(part: Part<T, R>, row: number): readonly (readonly Part<T, R>[])[] {
    const [before, after] = this.splitAt(part, row);
    return after ? [[before], [after]] : [];
  }

  private splitAt(part: Part<T, R>, row: number): readonly [Part<T, R>, Part<T, R>?] {
    const { ticket, entry, firstRow } = part;
    if (row < 1 || row >= entry.rows || !this.parts || !ticket.safe) return [part];
    const [before, after] = this.parts.split(entry, row);
    return [
      { ticket, entry: before, firstRow },
      { ticket, entry: after, firstRow: firstRow + row },
    ];
  }
}
