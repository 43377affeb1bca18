import { Global, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { register } from 'prom-client';

import { VERSION } from '../config/version.js';
import { buildRevision } from './build.revision.js';
import { Metrics } from './metrics.catalogue.js';
import { MetricsController } from './metrics.controller.js';

/** Gauges of the runtime whose names end in `_total`, which `promtool check metrics` refuses for a gauge. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** The registry, every metric, and `/metrics`. */
@Global()
@Module({
  imports: [PrometheusModule.register({ controller: MetricsController })],
  providers: [Metrics],
  exports: [Metrics],
})
export class MetricsModule {
  constructor(metrics: Metrics) {
    metrics.buildInfo.set({ version: VERSION, revision: buildRevision() }, 1);
    for (const name of MISNAMED) register.removeSingleMetric(name);
  }
}
