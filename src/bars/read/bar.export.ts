import { SECOND } from '../../config/units.js';
import type { Database } from '../../database/database.js';
import { ProblemError } from '../../http/problem.error.js';
import type { TextFormat } from './bar.layout.js';
import { barPieces } from './bar.pieces.js';
import type { BarQuery } from './bar.query.js';
import { BEGIN_EXPORT } from './copy.sql.js';

const RETRY_AFTER_MS = 5 * SECOND;

/** Reads a whole range as text, in constant memory. */
export class BarExport {
  constructor(private readonly database: Pick<Database, 'lease'>) {}

  /**
   * The text in pieces, each made when the one before was taken; all of one snapshot. An abort of `signal` gives the
   * connection back at once.
   * @throws ProblemError `too-many-readers` when no connection became free
   */
  async *pieces(query: BarQuery, format: TextFormat, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const lease = await this.database.lease(signal);
    if (lease === undefined) {
      throw new ProblemError('too-many-readers', 'Too many exports are being read at this moment.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    let finished = false;
    try {
      await lease.client.query(BEGIN_EXPORT);
      yield* barPieces(lease.client, query, format);
      await lease.client.query('COMMIT');
      finished = true;
    } finally {
      lease.release(finished);
    }
  }
}
