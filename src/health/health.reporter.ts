import type { HealthIndicatorResult } from '@nestjs/terminus';

import { SERVICE, VERSION } from '../config/version.js';
import { SECOND } from '../config/units.js';
import type { HealthComponent, HealthState, HealthStatus } from '../core/health.status.js';

/** Something that tells how one component is. */
export interface HealthCheck {
  check(): HealthIndicatorResult | Promise<HealthIndicatorResult>;
}

/** A HealthStatus as it is serialised: made here and not parsed, so no instance of the contract's class. */
export type HealthReport = Pick<HealthStatus, keyof HealthStatus>;

const STATES = { up: 'healthy', degraded: 'degraded', down: 'unhealthy' } as const;

/** Maps the results of Terminus indicators onto a Core HealthStatus. */
export class HealthReporter {
  constructor(private readonly checks: readonly HealthCheck[]) {}

  /** Asks nobody: that it can be called is the answer. */
  alive(): HealthReport {
    return { service: SERVICE, state: 'healthy', components: [], version: VERSION, ts: Date.now() / SECOND };
  }

  /** Asks every indicator. A component that is not healthy degrades the service; whether it serves is another question. */
  async report(): Promise<HealthReport> {
    const results = await Promise.all(this.checks.map(async (one) => await one.check()));
    const components = results.flatMap((result) =>
      Object.entries(result).map(([name, one]) => componentOf(name, one)),
    );
    const state: HealthState = components.every((component) => component.state === 'healthy')
      ? 'healthy'
      : 'degraded';
    return { service: SERVICE, state, components, version: VERSION, ts: Date.now() / SECOND };
  }
}

function componentOf(name: string, { status, ...rest }: HealthIndicatorResult[string]): HealthComponent {
  const details = Object.entries(rest)
    .filter(([key]) => key !== 'cachedResponse' && key !== 'responseTime')
    .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]);
  return { name, state: STATES[status], details: Object.fromEntries(details) as Record<string, string> };
}
