import { SECOND } from '../config/units.js';
import { ProblemError } from './problem.error.js';

/** Room that a body takes as it comes. */
export interface BodyRoom {
  /**
   * So many bytes of it have come.
   * @throws ProblemError when there is no room for them
   */
  readonly grow: (bytes: number) => void;
  /** Gives all of it back; a second call does nothing. */
  readonly release: () => void;
}

/**
 * Bounds the bytes of all bodies that are being taken in at once: each may be large, and none is in the queue yet. The
 * bodies of one sender may have half of what those of the others leave free. So there is always room for one more
 * sender, however slowly the others send.
 */
export class BodyBudget {
  private held = 0;
  private readonly ofSenders = new Map<object, number>();

  /** @param limit bytes */
  constructor(private readonly limit: number) {}

  /**
   * Room for a body of which nothing has come yet. A lone body always fits.
   * @param announced bytes that it says it has: one that cannot fit beside the others now is refused unread
   * @param sender stands for who sends it
   * @throws ProblemError `queue-full`
   */
  reserve(announced: number, sender: object): BodyRoom {
    this.assertFits(announced, 0, sender);
    let own = 0;
    return {
      grow: (bytes) => {
        this.assertFits(bytes, own, sender);
        this.add(bytes, sender);
        own += bytes;
      },
      release: () => {
        this.add(-own, sender);
        own = 0;
      },
    };
  }

  private assertFits(bytes: number, own: number, sender: object): void {
    if (this.held === own) return;
    const ofSender = this.ofSenders.get(sender) ?? 0;
    const ofOthers = this.held - ofSender;
    if (2 * (ofSender + bytes) <= this.limit - ofOthers) return;
    throw new ProblemError(
      'queue-full',
      'Too many large bodies with this token are being taken in at this moment.',
      { retryAfterMs: SECOND, headers: { 'x-backpressure': 'hard' } },
    );
  }

  private add(bytes: number, sender: object): void {
    this.held += bytes;
    const ofSender = (this.ofSenders.get(sender) ?? 0) + bytes;
    if (ofSender === 0) this.ofSenders.delete(sender);
    else this.ofSenders.set(sender, ofSender);
  }
}
