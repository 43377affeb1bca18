/** The first `ts` of every producer, epoch seconds: bars are numbered from 0, one minute apart. */
export const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;
const MINUTE_S = 60;

/** `ts` of a bar in epoch seconds. */
export const tsOf = (bar: number): number => FIRST_TS + bar * MINUTE_S;

/** The bar of a `ts` in epoch seconds. */
export const barAt = (ts: number): number => (ts - FIRST_TS) / MINUTE_S;

/** Symbol of the bar that no producer sends. */
export const FRESH = 'FRESH';

/** A bar that no producer sends, for a look at whether bars flow. */
export const FRESH_BAR = JSON.stringify({
  ...{ provider: 'chaos', symbol: FRESH, interval: '1m', ts: FIRST_TS },
  ...{ open: 1, high: 1, low: 1, close: 1, volume: 1 },
});

/** What may be stored of one symbol's bars, given what was answered. Versions count from 1; 0 is no bar at all. */
export class BarModel {
  /** The last version that was acknowledged, by bar. */
  private readonly acknowledged: number[] = [];
  /** Versions sent since then whose fate is not known. */
  private readonly uncertain = new Map<number, number[]>();

  /** Bars that were ever sent. */
  get size(): number {
    return this.acknowledged.length;
  }

  /** A new bar, which is about to be sent. */
  add(): number {
    return this.acknowledged.push(0) - 1;
  }

  /** The version of these bars was answered as safe: nothing that was sent before it may be stored last. */
  confirm(bars: readonly number[], version: number): void {
    for (const bar of bars) {
      this.acknowledged[bar] = version;
      this.uncertain.delete(bar);
    }
  }

  /** The version of these bars was sent, and nobody knows what became of it. */
  doubt(bars: readonly number[], version: number): void {
    for (const bar of bars) {
      const versions = this.uncertain.get(bar);
      if (versions) versions.push(version);
      else this.uncertain.set(bar, [version]);
    }
  }

  /** Versions of a bar of which one must be stored; 0 among them: it need not be there. */
  possible(bar: number): readonly number[] {
    return [this.acknowledged[bar] ?? 0, ...(this.uncertain.get(bar) ?? [])];
  }
}
