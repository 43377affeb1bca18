import type { ClientBase } from 'pg';

import { SECOND } from '../../config/units.js';
import type { Database } from '../../database/database.js';
import { BarEncoder } from './bar.encoder.js';
import { AGED_LAYOUTS, type Format } from './bar.layout.js';
import { barPieces, encodedCopy } from './bar.pieces.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import { BEGIN_READ, copyLatest } from './copy.sql.js';
import type { SeriesKey } from '../series.key.js';
import type { SeriesFilter } from './series.filter.js';
import { onlyKey, seriesPages } from './series.pages.js';

/** The text of some bars, in pieces. */
export interface BarPage {
  readonly pieces: readonly Buffer[];
  /** The last bar of the page; undefined when there are no more behind it. */
  readonly last: BarPosition | undefined;
}

/** The newest bars of some series, as text. */
export interface LatestPage {
  readonly pieces: readonly Buffer[];
  /** The last series of the page; undefined when none with bars is behind it. */
  readonly last: SeriesKey | undefined;
}

/** Series looked at together at least: few of them may have bars. */
const LEAST_SERIES = 256;

/** Reads stored bars, a bounded number at a time. */
export class BarReader {
  constructor(
    private readonly database: Pick<Database, 'read'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** At most `limit` bars behind `position`, or from the beginning. */
  async page(query: BarQuery, format: Format, limit: number, position?: BarPosition): Promise<BarPage> {
    return await this.readProven(onlyKey(query) !== undefined, async (client) => {
      const pieces: Buffer[] = [];
      const reading = barPieces(client, query, format, limit, position);
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) return { pieces, last: value };
        pieces.push(value);
      }
    });
  }

  /** The newest bar of each series with its age, for at most `limit` series that have bars, behind `behind`. */
  async latest(filter: SeriesFilter, format: Format, limit: number, behind?: SeriesKey): Promise<LatestPage> {
    const now = this.now() / SECOND;
    return await this.readProven(onlyKey(filter) !== undefined && behind === undefined, async (client) => {
      const pieces: Buffer[] = [];
      let left = limit;
      let last: SeriesKey | undefined;
      // One more than asked for tells whether there are more.
      for await (const series of seriesPages(client, filter, Math.max(limit + 1, LEAST_SERIES), behind)) {
        const encoder = new BarEncoder(AGED_LAYOUTS[format], series, { most: left, now });
        const copy = copyLatest(series, left + 1);
        for await (const piece of encodedCopy(client, copy, encoder)) pieces.push(piece);
        const bars = encoder.end();
        const lastId = encoder.last?.seriesId;
        last = series.find(({ id }) => id === lastId) ?? last;
        if (bars > left) return { pieces, last };
        left -= bars;
      }
      return { pieces, last: undefined };
    });
  }

  /**
   * The ids of several series, and the bars under them, are read from one snapshot. The one statement that reads a single
   * series finds its id itself.
   */
  private async readProven<T>(isSingle: boolean, work: (client: ClientBase) => Promise<T>): Promise<T> {
    return await this.database.read(async (client) => {
      if (isSingle) return await work(client);
      await client.query(BEGIN_READ);
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    });
  }
}
