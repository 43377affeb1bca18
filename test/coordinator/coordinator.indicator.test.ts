import { describe, expect, it } from '@jest/globals';
import { HealthIndicatorService } from '@nestjs/terminus';

import { CoordinatorDto } from '../../src/coordinator/coordinator.dto.js';
import type { DurableCoordinator } from '../../src/coordinator/index.js';
import type { DurableSnapshot } from '../../src/coordinator/durable.options.js';
import { CoordinatorIndicator } from '../../src/health/coordinator.indicator.js';
import { failure } from './scripted.sink.js';

const healthy = {
  coordinatorId: 'bars',
  level: 'ok',
  circuitState: 'closed',
  circuitCause: undefined,
  isolation: { rows: 0, waitingRows: 0, asideRows: 0, cause: undefined },
  queueSize: 3,
  capacity: 10,
  workersAlive: 2,
  spool: {},
  rows: {},
} as unknown as DurableSnapshot;

function check(change: Partial<DurableSnapshot>) {
  const coordinator = { snapshot: () => ({ ...healthy, ...change }) };
  const indicator = new CoordinatorIndicator(
    new HealthIndicatorService(),
    coordinator as unknown as DurableCoordinator<never, unknown>,
  );
  return indicator.check()['coordinator'];
}

describe('the health of the coordinator', () => {
  it('is good while bars flow', () => {
    expect(check({})).toMatchObject({ status: 'up', isolated: '0 rows, of which 0 wait' });
  });

  it('is degraded while rows are tried apart, and while they wait it says why', () => {
    expect(check({ isolation: { rows: 9, waitingRows: 0, asideRows: 0, cause: undefined } })).toMatchObject({
      status: 'degraded',
      message: '9 rows that were refused with others are tried apart',
    });
    expect(
      check({ isolation: { rows: 9, waitingRows: 3, asideRows: 0, cause: failure('55P03') } }),
    ).toMatchObject({
      status: 'degraded',
      isolated: '9 rows, of which 3 wait',
      message: '3 rows wait while others are written: failed with 55P03',
    });
  });

  it('names the circuit first, and the rows too', () => {
    const message = check({
      circuitState: 'open',
      circuitCause: failure('53100'),
      isolation: { rows: 1, waitingRows: 1, asideRows: 0, cause: failure('54000') },
    })?.['message'] as unknown;
    expect(message).toBe(
      'nothing is written, as the database fails: failed with 53100; 1 rows wait while others are written: failed with 54000',
    );
    expect(check({ level: 'soft' })).toMatchObject({ message: 'the queue is filling (soft)' });
  });
});

describe('the answer of GET /v1/coordinator', () => {
  it('says how many rows wait, and the name of the reason', () => {
    const waiting = {
      ...healthy,
      isolation: { rows: 9, waitingRows: 3, asideRows: 0, cause: failure('55P03') },
    };
    expect(CoordinatorDto.of(waiting).isolation).toEqual({
      rows: 9,
      waiting_rows: 3,
      reason: 'lock_not_available',
    });
    expect(CoordinatorDto.of(healthy).isolation).toEqual({ rows: 0, waiting_rows: 0, reason: null });
  });
});
