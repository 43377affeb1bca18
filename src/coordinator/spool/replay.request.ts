import { Checkpoint, type CheckpointLook } from './checkpoint.js';
import { decodeSlot, encodeSlot } from './checkpoint.slot.js';
import { type SpoolFileSystem } from './spool.file-system.js';
import { readWholeFile, writeWholeFile } from './whole.file.js';

const NAME = 'replay';

/** What the file of a request says: from which record on; `damaged` when that cannot be read. */
export type ReplayRequest = { readonly from: number } | 'damaged' | undefined;

/** The request that waits for the next start, if there is one. */
export async function pendingReplay(files: SpoolFileSystem, directory: string): Promise<ReplayRequest> {
  try {
    const { sequence, damaged } = decodeSlot(await readWholeFile(files, `${directory}/${NAME}`));
    return sequence === undefined || damaged ? 'damaged' : { from: sequence };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Asks for the records from this number on to be handed out once more after the next start, also those that are
 * settled. Of two requests the one that goes further back stays.
 */
export async function requestReplay(files: SpoolFileSystem, directory: string, from: number): Promise<void> {
  const pending = await pendingReplay(files, directory);
  const earliest = typeof pending === 'object' ? Math.min(from, pending.from) : from;
  await writeWholeFile(files, directory, NAME, [encodeSlot(earliest)]);
}

/** Removes the request, if there is one. */
export async function dropReplay(files: SpoolFileSystem, directory: string): Promise<void> {
  await files.remove(`${directory}/${NAME}`);
  await files.syncDirectory(directory);
}

/**
 * Sets the checkpoint back as far as was asked for, and forgets the request. Between the two steps a crash means that
 * it is set back once more.
 */
export async function applyReplay(files: SpoolFileSystem, directory: string): Promise<void> {
  const pending = await pendingReplay(files, directory);
  if (pending === undefined) return;
  const checkpoint = pending === 'damaged' ? undefined : await Checkpoint.look(files, directory);
  if (pending !== 'damaged' && checkpoint) await setBack(files, directory, checkpoint, pending.from);
  await dropReplay(files, directory);
  if (pending === 'damaged')
    throw new Error('the file that asked for it was damaged and is removed; ask for it again');
}

/** What is settled from this record on counts as accepted once more: it will be settled once more. */
async function setBack(
  files: SpoolFileSystem,
  directory: string,
  { sequence, ledger }: CheckpointLook,
  from: number,
): Promise<void> {
  if (from >= sequence && (ledger?.settledSegments.length ?? 0) === 0) return;
  const replayUntil = Math.max(sequence, ledger?.replayUntil ?? 0);
  await Checkpoint.replace(files, directory, Math.min(from, sequence), ledger && { ...ledger, replayUntil });
}
