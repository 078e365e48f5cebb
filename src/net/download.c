/* States of a partial file and who may be in them: see download.h. Bytes are hashed as they
 * come, those of an earlier try first, so that a file is read once more only when it is
 * resumed. */
#include "net/download.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "net/net_priv.h"

#define LOCK_PAUSE_SECONDS 0.1
#define WATCH_SECONDS 0.1
enum { READ_BYTES = 1 << 18 };

/* A file under way. */
struct download {
    const struct ss_net_download *options;
    const char *name;
    int descriptor;
    struct ss__hash *hash;
    uint64_t n_bytes, n_resumed; /* so far; of those from an earlier call */
    struct ss_progress_callback progress;
    double begin, next_watch;
};

ss_status ss_net_make_parents(const char *path, ss_err *err)
{
    const size_t n_bytes = (size_t)(ss__path_name(path) - path);
    char *folder = ss__strndup(path, n_bytes);
    if (folder == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    const ss_status status = n_bytes == 0 ? SS_OK : ss__make_folder(folder, NULL, err);
    ss__free(folder);
    return status;
}

/* ---- the partial file ---- */

/* Whether the locked file is still the one of that name: another program may have finished and
 * renamed it. */
static bool is_current(int descriptor, const char *path)
{
    struct stat held, named;
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* File systems without locks go without them. */
static ss_status lock(struct ss_net *net, int descriptor, ss_err *err)
{
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0 &&
           (errno == EWOULDBLOCK || errno == EINTR)) {
        const ss_status status = ss_net_sleep(net, LOCK_PAUSE_SECONDS, err);
        if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}

/* Open and lock it; *is_done: another program finished the file while we waited for its
 * lock. */
static ss_status open_partial(struct ss_net *net, struct download *download, bool *is_done,
                              ss_err *err)
{
    const struct ss_net_download *options = download->options;
    *is_done = false;
    while (!*is_done) {
        const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
        download->descriptor = open(options->partial, flags, 0666);
        if (download->descriptor < 0) {
            return ss__fail_file(err, options->partial, SS_E_IO, "cannot be created (%s)",
                                 strerror(errno));
        }
        const ss_status status = lock(net, download->descriptor, err);
        if (status != SS_OK || is_current(download->descriptor, options->partial)) {
            return status;
        }
        close(download->descriptor);
        download->descriptor = -1;
        *is_done = ss__path_stat(options->path) == SS__PATH_FILE;
    }
    return SS_OK;
}

/* A git hash begins with a head that is no part of the file. */
static ss_status start_hash(struct download *download, ss_err *err)
{
    const struct ss_net_download *options = download->options;
    ss__hash_free(download->hash);
    download->hash = NULL;
    const ss_status status = ss__hash_new(options->kind, &download->hash, err);
    if (status == SS_OK && options->hash_head != NULL) {
        ss__hash_add(download->hash, options->hash_head, options->n_hash_head_bytes);
    }
    return status;
}

static ss_status start_over(struct download *download, ss_err *err)
{
    download->n_bytes = 0;
    download->n_resumed = 0;
    if (ftruncate(download->descriptor, 0) != 0 ||
        lseek(download->descriptor, 0, SEEK_SET) != 0) {
        return ss__fail_errno(err, download->options->partial, "empty", errno);
    }
    return start_hash(download, err);
}

/* Hash what an earlier call left. More than the file can have is not of this file. */
static ss_status hash_partial(struct download *download, ss_err *err)
{
    ss_status status = SS_OK;
    char *chunk = NULL;
    SS_ALLOC_ALIGNED(chunk, READ_BYTES);
    SS_TRY(start_hash(download, err));
    for (;;) {
        const ssize_t got = read(download->descriptor, chunk, READ_BYTES);
        if (got > 0) {
            ss__hash_add(download->hash, chunk, (size_t)got);
            download->n_bytes += (size_t)got;
        } else if (got == 0) {
            break;
        } else if (errno != EINTR) {
            SS_TRY(ss__fail_errno(err, download->options->partial, "read", errno));
        }
    }
    if (download->n_bytes > download->options->n_bytes) {
        SS_TRY(start_over(download, err));
    }
out:
    ss__free(chunk);
    return status;
}

/* ---- its content ---- */

/* Before anything is asked for. Another program may take the room meanwhile, which is then an
 * error of writing. */
static ss_status check_disk_space(const struct download *download, ss_err *err)
{
    struct statvfs disk;
    const uint64_t wanted = download->options->n_bytes;
    if (wanted == SS_NOWHERE || fstatvfs(download->descriptor, &disk) != 0) {
        return SS_OK;
    }
    const uint64_t missing = wanted - download->n_bytes;
    uint64_t free_bytes = 0;
    if (!ss__mul_u64(disk.f_bavail, disk.f_frsize, &free_bytes) || missing <= free_bytes) {
        return SS_OK;
    }
    return ss__fail_file(
        err, download->options->partial, SS_E_IO,
        "%.200s needs %llu more bytes, the disk has %llu free; free some space "
        "or choose another folder",
        download->name, (unsigned long long)missing, (unsigned long long)free_bytes);
}

/* Ten times a second and at the end, whatever the size of the pieces that arrive. */
static ss_status report_progress(struct download *download, bool is_end, ss_err *err)
{
    const double now = ss__seconds_now();
    const uint64_t wanted = download->options->n_bytes;
    if (download->progress.fn == NULL || (now < download->next_watch && !is_end)) {
        return SS_OK;
    }
    download->next_watch = now + WATCH_SECONDS;
    const struct ss_progress transfer = {
        .struct_size = sizeof transfer,
        .stage = SS_STAGE_DOWNLOAD,
        .name = download->name,
        .n_bytes_done = download->n_bytes,
        .n_bytes_total = wanted == SS_NOWHERE ? 0 : wanted,
        .n_bytes_resumed = download->n_resumed,
        .seconds = now - download->begin,
        .is_end = is_end,
    };
    return download->progress.fn(download->progress.user, &transfer) == 0
               ? SS_OK
               : ss__fail(
                     err, SS_E_STOPPED,
                     "stopped while downloading %.300s; the same command goes on from there",
                     download->name);
}

static ss_status take(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err)
{
    struct download *download = user;
    (void)enough;
    const ss_status status =
        ss__write_all(download->descriptor, download->options->partial, data, n_bytes, err);
    if (status == SS_OK) {
        ss__hash_add(download->hash, data, n_bytes);
        download->n_bytes += n_bytes;
        return report_progress(download, false, err);
    }
    return status;
}

/* Size first: where both are wrong it says more plainly what happened. */
static ss_status check_content(struct download *download, ss_err *err)
{
    const struct ss_net_download *options = download->options;
    char hex[SS__HASH_HEX_BYTES];
    if (options->n_bytes != SS_NOWHERE && options->n_bytes != download->n_bytes) {
        return ss__fail(err, SS_E_DATA,
                        "%.300s: %llu bytes came, %llu are expected; nothing of it was kept",
                        download->name, (unsigned long long)download->n_bytes,
                        (unsigned long long)options->n_bytes);
    }
    ss__hash_finish(download->hash, hex);
    if (options->hex != NULL && strcmp(hex, options->hex) != 0) {
        return ss__fail(
            err, SS_E_DATA,
            "%.300s: the downloaded file has the hash %s, expected %.64s; nothing of it was "
            "kept, try again",
            download->name, hex, options->hex);
    }
    return SS_OK;
}

/* Nothing is asked for where all bytes are there: the call before ended between the last byte
 * and the rename. */
static ss_status download_remainder(struct ss_net_remote *remote, struct download *download,
                                    ss_err *err)
{
    const uint64_t start = download->n_bytes, end = download->options->n_bytes;
    ss_status status = check_disk_space(download, err);
    if (status == SS_OK && start != end) {
        status = ss_net_remote_read(remote, start, end == SS_NOWHERE ? end : end - start, take,
                                    download, err);
    }
    status = status == SS_OK ? report_progress(download, true, err) : status;
    return status == SS_OK ? check_content(download, err) : status;
}

/* Content must be on the disk before the name is: a crash between the two would leave a whole
 * name with half a file. Some file systems cannot flush (EINVAL). */
static ss_status finish_file(struct download *download, ss_err *err)
{
    if (fsync(download->descriptor) != 0 && errno != EINVAL) {
        return ss__fail_errno(err, download->options->partial, "flush", errno);
    }
    return ss__file_move(download->options->partial, download->options->path, err);
}

/* Content that is wrong may be an old partial file of another version: once it is fetched from
 * the start. */
ss_status ss_net_download_file(struct ss_net *net, struct ss_net_remote *remote,
                               const char *name, const struct ss_net_download *options,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct download download = {.options = options,
                                .name = name,
                                .descriptor = -1,
                                .progress = ss_net_options_of(net)->progress,
                                .begin = ss__seconds_now()};
    bool is_done = false;
    SS_TRY(open_partial(net, &download, &is_done, err));
    if (is_done) {
        goto out;
    }
    SS_TRY(hash_partial(&download, err));
    download.n_resumed = download.n_bytes;
    status = download_remainder(remote, &download, err);
    if (status == SS_E_DATA) {
        ss_net_remote_forget(remote);
        SS_TRY(start_over(&download, err));
        status = download_remainder(remote, &download, err);
    }
    if (status == SS_E_DATA || (status != SS_OK && download.n_bytes == 0)) {
        unlink(options->partial);
    }
    SS_TRY(status);
    SS_TRY(finish_file(&download, err));
out:
    if (download.descriptor >= 0) {
        close(download.descriptor);
    }
    ss__hash_free(download.hash);
    return status;
}
