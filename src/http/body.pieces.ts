import { giveTurns } from '../concurrency/turns.js';
import { MIB } from '../config/units.js';

/** What is copied at once, bytes: a millisecond or so. */
const AT_ONCE = MIB;

/**
 * The pieces of a body as one buffer; leaves the array empty. Copying 64 MiB at once would hold up the event loop for
 * up to half a second, so the loop serves others after each mebibyte.
 */
export async function joinPieces(pieces: Buffer[], bytes: number): Promise<Buffer> {
  if (bytes <= AT_ONCE) return Buffer.concat(pieces.splice(0), bytes);
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  let pause = AT_ONCE;
  for (const piece of pieces.splice(0)) {
    at += piece.copy(whole, at);
    if (at < pause) continue;
    pause = at + AT_ONCE;
    await giveTurns();
  }
  return whole;
}
