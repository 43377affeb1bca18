import { type AddressInfo, createServer } from 'node:net';

import { PortTakenError } from './embedded.errors.js';

const HOST = '127.0.0.1';
const MAX_ATTEMPTS = 10;

/**
 * Calls `bind` with the preferred port, or with any free one when that is taken, and again with another as long
 * as it rejects with PortTakenError: somebody may take a port between our look and its use.
 */
export async function onFreePort<T>(preferred: number, bind: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const port = (attempt === 1 ? await probe(preferred) : undefined) ?? (await probe(0)) ?? preferred;
    try {
      return await bind(port);
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/** The port when it can be listened on, any free one for 0; undefined when it is taken. */
function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, HOST, () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });
}
