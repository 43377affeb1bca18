/** The health states of Core v1.1.0, from best to worst. */
export const HEALTH_STATES = ['healthy', 'degraded', 'unhealthy'] as const;

/** Core v1.1.0 `HealthState`: whether a service or a part of it works. */
export type HealthState = (typeof HEALTH_STATES)[number];
