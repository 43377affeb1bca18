import { randomBytes } from 'node:crypto';

import type { TestDatabase } from './database.js';

/** Makes a role that may do nothing yet, and removes it and its rights in the end. */
export async function withRole(test: TestDatabase, work: (role: string) => Promise<void>): Promise<void> {
  const role = `role_${randomBytes(6).toString('hex')}`;
  await test.query(`CREATE ROLE ${role}`);
  try {
    await work(role);
  } finally {
    await test.query(`DROP OWNED BY ${role}`);
    await test.query(`DROP ROLE ${role}`);
  }
}

/** Whether the role may read a column of a table or a view. */
export async function mayRead(
  test: TestDatabase,
  role: string,
  relation: string,
  column: string,
): Promise<boolean> {
  const [row] = await test.query<{ may: boolean }>(
    `SELECT has_column_privilege($1, $2, $3, 'SELECT') AS may`,
    [role, relation, column],
  );
  return row?.may === true;
}
