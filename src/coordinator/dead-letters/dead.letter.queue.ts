import { nodeFileSystem, type SpoolFileSystem } from '../spool/spool.file-system.js';
import { readWholeFile, writeWholeFile } from '../spool/whole.file.js';
import {
  DeadLetterDamagedError,
  DeadLetterUnreadError,
  decodeLetter,
  encodeLetter,
  type DeadLetter,
} from './dead.letter.js';

/** Folder in the queue's directory for letters that were damaged. */
export const QUARANTINE = 'quarantine';
/** Id and rows are in the name, so that a start need not open a file. */
const NAME = /^(\d+-\d+-\d+)\.(\d+)\.dlq$/;
const UNFINISHED = '.dlq.tmp';

/** A letter by the name of its file. */
export interface Filed {
  readonly id: string;
  readonly rows: number;
  readonly name: string;
}

/** Those of the names in a directory that are letters'. */
export function filedIn(names: readonly string[]): Filed[] {
  return names.flatMap((name) => {
    const [, id, rows] = NAME.exec(name) ?? [];
    return id === undefined ? [] : [{ id, name, rows: Number(rows) }];
  });
}

/** Settings of a DeadLetterQueue. */
export interface DeadLetterQueueOptions {
  /** Absolute path; made when it is not there. */
  readonly directory: string;
  readonly files?: SpoolFileSystem | undefined;
  /** Told of a letter whose file was damaged and put aside. */
  readonly onQuarantine?: ((id: string, rows: number) => void) | undefined;
}

/** Rows that cannot be written, on disk, a file each, until somebody replays or deletes them. Memory holds their ids. */
export class DeadLetterQueue {
  private readonly filed = new Map<string, Filed>();
  /** Rows of each letter, by the entry that it is of and by its first row in it. */
  private readonly ranges = new Map<string, Map<number, number>>();
  private rowSum = 0;
  private damagedCount = 0;
  /** Identity of the directory, once it is known. */
  private place: string | undefined;

  private constructor(
    private readonly directory: string,
    private readonly files: SpoolFileSystem,
    private readonly onQuarantine: NonNullable<DeadLetterQueueOptions['onQuarantine']>,
  ) {}

  static async open(options: DeadLetterQueueOptions): Promise<DeadLetterQueue> {
    const { directory, files = nodeFileSystem, onQuarantine = () => undefined } = options;
    const queue = new DeadLetterQueue(directory, files, onQuarantine);
    const names = await files.list(directory);
    for (const filed of filedIn(names)) queue.note(filed);
    // Now, while it is known to be the service's own. A full disk has no room for it yet.
    await files.makeDirectory(directory).catch(() => undefined);
    queue.place = await files.identity(directory).catch(() => undefined);
    // A crash left them; their rows are still in the spool.
    for (const name of names.filter((one) => one.endsWith(UNFINISHED)))
      await files.remove(`${directory}/${name}`).catch(() => undefined);
    return queue;
  }

  /** The id of the rows from `firstRow` on of an entry of the spool. */
  static idOf(entry: { readonly time: number; readonly sequence: number }, firstRow: number): string {
    return [entry.time, entry.sequence, firstRow].join('-');
  }

  /**
   * Those of the rows of an entry from `firstRow` on that are in no letter yet. After a crash rows are refused again, and
   * runs of them may begin and end elsewhere: without this they would be in two letters. A letter of exactly these rows
   * is to be added again, which makes it whole if its file was damaged.
   */
  uncovered(
    entry: { readonly time: number; readonly sequence: number },
    firstRow: number,
    rows: number,
  ): { readonly firstRow: number; readonly rows: number }[] {
    const letters = this.ranges.get(entryOf(DeadLetterQueue.idOf(entry, 0)));
    if (!letters || letters.get(firstRow) === rows) return [{ firstRow, rows }];
    const gaps: { firstRow: number; rows: number }[] = [];
    let from = firstRow;
    const end = firstRow + rows;
    for (const [first, count] of [...letters].sort(([a], [b]) => a - b)) {
      if (first >= end) break;
      if (first > from) gaps.push({ firstRow: from, rows: first - from });
      from = Math.max(from, first + count);
    }
    if (from < end) gaps.push({ firstRow: from, rows: end - from });
    return gaps;
  }

  /** Letters in the queue. */
  get letters(): number {
    return this.filed.size;
  }

  /** Rows in all letters. */
  get rows(): number {
    return this.rowSum;
  }

  /** Rows of the heaviest letter. */
  get heaviest(): number {
    let most = 0;
    for (const { rows } of this.filed.values()) most = Math.max(most, rows);
    return most;
  }

  /** Letters that were found damaged and put aside since the start. */
  get damaged(): number {
    return this.damagedCount;
  }

  /**
   * Resolves when the letter is safe on disk. Adding the same letter again changes nothing.
   * @returns whether it was not there
   */
  async add(letter: DeadLetter): Promise<boolean> {
    const { id, rows } = letter;
    const name = `${id}.${rows}.dlq`;
    await this.preparePlace();
    await writeWholeFile(this.files, this.directory, name, encodeLetter(letter));
    if (this.filed.has(id)) return false;
    this.note({ id, name, rows });
    return true;
  }

  /** A letter in another directory, as below the mount point of a disk that is gone, would be lost with it. */
  private async preparePlace(): Promise<void> {
    if (this.place === undefined) await this.files.makeDirectory(this.directory);
    const now = await this.files.identity(this.directory);
    this.place ??= now;
    if (now === undefined || now !== this.place)
      throw new Error(
        `the directory of the dead letters, ${this.directory}, was removed, moved or replaced; put it back, or restart the service`,
      );
  }

  /** At most `limit` ids after the id `after`, by time of receipt. */
  ids({ after = '', limit }: { readonly after?: string | undefined; readonly limit: number }): string[] {
    return [...this.filed.keys()]
      .filter((id) => id > after)
      .sort()
      .slice(0, limit);
  }

  /**
   * The letter, or undefined when there is none of that id.
   * @throws DeadLetterDamagedError after its file was put aside, DeadLetterUnreadError while the disk does not read it
   */
  async read(id: string): Promise<DeadLetter | undefined> {
    const filed = this.filed.get(id);
    if (!filed) return undefined;
    const readIt = async () => decodeLetter(id, await readWholeFile(this.files, this.pathOf(filed)));
    try {
      // Only what was read twice, and wrong both times, is damaged.
      return await readIt().catch(() => readIt());
    } catch (error) {
      if (error instanceof DeadLetterDamagedError) {
        await this.putAside(filed);
        throw error;
      }
      if (!isMissing(error)) throw new DeadLetterUnreadError(id, error);
      // Somebody removed the file by hand.
      this.forget(filed);
      return undefined;
    }
  }

  /** False when there is none of that id. */
  async remove(id: string): Promise<boolean> {
    const filed = this.filed.get(id);
    if (!filed) return false;
    try {
      await this.files.remove(this.pathOf(filed));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    this.forget(filed);
    await this.files.syncDirectory(this.directory);
    return true;
  }

  private async putAside(filed: Filed): Promise<void> {
    // Somebody else may have read it at the same time.
    if (!this.forget(filed)) return;
    try {
      await this.files.makeDirectory(`${this.directory}/${QUARANTINE}`);
      await this.files.rename(this.pathOf(filed), `${this.directory}/${QUARANTINE}/${filed.name}`);
    } catch (error) {
      this.note(filed);
      throw error;
    }
    this.damagedCount++;
    this.onQuarantine(filed.id, filed.rows);
  }

  private pathOf({ name }: Filed): string {
    return `${this.directory}/${name}`;
  }

  private note(filed: Filed): void {
    this.filed.set(filed.id, filed);
    this.rowSum += filed.rows;
    const entry = entryOf(filed.id);
    const letters = this.ranges.get(entry) ?? new Map<number, number>();
    this.ranges.set(entry, letters.set(firstRowOf(filed.id), filed.rows));
  }

  /** False when it was forgotten already. */
  private forget({ id, rows }: Filed): boolean {
    const known = this.filed.delete(id);
    if (!known) return false;
    this.rowSum -= rows;
    const letters = this.ranges.get(entryOf(id));
    letters?.delete(firstRowOf(id));
    if (letters?.size === 0) this.ranges.delete(entryOf(id));
    return true;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** The part of an id that letters of one entry have in common. */
function entryOf(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
}

function firstRowOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}
