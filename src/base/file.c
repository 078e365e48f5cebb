/* A path that cannot be looked at for want of permission, or a link to nowhere, is "there":
 * whoever took it for absent would leave a file out without a word. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lfs.h"
#include "base/mem.h"
#include "base/sort.h"

/* ---- paths ---- */

/* Pipes, sockets and devices are "other": they can be read once and have no size. */
static ss__path_kind kind_of(const struct stat *facts)
{
    if (S_ISREG(facts->st_mode)) {
        return SS__PATH_FILE;
    }
    return S_ISDIR(facts->st_mode) ? SS__PATH_FOLDER : SS__PATH_OTHER;
}

ss__path_kind ss__path_stat(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        const bool is_absent = (errno == ENOENT && lstat(path, &facts) != 0) ||
                               errno == ENOTDIR || errno == ENAMETOOLONG;
        return is_absent ? SS__PATH_NONE : SS__PATH_BROKEN;
    }
    return kind_of(&facts);
}

/* Without memory of its own, so that looking cannot fail; a path that is too long for the
 * system names nothing. */
ss__path_kind ss__path_look_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    const int n =
        snprintf(path, sizeof path, "%s%s%s", folder, *folder == '\0' ? "" : "/", name);
    return n > 0 && (size_t)n < sizeof path ? ss__path_stat(path) : SS__PATH_NONE;
}

ss_status ss__path_check(const char *path, ss__path_kind *kind, bool *is_link, ss_err *err)
{
    struct stat facts;
    *kind = SS__PATH_NONE;
    *is_link = false;
    if (lstat(path, &facts) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? SS_OK
                   : ss__fail_errno(err, path, "look at", errno);
    }
    *is_link = S_ISLNK(facts.st_mode);
    if (*is_link && stat(path, &facts) != 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? SS_OK
                   : ss__fail_errno(err, path, "look at", errno);
    }
    *kind = kind_of(&facts);
    return SS_OK;
}

/* Whether a link leads into the store of git-annex, whose content is there when it was asked for.
 */
static bool is_annexed(const char *path)
{
    char target[1024];
    const ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    return strstr(target, ".git/annex/objects/") != NULL;
}

ss_status ss__fail_broken(ss_err *err, const char *path)
{
    struct stat facts;
    const int why = stat(path, &facts) != 0 ? errno : 0;
    if (why != ENOENT) {
        return ss__fail_errno(err, path, "open", why);
    }
    return ss__fail_file(err, path, SS_E_NOINPUT, "this is a link that leads nowhere; %s",
                         is_annexed(path) ? "bring its content with 'git annex get'"
                                          : "restore what it stands for, or remove it");
}

char *ss__path_join(const char *folder, const char *name)
{
    struct ss__buf path = {0};
    if (name[0] == '/' || folder[0] == '\0') {
        return ss__strdup(name);
    }
    ss__buf_add_text(&path, folder);
    if (name[0] != '\0') {
        if (folder[strlen(folder) - 1] != '/') {
            ss__buf_add_byte(&path, '/');
        }
        ss__buf_add_text(&path, name);
    }
    if (ss__buf_text(&path) == NULL) {
        ss__buf_release(&path);
    }
    return path.data;
}

/* The last part, slashes at its end included, as people write folders. */
const char *ss__path_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    while (end > 0 && path[end - 1] != '/') {
        end--;
    }
    return path + end;
}

/* For paths that come from a file or a server: what they name must lie in the folder they are
 * joined to. Backslashes and control characters are refused, since they mean something
 * elsewhere or in a terminal. */
bool ss__path_is_inside(const char *path)
{
    const char *part = path;
    if (path[0] == '/') {
        return false;
    }
    for (const char *at = path;; at++) {
        if (*at == '/' || *at == '\0') {
            if (at - part == 2 && part[0] == '.' && part[1] == '.') {
                return false;
            }
            if (*at == '\0') {
                return true;
            }
            part = at + 1;
        } else if (*at == '\\' || (unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by bytes: the order of a folder is that of the file system, and results may not depend
 * on it. */
ss_status ss__list_folder(const char *path, char ***names, size_t *n, ss_err *err)
{
    ss_status status = SS_OK;
    char **list = NULL;
    size_t count = 0, capacity = 0;
    *names = NULL;
    *n = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return ss__fail_errno(err, path, "list", errno);
    }
    for (;;) {
        errno = 0; /* NULL is the end too */
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0) {
            SS_TRY(ss__fail_errno(err, path, "list", errno));
        }
        if (entry == NULL) {
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        SS_GROW(list, capacity, count + 1);
        list[count] = ss__strdup(entry->d_name);
        if (list[count] == NULL) {
            SS_TRY(ss__fail_nomem(err, "a file name"));
        }
        count++;
    }
    if (count > 0) {
        ss__sort(list, count, sizeof *list, compare_names);
    }
    *names = list;
    *n = count;
    list = NULL;
    count = 0;
out:
    closedir(folder);
    ss__list_release(list, count);
    return status;
}

void ss__list_release(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ss__free(names[i]);
    }
    ss__free(names);
}

/* ---- reading ---- */

/* Until the end is found, not by the size: files of /proc have none, and a file may grow. */
static ss_status read_all(int descriptor, const char *path, size_t max_bytes,
                          struct ss__buf *buf, ss_err *err)
{
    const size_t before = buf->n_bytes;
    for (;;) {
        char *end = ss__buf_reserve(buf, 65536);
        if (end == NULL) {
            return ss__buf_check(buf, err);
        }
        const ssize_t got = read(descriptor, end, 65536);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ss__fail_errno(err, path, "read", errno);
        }
        if (got == 0) {
            return SS_OK;
        }
        buf->n_bytes += (size_t)got;
        if (buf->n_bytes - before > max_bytes) {
            return ss__fail_file(err, path, SS_E_LIMIT,
                                 "larger than the %zu bytes that are read", max_bytes);
        }
    }
}

/* Pointers of git-lfs are text files that stand for what was not fetched: they are refused
 * here, once for all readers. */
ss_status ss__file_read(const char *path, size_t max_bytes, struct ss__buf *buf, ss_err *err)
{
    struct ss__file_facts facts;
    int descriptor = -1;
    ss_status status = ss__open_regular(path, &descriptor, &facts, err);
    if (status == SS_OK) {
        const size_t before = buf->n_bytes;
        status = read_all(descriptor, path, max_bytes, buf, err);
        close(descriptor);
        if (status == SS_OK && buf->n_bytes > before) {
            status = ss__lfs_check(path, buf->data + before, buf->n_bytes - before, err);
        }
    }
    return status;
}
