/** Turns of the event loop that long work leaves to others, most, before it goes on. */
const MOST_TURNS = 16;
/** A turn that is shorter than this had nothing to do, milliseconds. */
const IDLE_MS = 0.1;

/**
 * Lets others have their turns while they need them. One turn is too few: Node accepts one new connection in each, so
 * that work in pieces of 10 ms would leave room for a hundred connections a second.
 */
export async function giveTurns(): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const from = performance.now();
    await new Promise(setImmediate);
    if (performance.now() - from < IDLE_MS) return;
  }
}
