import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { BarComparison } from '../../chaos/bar.comparison.js';
import { BarKeys } from '../../chaos/bar.keys.js';
import { BarModel } from '../../chaos/bar.model.js';
import { valuesOf } from '../../chaos/bar.values.js';
import { DeadBars } from '../../chaos/dead.bars.js';
import { Findings } from '../../chaos/findings.js';
import { Poison } from '../../chaos/poison.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

const SALT = 7;
const YEAR = 2026;
const received = (content: number): string => new Date(Date.UTC(YEAR, 10, 1) + content * 1_000).toISOString();

let database: TestDatabase;
let client: Client;
let model: BarModel;
const keys = new BarKeys({ provider: 'TEST', barsPerSeries: 2 });

/** Four bars in two series, each sent in versions 1, 2 and 3, as they are stored when nothing goes wrong. */
beforeEach(async () => {
  database = await createDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  model = new BarModel();
  for (let bar = 0; bar < 4; bar++) {
    model.add();
    for (const content of [1, 2, 3]) model.note([bar], content, 'sure');
    await database.query(
      `INSERT INTO series (provider, symbol, interval) VALUES ('TEST', $1, '1m') ON CONFLICT DO NOTHING`,
      [keys.symbolOf(bar)],
    );
    for (const content of [1, 2]) await insert('bar_revisions', bar, content);
    await insert('bars', bar, 3);
  }
});

afterEach(async () => {
  await client.end();
  await database.drop();
});

async function insert(table: 'bars' | 'bar_revisions', bar: number, content: number): Promise<void> {
  const { open, high, low, close, volume } = valuesOf(SALT, bar, content);
  const columns = [keys.symbolOf(bar), keys.tsOf(bar), open, high, low, close, volume, received(content)];
  const until = table === 'bars' ? [] : [received(content + 1)];
  await database.query(
    `INSERT INTO ${table}
     SELECT id, to_timestamp($2), $3, $4, $5, $6, $7, $8 ${until.length > 0 ? ', $9' : ''}
       FROM series WHERE symbol = $1`,
    [...columns, ...until],
  );
}

async function compare(): Promise<string> {
  const findings = new Findings();
  const sender = { keys, salt: SALT, model, counts: undefined, wrong: [], acknowledged: 0 };
  const comparison = new BarComparison(sender, new DeadBars([sender], new Poison(), findings), findings);
  await comparison.compareTables(client);
  return findings.sentences.join('\n');
}

it('finds nothing where everything is as it was sent', async () => {
  expect(await compare()).toBe('');
});

it.each([
  ['a bar is missing', `DELETE FROM bars WHERE series_id = 1 AND ts = '2026-01-01'`, 'missing'],
  ['an open is another', `UPDATE bars SET open = open + 1e-13 WHERE series_id = 1`, 'values'],
  ['a high is another', `UPDATE bars SET high = high * 1.0000001 WHERE series_id > 1`, 'values'],
  ['a low is another', `UPDATE bars SET low = low - abs(low) * 1e-6 - 1e-320 WHERE series_id > 1`, 'values'],
  ['a volume is another', `UPDATE bars SET volume = volume + 1 WHERE series_id = 1`, 'values'],
  ['an earlier value is another', `UPDATE bar_revisions SET close = 0 WHERE series_id = 1`, 'values'],
  [
    'an earlier version is gone',
    `DELETE FROM bar_revisions WHERE extract(second FROM received_at) = 1`,
    'history',
  ],
  ['a span ends late', `UPDATE bar_revisions SET superseded_at = superseded_at + interval '1 us'`, 'spans'],
  ['a span is empty', `UPDATE bar_revisions SET superseded_at = received_at`, 'empty'],
  ['the last version is gone', `DELETE FROM bars WHERE series_id > 1`, 'missing'],
  [
    'a bar is there that nobody sent',
    `UPDATE bars SET ts = ts + interval '1 day' WHERE series_id = 1`,
    'misfiled',
  ],
  [
    'two series are exchanged',
    `UPDATE series SET symbol = CASE symbol WHEN 'TEST-0' THEN 'TEST-1' ELSE 'TEST-0' END || 'X';
     UPDATE series SET symbol = left(symbol, -1)`,
    'misfiled',
  ],
])('finds that %s', async (_what, harm, kind) => {
  await client.query(harm);
  expect(await compare()).toContain(kind);
});
