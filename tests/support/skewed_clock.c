/* A machine's clock that is wrong: preloaded, it moves the time of day by SKEWED_CLOCK_SECONDS, and nothing else.
 *
 * What a program reads as the time of day is moved, and so are the times of files, which a kernel with that clock
 * would have written. Deadlines that a program states by that clock are moved back before the kernel gets them.
 * Monotonic clocks, pauses and time-outs are left alone: a wrong clock runs no faster.
 *
 * Debian's libfaketime does the same on paper. With its monotonic clock left alone it refuses the absolute pauses that
 * Python sleeps by (EINVAL), so nothing that sleeps would work under it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static long skew;

__attribute__((constructor)) static void read_skew(void) {
  const char *text = getenv("SKEWED_CLOCK_SECONDS");
  skew = text ? strtol(text, NULL, 10) : 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int is_wall(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

static struct timespec back(const struct timespec *at) {
  struct timespec moved = *at;
  moved.tv_sec -= skew;
  return moved;
}

/* --- reading */

static int read_clock(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL)
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, at);
  if (result == 0 && is_wall(clock))
    at->tv_sec += skew;
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *at) { return read_clock(clock, at); }

int __clock_gettime(clockid_t clock, struct timespec *at) { return read_clock(clock, at); }

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = read_clock(CLOCK_REALTIME, &now);
  if (result == 0) {
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
  }
  return result;
}

time_t time(time_t *where) {
  struct timespec now;
  read_clock(CLOCK_REALTIME, &now);
  if (where != NULL)
    *where = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
  return base == TIME_UTC && read_clock(CLOCK_REALTIME, at) == 0 ? base : 0;
}

/* --- deadlines by the time of day */

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
  REAL(clock_nanosleep);
  if (!is_wall(clock) || !(flags & TIMER_ABSTIME))
    return real(clock, flags, until, left);
  struct timespec moved = back(until);
  return real(clock, flags, &moved, left);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  REAL(sem_timedwait);
  struct timespec moved = back(until);
  return real(semaphore, &moved);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until) {
  REAL(sem_clockwait);
  struct timespec moved = is_wall(clock) ? back(until) : *until;
  return real(semaphore, clock, &moved);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  REAL(pthread_mutex_timedlock);
  struct timespec moved = back(until);
  return real(mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock,
                           const struct timespec *restrict until) {
  REAL(pthread_cond_clockwait);
  struct timespec moved = is_wall(clock) ? back(until) : *until;
  return real(condition, mutex, clock, &moved);
}

/* A condition does not say by which clock it waits; a deadline by the monotonic one must not be moved. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (real == NULL)
    /* By its version: the plain name finds the one of 2002 first. */
    real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
        RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (real == NULL)
    real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT,
                                                                                       "pthread_cond_timedwait");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  /* The two clocks are decades apart: a deadline is close to one of them only. */
  struct timespec moved = until->tv_sec > now.tv_sec / 2 ? back(until) : *until;
  return real(condition, mutex, &moved);
}

/* --- the times of files */

static void move_times(struct stat *found) {
  found->st_atim.tv_sec += skew;
  found->st_mtim.tv_sec += skew;
  found->st_ctim.tv_sec += skew;
}

/* On 64-bit Linux `struct stat64` is `struct stat`. */
#define STAT(name, parameters, arguments)                                                                             \
  int name parameters {                                                                                               \
    int(*real) parameters = (int(*) parameters)dlsym(RTLD_NEXT, #name);                                               \
    int result = real arguments;                                                                                      \
    if (result == 0)                                                                                                  \
      move_times((struct stat *)found);                                                                               \
    return result;                                                                                                    \
  }

STAT(stat, (const char *restrict path, struct stat *restrict found), (path, found))
STAT(lstat, (const char *restrict path, struct stat *restrict found), (path, found))
STAT(fstat, (int file, struct stat *found), (file, found))
STAT(fstatat, (int folder, const char *restrict path, struct stat *restrict found, int flags),
     (folder, path, found, flags))
STAT(stat64, (const char *restrict path, struct stat64 *restrict found), (path, found))
STAT(lstat64, (const char *restrict path, struct stat64 *restrict found), (path, found))
STAT(fstat64, (int file, struct stat64 *found), (file, found))
STAT(fstatat64, (int folder, const char *restrict path, struct stat64 *restrict found, int flags),
     (folder, path, found, flags))

static int is_moment(const struct timespec *at) { return at->tv_nsec != UTIME_NOW && at->tv_nsec != UTIME_OMIT; }

static const struct timespec *move_back(const struct timespec times[2], struct timespec moved[2]) {
  if (times == NULL)
    return NULL;
  for (int i = 0; i < 2; i++)
    moved[i] = is_moment(&times[i]) ? back(&times[i]) : times[i];
  return moved;
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
  REAL(utimensat);
  struct timespec moved[2];
  return real(folder, path, move_back(times, moved), flags);
}

int futimens(int file, const struct timespec times[2]) {
  REAL(futimens);
  struct timespec moved[2];
  return real(file, move_back(times, moved));
}
