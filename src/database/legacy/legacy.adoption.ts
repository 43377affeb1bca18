import { CREATE_VIEW } from '../bars.view.js';
import { copyReadGrants } from './legacy.grants.js';
import {
  describeLegacyTable,
  LEGACY,
  LegacyTableError,
  type LegacyTable,
  type Query,
} from './legacy.table.js';

/** What became of the earlier service's table. */
export interface Adoption {
  /** Views that read the table, which gets no more bars; they have to be made again. */
  readonly dependents: readonly string[];
}

/**
 * Looks, before anything is changed, for a table of an earlier release under the name of the view.
 * @throws LegacyTableError when what has the name cannot be taken over
 */
export async function findLegacyTable(query: Query): Promise<LegacyTable | undefined> {
  const table = await describeLegacyTable(query, LEGACY.name);
  if (table === undefined) return undefined;
  if ((await query('SELECT to_regclass($1) AS found', [LEGACY.adopted]).then(foundIn)) !== null)
    throw new LegacyTableError(
      `there are two tables of an earlier release, ${LEGACY.name} and ${LEGACY.adopted}: rename one; nothing was changed`,
    );
  return table;
}

/**
 * Takes the table over: it gets another name, the view takes its name and its readers, and the copy of its rows can
 * begin. In the transaction of the caller.
 */
export async function adoptLegacyTable(query: Query): Promise<Adoption> {
  await query(`ALTER TABLE ${LEGACY.name} RENAME TO ${LEGACY.adopted}`);
  // Again, now that nobody can change it.
  await describeLegacyTable(query, LEGACY.adopted);
  await query(CREATE_VIEW);
  await copyReadGrants(query, LEGACY.adopted, LEGACY.name);
  await query('DELETE FROM legacy_copy');
  await query('INSERT INTO legacy_copy (adopted_at) VALUES (clock_timestamp())');
  await query('DELETE FROM legacy_left');
  const dependents = await query<{ name: string }>(DEPENDENTS, [LEGACY.adopted]);
  return { dependents: dependents.map(({ name }) => name) };
}

const DEPENDENTS = `
  SELECT DISTINCT rule.ev_class::regclass::text AS name
    FROM pg_depend AS dep JOIN pg_rewrite AS rule ON rule.oid = dep.objid
   WHERE dep.classid = 'pg_rewrite'::regclass AND dep.refclassid = 'pg_class'::regclass
     AND dep.refobjid = $1::regclass AND rule.ev_class <> dep.refobjid
   ORDER BY name`;

function foundIn(rows: object[]): string | null {
  const [row] = rows as { found: string | null }[];
  return row?.found ?? null;
}
