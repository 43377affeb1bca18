import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { SERVICE_ROLE } from './stage.database.js';

/** What every line of the log begins with: the SQLSTATE and the role. */
export const LOG_LINE_PREFIX = '%e %u ';

/** A place in the log. */
export interface LogMark {
  readonly path: string;
  readonly offset: number;
}

/** The log of the server: what it refused to the service, whatever the service says of it. */
export class ServerLog {
  /** @param dataDirectory of the server */
  constructor(private readonly dataDirectory: string) {}

  /** Where it ends now. */
  async mark(): Promise<LogMark> {
    const path = await this.path();
    return {
      path,
      offset: await stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    };
  }

  /** Whether an error with one of these SQLSTATEs was raised for the service since then. */
  async hasRaised(codes: readonly string[], since: LogMark): Promise<boolean> {
    const path = await this.path();
    // Another day has another file, and an older copy of the server an older one.
    const text = await this.read({ path, offset: path === since.path ? since.offset : 0 });
    return text
      .toString()
      .split('\n')
      .some((line) => codes.some((code) => line.startsWith(`${code} ${SERVICE_ROLE} `)));
  }

  /** Path of the file that is written now. */
  async path(): Promise<string> {
    const names = await readFile(join(this.dataDirectory, 'current_logfiles'), 'utf8').catch(() => '');
    return join(this.dataDirectory, /^stderr (.+)$/m.exec(names)?.[1] ?? 'log');
  }

  private async read({ path, offset }: LogMark): Promise<Buffer> {
    const file = await open(path, 'r').catch(() => undefined);
    if (!file) return Buffer.alloc(0);
    try {
      const { size } = await file.stat();
      if (size <= offset) return Buffer.alloc(0);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
