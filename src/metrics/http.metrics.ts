import type { FastifyInstance } from 'fastify';

import { SECOND } from '../config/units.js';
import type { Metrics } from './metrics.catalogue.js';

/** Counts and times every request by its route template; what matches none is counted together. */
export function measureHttp(server: FastifyInstance, metrics: Metrics): void {
  server.addHook('onResponse', (request, reply, done) => {
    const labels = { method: request.method, endpoint: request.routeOptions.url ?? 'unknown' };
    metrics.httpRequests.inc(labels);
    metrics.httpDuration.observe(labels, reply.elapsedTime / SECOND);
    done();
  });
}
