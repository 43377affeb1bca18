import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import type { HealthComponent, HealthState, HealthStatus } from '../core/health.status.js';

const STATES: readonly HealthState[] = ['healthy', 'degraded', 'unhealthy'];

/** One part of the service. */
@ApiSchema({ name: 'HealthComponent' })
export class HealthComponentDto implements HealthComponent {
  @ApiProperty({ example: 'database' })
  name!: string;

  @ApiProperty({ enum: STATES, example: 'healthy' })
  state!: HealthState;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { response_ms: '1' },
    description: 'Why.',
  })
  details!: Readonly<Record<string, string>>;
}

/** Core v1.1.0 HealthStatus. */
export class HealthStatusDto implements HealthStatus {
  @ApiProperty({ example: 'market-data-store' })
  service!: string;

  @ApiProperty({ enum: STATES, example: 'healthy' })
  state!: HealthState;

  @ApiProperty({ type: [HealthComponentDto] })
  components!: HealthComponentDto[];

  @ApiProperty({ example: '0.4.0' })
  version!: string;

  @ApiProperty({ type: 'number', example: 1760659200.25, description: 'Unix epoch, seconds.' })
  ts!: number;
}

/** HealthStatus for those who look at the older `ok` only. */
@ApiSchema({ name: 'Health' })
export class HealthzDto extends HealthStatusDto {
  @ApiProperty({ example: true, description: 'Always true: the process serves.' })
  ok!: true;

  @ApiProperty({
    enum: STATES,
    required: false,
    deprecated: true,
    description: 'The same as `state`, with MDP_FB_USE_CORE_CONTRACTS=false only.',
  })
  status?: HealthState;
}

/** HealthStatus of a readiness probe. */
@ApiSchema({ name: 'Readiness' })
export class ReadyzDto extends HealthStatusDto {
  @ApiProperty({ example: true })
  ready!: boolean;
}
