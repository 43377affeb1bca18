/**
 * How each symbol is written in one body. Where symbols are stored in upper case, two that differ in case only would
 * become one: their bars would replace each other.
 */
export class SymbolSpellings {
  /** Provider and symbol as written, by provider and symbol as stored. None while both are the same of all series. */
  #written: Map<string, string> | undefined;

  /**
   * Whether no earlier series is of the same symbol in another spelling. `name` is that of the series (see seriesName),
   * `written` the same with the symbol as it is written; `earlier` are the series that were taken before.
   */
  take(name: string, written: string, earlier: readonly string[]): boolean {
    if (this.#written === undefined) {
      if (written === name) return true;
      this.#written = new Map(earlier.map((series) => [withoutInterval(series), withoutInterval(series)]));
    }
    const symbol = withoutInterval(name);
    const spelling = withoutInterval(written);
    const first = this.#written.get(symbol);
    if (first === undefined) this.#written.set(symbol, spelling);
    return first === undefined || first === spelling;
  }

  /** How the symbol of the series is written in the series that was taken first. */
  firstOf(name: string): string {
    const symbol = withoutInterval(name);
    const written = this.#written?.get(symbol) ?? symbol;
    return written.slice(written.indexOf(' ') + 1);
  }
}

function withoutInterval(name: string): string {
  return name.slice(0, name.lastIndexOf(' '));
}
