import type { ClientBase } from 'pg';

import { parseSeriesName } from './series.key.js';
import { ADD_SERIES, BEGIN_PROVEN, LOCK_VERSION, READ_IDS, SKIP_TAKEN_IDS } from './series.sql.js';

/** Names that go into one statement: the event loop gets a turn between two. */
const NAMES_AT_ONCE = 10_000;
/** Ids that are remembered, some 100 bytes each: beyond it all are forgotten. */
const MOST_REMEMBERED = 2_000_000;
/** Series that somebody deletes while they are written are made again, at most this often. */
const MOST_TRIES = 5;

/** Ids that were read from one content of the table `series`. */
interface KnownSeries {
  /** What the content is known by (see series.sql.ts); undefined: nothing is known. */
  content: string | undefined;
  readonly ids: Map<string, number>;
}

/**
 * Maps series to their ids in PostgreSQL. A remembered id is used only in a transaction that has proven that the table
 * `series` is still the one that it was read from; ids that are not proven are read, or made, by their names.
 */
export class SeriesStore {
  private known: KnownSeries = { content: undefined, ids: new Map() };

  /**
   * Begins a transaction on the connection, in which bars may be written under the ids that it gives: no series is
   * changed or deleted until its end. The caller commits it, or discards the connection.
   * @returns the id of each series of each dictionary of names, in their order
   */
  async begin(
    client: ClientBase,
    dictionaries: readonly (readonly string[])[],
  ): Promise<readonly Int32Array[]> {
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const content = await beginTransaction(client);
      // At once: another transaction, on another server even, may change what is known while this one reads.
      const { ids, unknown } = lookUp(this.knownOf(content), dictionaries);
      if (unknown.length === 0) return ids;
      const read = await this.read(client, content, unknown);
      const absent = unknown.filter((name) => read.get(name) === 0);
      if (absent.length === 0) return filled(ids, dictionaries, read);
      // Others wait for a series that is added until the end of its transaction, so it is a short one of its own.
      await client.query('ROLLBACK');
      for (let first = 0; first < absent.length; first += NAMES_AT_ONCE)
        await this.add(client, absent.slice(first, first + NAMES_AT_ONCE));
    }
    throw new Error('series are deleted as fast as they are added');
  }

  private knownOf(content: string | undefined): ReadonlyMap<string, number> {
    if (content === undefined || content !== this.known.content || this.known.ids.size > MOST_REMEMBERED)
      this.known = { content, ids: new Map() };
    return this.known.ids;
  }

  /** Reads ids, 0 where there is none, in a transaction that has proven the content. */
  private async read(
    client: ClientBase,
    content: string | undefined,
    names: readonly string[],
  ): Promise<Map<string, number>> {
    const all = new Map<string, number>();
    for (let first = 0; first < names.length; first += NAMES_AT_ONCE) {
      const { ids, content: now } = await readIds(client, names.slice(first, first + NAMES_AT_ONCE));
      // Since the proof series can only have been added: what was known of the content then holds for the one now.
      this.remember(ids, content, now);
      content = now;
      for (const [name, id] of ids) all.set(name, id);
    }
    return all;
  }

  /** Adds series in a transaction of its own. */
  private async add(client: ClientBase, names: readonly string[]): Promise<void> {
    await beginTransaction(client);
    await client.query(LOCK_VERSION);
    // Nobody else adds any from here on.
    const { content: before } = await readIds(client, []);
    await client.query(SKIP_TAKEN_IDS);
    const { rows } = await client.query<{ ids: string }>(ADD_SERIES, columnsOf(names));
    const ids = idsOf(names, rows[0]?.ids ?? null);
    const { content } = await readIds(client, []);
    await client.query('COMMIT');
    if (this.known.content !== before) this.known = { content, ids: new Map() };
    this.remember(ids, this.known.content, content);
  }

  /** Ids were read from the content `now`; all that was known of the content `before` holds for it too. */
  private remember(
    ids: ReadonlyMap<string, number>,
    before: string | undefined,
    now: string | undefined,
  ): void {
    if (before === undefined || now === undefined || this.known.content !== before) return;
    this.known.content = now;
    for (const [name, id] of ids) if (id !== 0) this.known.ids.set(name, id);
  }
}

interface LookUp {
  /** 0 where the id is not known. */
  readonly ids: readonly Int32Array[];
  readonly unknown: readonly string[];
}

function lookUp(known: ReadonlyMap<string, number>, dictionaries: readonly (readonly string[])[]): LookUp {
  const unknown = new Set<string>();
  const ids = dictionaries.map((names) =>
    Int32Array.from(names, (name) => {
      const id = known.get(name);
      if (id === undefined) unknown.add(name);
      return id ?? 0;
    }),
  );
  return { ids, unknown: [...unknown] };
}

function filled(
  ids: readonly Int32Array[],
  dictionaries: readonly (readonly string[])[],
  read: ReadonlyMap<string, number>,
): Int32Array[] {
  return ids.map((some, index) => {
    const names = dictionaries[index] ?? [];
    return some.map((id, at) => (id === 0 ? (read.get(names[at] ?? '') ?? 0) : id));
  });
}

/** @returns what the table is known by; undefined when nothing can be proven */
async function beginTransaction(client: ClientBase): Promise<string | undefined> {
  // Of several statements pg gives several results; its types know of one.
  const results = (await client.query(BEGIN_PROVEN)) as unknown as { rows: { content?: string | null }[] }[];
  return results.at(-1)?.rows[0]?.content ?? undefined;
}

/** The ids of names, 0 where there is none, and the content of the same snapshot. */
async function readIds(
  client: ClientBase,
  names: readonly string[],
): Promise<{ readonly ids: ReadonlyMap<string, number>; readonly content: string | undefined }> {
  const { rows } = await client.query<{ content: string | null; ids: string | null }>(
    READ_IDS,
    columnsOf(names),
  );
  const [{ content, ids } = { content: null, ids: null }] = rows;
  return { ids: idsOf(names, ids), content: content ?? undefined };
}

/** The ids, which came as one text in the order of the names, by name. */
function idsOf(names: readonly string[], ids: string | null): ReadonlyMap<string, number> {
  const numbers = ids === null ? [] : ids.split(',').map(Number);
  if (numbers.length !== names.length)
    throw new Error(`${numbers.length} ids came for ${names.length} series`);
  return new Map(names.map((name, index) => [name, numbers[index] ?? 0]));
}

function columnsOf(names: readonly string[]): [string[], string[], string[]] {
  const keys = names.map(parseSeriesName);
  return [keys.map((key) => key.provider), keys.map((key) => key.symbol), keys.map((key) => key.interval)];
}
