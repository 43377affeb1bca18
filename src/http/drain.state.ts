/** Whether the service is on its way out: it answers what it has begun and takes no new bars. */
export class DrainState {
  private started = false;

  get draining(): boolean {
    return this.started;
  }

  /** There is no way back. */
  start(): void {
    this.started = true;
  }
}
