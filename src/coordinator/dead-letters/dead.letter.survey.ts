import { type SpoolFileSystem } from '../spool/spool.file-system.js';
import { readWholeFile } from '../spool/whole.file.js';
import { removeUnfinished, type Repair } from '../spool/spool.repair.js';
import { filedIn, QUARANTINE, type Filed } from './dead.letter.queue.js';
import { DeadLetterDamagedError, decodeLetter } from './dead.letter.js';

/** A letter as it lies on disk. */
export interface SurveyedLetter extends Filed {
  readonly bytes: number;
  readonly damaged: boolean;
  /** Why the disk does not read it now. */
  readonly unread: unknown;
}

/** Reads every letter; changes nothing. One that goes meanwhile is left out. */
export async function* surveyDeadLetters(
  files: SpoolFileSystem,
  directory: string,
): AsyncGenerator<SurveyedLetter> {
  for (const filed of filedIn(await files.list(directory))) {
    try {
      const bytes = await readWholeFile(files, `${directory}/${filed.name}`);
      yield { ...filed, bytes: bytes.length, damaged: !isSound(filed, bytes), unread: undefined };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      yield { ...filed, bytes: 0, damaged: false, unread: error };
    }
  }
}

/** Puts damaged letters aside, so that all that are left can be read. The caller has the directory for itself. */
export async function* repairDeadLetters(
  files: SpoolFileSystem,
  directory: string,
  { dryRun }: { readonly dryRun: boolean },
): AsyncGenerator<Repair> {
  for await (const { name, rows, bytes, damaged, unread } of surveyDeadLetters(files, directory)) {
    const path = `${directory}/${name}`;
    if (unread !== undefined) yield { kind: 'unread', path, offset: 0, bytes: 0, rows };
    if (!damaged) continue;
    const target = `${directory}/${QUARANTINE}`;
    if (!dryRun) {
      await files.makeDirectory(target);
      await files.rename(path, `${target}/${name}`);
      await files.syncDirectory(target);
      await files.syncDirectory(directory);
    }
    const quarantine = dryRun ? undefined : `${target}/${name}`;
    yield { kind: 'put-aside', path, offset: 0, bytes, rows, quarantine };
  }
  yield* removeUnfinished(files, directory, dryRun);
}

function isSound({ id, rows }: Filed, bytes: Buffer): boolean {
  try {
    return decodeLetter(id, bytes).rows === rows;
  } catch (error) {
    if (error instanceof DeadLetterDamagedError) return false;
    throw error;
  }
}
