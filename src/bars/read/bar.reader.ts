import type { ClientBase } from 'pg';

import { SECOND } from '../../config/units.js';
import type { Database } from '../../database/database.js';
import { BarEncoder } from './bar.encoder.js';
import { BAR_LAYOUTS, type Format } from './bar.layout.js';
import { barPieces, encodedCopy } from './bar.pieces.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import { BEGIN_READ, copyLatest } from './copy.sql.js';
import type { SeriesFilter } from './series.filter.js';
import { onlyKey, seriesPages } from './series.pages.js';

/** The text of some bars, in pieces. */
export interface BarPage {
  readonly pieces: readonly Buffer[];
  /** The last bar of the page; undefined when there are no more behind it. */
  readonly last: BarPosition | undefined;
}

/** Reads stored bars, a bounded number at a time. */
export class BarReader {
  constructor(
    private readonly database: Pick<Database, 'read'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** At most `limit` bars behind `position`, or from the beginning. */
  async page(query: BarQuery, format: Format, limit: number, position?: BarPosition): Promise<BarPage> {
    return await this.readProven(query, async (client) => {
      const pieces: Buffer[] = [];
      const reading = barPieces(client, query, format, limit, position);
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) return { pieces, last: value };
        pieces.push(value);
      }
    });
  }

  /** The newest bar of each series with its age, as JSON, for at most `limit` series that have bars. */
  async latest(filter: SeriesFilter, limit: number): Promise<readonly Buffer[]> {
    return await this.readProven(filter, async (client) => {
      const pieces: Buffer[] = [];
      let left = limit;
      for await (const series of seriesPages(client, filter, limit)) {
        const encoder = new BarEncoder(BAR_LAYOUTS.json, series, { now: this.now() / SECOND });
        for await (const piece of encodedCopy(client, copyLatest(series, left), encoder)) pieces.push(piece);
        left -= encoder.end();
        if (left === 0) break;
      }
      return pieces;
    });
  }

  /**
   * The ids of several series, and the bars under them, are read from one snapshot. The one statement that reads a single
   * series finds its id itself.
   */
  private async readProven<T>(filter: SeriesFilter, work: (client: ClientBase) => Promise<T>): Promise<T> {
    return await this.database.read(async (client) => {
      if (onlyKey(filter) !== undefined) return await work(client);
      await client.query(BEGIN_READ);
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    });
  }
}
