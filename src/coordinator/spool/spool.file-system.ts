import { constants, type BigIntStats } from 'node:fs';
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** An open file of the spool. */
export interface SpoolFile {
  /** Bytes in the file. */
  size(): Promise<number>;
  /** Writes at `position`; resolves with the bytes written, which may be fewer than there are. */
  write(parts: readonly Buffer[], position: number): Promise<number>;
  /** Up to `length` bytes from `position`; fewer at the end of the file. */
  read(length: number, position: number): Promise<Buffer>;
  /** Resolves when the data is on disk (fdatasync). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** What tells this file from any other, whatever its name is now. */
  identity(): Promise<string>;
  close(): Promise<void>;
}

/** What the spool needs of a file system. A narrow interface, so that tests can let the power fail. */
export interface SpoolFileSystem {
  /** Makes the directory and those above it, as far as they are not there, so that they last. */
  makeDirectory(path: string): Promise<void>;
  /** Names in the directory, in no particular order; none when there is no such directory. */
  list(path: string): Promise<string[]>;
  /**
   * Opens a new file; rejects with EEXIST when it is there. With `writeThrough` each write resolves when its bytes are
   * on disk, and needs no sync.
   */
  create(path: string, options?: { readonly writeThrough?: boolean }): Promise<SpoolFile>;
  /** Opens a file that is there. */
  open(path: string, access: 'read' | 'write'): Promise<SpoolFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory last. */
  syncDirectory(path: string): Promise<void>;
  /** The identity of the file or directory under this name; undefined when there is none. */
  identity(path: string): Promise<string | undefined>;
}

/**
 * One system call in place of two, with no turn of the event loop between them: what `fdatasync` does after a write,
 * the write does itself (open(2)). Elsewhere it promises less.
 */
const WRITE_THROUGH = process.platform === 'linux' ? constants.O_DSYNC : 0;

class NodeFile implements SpoolFile {
  constructor(
    private readonly handle: FileHandle,
    private readonly syncsWrites = false,
  ) {}

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async write(parts: readonly Buffer[], position: number): Promise<number> {
    const { bytesWritten } = await this.handle.writev([...parts], position);
    if (this.syncsWrites) await this.sync();
    return bytesWritten;
  }

  async read(length: number, position: number): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.handle.read(target, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return target.subarray(0, filled);
  }

  sync(): Promise<void> {
    return this.handle.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length);
  }

  async identity(): Promise<string> {
    return identityOf(await this.handle.stat({ bigint: true }));
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

const ONLY_OWNER = 0o600;

/** The file system of the machine. */
export const nodeFileSystem: SpoolFileSystem = {
  makeDirectory: async (path) => {
    const topmost = await mkdir(path, { recursive: true, mode: 0o700 });
    if (topmost === undefined) return;
    const { length } = resolve(topmost);
    for (let made = resolve(path); made.length >= length; made = dirname(made))
      await syncDirectory(dirname(made));
  },
  list: async (path) => {
    try {
      return await readdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  create: async (path, { writeThrough = false } = {}) => {
    const flags =
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (writeThrough ? WRITE_THROUGH : 0);
    return new NodeFile(await open(path, flags, ONLY_OWNER), writeThrough && WRITE_THROUGH === 0);
  },
  open: async (path, access) => new NodeFile(await open(path, access === 'read' ? 'r' : 'r+')),
  rename: (from, to) => rename(from, to),
  remove: (path) => unlink(path),
  syncDirectory,
  identity: async (path) => {
    try {
      return identityOf(await stat(path, { bigint: true }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
};

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The most buffers that one writev takes (IOV_MAX on Linux and macOS). */
const MOST_PARTS = 1_024;

/** Writes every byte, however few the file takes at a time. */
export async function writeFully(file: SpoolFile, parts: readonly Buffer[], position: number): Promise<void> {
  let rest = parts.filter((part) => part.length > 0);
  while (rest.length > 0) {
    const written = await file.write(rest.slice(0, MOST_PARTS), position);
    if (written === 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' });
    position += written;
    rest = withoutFirst(rest, written);
  }
}

function withoutFirst(parts: Buffer[], bytes: number): Buffer[] {
  let index = 0;
  for (let part = parts[index]; part && bytes >= part.length; part = parts[index]) {
    bytes -= part.length;
    index++;
  }
  const rest = parts.slice(index);
  if (bytes > 0 && rest[0]) rest[0] = rest[0].subarray(bytes);
  return rest;
}
