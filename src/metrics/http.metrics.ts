import type { FastifyInstance } from 'fastify';

import { SECOND } from '../config/units.js';
import type { Metrics } from './metrics.catalogue.js';
import { readOnScrape } from './read.on.scrape.js';

/** Counts and times every request by its route template; what matches none is counted together. */
export function measureHttp(server: FastifyInstance, metrics: Metrics): void {
  server.addHook('onResponse', (request, reply, done) => {
    const labels = { method: request.method, endpoint: request.routeOptions.url ?? 'unknown' };
    metrics.httpDuration.observe(labels, reply.elapsedTime / SECOND);
    done();
  });
  // The histogram has counted them: counting once saves a request as much as it takes to time it.
  readOnScrape(metrics.httpRequests, async () => {
    const { values } = await metrics.httpDuration.get();
    metrics.httpRequests.reset();
    for (const { metricName, labels, value } of values)
      if (metricName?.endsWith('_count')) metrics.httpRequests.inc(labels, value);
  });
}
