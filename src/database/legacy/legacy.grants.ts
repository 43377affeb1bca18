import type { Query } from './legacy.table.js';

/**
 * Statements that let the readers of the relation $1 read $2 too: the whole, or those columns that both have.
 * Rows that policies guard are for nobody else: the other relation would show them all.
 */
const READ_GRANTS = `
  SELECT format('GRANT SELECT%s ON %I TO %s%s', ' (' || string_agg(DISTINCT quote_ident(acl.column), ', ') || ')', $2,
                CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
                CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
    FROM (
      SELECT NULL::text AS column, rel.relowner, granted.*
        FROM pg_class AS rel CROSS JOIN aclexplode(rel.relacl) AS granted
       WHERE rel.oid = $1::regclass AND NOT rel.relrowsecurity
      UNION ALL
      SELECT att.attname::text, rel.relowner, granted.*
        FROM pg_class AS rel
        JOIN pg_attribute AS att ON att.attrelid = rel.oid AND att.attnum > 0
        JOIN pg_attribute AS other
          ON other.attrelid = $2::regclass AND other.attname = att.attname AND other.attnum > 0
        CROSS JOIN aclexplode(att.attacl) AS granted
       WHERE rel.oid = $1::regclass AND NOT rel.relrowsecurity
    ) AS acl
   WHERE acl.privilege_type = 'SELECT' AND acl.grantee <> acl.relowner
   GROUP BY acl.grantee, acl.is_grantable, acl.column IS NULL`;

/** Lets those who may read one relation read another, in the transaction of the caller. */
export async function copyReadGrants(query: Query, from: string, to: string): Promise<void> {
  for (const { statement } of await query<{ statement: string }>(READ_GRANTS, [from, to]))
    await query(statement);
}
