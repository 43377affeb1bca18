import { FIRST_TS } from './bar.keys.js';

/** Of the minutes of a poisoned series one in so many is refused. */
const EVERY = 97;

/** Bars that PostgreSQL is made to refuse for good, and which alone may be dead letters. */
export class Poison {
  private readonly symbols = new Set<string>();

  /** Whether any bar may be refused. */
  get isUsed(): boolean {
    return this.symbols.size > 0;
  }

  /** From now on bars of this symbol may be refused. @returns the condition that a bar must meet, for a check */
  add(symbol: string, seriesId: number): string {
    this.symbols.add(symbol);
    return `CHECK (series_id <> ${seriesId} OR (extract(epoch FROM ts)::bigint - ${FIRST_TS}) / 60 % ${EVERY} <> 0) NOT VALID`;
  }

  /** @param ts epoch seconds */
  mayRefuse(symbol: string, ts: number): boolean {
    return this.symbols.has(symbol) && ((ts - FIRST_TS) / 60) % EVERY === 0;
  }
}
