/** What came of texts that come again and again. When there are too many all are forgotten: the usual ones come back. */
export class Remembered<V> {
  private readonly values = new Map<string, V>();

  /** `most` texts at most, none longer than `longest` characters. */
  constructor(
    private readonly most: number,
    private readonly longest: number,
  ) {}

  /** How many are remembered. */
  get size(): number {
    return this.values.size;
  }

  get(text: string): V | undefined {
    return this.values.get(text);
  }

  /** Remembers the value, unless the text is too long. */
  set(text: string, value: V): void {
    if (text.length > this.longest) return;
    if (this.values.size >= this.most) this.values.clear();
    this.values.set(text, value);
  }
}
