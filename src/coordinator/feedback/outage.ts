import { reasonOf } from '../../logging/error.text.js';
import { callGuarded } from '../guarded.call.js';

/** Where an outage is told, once when it begins and once when it is over. */
export interface OutageLog {
  warn(message: string): void;
  log(message: string): void;
}

/** How a way out of the process is: `degraded` hurts nobody but those who listen. */
export interface ChannelHealth {
  readonly state: 'healthy' | 'degraded';
  /** Where it leads and, when degraded, why and since when. */
  readonly details: Readonly<Record<string, string>>;
}

/** The time during which something outside cannot be reached. */
export class Outage {
  private current: { readonly since: Date; reason: string } | undefined;

  /** `what` is the thing in words, without credentials. */
  constructor(
    private readonly what: string,
    private readonly log: OutageLog | undefined,
  ) {}

  /** True from `begin` until `end`. */
  get isOn(): boolean {
    return this.current !== undefined;
  }

  /** Begins an outage or, during one, notes its latest reason. */
  begin(cause: unknown): void {
    const reason = reasonOf(cause);
    if (this.current) {
      this.current.reason = reason;
      return;
    }
    this.current = { since: new Date(), reason };
    callGuarded(() => this.log?.warn(`${this.what}: ${reason}`));
  }

  /** Ends the outage, if there is one. */
  end(): void {
    if (!this.current) return;
    const seconds = Math.round((Date.now() - this.current.since.getTime()) / 1000);
    this.current = undefined;
    callGuarded(() => this.log?.log(`${this.what}: works again after ${seconds} s`));
  }

  /** Healthy unless an outage is on. */
  health(details: Readonly<Record<string, string>>): ChannelHealth {
    if (!this.current) return { state: 'healthy', details };
    const { since, reason } = this.current;
    return { state: 'degraded', details: { ...details, message: reason, since: since.toISOString() } };
  }
}
