import { chmod, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import { DataDirectoryUnusableError } from './data-directory.error.js';
import { DataDirectoryLock } from './data-directory.lock.js';
import { reasonToDistrust } from './data-directory.trust.js';

/** The directory that one service has for itself, from `acquire` until `release` or the end of its process. */
export class DataDirectory {
  private constructor(
    /** Absolute path. */
    readonly path: string,
    private readonly lock: DataDirectoryLock,
  ) {}

  /**
   * Makes the directory when it is absent and takes the lock on it.
   * @throws DataDirectoryInUseError when another live process holds it.
   * @throws DataDirectoryUnusableError when it cannot be made or locked, or other users may change what is in it.
   */
  static async acquire(path: string): Promise<DataDirectory> {
    const absolute = resolve(path);
    await create(absolute);
    const reason = await reasonToDistrust(absolute);
    if (reason !== undefined) throw new DataDirectoryUnusableError(absolute, reason);
    return new DataDirectory(absolute, await DataDirectoryLock.take(absolute));
  }

  /** Gives the lock back; harmless when repeated. */
  release(): Promise<void> {
    return this.lock.release();
  }
}

async function create(path: string): Promise<void> {
  try {
    const created = await mkdir(path, { recursive: true });
    // Root's directory lets others pass through, not look: the embedded PostgreSQL refuses to run as root, and
    // its unprivileged user must reach the cluster inside.
    if (created !== undefined) await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (cause) {
    throw new DataDirectoryUnusableError(path, (cause as Error).message, { cause });
  }
}
