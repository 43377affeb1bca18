import { ApiProperty, ApiSchema } from '@nestjs/swagger';

import { BACKPRESSURE_LEVELS, type BackpressureLevel } from '../core/backpressure.level.js';
import type { CircuitState } from './circuit.breaker.js';
import type { DurableSnapshot } from './durable.options.js';
import { lookUpFailure } from './failure.table.js';

/** Where the accepted bars are. */
@ApiSchema({ name: 'RowLedger' })
export class RowsDto {
  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 500000,
    description: 'Bars accepted since the spool was made, over all restarts; replayed ones count once more.',
  })
  accepted!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 499000,
    description: 'Those that PostgreSQL committed.',
  })
  committed!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 1000,
    description: 'Those in the spool that are neither committed nor dead letters yet.',
  })
  spooled!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description:
      'Those that the database refused, whether still in the dead-letter queue or deleted from it.',
  })
  dead_lettered!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description:
      'Those in the spool where the disk does not read now; it is tried again until it does. At least 1 where nobody knows how many they are.',
  })
  unread!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Those that an operator gave up with `mds spool repair --give-up`.',
  })
  lost!: number;

  @ApiProperty({
    type: 'integer',
    example: 0,
    description: 'accepted minus all others: 0, unless a disk lost some.',
  })
  residual!: number;
}

/** The spool at this moment. */
@ApiSchema({ name: 'Spool' })
export class SpoolDto {
  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 94072000,
    description: 'Bytes on disk, those kept for replay included.',
  })
  bytes!: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 2147483648, description: 'Most bytes on disk.' })
  max_bytes!: number;

  @ApiProperty({
    type: 'number',
    minimum: 0,
    example: 0.25,
    description: 'Age of the oldest bars that are not settled; 0 when there are none.',
  })
  oldest_age_seconds!: number;
}

/** Bars whose write failed while the database took others. */
@ApiSchema({ name: 'Isolation' })
export class IsolationDto {
  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'All of them: those that are tried apart from others, and those that wait.',
  })
  rows!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Those that wait, and are tried again after growing pauses.',
  })
  waiting_rows!: number;

  @ApiProperty({
    type: 'string',
    nullable: true,
    example: null,
    description: 'Why the newest of them wait, such as lock_not_available.',
  })
  reason!: string | null;
}

/** The coordinator at this moment. */
@ApiSchema({ name: 'Coordinator' })
export class CoordinatorDto {
  @ApiProperty({ example: 'bars-store-0' })
  coordinator_id!: string;

  @ApiProperty({ type: 'integer', minimum: 0, example: 4 })
  workers_alive!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 0,
    description: 'Bars accepted that are to be written.',
  })
  queue_size!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    example: 500000,
    description: 'Bars held in memory at most; more wait on disk.',
  })
  capacity!: number;

  @ApiProperty({
    type: 'number',
    example: 0,
    description: 'queue_size / capacity; above 1 while more than fits in memory waits on disk.',
  })
  utilization!: number;

  @ApiProperty({ enum: BACKPRESSURE_LEVELS, example: 'ok' })
  level!: BackpressureLevel;

  @ApiProperty({ enum: ['closed', 'open', 'half_open'], example: 'closed' })
  circuit_state!: CircuitState;

  @ApiProperty({ type: IsolationDto })
  isolation!: IsolationDto;

  @ApiProperty({ type: SpoolDto })
  spool!: SpoolDto;

  @ApiProperty({ type: 'integer', minimum: 0, example: 0, description: 'Records in the dead-letter queue.' })
  dlq_records!: number;

  @ApiProperty({ type: RowsDto })
  rows!: RowsDto;

  /** A busy coordinator. */
  static readonly example: CoordinatorDto = {
    coordinator_id: 'bars-store-0',
    workers_alive: 4,
    queue_size: 1000,
    capacity: 500000,
    utilization: 0.002,
    level: 'ok',
    circuit_state: 'closed',
    isolation: { rows: 0, waiting_rows: 0, reason: null },
    spool: { bytes: 94072000, max_bytes: 2147483648, oldest_age_seconds: 0.25 },
    dlq_records: 0,
    rows: {
      accepted: 500000,
      committed: 499000,
      spooled: 1000,
      dead_lettered: 0,
      unread: 0,
      lost: 0,
      residual: 0,
    },
  };

  /** The snapshot as it is answered. */
  static of(snapshot: DurableSnapshot): CoordinatorDto {
    const { isolation } = snapshot;
    return {
      coordinator_id: snapshot.coordinatorId,
      workers_alive: snapshot.workersAlive,
      queue_size: snapshot.queueSize,
      capacity: snapshot.capacity,
      utilization: snapshot.utilization,
      level: snapshot.level,
      circuit_state: snapshot.circuitState,
      isolation: {
        rows: isolation.rows,
        waiting_rows: isolation.waitingRows,
        reason: isolation.cause === undefined ? null : lookUpFailure(isolation.cause).name,
      },
      spool: {
        bytes: snapshot.spool.bytes,
        max_bytes: snapshot.spool.maxBytes,
        oldest_age_seconds: snapshot.spool.oldestAgeSeconds,
      },
      dlq_records: snapshot.deadLetters,
      rows: {
        accepted: snapshot.rows.accepted,
        committed: snapshot.rows.committed,
        spooled: snapshot.rows.spooled,
        dead_lettered: snapshot.rows.deadLettered,
        unread: snapshot.rows.unread,
        lost: snapshot.rows.lost,
        residual: snapshot.rows.residual,
      },
    };
  }
}
