/** Lets so many in at once; the others wait their turn. */
export class Turnstile {
  private readonly waiting: (() => void)[] = [];
  private inside = 0;

  /** @param capacity how many, at least 1 */
  constructor(private readonly capacity: number) {}

  /** Resolves when the caller is in; it must leave again. */
  async enter(): Promise<void> {
    if (this.inside < this.capacity) {
      this.inside += 1;
      return;
    }
    // The place of who leaves is handed over, so that nobody slips in between.
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.inside -= 1;
    else next();
  }
}
