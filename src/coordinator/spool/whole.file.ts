import { writeFully, type SpoolFile, type SpoolFileSystem } from './spool.file-system.js';

/** Puts a whole file in place under its name, or nothing: written aside, synced, renamed. */
export async function writeWholeFile(
  files: SpoolFileSystem,
  directory: string,
  name: string,
  content: readonly Buffer[] | AsyncIterable<Buffer>,
): Promise<void> {
  const aside = `${directory}/${name}.tmp`;
  await files.remove(aside).catch(() => undefined);
  const file = await files.create(aside);
  try {
    await writeContent(file, content)
      .then(() => file.sync())
      .finally(() => file.close());
    await files.rename(aside, `${directory}/${name}`);
  } catch (error) {
    // A full disk has no room for what is left over.
    await files.remove(aside).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(directory);
}

/** The whole content of a file. Rejects when the disk does not read it. */
export async function readWholeFile(files: SpoolFileSystem, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  try {
    return await file.read(await file.size(), 0);
  } finally {
    await file.close();
  }
}

async function writeContent(
  file: SpoolFile,
  content: readonly Buffer[] | AsyncIterable<Buffer>,
): Promise<void> {
  if (!(Symbol.asyncIterator in content)) {
    await writeFully(file, content, 0);
    return;
  }
  let at = 0;
  for await (const part of content) {
    await writeFully(file, [part], at);
    at += part.length;
  }
}
