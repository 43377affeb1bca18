import type { RateAdjustment } from '../core/index.js';

/** Names that a line holds; of more it says how many. */
const MOST_NAMES = 5;

/**
 * Says what providers may send now, and for which of them the store enforces it. A change of the level is one line for
 * all providers that it reaches and not one for each: clients make up names.
 */
export class AdjustmentLog {
  /** The newest of this turn, by provider. */
  private adjustments = new Map<string, RateAdjustment>();

  /** `hasRate` tells whether a provider has a rate that is enforced; `write` gets each line. */
  constructor(
    private readonly hasRate: (provider: string) => boolean,
    private readonly write: (line: string) => void,
  ) {}

  /** Notes an adjustment; it is in a line by the end of the turn unless another of the same provider follows. */
  note(adjustment: RateAdjustment): void {
    if (this.adjustments.size === 0) setImmediate(() => this.flush());
    this.adjustments.set(adjustment.provider, adjustment);
  }

  private flush(): void {
    const { adjustments } = this;
    this.adjustments = new Map();
    const names = new Map<string, string[]>();
    for (const adjustment of adjustments.values()) {
      const text = this.textOf(adjustment);
      const before = names.get(text);
      if (before) before.push(adjustment.provider);
      else names.set(text, [adjustment.provider]);
    }
    for (const [text, providers] of names) this.write(`${listed(providers)} ${text}`);
  }

  private textOf({ provider, scale, reason }: RateAdjustment): string {
    return this.hasRate(provider)
      ? `may send at ${scale} of the rate that is set (${reason}); more is refused`
      : `may send at ${scale} of full speed (${reason}); this is told and not enforced: no rate is set (MDP_RATE_PROVIDERS)`;
  }
}

function listed(names: readonly string[]): string {
  const first = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${first} and ${names.length - MOST_NAMES} more` : first;
}
