import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

import { SECOND } from '../config/units.js';
import { AllowedMethods } from './allowed.methods.js';
import type { Answer } from './answer.js';
import { type ListenAddress, PortError } from './port.error.js';
import { ProblemError } from './problem.error.js';
import { ProblemFilter } from './problem.filter.js';
import { requestIdOf } from './request.id.js';
import { SECURITY_HEADERS } from './security.headers.js';

/**
 * Connections that may wait until they are accepted; the kernel may allow fewer (`net.core.somaxconn`). Node's 511 are
 * full when a thousand clients come at once: the kernel then drops others, which try again seconds later.
 */
const BACKLOG = 4_096;

/**
 * A server that has its port before the service behind it is there: if another program has the port, nothing need be
 * started. Until it is opened it answers the probes, and everything else with 503 `starting`.
 */
export class EarlyServer {
  private readonly filter = new ProblemFilter(new AllowedMethods());

  private constructor(
    private readonly server: Server,
    private readonly service: RequestListener[],
    /** Answers of the probes by their path. */
    private readonly probes: ReadonlyMap<string, () => Answer>,
  ) {}

  /** @throws PortError when it cannot have the port */
  static async listen(
    server: Server,
    address: ListenAddress,
    probes: ReadonlyMap<string, () => Answer>,
  ): Promise<EarlyServer> {
    const early = new EarlyServer(server, server.listeners('request') as RequestListener[], probes);
    server.removeAllListeners('request');
    server.on('request', early.answer);
    try {
      await once(server.listen({ ...address, backlog: BACKLOG }), 'listening');
    } catch (error) {
      throw new PortError(address, error as NodeJS.ErrnoException);
    }
    return early;
  }

  /** Hands requests to the service from now on. */
  open(): void {
    this.server.off('request', this.answer);
    for (const handler of this.service) this.server.on('request', handler);
  }

  private readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = 'GET', url = '/' } = request;
    const id = requestIdOf(request.headers['x-request-id']);
    const probe = this.probes.get(url.split('?', 1)[0] ?? url);
    const { status, headers, body } = probe?.() ?? this.filter.answer(starting(), { id, method, url });
    // What is kept open would be asked nothing else for a while.
    const all = { ...SECURITY_HEADERS, ...headers, 'x-request-id': id, connection: 'close' };
    response.writeHead(status, all).end(body);
  };
}

function starting(): ProblemError {
  return new ProblemError('starting', 'The service starts its database; send the request again.', {
    retryAfterMs: SECOND,
  });
}
