import { execFileSync } from 'node:child_process';

import { afterAll, beforeAll, expect } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { type Answer, startService, type TestService } from '../support/service.js';

/** A bar as it is sent and as it comes back. */
export interface Bar {
  readonly provider: string;
  readonly symbol: string;
  readonly interval: string;
  readonly ts: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** How bars are written in a body or an answer. */
export type Format = 'json' | 'ndjson' | 'csv';

/** Every format. */
export const FORMATS: readonly Format[] = ['json', 'ndjson', 'csv'];

/** Content type of each format. */
export const TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};

const COLUMNS = ['provider', 'symbol', 'interval', 'ts', 'open', 'high', 'low', 'close', 'volume'] as const;

/** A bar that the service takes, with some parts replaced. */
export function bar(parts: Partial<Bar> = {}): Bar {
  return {
    provider: 'ibkr',
    symbol: 'SPY',
    interval: '1d',
    ts: '2026-01-02T00:00:00Z',
    open: 1.5,
    high: 2.5,
    low: 0.5,
    close: 2,
    volume: 100,
    ...parts,
  };
}

/** The bars as a body. */
export function write(bars: readonly Bar[], format: Format): string {
  if (format === 'json') return `[${bars.map(jsonOf).join(',')}]`;
  if (format === 'ndjson') return bars.map((one) => `${jsonOf(one)}\n`).join('');
  const lines = bars.map((one) => COLUMNS.map((column) => csvField(one[column])).join(','));
  return [COLUMNS.join(','), ...lines, ''].join('\n');
}

/** The bars of an answer. */
export function read(text: string, format: Format): Bar[] {
  if (format === 'json') return (JSON.parse(text) as { bars: Bar[] }).bars;
  const lines = text.split('\n').slice(0, -1);
  if (format === 'ndjson') return lines.map((line) => JSON.parse(line) as Bar);
  const [header, ...rows] = lines.map(csvFields);
  expect(header).toEqual(COLUMNS);
  return rows.map(([provider = '', symbol = '', interval = '', ts = '', ...numbers]) => {
    const [open = NaN, high = NaN, low = NaN, close = NaN, volume = NaN] = numbers.map(Number);
    return { provider, symbol, interval, ts, open, high, low, close, volume };
  });
}

/** `line pointer code` of each bad row that an answer tells of. */
export function rowErrors({ json }: Answer): string[] {
  return (json.errors ?? []).map(
    ({ line, pointer, code }) => `${String(line)} ${String(pointer)} ${String(code)}`,
  );
}

/** A running service with a database of its own, for all tests of a file. */
export class ServedDatabase {
  #service: TestService | undefined;
  #database: TestDatabase | undefined;

  constructor(env: Record<string, string> = {}) {
    beforeAll(async () => {
      this.#database = await createDatabase();
      this.#service = await startService({ DATABASE_URL: this.#database.url, ...env });
    });
    afterAll(async () => {
      await this.#service?.stop();
      await this.#database?.drop();
    });
  }

  get service(): TestService {
    if (this.#service === undefined) throw new Error('the service is not started');
    return this.#service;
  }

  get database(): TestDatabase {
    if (this.#database === undefined) throw new Error('the database is not made');
    return this.#database;
  }

  /** Bytes of memory that the service holds now. */
  residentBytes(): number {
    const pid = String(this.service.process.pid);
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', pid], { encoding: 'utf8' })) * 1024;
  }

  /** Bars, series and revisions that are stored. */
  async stored(): Promise<{ bars: number; series: number; revisions: number }> {
    const [row] = await this.database.query<{ bars: number; series: number; revisions: number }>(
      `SELECT (SELECT count(*) FROM bars)::int AS bars, (SELECT count(*) FROM series)::int AS series,
              (SELECT count(*) FROM bar_revisions)::int AS revisions`,
    );
    if (row === undefined) throw new Error('PostgreSQL counted nothing');
    return row;
  }

  /** Forgets every bar. */
  async clear(): Promise<void> {
    await this.database.query('TRUNCATE bars, bar_revisions, bar_confirmations');
  }

  /** The text of a successful GET. */
  async get(path: string): Promise<string> {
    const answer = await this.service.fetch(path);
    const text = await answer.text();
    expect({ status: answer.status, text: answer.ok ? '' : text }).toEqual({ status: 200, text: '' });
    return text;
  }
}

/** JSON.stringify drops the sign of zero. */
function jsonOf(one: Bar): string {
  const members = COLUMNS.map((column) => `"${column}":${valueText(one[column])}`);
  return `{${members.join(',')}}`;
}

function valueText(value: string | number): string {
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}

function csvField(value: string | number): string {
  const text = typeof value === 'number' ? valueText(value) : value;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvFields(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  );
}
