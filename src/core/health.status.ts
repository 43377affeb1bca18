/** Core v1.1.0 `HealthState`. */
export type HealthState = 'healthy' | 'degraded' | 'unhealthy';

/** Core v1.1.0 `HealthComponent`: one part of a service and how it is. */
export interface HealthComponent {
  readonly name: string;
  readonly state: HealthState;
  /** Why, in words or numbers. */
  readonly details: Readonly<Record<string, string>>;
}

/** Core v1.1.0 `HealthStatus`, as it is serialised. */
export interface HealthStatus {
  readonly service: string;
  readonly state: HealthState;
  readonly components: readonly HealthComponent[];
  readonly version: string;
  /** Unix epoch, seconds. */
  readonly ts: number;
}
