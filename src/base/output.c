/* The order that makes an output whole or absent: write under a temporary name, fsync, rename,
 * fsync of the folder. All names are put together when the file is opened, so that removing it
 * after a failure needs no memory.
 *
 * Folders are held open and names looked up in them (openat, renameat): if a folder is moved
 * while a file is written, the file goes with it. What users see of it: docs/formats.md. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { WRITE_CHUNK_BYTES = 1 << 20, COPY_BYTES = 1 << 18 };

/* ---- opening ---- */

/* An open folder for names: where it cannot be listed, O_PATH is enough. */
static int open_folder(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 || errno != EACCES ? folder
                                          : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_folder_of(char *path)
{
    char *name = (char *)(uintptr_t)ss__path_name(path);
    const char kept = *name;
    *name = '\0';
    const int folder = open_folder(name == path ? "." : path);
    *name = kept;
    return folder;
}

/* Open a folder that is on the same disk as another, else -1. */
static int open_beside(const char *path, int other)
{
    struct stat facts, others;
    const int folder = open_folder(path);
    if (folder >= 0 && (fstat(folder, &facts) != 0 || fstat(other, &others) != 0 ||
                        facts.st_dev != others.st_dev)) {
        close(folder);
        return -1;
    }
    return folder;
}

/* What would be found out only at the end: no other file can take the place of this one. */
static ss_status check_replaceable(const struct ss__out *out, const struct stat *facts,
                                   ss_err *err)
{
    struct stat folder;
    struct statx more;
    const uid_t user = geteuid();
    if (statx(out->folder, out->name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &more) == 0 &&
        (more.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
        return ss__fail_file(err, out->path, SS_E_IO,
                             "this file is mounted by itself and cannot be replaced; name a "
                             "file in a folder that is mounted");
    }
    if (user != 0 && fstat(out->folder, &folder) == 0 && (folder.st_mode & S_ISVTX) != 0 &&
        facts->st_uid != user && folder.st_uid != user) {
        return ss__fail_file(err, out->path, SS_E_IO,
                             "this file is another user's, and its folder lets only the owner "
                             "replace it; name another one");
    }
    return SS_OK;
}

/* What has the name now. */
static ss_status check_name(const struct ss__out *out, ss_err *err)
{
    struct stat facts;
    const bool is_there = fstatat(out->folder, out->name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there && errno != ENOENT) { /* such as a name that is too long */
        return ss__fail_errno(err, out->path, "create", errno);
    }
    if (out->name[0] == '\0' || strchr(out->name, '/') != NULL ||
        (is_there && S_ISDIR(facts.st_mode))) {
        return ss__fail_file(err, out->path, SS_E_IO,
                             "this is a folder; give the name of a file");
    }
    if (is_there && !S_ISREG(facts.st_mode) && !S_ISLNK(facts.st_mode)) {
        return ss__fail_file(err, out->path, SS_E_IO, "this is a device or pipe, not a file");
    }
    if (is_there && out->is_kept) {
        return ss__fail_file(err, out->path, SS_E_EXISTS,
                             "this file exists; name another one, or replace it with `force`");
    }
    return is_there ? check_replaceable(out, &facts, err) : SS_OK;
}

/* Open what will be renamed. `made_in` is the folder it is made in; NULL: that where it comes
 * to rest. */
static ss_status open_name(struct ss__out *out, const char *made_in, ss_err *err)
{
    out->name = ss__path_name(out->target);
    out->folder = open_folder_of(out->target);
    if (out->folder < 0) {
        return ss__fail_errno(err, out->path, "create", errno);
    }
    SS_RETURN_IF_ERROR(check_name(out, err));
    out->made_in = made_in == NULL ? -1 : open_beside(made_in, out->folder);
    return ss__temporary_create(out->made_in >= 0 ? out->made_in : out->folder, out->path,
                                out->temporary, &out->descriptor, err);
}

/* What gets its content at the end is kept in a file without a name until then. */
static ss_status open_sink(struct ss__out *out, const struct ss__out_target *target,
                           ss_err *err)
{
    out->sink = target->kind == SS__OUT_TARGET_DESCRIPTOR
                    ? fcntl(target->descriptor, F_DUPFD_CLOEXEC, 3)
                    : open(target->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (out->sink < 0 && errno == EINTR) {
        return ss__fail_file(err, out->path, SS_E_STOPPED,
                             "stopped while waiting for a reader");
    }
    if (out->sink < 0) {
        return ss__fail_errno(err, out->path, "write", errno);
    }
    if (isatty(out->sink)) {
        return ss__fail_file(err, out->path, SS_E_IO,
                             "this is a terminal, which cannot show the content; name a file "
                             "or redirect the output");
    }
    return ss__temporary_unnamed(&out->descriptor, err);
}

/* A device such as /dev/null is written to at once: it cannot be replaced, and has no old
 * content to keep. */
static ss_status open_device(struct ss__out *out, ss_err *err)
{
    out->descriptor = open(out->target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return out->descriptor >= 0 ? SS_OK : ss__fail_errno(err, out->path, "write", errno);
}

/* The closed state first, so that aborting is right from here on. */
static ss_status begin(const char *path, struct ss__out *out, ss_err *err)
{
    *out = SS__OUT_CLOSED;
    out->path = ss__strdup(path);
    return out->path == NULL ? ss__fail_nomem(err, "a file name") : SS_OK;
}

ss_status ss__out_open_made_in(const char *path, const char *made_in, struct ss__out *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(begin(path, out, err));
    out->target = ss__strdup(path);
    if (out->target == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(open_name(out, made_in, err));
out:
    if (status != SS_OK) {
        ss__out_abort(out);
    }
    return status;
}

ss_status ss__out_open(const char *path, struct ss__out *out, ss_err *err)
{
    return ss__out_open_made_in(path, NULL, out, err);
}

ss_status ss__out_open_named(const char *path, bool force, struct ss__out *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out_target target = {0};
    SS_TRY(begin(path, out, err));
    SS_TRY(ss__out_target_resolve(path, &target, err));
    out->target = target.path; /* taken */
    out->is_kept = !force;
    SS_TRY(target.kind == SS__OUT_TARGET_NAME     ? open_name(out, NULL, err)
           : target.kind == SS__OUT_TARGET_DEVICE ? open_device(out, err)
                                                  : open_sink(out, &target, err));
    if (target.kind == SS__OUT_TARGET_NAME) {
        (void)ss__temporary_remove_stale(out->folder);
    }
out:
    if (status != SS_OK) {
        ss__out_abort(out);
    }
    return status;
}

void ss__out_remove_stale(const char *folder)
{
    const int descriptor = open_folder(folder);
    if (descriptor >= 0) {
        (void)ss__temporary_remove_stale(descriptor);
        close(descriptor);
    }
}

/* ---- writing ---- */

/* Where bytes go for now, for messages. */
static const char *where(const struct ss__out *out)
{
    return out->sink >= 0 ? SS__TEMPORARY_UNNAMED : out->path;
}

static ss_status flush_pending(struct ss__out *out, ss_err *err)
{
    const ss_status status = ss__write_all(out->descriptor, where(out), out->pending.data,
                                           out->pending.n_bytes, err);
    out->pending.n_bytes = 0;
    return status;
}

ss_status ss__out_write(struct ss__out *out, const void *data, size_t n_bytes, ss_err *err)
{
    if (out->pending.n_bytes + n_bytes >= WRITE_CHUNK_BYTES) {
        SS_RETURN_IF_ERROR(flush_pending(out, err));
        SS_RETURN_IF_ERROR(ss__write_all(out->descriptor, where(out), data, n_bytes, err));
    } else {
        ss__buf_add(&out->pending, data, n_bytes);
        SS_RETURN_IF_ERROR(ss__buf_check(&out->pending, err));
    }
    return SS_OK;
}

ss_status ss__out_patch(struct ss__out *out, uint64_t offset, const void *data, size_t n_bytes,
                        ss_err *err)
{
    SS_RETURN_IF_ERROR(flush_pending(out, err));
    return ss__write_all_at(out->descriptor, where(out), data, n_bytes, offset, err);
}

/* ---- at the end ---- */

ss_status ss__flush_folder(int folder, const char *path, ss_err *err)
{
    return fsync(folder) == 0 || errno == EINVAL || errno == EBADF /* O_PATH */
               ? SS_OK
               : ss__fail_errno(
                     err, path,
                     "make sure that it survives a power cut: flushing its folder failed",
                     errno);
}

/* Rename unless the name has come to be: by the system call for that; where the file system
 * lacks it, by a second name; where that lacks too, over an empty file that is surely ours. */
static int rename_new(int made_in, const char *temporary, int folder, const char *name)
{
    if (renameat2(made_in, temporary, folder, name, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
        return -1;
    }
    if (linkat(made_in, temporary, folder, name, 0) == 0) {
        unlinkat(made_in, temporary, 0);
        return 0;
    }
    if (errno == EEXIST) {
        return -1;
    }
    const int claim = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (claim < 0) {
        return -1;
    }
    close(claim);
    const int renamed = renameat(made_in, temporary, folder, name);
    if (renamed != 0) {
        const int reason = errno;
        unlinkat(folder, name, 0);
        errno = reason;
    }
    return renamed;
}

static ss_status rename_to_target(struct ss__out *out, ss_err *err)
{
    const int made_in = out->made_in >= 0 ? out->made_in : out->folder;
    const int renamed = out->is_kept
                            ? rename_new(made_in, out->temporary, out->folder, out->name)
                            : renameat(made_in, out->temporary, out->folder, out->name);
    if (renamed != 0 && errno == EEXIST) {
        return ss__fail_file(err, out->path, SS_E_EXISTS,
                             "this file has come to be meanwhile and is left alone; name "
                             "another one, or replace it with `force`");
    }
    if (renamed != 0) {
        return ss__fail_errno(err, out->path, "rename", errno);
    }
    out->temporary[0] = '\0';
    return ss__flush_folder(out->folder, out->path, err);
}

/* The whole content, from the file without a name: a reader of the pipe gets all of it or,
 * after a failure, nothing. */
static ss_status send_to_sink(struct ss__out *out, ss_err *err)
{
    ss_status status = SS_OK;
    char *chunk = NULL;
    SS_ALLOC(chunk, COPY_BYTES);
    for (uint64_t at = 0;;) {
        const ssize_t got = pread(out->descriptor, chunk, COPY_BYTES, (off_t)at);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            SS_TRY(ss__fail_errno(err, where(out), "read back", errno));
        }
        if (got > 0) {
            SS_TRY(ss__write_all(out->sink, out->path, chunk, (size_t)got, err));
            at += (uint64_t)got;
        }
    }
out:
    ss__free(chunk);
    return status;
}

/* fsync, where what is written to can be flushed. */
static bool flush(int descriptor)
{
    return fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS; /* pipes, devices */
}

/* Renamed while the descriptor is open: its lock tells others that the file is alive until it
 * has its name. */
ss_status ss__out_commit(struct ss__out *out, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(flush_pending(out, err));
    if (out->sink >= 0) {
        SS_TRY(send_to_sink(out, err));
    }
    if (!flush(out->sink >= 0 ? out->sink : out->descriptor)) {
        SS_TRY(ss__fail_errno(err, out->path, "flush", errno));
    }
    if (out->temporary[0] != '\0') { /* which is locked until its descriptor is closed */
        SS_TRY(rename_to_target(out, err));
    }
    const int closed = close(out->sink >= 0 ? out->sink : out->descriptor);
    *(out->sink >= 0 ? &out->sink : &out->descriptor) = -1;
    if (closed != 0 && errno != EINTR) {
        SS_TRY(ss__fail_errno(err, out->path, "close", errno));
    }
out:
    ss__out_abort(out);
    return status;
}

static void close_open(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
    }
    *descriptor = -1;
}

void ss__out_abort(struct ss__out *out)
{
    if (out->temporary[0] != '\0') {
        unlinkat(out->made_in >= 0 ? out->made_in : out->folder, out->temporary, 0);
    }
    close_open(&out->descriptor);
    close_open(&out->sink);
    close_open(&out->folder);
    close_open(&out->made_in);
    ss__free(out->path);
    ss__free(out->target);
    ss__buf_release(&out->pending);
    *out = SS__OUT_CLOSED;
}

ss_status ss__file_write(const char *path, const void *data, size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss__out_write(&out, data, n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    return status;
}

ss_status ss__file_move(const char *from, const char *to, ss_err *err)
{
    ss_status status = SS_OK;
    char *target = ss__strdup(to);
    if (target == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    const int folder = open_folder_of(target);
    if (folder < 0 || rename(from, to) != 0) {
        SS_TRY(ss__fail_errno(err, to, "rename to", errno));
    }
    SS_TRY(ss__flush_folder(folder, to, err));
out:
    if (folder >= 0) {
        close(folder);
    }
    ss__free(target);
    return status;
}

/* ---- folders ---- */

/* The end of the path without its last part and the slashes before that. */
static size_t parent_length(const char *path)
{
    size_t n = (size_t)(ss__path_name(path) - path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    return n;
}

void ss__unmake_folder(const char *path, size_t n)
{
    char at[PATH_MAX];
    const size_t n_bytes = strlen(path) + 1;
    if (n_bytes > sizeof at) {
        return; /* nor was it made */
    }
    memcpy(at, path, n_bytes);
    for (; n > 0 && rmdir(at) == 0; n--) {
        at[parent_length(at)] = '\0';
    }
}

ss_status ss__make_folder(const char *path, size_t *n_made, ss_err *err)
{
    ss_status status = SS_OK;
    size_t n = 0;
    if (path[0] == '\0') {
        return ss__fail(err, SS_E_USAGE, "the name of a folder is empty; give it a name");
    }
    char *partial = ss__strdup(path);
    if (partial == NULL) {
        return ss__fail_nomem(err, "a folder name");
    }
    for (char *at = partial + 1; at[-1] != '\0'; at++) {
        if ((*at != '/' && *at != '\0') || at[-1] == '/') {
            continue;
        }
        const char kept = *at;
        *at = '\0';
        const int why = mkdir(partial, 0777) == 0 ? 0 : errno;
        if (why == 0) {
            n++;
        } else if (why != EEXIST && ss__path_stat(partial) != SS__PATH_FOLDER) {
            ss__fail_errno(err, partial, "create folder", why);
            partial[parent_length(partial)] = '\0';
            SS_TRY(SS_E_IO);
        }
        *at = kept;
    }
    if (ss__path_stat(path) != SS__PATH_FOLDER) {
        SS_FAIL_FILE(path, SS_E_IO,
                     "there is a file of this name, or a link that leads nowhere, so no folder "
                     "can be made");
    }
out:
    if (status != SS_OK) {
        ss__unmake_folder(partial, n);
    }
    if (n_made != NULL) {
        *n_made = status == SS_OK ? n : 0;
    }
    ss__free(partial);
    return status;
}
