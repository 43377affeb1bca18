import { SECOND } from '../../config/units.js';
import type { Database } from '../../database/database.js';
import type { SeriesStore } from '../series.store.js';
import { BarEncoder } from './bar.encoder.js';
import { BAR_LAYOUTS, type Format } from './bar.layout.js';
import { barPieces, encodedCopy } from './bar.pieces.js';
import type { BarPosition, BarQuery } from './bar.query.js';
import { copyLatest } from './copy.sql.js';
import type { SeriesFilter } from './series.filter.js';
import { seriesPages } from './series.pages.js';

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
    private readonly series: SeriesStore,
    private readonly now: () => number = Date.now,
  ) {}

  /** At most `limit` bars behind `position`, or from the beginning. */
  async page(query: BarQuery, format: Format, limit: number, position?: BarPosition): Promise<BarPage> {
    return await this.database.read(async (client) => {
      const pieces: Buffer[] = [];
      const reading = barPieces(client, this.series, query, format, limit, position);
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) return { pieces, last: value };
        pieces.push(value);
      }
    });
  }

  /** The newest bar of each series with its age, as JSON, for at most `limit` series that have bars. */
  async latest(filter: SeriesFilter, limit: number): Promise<readonly Buffer[]> {
    return await this.database.read(async (client) => {
      const pieces: Buffer[] = [];
      let left = limit;
      for await (const series of seriesPages(client, this.series, filter, limit)) {
        const encoder = new BarEncoder(BAR_LAYOUTS.json, series, { now: this.now() / SECOND });
        for await (const piece of encodedCopy(client, copyLatest(series, left), encoder)) pieces.push(piece);
        left -= encoder.end();
        if (left === 0) break;
      }
      return pieces;
    });
  }
}
