import type { ClientBase } from 'pg';

import { LEGACY, describeLegacyTable, type LegacyTable } from '../../database/legacy/legacy.table.js';
import type { PartitionStore } from '../../database/partition.store.js';
import { mergeStaged } from '../merge.lane.js';
import { PREPARE_MERGE, PREPARE_REBUILD } from '../merge.sql.js';
import type { SeriesStore } from '../series.store.js';
import type { SymbolCase } from '../symbol.case.js';
import { listLegacySeries } from './legacy.series.js';
import {
  ADVANCE,
  CLAIM,
  COMPLETE,
  COUNT_TO_WRITE,
  ESTIMATE,
  fillPage,
  FIND_STORED,
  INSERT_NEW,
  LEAVE_FILED_TIMES,
  LEAVE_PAGE,
  LEAVE_STORED_TIMES,
  LEAVE_TIES,
  NOTE_LEFT,
  PLAIN_TIMES,
  PREPARE_PAGE,
  READ_COPY,
  READ_LEFT,
  READ_SPAN,
  readPage,
  STAGE,
  STAGE_SEVERAL,
} from './legacy.sql.js';

/** Why a row that PostgreSQL refuses stays where it is. */
const REFUSED = 'refused-by-database';

/** How far the copy is. */
export interface LegacyProgress {
  readonly completed: boolean;
  readonly copied: number;
  readonly left: number;
  /** Copied rows of which a number was rounded to the nearest float8. */
  readonly rounded: number;
  /** Rows that are left, by why. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Rows that are still to be read, as the planner reckons. */
  readonly pending: number;
}

interface CopyState {
  readonly position: readonly string[] | null;
  readonly listed: boolean;
  readonly completed: boolean;
  readonly rows_read: number;
  readonly rows_left: number;
  readonly rows_rounded: number;
}

interface Page {
  readonly rows: number;
  readonly last: readonly string[] | null;
  readonly years: readonly number[];
  readonly names: readonly string[];
}

/**
 * Copies the rows of an earlier release's table into the bars, page by page in the order of its primary key. How far it
 * is stands in `legacy_copy`, and is changed in the transaction that writes a page: a crash loses nothing, and repeats
 * nothing. Rows are merged by their time of receipt, so that no bar that was received later is replaced.
 */
export class LegacyCopy {
  private table: LegacyTable | undefined;

  constructor(
    private readonly client: ClientBase,
    private readonly partitions: PartitionStore,
    private readonly series: SeriesStore,
    private readonly symbolCase: SymbolCase,
  ) {}

  /** Undefined when no table was taken over, or when it is copied and was dropped since. */
  async progress(): Promise<LegacyProgress | undefined> {
    const state = await this.state();
    if (state === undefined) return undefined;
    const estimate = await this.estimate();
    if (estimate === undefined && state.completed) return undefined;
    const left = await this.client.query<{ reason: string; rows: number }>(READ_LEFT);
    return {
      completed: state.completed,
      copied: state.rows_read - state.rows_left,
      left: state.rows_left,
      rounded: state.rows_rounded,
      reasons: new Map(left.rows.map(({ reason, rows }) => [reason, rows])),
      // Only the end is 0: an estimate may be too low.
      pending: state.completed ? 0 : Math.max(1, (estimate ?? 0) - state.rows_read),
    };
  }

  /**
   * Copies the next rows, at most so many. With `leaves` none is copied: PostgreSQL refused it, and it is counted.
   * @returns whether there may be more
   */
  async copyPage(mostRows: number, { leaves = false } = {}): Promise<boolean> {
    const state = await this.state();
    if (state === undefined || state.completed) return false;
    this.table ??= await describeLegacyTable(
      async <Row extends object>(text: string, values?: unknown[]) =>
        (await this.client.query<Row>(text, values)).rows,
      LEGACY.adopted,
    );
    if (this.table === undefined) return false;
    if (!state.listed) await listLegacySeries(this.client, this.symbolCase);
    const page = await this.readPage(this.table, state, mostRows);
    try {
      return await this.takePage(this.table, state, page, leaves);
    } catch (error) {
      // Somebody may have removed a partition that was known to exist.
      this.partitions.forget(page.years);
      throw error;
    }
  }

  private async takePage(
    table: LegacyTable,
    state: CopyState,
    page: Page,
    leaves: boolean,
  ): Promise<boolean> {
    await this.partitions.ensure(page.years);
    const [ids = new Int32Array()] = await this.series.begin(this.client, [page.names]);
    const claimed = await this.client.query(CLAIM, [state.position]);
    if (claimed.rowCount === 1) {
      if (page.last === null) await this.client.query(COMPLETE);
      else await this.writePage(table, state, page, ids, leaves);
    }
    await this.client.query('COMMIT');
    return claimed.rowCount !== 1 || page.last !== null;
  }

  private async state(): Promise<CopyState | undefined> {
    return (await this.client.query<CopyState>(READ_COPY)).rows[0];
  }

  /** Rows of the table; undefined when it is not there. */
  private async estimate(): Promise<number | undefined> {
    const found = await this.client.query('SELECT FROM pg_class WHERE oid = to_regclass($1)', [
      LEGACY.adopted,
    ]);
    if (found.rowCount === 0) return undefined;
    const { rows } = await this.client.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(ESTIMATE);
    return rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'];
  }

  private async readPage(table: LegacyTable, { position }: CopyState, mostRows: number): Promise<Page> {
    await this.client.query('BEGIN');
    await this.client.query(PLAIN_TIMES);
    const { rows } = await this.client.query<Page>(readPage(table, mostRows, position === null), [
      ...(position ?? []),
    ]);
    await this.client.query('COMMIT');
    return rows[0] ?? { rows: 0, last: null, years: [], names: [] };
  }

  private async writePage(
    table: LegacyTable,
    { position }: CopyState,
    page: Page,
    ids: Int32Array,
    leaves: boolean,
  ): Promise<void> {
    const { client } = this;
    await client.query(PREPARE_PAGE);
    await client.query(fillPage(table, position === null), [
      ...(position ?? []),
      ...(page.last ?? []),
      page.names,
      [...ids],
    ]);
    if (leaves) await client.query(LEAVE_PAGE, [REFUSED]);
    await client.query(LEAVE_TIES);
    const span = await this.span();
    if (span) {
      await client.query(LEAVE_STORED_TIMES, span);
      await client.query(LEAVE_FILED_TIMES, span);
      await this.mergePage(span);
    }
    await client.query(NOTE_LEFT);
    await client.query(ADVANCE, [page.last]);
  }

  /** The first and the last ts of what is to be written. */
  private async span(): Promise<[string, string] | undefined> {
    const { rows } = await this.client.query<{ first: string | null; last: string | null }>(READ_SPAN);
    const [{ first, last } = { first: null, last: null }] = rows;
    return first === null || last === null ? undefined : [first, last];
  }

  private async mergePage(range: [string, string]): Promise<void> {
    const { client } = this;
    await client.query(PREPARE_MERGE);
    const { rows: counted } = await client.query<{ rows: number }>(COUNT_TO_WRITE);
    const rows = (await client.query(STAGE)).rowCount ?? 0;
    const hasSeveral = counted[0]?.rows !== rows;
    if (hasSeveral) {
      await client.query(PREPARE_REBUILD);
      await client.query(STAGE_SEVERAL);
    }
    // Where bars are stored the merge locks these first: two that lock in different orders would deadlock.
    const isStored = (await client.query(FIND_STORED, range)).rowCount !== 0;
    if (!isStored && !hasSeveral && (await client.query(INSERT_NEW)).rowCount === rows) return;
    const total = { inserted: 0, updated: 0, superseded: 0 };
    await mergeStaged(client, { rows, range, hasSeveral }, { get: () => total });
  }
}
