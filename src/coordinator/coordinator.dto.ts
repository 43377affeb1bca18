import { ApiProperty } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/backpressure.level.js';
import type { CircuitState } from './circuit.breaker.js';
import type { CoordinatorSnapshot } from './coordinator.options.js';

/** Bars since the start of the process. */
export class RowsDto {
  @ApiProperty({ example: 500000, description: 'Bars that the queue took.' })
  accepted!: number;

  @ApiProperty({ example: 500000, description: 'Accepted bars that PostgreSQL committed.' })
  committed!: number;

  @ApiProperty({ example: 0, description: 'Accepted bars whose sender was answered with an error.' })
  refused!: number;
}

/** The coordinator at this moment. */
export class CoordinatorDto {
  @ApiProperty({ example: 'bars-store-0' })
  coordinator_id!: string;

  @ApiProperty({ example: 4 })
  workers_alive!: number;

  @ApiProperty({ example: 0, description: 'Bars queued or being written.' })
  queue_size!: number;

  @ApiProperty({ example: 500000, description: 'Bars that fit.' })
  capacity!: number;

  @ApiProperty({ example: 0, description: 'queue_size / capacity.' })
  utilization!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok' })
  level!: BackpressureLevel;

  @ApiProperty({ enum: ['closed', 'open', 'half_open'], example: 'closed' })
  circuit_state!: CircuitState;

  @ApiProperty({ type: RowsDto })
  rows!: RowsDto;

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
