import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

import { expect, it } from '@jest/globals';

import { giveTurns } from '../../src/concurrency/turns.js';

/** Keeps the event loop busy. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('others get several turns while they have work', async () => {
  let turns = 0;
  const busy = (): void => {
    work(0.5);
    turns += 1;
    next = setImmediate(busy);
  };
  let next = setImmediate(busy);
  await giveTurns();
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(15);
});

it('connections that wait are accepted between two pieces of long work', async () => {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    work(0.2);
    socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 12 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  try {
    // The kernel connects them meanwhile.
    work(50);
    await giveTurns();
    expect(accepted).toBeGreaterThanOrEqual(8);
  } finally {
    for (const client of clients) client.destroy();
    server.close();
  }
});
