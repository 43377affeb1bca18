import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `pread` on files whose path has MDS_TEST_FAIL_PATH in it fails with EIO while the file MDS_TEST_FAIL_WHILE exists. */
const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
  const char *flag = getenv("MDS_TEST_FAIL_WHILE"), *part = getenv("MDS_TEST_FAIL_PATH");
  char link[64], path[4096];
  if (!flag || !part || access(flag, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, part) != NULL;
}

typedef ssize_t (*reader)(int, void *, size_t, off_t);

ssize_t pread64(int fd, void *buffer, size_t count, off_t offset) {
  static reader real;
  if (!real) real = (reader)dlsym(RTLD_NEXT, "pread64");
  if (fails(fd)) { errno = EIO; return -1; }
  return real(fd, buffer, count, offset);
}

ssize_t pread(int fd, void *buffer, size_t count, off_t offset) { return pread64(fd, buffer, count, offset); }
`;

/** Reads of the spool's segments fail with EIO, in a service that was started with `env`, between `fail` and `heal`. */
export class FailingReads {
  private readonly directory = mkdtempSync(join(tmpdir(), 'mds-failing-reads-'));
  private readonly flag = join(this.directory, 'failing');

  constructor() {
    const source = join(this.directory, 'failing.c');
    writeFileSync(source, SOURCE);
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', this.library, source, '-ldl']);
  }

  /** For the service. */
  get env(): Record<string, string> {
    return { LD_PRELOAD: this.library, MDS_TEST_FAIL_WHILE: this.flag, MDS_TEST_FAIL_PATH: '.seg' };
  }

  fail(): void {
    writeFileSync(this.flag, '');
  }

  heal(): void {
    rmSync(this.flag, { force: true });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get library(): string {
    return join(this.directory, 'failing.so');
  }
}
