/*
 * Preloaded into a service under test: lets reads of its spool fail, and its wall clock step or stand still.
 *
 * CHAOS_CONTROL names a file of 24 bytes that the harness writes and this library maps, so that a change takes effect
 * with the next call. CHAOS_READS_BELOW is the directory, with a slash at its end, whose files may fail to read.
 * The monotonic clock is left alone: no step of a real clock touches it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int64_t offset_us;  /* added to the wall clock */
  volatile int64_t frozen_us;  /* what the wall clock says, Unix microseconds; 0: it runs */
  volatile int64_t fail_reads; /* of a thousand reads */
};

static const struct control nothing;
static const struct control *control = &nothing;
static const char *below = "";
static size_t below_length;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_readv)(int, const struct iovec *, int);
static ssize_t (*real_preadv)(int, const struct iovec *, int, off_t);

static void find_real(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_read = dlsym(RTLD_NEXT, "read");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_readv = dlsym(RTLD_NEXT, "readv");
  real_preadv = dlsym(RTLD_NEXT, "preadv64");
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CHAOS_CONTROL");
  const char *directory = getenv("CHAOS_READS_BELOW");
  if (!real_read) find_real();
  if (directory) {
    below = directory;
    below_length = strlen(directory);
  }
  if (!path) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  if (map == MAP_FAILED) {
    /* A service that is not harmed as the harness believes would pass for a sound one. */
    fprintf(stderr, "CHAOS_CONTROL %s cannot be mapped: %s\n", path, strerror(errno));
    abort();
  }
  control = map;
}

static int fails(int fd) {
  static uint32_t calls;
  int64_t share = control->fail_reads;
  if (share == 0 || below_length == 0) return 0;
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  if (length < (ssize_t)below_length || memcmp(path, below, below_length) != 0) return 0;
  uint32_t mixed = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) * 2654435761u;
  if ((mixed >> 12) % 1000 >= share) return 0;
  errno = EIO;
  return 1;
}

ssize_t read(int fd, void *to, size_t length) {
  if (!real_read) find_real();
  return fails(fd) ? -1 : real_read(fd, to, length);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t at) {
  if (!real_pread) find_real();
  return fails(fd) ? -1 : real_pread(fd, to, length, at);
}

ssize_t pread(int fd, void *to, size_t length, off_t at) { return pread64(fd, to, length, at); }

ssize_t readv(int fd, const struct iovec *to, int count) {
  if (!real_readv) find_real();
  return fails(fd) ? -1 : real_readv(fd, to, count);
}

ssize_t preadv64(int fd, const struct iovec *to, int count, off64_t at) {
  if (!real_preadv) find_real();
  return fails(fd) ? -1 : real_preadv(fd, to, count, at);
}

ssize_t preadv(int fd, const struct iovec *to, int count, off_t at) { return preadv64(fd, to, count, at); }

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real_clock_gettime) find_real();
  int result = real_clock_gettime(clock, now);
  int64_t frozen = control->frozen_us, offset = control->offset_us;
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  if (frozen == 0 && offset == 0) return 0;
  int64_t micros = frozen ? frozen : (int64_t)now->tv_sec * 1000000 + now->tv_nsec / 1000 + offset;
  now->tv_sec = micros / 1000000;
  now->tv_nsec = micros % 1000000 * 1000;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *to) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (to) *to = precise.tv_sec;
  return precise.tv_sec;
}
