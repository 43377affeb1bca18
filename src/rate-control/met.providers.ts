import { SECOND } from '../config/units.js';

/** Milliseconds without use after which a provider may make room for another of the same sender. */
const REST_MS = 60 * SECOND;
/** Milliseconds after a use in which further ones are not noted: every body has some. */
const GRAIN_MS = SECOND;
/** Most providers that are looked at for one newcomer. */
const MOST_LOOKS = 8;

interface Use {
  readonly sender: object;
  readonly at: number;
}

/** Settings of MetProviders. */
export interface MetProvidersOptions {
  /** Most providers at once. */
  readonly limit: number;
  /** True while a provider must keep its entry. */
  readonly isHeld: (provider: string) => boolean;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
}

/**
 * The providers that have an entry only because they were met, and which of them makes room for a newcomer. Each counts
 * to the sender that used it last, and a sender with fewer takes from the one with the most: nobody can have them all.
 */
export class MetProviders {
  private readonly uses = new Map<string, Use>();
  /** The names of each sender, the one unused the longest first. */
  private readonly ofSenders = new Map<object, Set<string>>();

  constructor(private readonly options: MetProvidersOptions) {}

  get size(): number {
    return this.uses.size;
  }

  get isFull(): boolean {
    return this.uses.size >= this.options.limit;
  }

  has(provider: string): boolean {
    return this.uses.has(provider);
  }

  /** Notes that a sender uses a provider now, which may be new. */
  put(provider: string, sender: object): void {
    this.delete(provider);
    this.uses.set(provider, { sender, at: this.options.now() });
    const names = this.ofSenders.get(sender);
    if (names) names.add(provider);
    else this.ofSenders.set(sender, new Set([provider]));
  }

  /** Notes that a sender uses a provider now, unless it was used a moment ago; false when it is not among them. */
  touch(provider: string, sender: object): boolean {
    const use = this.uses.get(provider);
    if (use === undefined) return false;
    if (this.options.now() - use.at >= GRAIN_MS) this.put(provider, sender);
    return true;
  }

  /** Forgets a provider, which may be none of them. */
  delete(provider: string): void {
    const use = this.uses.get(provider);
    if (use === undefined) return;
    this.uses.delete(provider);
    const names = this.ofSenders.get(use.sender);
    names?.delete(provider);
    if (names?.size === 0) this.ofSenders.delete(use.sender);
  }

  /**
   * The provider that makes room for a newcomer of a sender; undefined: there is room, or none may. It is the one unused
   * the longest of the sender with the most. When nobody has at least two more than the newcomer's sender, it is one of
   * its own, if that was not used for a minute.
   */
  leaverFor(sender: object): string | undefined {
    if (!this.isFull) return undefined;
    const own = this.ofSenders.get(sender) ?? new Set();
    const most = this.most();
    // Two senders with nearly equal numbers would take an entry from each other again and again.
    if (most.size > own.size + 1) return this.oldestFree(most);
    const oldest = this.oldestFree(own);
    return oldest !== undefined && this.hasRested(oldest) ? oldest : undefined;
  }

  /** The provider that makes room for one about which an order came; undefined: there is room. */
  leaverForOrder(): string | undefined {
    if (!this.isFull) return undefined;
    const most = this.most();
    return this.oldestFree(most) ?? most.values().next().value;
  }

  private most(): Set<string> {
    return [...this.ofSenders.values()].reduce(
      (most, names) => (names.size > most.size ? names : most),
      new Set(),
    );
  }

  /** The one unused the longest that is not held, of the first few. */
  private oldestFree(names: Set<string>): string | undefined {
    let looks = 0;
    for (const provider of names) {
      if (!this.options.isHeld(provider)) return provider;
      // To the end, so that the next newcomer looks at others.
      names.delete(provider);
      names.add(provider);
      looks += 1;
      if (looks === MOST_LOOKS) break;
    }
    return undefined;
  }

  private hasRested(provider: string): boolean {
    const { at = Infinity } = this.uses.get(provider) ?? {};
    return this.options.now() - at >= REST_MS;
  }
}
