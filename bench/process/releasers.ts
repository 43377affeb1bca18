type Releaser = () => Promise<void> | void;

/** What must be given back at the end, whatever the end is: last taken, first given back. */
export class Releasers {
  private readonly stack: Releaser[] = [];
  private releasing: Promise<void> | undefined;

  add(release: Releaser): void {
    this.stack.push(release);
  }

  /** Gives everything back, though one fails, and tells of those. Repeated calls share one release. */
  release(): Promise<void> {
    return (this.releasing ??= this.drain().finally(() => (this.releasing = undefined)));
  }

  private async drain(): Promise<void> {
    for (let release = this.stack.pop(); release !== undefined; release = this.stack.pop()) {
      try {
        await release();
      } catch (error) {
        process.stderr.write(`cleaning up: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }
}
