/** The first `ts` of every series, epoch seconds. */
export const FIRST_TS = Date.UTC(2026, 0, 1) / 1000;

/** How the bars of a producer, numbered from 0, are spread over series. */
export interface BarKeysOptions {
  /** Nobody else's: it tells whose bar it is. */
  readonly provider: string;
  /** Bars of a series before the next one begins; default: all are of one series. */
  readonly barsPerSeries?: number;
  /** Seconds from a bar to the next; default 60. */
  readonly secondsPerBar?: number;
}

/** Names the bars of a producer. */
export class BarKeys {
  readonly provider: string;
  readonly interval: string;
  private readonly barsPerSeries: number;
  private readonly secondsPerBar: number;

  constructor({ provider, barsPerSeries = Infinity, secondsPerBar = 60 }: BarKeysOptions) {
    this.provider = provider;
    this.barsPerSeries = barsPerSeries;
    this.secondsPerBar = secondsPerBar;
    this.interval = secondsPerBar === 60 ? '1m' : `${secondsPerBar}s`;
  }

  /** Upper-case, because the service stores it so. */
  symbolOf(bar: number): string {
    return `${this.provider}-${Math.floor(bar / this.barsPerSeries)}`;
  }

  /** Epoch seconds. */
  tsOf(bar: number): number {
    return FIRST_TS + (this.barsPerSeries === Infinity ? bar : bar % this.barsPerSeries) * this.secondsPerBar;
  }

  /** The bar of a symbol and a ts in epoch seconds; undefined when this producer has none there. */
  barOf(symbol: string, ts: number): number | undefined {
    const series = Number(symbol.slice(this.provider.length + 1));
    const place = (ts - FIRST_TS) / this.secondsPerBar;
    const bar = series === 0 ? place : series * this.barsPerSeries + place;
    const isOurs =
      Number.isSafeInteger(bar) && bar >= 0 && this.symbolOf(bar) === symbol && this.tsOf(bar) === ts;
    return isOurs ? bar : undefined;
  }
}
