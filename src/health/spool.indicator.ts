import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { reasonOf } from '../logging/error.text.js';
import { DurableCoordinator } from '../coordinator/index.js';

/** A disk that takes this long to confirm a write does not take bars, whatever it may say later. */
const STALLED_SECONDS = 5;

/** Whether bars can be made safe: a full quota is overload and degrades, a disk that fails is not ready. */
@Injectable()
export class SpoolIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly coordinator: DurableCoordinator<never, unknown>,
  ) {}

  check(): HealthIndicatorResult {
    const { spool, rows, deadLetters, damagedLetters } = this.coordinator.snapshot();
    const details = {
      bytes: `${spool.bytes} of ${spool.maxBytes}`,
      rows: spool.rows,
      rows_unread: rows.unread,
      rows_residual: rows.residual,
      oldest_age_seconds: Math.round(spool.oldestAgeSeconds),
      dlq_records: deadLetters,
    };
    const indicator = this.indicators.check('spool');
    if (spool.fault) return indicator.down({ ...details, message: messageOf(spool.fault) });
    if (spool.syncingSeconds > STALLED_SECONDS) {
      const seconds = Math.round(spool.syncingSeconds);
      return indicator.down({ ...details, message: `the disk has not confirmed a write for ${seconds} s` });
    }
    if (spool.overQuota)
      return indicator.degraded({ ...details, message: 'the quota of the spool is used up' });
    if (spool.unread.places > 0)
      return indicator.degraded({
        ...details,
        message: `the disk does not read ${spool.unread.places} places of the spool, ${rows.unread} rows at least: ${reasonOf(spool.unread.error)}; they are tried again`,
      });
    if (rows.residual !== 0)
      return indicator.degraded({
        ...details,
        message: `${rows.residual} accepted rows are nowhere; see the log and \`mds spool verify\``,
      });
    const damage = [
      ...(spool.quarantined > 0 ? [`${spool.quarantined} damaged pieces in spool/quarantine`] : []),
      ...(damagedLetters > 0 ? [`${damagedLetters} damaged dead letters in dlq/quarantine`] : []),
    ];
    if (damage.length > 0)
      return indicator.degraded({ ...details, message: `put aside since the start: ${damage.join(', ')}` });
    return indicator.up(details);
  }
}

function messageOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
