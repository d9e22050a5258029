/* Preloaded, it makes each sync of a file take 30 ms longer, as a busy or distant disk does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int later(const char *name, int fd) {
    struct timespec wait = {0, 30 * 1000 * 1000};
    nanosleep(&wait, 0);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fsync(int fd) { return later("fsync", fd); }
int fdatasync(int fd) { return later("fdatasync", fd); }
