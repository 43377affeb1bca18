import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The clock of a machine that a service believes to run on, set while it runs; its timer stays as it is. Needs the
 * program `faketime`.
 */
export class FakeTime {
  private readonly directory = mkdtempSync(join(tmpdir(), 'mds-fake-time-'));
  private readonly file = join(this.directory, 'now');
  private readonly library = execFileSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  }).trim();

  constructor(aheadSeconds: number) {
    this.setAhead(aheadSeconds);
  }

  /** For the service. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** The clock is so many seconds ahead of the right one; behind it when negative. */
  setAhead(seconds: number): void {
    this.write(`${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s`);
  }

  /** The clock stands still. */
  freeze(): void {
    this.write('2026-06-01 12:00:00');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** In one step: the service reads it at any moment. */
  private write(text: string): void {
    writeFileSync(`${this.file}.new`, `${text}\n`);
    renameSync(`${this.file}.new`, this.file);
  }
}
