import type { FastifyInstance } from 'fastify';

import { SECOND } from '../config/units.js';
import type { Metrics } from './metrics.catalogue.js';

/** Counts and times every request by its route template; what matches none is counted together. */
export function measureHttp(server: FastifyInstance, metrics: Metrics): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    const { url: endpoint = 'unknown' } = routeOptions;
    metrics.httpDuration.observe({ method, endpoint }, reply.elapsedTime / SECOND);
    metrics.httpRequests.inc({ method, endpoint, status: reply.statusCode });
    done();
  });
}
