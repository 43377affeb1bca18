/** A minute, milliseconds. */
const EVERY_MS = 60_000;

/** Logs what others can cause as often as they like: the first at once, those that follow in one line a minute. */
export class PacedLine<T> {
  /** Since the last line. */
  private count = 0;
  private newest: T | undefined;
  private pause: NodeJS.Timeout | undefined;

  /** `log` is told how many there were since the last line, and the newest. */
  constructor(
    private readonly log: (count: number, newest: T) => void,
    private readonly everyMs = EVERY_MS,
  ) {}

  note(newest: T): void {
    this.count += 1;
    this.newest = newest;
    if (this.pause === undefined) this.tell();
  }

  private tell(): void {
    const { count, newest } = this;
    this.count = 0;
    this.pause = count === 0 ? undefined : setTimeout(() => this.tell(), this.everyMs).unref();
    if (count > 0) this.log(count, newest as T);
  }
}
