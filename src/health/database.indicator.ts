import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

import { SECOND } from '../config/units.js';
import { Database } from '../database/database.js';
import { DatabasePing } from '../database/database.ping.js';
import { reasonOf } from '../logging/error.text.js';

const PING_TIMEOUT_MS = SECOND;
const FRESH_MS = SECOND;

/** Whether the database answers and its schema is the one that this release needs. */
@Injectable()
export class DatabaseIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly database: Database,
    private readonly probe: DatabasePing,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    return await this.indicators
      .check('database')
      .attempt(async () => {
        const start = performance.now();
        await this.probe.ping(PING_TIMEOUT_MS);
        if (!this.database.isOpen) throw new Error(whyClosed(this.database.openFailure));
        return { response_ms: Math.round(performance.now() - start) };
      })
      .withTimeout(PING_TIMEOUT_MS)
      .cacheFor(FRESH_MS);
  }
}

/** The database answers, so that what failed was the migration, unless it has only just come back. */
function whyClosed(failure: unknown): string {
  return failure === undefined
    ? 'the schema has not been migrated yet'
    : `the schema has not been migrated: ${reasonOf(failure)}`;
}
