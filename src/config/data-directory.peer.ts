import { connect } from 'node:net';

import { SECOND } from './units.js';

/** What a contender says of itself; `gone`: its process is dead; `unclear`: it ended while it was asked. */
export type PeerAnswer = 'holder' | 'candidate' | 'gone' | 'unclear';

const ANSWER_TIMEOUT_MS = 2 * SECOND;

/** Asks the contender that listens on the Unix socket `path`. Never rejects. */
export function askPeer(path: string): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    const finish = (answer: PeerAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8');
    // A stopped or busy process takes the connection and does not answer: it lives, so the lock is its.
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => finish('holder'));
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => finish(text === 'holder' || text === 'candidate' ? text : 'unclear'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => finish(meaningOf(code)));
  });
}

function meaningOf(code: string | undefined): PeerAnswer {
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'gone';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'unclear';
  // EACCES, a full backlog and whatever else: somebody may well live there, and two holders are worse than none.
  return 'holder';
}
