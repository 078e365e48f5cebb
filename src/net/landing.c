#include "net/landing.h"

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
struct arrival {
    const struct ss_net_landing *landing;
    const char *name;
    int descriptor;
    struct ss__hash *hash;
    uint64_t n_bytes, n_resumed; /* so far; of those from an earlier call */
    struct ss_transfer_watch watch;
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

/* Whether the locked file is still the one of that name: another program may have landed it. */
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

/* Open and lock it; *landed: another program brought the file home while we waited. */
static ss_status open_partial(struct ss_net *net, struct arrival *arrival, bool *landed,
                              ss_err *err)
{
    const struct ss_net_landing *landing = arrival->landing;
    *landed = false;
    while (!*landed) {
        const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
        arrival->descriptor = open(landing->partial, flags, 0666);
        if (arrival->descriptor < 0) {
            return ss__fail_file(err, landing->partial, SS_E_IO, "cannot be created (%s)",
                                 strerror(errno));
        }
        const ss_status status = lock(net, arrival->descriptor, err);
        if (status != SS_OK || is_current(arrival->descriptor, landing->partial)) {
            return status;
        }
        close(arrival->descriptor);
        arrival->descriptor = -1;
        *landed = ss__path_look(landing->place) == SS__PATH_FILE;
    }
    return SS_OK;
}

static ss_status start_hash(struct arrival *arrival, ss_err *err)
{
    const struct ss_net_landing *landing = arrival->landing;
    ss__hash_free(arrival->hash);
    arrival->hash = NULL;
    const ss_status status = ss__hash_new(landing->kind, &arrival->hash, err);
    if (status == SS_OK && landing->hash_head != NULL) {
        ss__hash_add(arrival->hash, landing->hash_head, landing->n_hash_head_bytes);
    }
    return status;
}

static ss_status start_over(struct arrival *arrival, ss_err *err)
{
    arrival->n_bytes = 0;
    arrival->n_resumed = 0;
    if (ftruncate(arrival->descriptor, 0) != 0 ||
        lseek(arrival->descriptor, 0, SEEK_SET) != 0) {
        return ss__fail_errno(err, arrival->landing->partial, "empty", errno);
    }
    return start_hash(arrival, err);
}

/* Hash what an earlier call left. More than the file can have is not of this file. */
static ss_status take_up(struct arrival *arrival, ss_err *err)
{
    ss_status status = SS_OK;
    char *chunk = NULL;
    SS_ALLOC_ALIGNED(chunk, READ_BYTES);
    SS_TRY(start_hash(arrival, err));
    for (;;) {
        const ssize_t got = read(arrival->descriptor, chunk, READ_BYTES);
        if (got > 0) {
            ss__hash_add(arrival->hash, chunk, (size_t)got);
            arrival->n_bytes += (size_t)got;
        } else if (got == 0) {
            break;
        } else if (errno != EINTR) {
            SS_TRY(ss__fail_errno(err, arrival->landing->partial, "read", errno));
        }
    }
    if (arrival->n_bytes > arrival->landing->n_bytes) {
        SS_TRY(start_over(arrival, err));
    }
out:
    ss__free(chunk);
    return status;
}

/* ---- its content ---- */

static ss_status check_room(const struct arrival *arrival, ss_err *err)
{
    struct statvfs disk;
    const uint64_t wanted = arrival->landing->n_bytes;
    if (wanted == SS_NOWHERE || fstatvfs(arrival->descriptor, &disk) != 0) {
        return SS_OK;
    }
    const uint64_t missing = wanted - arrival->n_bytes;
    uint64_t room = 0;
    if (!ss__mul_u64(disk.f_bavail, disk.f_frsize, &room) || missing <= room) {
        return SS_OK;
    }
    return ss__fail_file(err, arrival->landing->partial, SS_E_IO,
                         "%.200s needs %llu more bytes, the disk has room for %llu; make room "
                         "or choose another folder",
                         arrival->name, (unsigned long long)missing, (unsigned long long)room);
}

static ss_status show(struct arrival *arrival, bool is_end, ss_err *err)
{
    const double now = ss_net_now();
    const uint64_t wanted = arrival->landing->n_bytes;
    if (arrival->watch.fn == NULL || (now < arrival->next_watch && !is_end)) {
        return SS_OK;
    }
    arrival->next_watch = now + WATCH_SECONDS;
    const struct ss_transfer transfer = {
        .name = arrival->name,
        .n_bytes_done = arrival->n_bytes,
        .n_bytes_total = wanted == SS_NOWHERE ? 0 : wanted,
        .n_bytes_resumed = arrival->n_resumed,
        .seconds = now - arrival->begin,
        .is_end = is_end,
    };
    return arrival->watch.fn(arrival->watch.user, &transfer) == 0
               ? SS_OK
               : ss__fail(
                     err, SS_E_STOPPED,
                     "stopped while downloading %.300s; the same command goes on from there",
                     arrival->name);
}

static ss_status take(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err)
{
    struct arrival *arrival = user;
    (void)enough;
    const ss_status status =
        ss__write_all(arrival->descriptor, arrival->landing->partial, data, n_bytes, err);
    if (status == SS_OK) {
        ss__hash_add(arrival->hash, data, n_bytes);
        arrival->n_bytes += n_bytes;
        return show(arrival, false, err);
    }
    return status;
}

static ss_status check_content(struct arrival *arrival, ss_err *err)
{
    const struct ss_net_landing *landing = arrival->landing;
    char hex[SS__HASH_HEX_BYTES];
    if (landing->n_bytes != SS_NOWHERE && landing->n_bytes != arrival->n_bytes) {
        return ss__fail(err, SS_E_DATA,
                        "%.300s: %llu bytes came, %llu are expected; nothing of it was kept",
                        arrival->name, (unsigned long long)arrival->n_bytes,
                        (unsigned long long)landing->n_bytes);
    }
    ss__hash_finish(arrival->hash, hex);
    if (landing->hex != NULL && strcmp(hex, landing->hex) != 0) {
        return ss__fail(err, SS_E_DATA,
                        "%.300s: what came has the hash %s, expected %.64s; nothing of it was "
                        "kept, try again",
                        arrival->name, hex, landing->hex);
    }
    return SS_OK;
}

static ss_status fetch_rest(struct ss_net_remote *remote, struct arrival *arrival, ss_err *err)
{
    const uint64_t start = arrival->n_bytes, end = arrival->landing->n_bytes;
    ss_status status = check_room(arrival, err);
    if (status == SS_OK && start != end) {
        status = ss_net_remote_read(remote, start, end == SS_NOWHERE ? end : end - start, take,
                                    arrival, err);
    }
    status = status == SS_OK ? show(arrival, true, err) : status;
    return status == SS_OK ? check_content(arrival, err) : status;
}

static ss_status settle(struct arrival *arrival, ss_err *err)
{
    if (fsync(arrival->descriptor) != 0 && errno != EINVAL) {
        return ss__fail_errno(err, arrival->landing->partial, "flush", errno);
    }
    return ss__file_move(arrival->landing->partial, arrival->landing->place, err);
}

ss_status ss_net_land(struct ss_net *net, struct ss_net_remote *remote, const char *name,
                      const struct ss_net_landing *landing, ss_err *err)
{
    ss_status status = SS_OK;
    struct arrival arrival = {.landing = landing,
                              .name = name,
                              .descriptor = -1,
                              .watch = ss_net_options_of(net)->watch,
                              .begin = ss_net_now()};
    bool landed = false;
    SS_TRY(open_partial(net, &arrival, &landed, err));
    if (landed) {
        goto out;
    }
    SS_TRY(take_up(&arrival, err));
    arrival.n_resumed = arrival.n_bytes;
    status = fetch_rest(remote, &arrival, err);
    if (status == SS_E_DATA) {
        ss_net_remote_forget(remote);
        SS_TRY(start_over(&arrival, err));
        status = fetch_rest(remote, &arrival, err);
    }
    if (status == SS_E_DATA || (status != SS_OK && arrival.n_bytes == 0)) {
        unlink(landing->partial);
    }
    SS_TRY(status);
    SS_TRY(settle(&arrival, err));
out:
    if (arrival.descriptor >= 0) {
        close(arrival.descriptor);
    }
    ss__hash_free(arrival.hash);
    return status;
}
