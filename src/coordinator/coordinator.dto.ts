import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/backpressure.level.js';
import type { CircuitState } from './circuit.breaker.js';
import type { CoordinatorSnapshot } from './coordinator.options.js';

/** Bars since the start of the process. */
@ApiSchema({ name: 'RowCounts' })
export class RowsDto {
  @ApiProperty({ type: 'integer', minimum: 0, example: 500000, description: 'Bars that the queue took.' })
  accepted!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 500000,
    description: 'Accepted bars that PostgreSQL committed.',
  })
  committed!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Accepted bars whose sender was answered with an error.',
  })
  refused!: number;
}

/** The coordinator at this moment. */
@ApiSchema({ name: 'Coordinator' })
export class CoordinatorDto {
  @ApiProperty({ example: 'bars-store-0' })
  coordinator_id!: string;

  @ApiProperty({ type: 'integer', minimum: 0, example: 4 })
  workers_alive!: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 0, description: 'Bars queued or being written.' })
  queue_size!: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 500000, description: 'Bars that fit.' })
  capacity!: number;

  @ApiProperty({ type: 'number', example: 0, description: 'queue_size / capacity.' })
  utilization!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok' })
  level!: BackpressureLevel;

  @ApiProperty({ enum: ['closed', 'open', 'half_open'], example: 'closed' })
  circuit_state!: CircuitState;

  @ApiProperty({ type: RowsDto })
  rows!: RowsDto;

  /** An idle coordinator. */
  static readonly example: CoordinatorDto = {
    coordinator_id: 'bars-store-0',
    workers_alive: 4,
    queue_size: 0,
    capacity: 500000,
    utilization: 0,
    level: 'ok',
    circuit_state: 'closed',
    rows: { accepted: 500000, committed: 500000, refused: 0 },
  };

  /** The snapshot as it is answered. */
  static of(snapshot: CoordinatorSnapshot): CoordinatorDto {
    return {
      coordinator_id: snapshot.coordinatorId,
      workers_alive: snapshot.workersAlive,
      queue_size: snapshot.queueSize,
      capacity: snapshot.capacity,
      utilization: snapshot.utilization,
      level: snapshot.level,
      circuit_state: snapshot.circuitState,
      rows: { ...snapshot.rows },
    };
  }
}
