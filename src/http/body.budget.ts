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

/** Bounds the bytes of all bodies that are being taken in at once: each may be large, and none is in the queue yet. */
export class BodyBudget {
  private held = 0;

  /** @param limit bytes */
  constructor(private readonly limit: number) {}

  /**
   * Room for a body of which nothing has come yet. A lone body always fits.
   * @param announced bytes that it says it has: one that cannot fit beside the others now is refused unread
   * @throws ProblemError `queue-full`
   */
  reserve(announced: number): BodyRoom {
    this.assertFits(announced, 0);
    let own = 0;
    return {
      grow: (bytes) => {
        this.assertFits(bytes, own);
        this.held += bytes;
        own += bytes;
      },
      release: () => {
        this.held -= own;
        own = 0;
      },
    };
  }

  private assertFits(bytes: number, own: number): void {
    if (this.held === own || this.held + bytes <= this.limit) return;
    throw new ProblemError('queue-full', 'Too many large bodies are being taken in at this moment.', {
      retryAfterMs: SECOND,
      headers: { 'x-backpressure': 'hard' },
    });
  }
}
