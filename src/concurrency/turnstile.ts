/** Lets so many in at once; the others wait their turn. */
export class Turnstile {
  private readonly waiting = new Set<() => void>();
  private inside = 0;

  /** @param capacity how many, at least 1 */
  constructor(private readonly capacity: number) {}

  /** Resolves to true when the caller is in, and must leave again; to false when there was no place within `limitMs`. */
  async enter(limitMs = Infinity): Promise<boolean> {
    if (this.inside < this.capacity) {
      this.inside += 1;
      return true;
    }
    // The place of who leaves is handed over, so that nobody slips in between.
    return await new Promise<boolean>((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(() => giveUp(), limitMs) : undefined;
      const enter = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      const giveUp = (): void => {
        this.waiting.delete(enter);
        resolve(false);
      };
      this.waiting.add(enter);
    });
  }

  leave(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.inside -= 1;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}
