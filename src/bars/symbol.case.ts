/** How the symbols of a provider are stored: in upper case, or as they come when it tells symbols apart by case. */
export class SymbolCase {
  readonly #sensitive: ReadonlySet<string> | '*';

  /** `sensitive` names the providers whose symbols keep their case; `*`: all. */
  constructor(sensitive: readonly string[] | '*') {
    this.#sensitive = sensitive === '*' ? '*' : new Set(sensitive);
  }

  /** Whether symbols of the provider keep their case. */
  keeps(provider: string): boolean {
    return this.#sensitive === '*' || this.#sensitive.has(provider);
  }

  /** The symbol as it is stored. */
  stored(provider: string, symbol: string): string {
    return this.keeps(provider) ? symbol : symbol.toUpperCase();
  }

  /** What a question for symbols means: the symbols as they are stored. */
  asked({ symbols, provider }: AskedSymbols): StoredSymbols {
    if (symbols === undefined) return { symbols, caseSensitive: undefined };
    const upper = symbols.map((symbol) => symbol.toUpperCase());
    if (provider !== undefined)
      return { symbols: this.keeps(provider) ? symbols : upper, caseSensitive: undefined };
    if (this.#sensitive === '*') return { symbols, caseSensitive: undefined };
    if (this.#sensitive.size === 0) return { symbols: upper, caseSensitive: undefined };
    return {
      symbols: [...new Set([...upper, ...symbols])],
      caseSensitive: { providers: [...this.#sensitive], symbols },
    };
  }
}

/** Every symbol is stored in upper case. */
export const UPPER_CASE = new SymbolCase([]);

/** The symbols of a question, in the case in which they were written, and the only provider that it is about. */
export interface AskedSymbols {
  readonly symbols?: readonly string[] | undefined;
  readonly provider?: string | undefined;
}

/** Stored symbols that are meant; undefined: all. */
export interface StoredSymbols {
  readonly symbols: readonly string[] | undefined;
  /** Of these providers only these of the symbols are meant; undefined: no provider is an exception. */
  readonly caseSensitive:
    { readonly providers: readonly string[]; readonly symbols: readonly string[] } | undefined;
}
