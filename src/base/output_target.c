/* Where a path that is to be written leads. /dev/stdout is a link to /proc/self/fd/1, which
 * is no link in truth but the open file itself: renaming over either would take it from
 * everybody. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"

enum { MAX_LINKS = 40, MAX_DESCRIPTOR_DIGITS = 9 };

/* The folder part of a path as text: "." where there is none. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const size_t n = (size_t)(ss__path_name(path) - path);
    memcpy(folder, n == 0 ? "." : path, n == 0 ? 1 : n);
    folder[n == 0 ? 1 : n] = '\0';
}

/* Whether a path is an entry of /proc/PID/fd or /proc/PID/task/TID/fd, and so an open file;
 * *descriptor is its number if it is ours, else -1. */
static bool is_open_file(const char *path, int *descriptor)
{
    static const char proc[] = "/proc/";
    char folder[PATH_MAX], whole[PATH_MAX];
    const char *name = ss__path_name(path);
    const size_t n_digits = strspn(name, "0123456789");
    *descriptor = -1;
    if (n_digits == 0 || n_digits > MAX_DESCRIPTOR_DIGITS || name[n_digits] != '\0') {
        return false;
    }
    folder_of(path, folder);
    const size_t n = realpath(folder, whole) == NULL ? 0 : strlen(whole);
    if (n < sizeof proc || memcmp(whole, proc, sizeof proc - 1) != 0 ||
        strcmp(whole + n - 3, "/fd") != 0) {
        return false;
    }
    if (strtol(whole + sizeof proc - 1, NULL, 10) == (long)getpid()) {
        *descriptor = (int)strtol(name, NULL, 10);
    }
    return true;
}

/* One link further: 0, or -1 at the end of links, or an errno. */
static int follow(char path[PATH_MAX])
{
    char target[PATH_MAX];
    const ssize_t n = readlink(path, target, sizeof target);
    if (n < 0) {
        return errno == ELOOP || errno == ENAMETOOLONG ? errno : -1;
    }
    const size_t n_folder = target[0] == '/' ? 0 : (size_t)(ss__path_name(path) - path);
    if (n_folder + (size_t)n >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    memcpy(path + n_folder, target, (size_t)n);
    path[n_folder + (size_t)n] = '\0';
    return 0;
}

/* A name that is free or a regular file can be replaced; a device with offsets can be written
 * to from its start; the rest gets the content at the end. */
static ss_status find_kind(const char *path, struct ss__out_target *out, ss_err *err)
{
    struct stat facts;
    if (out->descriptor >= 0) {
        const int flags = fcntl(out->descriptor, F_GETFL);
        out->kind = SS__OUT_TARGET_DESCRIPTOR;
        return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY
                   ? SS_OK
                   : ss__fail_file(err, path, SS_E_IO, "this is not open for writing");
    }
    if (stat(out->path, &facts) != 0 || S_ISREG(facts.st_mode)) {
        out->kind = SS__OUT_TARGET_NAME;
        return SS_OK;
    }
    if (S_ISDIR(facts.st_mode)) {
        return ss__fail_file(err, path, SS_E_IO, "this is a folder; give the name of a file");
    }
    const int file = S_ISCHR(facts.st_mode)
                         ? open(out->path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
                         : -1;
    const bool has_offsets =
        S_ISBLK(facts.st_mode) || (file >= 0 && lseek(file, 0, SEEK_CUR) >= 0);
    out->kind = has_offsets ? SS__OUT_TARGET_DEVICE : SS__OUT_TARGET_STREAM;
    if (file >= 0) {
        close(file);
    }
    return SS_OK;
}

ss_status ss__out_target_resolve(const char *path, struct ss__out_target *out, ss_err *err)
{
    ss_status status = SS_OK;
    char at[PATH_MAX];
    const size_t n_bytes = strlen(path) + 1;
    int n_links = 0, reason = n_bytes > sizeof at ? ENAMETOOLONG : 0;
    *out = (struct ss__out_target){.descriptor = -1};
    memcpy(at, path, reason == 0 ? n_bytes : 0);
    while (reason == 0 && !is_open_file(at, &out->descriptor)) {
        reason = n_links++ < MAX_LINKS ? follow(at) : ELOOP;
    }
    if (reason > 0) {
        SS_TRY(ss__fail_errno(err, path, "create", reason));
    }
    out->path = ss__strdup(at);
    if (out->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(find_kind(path, out, err));
out:
    if (status != SS_OK) {
        ss__free(out->path);
        out->path = NULL;
    }
    return status;
}
