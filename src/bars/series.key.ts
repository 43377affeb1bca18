/** What identifies a series of bars. Every part is in its stored form (symbol as SymbolCase has it, interval as `5m`). */
export interface SeriesKey {
  readonly provider: string;
  readonly symbol: string;
  readonly interval: string;
}

const PROVIDER = /^[A-Za-z0-9._-]{1,64}$/;
/** How a symbol may be written. Without a comma, which separates symbols where bars are asked for. */
export const SYMBOL = /^[!-+\--~]{1,64}$/;

/** Whether a provider may have this name. */
export function isProvider(text: string): boolean {
  return PROVIDER.test(text);
}

/** Whether a symbol may be written so. */
export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}

/** The parts of a key as one text. None may hold a space, so two keys never have the same. */
export function seriesName(provider: string, symbol: string, interval: string): string {
  return `${provider} ${symbol} ${interval}`;
}

/** The provider in a name; nothing else of it is looked at. */
export function providerOf(name: string): string {
  return name.slice(0, name.indexOf(' '));
}

/** The parts of a name. @throws Error when it has not three */
export function parseSeriesName(name: string): SeriesKey {
  const [provider, symbol, interval, ...more] = name.split(' ');
  if (provider === undefined || symbol === undefined || interval === undefined || more.length > 0)
    throw new Error('the name of a series has not three parts');
  return { provider, symbol, interval };
}
