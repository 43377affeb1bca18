/** Lets so many in at once; the others wait their turn. */
export class Turnstile {
  private readonly waiting = new Set<() => void>();
  private inside = 0;

  /** @param capacity how many, at least 1 */
  constructor(private readonly capacity: number) {}

  /**
   * Resolves to true when the caller is in, and must leave again; to false when there was no place within `limitMs`, or
   * before the signal was aborted.
   */
  async enter(limitMs = Infinity, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.inside < this.capacity) {
      this.inside += 1;
      return true;
    }
    // The place of who leaves is handed over, so that nobody slips in between.
    return await new Promise<boolean>((resolve) => {
      const timer = Number.isFinite(limitMs) ? setTimeout(() => giveUp(), limitMs) : undefined;
      const stopWaiting = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.waiting.delete(enter);
      };
      const enter = (): void => {
        stopWaiting();
        resolve(true);
      };
      const giveUp = (): void => {
        stopWaiting();
        resolve(false);
      };
      signal?.addEventListener('abort', giveUp);
      this.waiting.add(enter);
    });
  }

  leave(): void {
    const [next] = this.waiting;
    if (next === undefined) this.inside -= 1;
    else next();
  }
}
