/** Lets one of those who wait go on in each turn of the event loop, in the order in which they came. */
export class LoopTurns {
  private readonly waiting: (() => void)[] = [];

  /** Resolves in a turn that nobody else gets. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.waiting.push(resolve) === 1) setImmediate(this.give);
    });
  }

  private readonly give = (): void => {
    this.waiting.shift()?.();
    if (this.waiting.length > 0) setImmediate(this.give);
  };
}
