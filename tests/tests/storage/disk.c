/* A disk that fails when it is told to, put before the C library (LD_PRELOAD) of a server under test.
 *
 * DISK_FAULTS names a folder. A file `full` in it: writes to what DISK_FOLDER holds find no room. A file `sync` in it
 * with the end of a path: the next sync of such a file fails, once; those after it go well and say nothing, as Linux
 * does it. Each sync of a file below DISK_FOLDER leaves a line in the file `syncs`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int below_folder(int fd, char *path, size_t size) {
    const char *folder = getenv("DISK_FOLDER");
    char link[64];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static void fault_path(char *path, size_t size, const char *name) {
    snprintf(path, size, "%s/%s", getenv("DISK_FAULTS"), name);
}

static int sync_fails(const char *path) {
    char fault[4096], ending[512];
    fault_path(fault, sizeof fault, "sync");
    FILE *file = fopen(fault, "r");
    if (!file) return 0;
    int read = fscanf(file, "%511s", ending);
    fclose(file);
    size_t length = strlen(path);
    if (read != 1 || strlen(ending) > length || strcmp(path + length - strlen(ending), ending)) return 0;
    unlink(fault);
    return 1;
}

static int synced(const char *name, int fd) {
    char path[4096], log[4096];
    if (!below_folder(fd, path, sizeof path)) return 0;
    int fails = sync_fails(path);
    fault_path(log, sizeof log, "syncs");
    FILE *file = fopen(log, "a");
    if (file) {
        fprintf(file, "%s %s\n", fails ? "failed" : "ok", path);
        fclose(file);
    }
    if (!fails) return 0;
    errno = EIO;
    return -1;
}

static int no_room(int fd) {
    char path[4096], fault[4096];
    if (!below_folder(fd, path, sizeof path)) return 0;
    fault_path(fault, sizeof fault, "full");
    if (access(fault, F_OK)) return 0;
    errno = ENOSPC;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return synced("fsync", fd) ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return synced("fdatasync", fd) ? -1 : NEXT(fdatasync)(fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
    return no_room(fd) ? -1 : NEXT(write)(fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return no_room(fd) ? -1 : NEXT(pwrite)(fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return no_room(fd) ? -1 : NEXT(pwrite64)(fd, bytes, count, offset);
}
