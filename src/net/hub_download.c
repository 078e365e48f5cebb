/* Bringing a blob into the cache: into blobs/ETAG.saescope-part under the blob's lock, hashed
 * while it arrives, then flushed and renamed. What a broken or stopped download leaves is gone
 * on with by the next one; what turned out to be wrong is not kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/hub_priv.h"
#include "net/net_priv.h"

#define WATCH_SECONDS 0.1
enum { READ_BYTES = 1 << 18 };

struct download {
    struct ss__hub *hub;
    const struct ss__hub_name *name; /* asked for again by commit */
    const struct ss__hub_file *file;
    const struct ss__hub_place *place;
    char *part;
    int descriptor;
    struct ss__hash *hash; /* NULL for an etag of no kind, or an unknown size */
    uint64_t n_done, n_resumed;
    double begin, next_watch;
    bool is_first_place; /* the address that came with `file` was not used yet */
};

/* ---- etags ---- */

bool ss__hub_etag_kind(const char *etag, ss__hash_kind *kind)
{
    const size_t n = strlen(etag);
    *kind = n == 64 ? SS__HASH_SHA256 : SS__HASH_SHA1;
    return (n == 64 || n == 40) && strspn(etag, "0123456789abcdef") == n;
}

ss_status ss__hub_hash_new(ss__hash_kind kind, uint64_t n_bytes, struct ss__hash **out,
                           ss_err *err)
{
    char head[48];
    const ss_status status = ss__hash_new(kind, out, err);
    if (status == SS_OK && kind == SS__HASH_SHA1) { /* git: "blob LENGTH\0" and the content */
        const int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)n_bytes);
        ss__hash_add(*out, head, (size_t)n + 1);
    }
    return status;
}

static bool stop_is_asked(struct ss__net *net)
{
    const struct ss__net_stop stop = ss__net_options_of(net)->stop;
    return stop.fn != NULL && stop.fn(stop.user) != 0;
}

/* Add what a file holds to a hash. */
static ss_status hash_descriptor(struct ss__net *net, int descriptor, const char *path,
                                 struct ss__hash *hash, uint64_t *n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    char *chunk = NULL;
    SS_ALLOC(chunk, READ_BYTES);
    *n_bytes = 0;
    for (ssize_t got = 1; got != 0;) {
        got = read(descriptor, chunk, READ_BYTES);
        if (got < 0 && errno != EINTR) {
            SS_TRY(ss__fail_errno(err, path, "read", errno));
        }
        if (got > 0) {
            ss__hash_add(hash, chunk, (size_t)got);
            *n_bytes += (uint64_t)got;
        }
        if (stop_is_asked(net)) {
            SS_FAIL_FILE(path, SS_E_STOPPED, "stopped while its content was checked");
        }
    }
out:
    ss__free(chunk);
    return status;
}

ss_status ss__hub_check_file(struct ss__net *net, const char *path, const char *etag,
                             bool *is_good, ss_err *err)
{
    ss_status status = SS_OK;
    ss__hash_kind kind = SS__HASH_SHA256;
    struct ss__hash *hash = NULL;
    struct stat facts;
    char hex[SS__HASH_HEX_BYTES];
    uint64_t n_bytes = 0;
    *is_good = true;
    if (!ss__hub_etag_kind(etag, &kind)) {
        return SS_OK;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &facts) != 0) {
        SS_TRY(ss__fail_errno(err, path, "open", errno));
    }
    SS_TRY(ss__hub_hash_new(kind, (uint64_t)facts.st_size, &hash, err));
    SS_TRY(hash_descriptor(net, descriptor, path, hash, &n_bytes, err));
    ss__hash_finish(hash, hex);
    *is_good = strcmp(hex, etag) == 0;
out:
    ss__hash_free(hash);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

/* ---- the part that is there ---- */

static ss_status drop_part(struct download *d, ss_err *err)
{
    d->n_done = 0;
    d->n_resumed = 0;
    if (ftruncate(d->descriptor, 0) != 0 || lseek(d->descriptor, 0, SEEK_SET) != 0) {
        return ss__fail_errno(err, d->part, "empty", errno);
    }
    return SS_OK;
}

static ss_status start_hash(struct download *d, ss_err *err)
{
    ss__hash_kind kind = SS__HASH_SHA256;
    ss__hash_free(d->hash);
    d->hash = NULL;
    const bool is_known = ss__hub_etag_kind(d->file->etag, &kind) &&
                          (kind == SS__HASH_SHA256 || d->file->n_bytes != SS_NOWHERE);
    return is_known ? ss__hub_hash_new(kind, d->file->n_bytes, &d->hash, err) : SS_OK;
}

/* Open the part; what it holds of the content is hashed and gone on with. */
static ss_status open_part(struct download *d, ss_err *err)
{
    ss_status status = SS_OK;
    struct stat facts;
    d->descriptor = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (d->descriptor < 0 || fstat(d->descriptor, &facts) != 0) {
        SS_TRY(ss__fail_errno(err, d->part, "create", errno));
    }
    SS_TRY(start_hash(d, err));
    const uint64_t n_there = (uint64_t)facts.st_size;
    if (n_there > 0 && (d->hash == NULL || n_there >= d->file->n_bytes)) {
        SS_TRY(drop_part(d, err));
    } else if (n_there > 0) {
        SS_TRY(hash_descriptor(d->hub->net, d->descriptor, d->part, d->hash, &d->n_done, err));
        d->n_resumed = d->n_done;
    }
out:
    return status;
}

static ss_status check_space(const struct download *d, ss_err *err)
{
    struct statvfs disk;
    if (d->file->n_bytes == SS_NOWHERE || fstatvfs(d->descriptor, &disk) != 0) {
        return SS_OK;
    }
    const uint64_t n_needed = d->file->n_bytes - d->n_done;
    uint64_t n_free = 0;
    if (!ss__mul_u64(disk.f_bavail, disk.f_frsize, &n_free) || n_free >= n_needed) {
        return SS_OK;
    }
    return ss__fail_file(err, d->part, SS_E_IO,
                         "there is too little space for it: %.1f MB are needed, %.1f MB free; "
                         "free some, or set HF_HUB_CACHE to another disk",
                         1e-6 * (double)n_needed, 1e-6 * (double)n_free);
}

/* ---- what arrives ---- */

static ss_status show(struct download *d, bool is_end, ss_err *err)
{
    const struct ss_transfer_watch *watch = &d->hub->watch;
    const double now = ss__net_now();
    if (watch->fn == NULL || (now < d->next_watch && !is_end)) {
        return SS_OK;
    }
    d->next_watch = now + WATCH_SECONDS;
    const struct ss_transfer transfer = {
        .name = d->name->path,
        .n_bytes_done = d->n_done,
        .n_bytes_total = d->file->n_bytes == SS_NOWHERE ? 0 : d->file->n_bytes,
        .n_bytes_resumed = d->n_resumed,
        .seconds = now - d->begin,
    };
    return watch->fn(watch->user, &transfer) == 0
               ? SS_OK
               : ss__fail(err, SS_E_STOPPED,
                          "stopped while downloading %.300s/%.300s; the same command goes on "
                          "from there",
                          d->name->id, d->name->path);
}

static ss_status keep(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err)
{
    struct download *d = user;
    const char *at = data;
    (void)enough;
    if (d->hash != NULL) {
        ss__hash_add(d->hash, data, n_bytes);
    }
    for (size_t left = n_bytes; left > 0;) {
        const ssize_t wrote = write(d->descriptor, at, left);
        if (wrote < 0 && errno != EINTR) {
            return ss__fail_errno(err, d->part, "write", errno);
        }
        if (wrote > 0) {
            at += wrote;
            left -= (size_t)wrote;
        }
    }
    d->n_done += n_bytes;
    return show(d, false, err);
}

/* The address of the content: first the one that was told, then, when it has expired, the one
 * that the hub tells for the same commit. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    struct download *d = user;
    ss_status status = SS_OK;
    struct ss__hub_file again = {0};
    const struct ss__hub_file *file = d->file;
    if (!d->is_first_place) {
        SS_TRY(ss__hub_look(d->hub, d->name, &again, NULL, err));
        if (strcmp(again.etag, d->file->etag) != 0) {
            SS_FAIL(SS_E_DATA, "%.300s/%.300s changed on the hub while it was read; run again",
                    d->name->id, d->name->path);
        }
        file = &again;
    }
    d->is_first_place = false;
    *url = ss__strdup(file->url);
    *authorization = file->authorization == NULL ? NULL : ss__strdup(file->authorization);
    if (*url == NULL || (file->authorization != NULL && *authorization == NULL)) {
        ss__free(*url);
        *url = NULL;
        SS_TRY(ss__fail_nomem(err, "an address"));
    }
out:
    ss__hub_file_release(&again);
    return status;
}

/* ---- the end ---- */

static ss_status check_content(struct download *d, ss_err *err)
{
    ss_status status = SS_OK;
    bool is_good = true;
    char hex[SS__HASH_HEX_BYTES];
    if (d->file->n_bytes != SS_NOWHERE && d->n_done != d->file->n_bytes) {
        SS_FAIL(SS_E_DATA,
                "%.300s/%.300s: the server sent %llu bytes, the hub says %llu; run again",
                d->name->id, d->name->path, (unsigned long long)d->n_done,
                (unsigned long long)d->file->n_bytes);
    }
    if (d->hash != NULL) {
        ss__hash_finish(d->hash, hex);
        is_good = strcmp(hex, d->file->etag) == 0;
    } else {
        SS_TRY(ss__hub_check_file(d->hub->net, d->part, d->file->etag, &is_good, err));
    }
    if (!is_good) {
        SS_FAIL(SS_E_DATA,
                "%.300s/%.300s: what the server sent is not the content that the hub names by "
                "its hash %s; run again",
                d->name->id, d->name->path, d->file->etag);
    }
out:
    return status;
}

static ss_status read_content(struct download *d, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__net_remote *remote = NULL;
    struct ss__buf title = {0};
    ss__buf_printf(&title, "%s/%s", d->name->id, d->name->path);
    SS_TRY(ss__buf_check(&title, err));
    const struct ss__net_remote_options options = {
        .name = ss__buf_text(&title),
        .locate = locate,
        .user = d,
        .n_bytes = d->file->n_bytes,
    };
    SS_TRY(ss__net_remote_new(d->hub->net, &options, &remote, err));
    SS_TRY(ss__net_remote_read(remote, d->n_done, SS_NOWHERE, keep, d, err));
    SS_TRY(show(d, true, err));
    SS_TRY(check_content(d, err));
out:
    ss__net_remote_free(remote);
    ss__buf_release(&title);
    return status;
}

/* A part that came to nothing may have been wrong from the start: then once from the beginning.
 */
static ss_status read_with_second_chance(struct download *d, ss_err *err)
{
    ss_status status = read_content(d, err);
    for (int chance = 0; status == SS_E_DATA && chance < 1; chance++) {
        SS_TRY(drop_part(d, err));
        SS_TRY(start_hash(d, err));
        status = read_content(d, err);
    }
out:
    return status;
}

static ss_status commit(struct download *d, ss_err *err)
{
    ss_status status = SS_OK;
    if (fsync(d->descriptor) != 0 && errno != EINVAL) {
        SS_TRY(ss__fail_errno(err, d->part, "flush", errno));
    }
    SS_TRY(ss__file_move(d->part, d->place->blob, err));
out:
    return status;
}

ss_status ss__hub_download(struct ss__hub *hub, const struct ss__hub_name *name,
                           const struct ss__hub_file *file, const struct ss__hub_place *place,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf part = {0};
    struct ss__hub_name fixed = *name;
    struct download d = {.hub = hub,
                         .name = &fixed,
                         .file = file,
                         .place = place,
                         .descriptor = -1,
                         .begin = ss__net_now(),
                         .is_first_place = true};
    memcpy(fixed.revision, file->commit, SS__HUB_COMMIT_BYTES);
    ss__buf_printf(&part, "%s" SS__HUB_PART, place->blob);
    SS_TRY(ss__buf_check(&part, err));
    d.part = (char *)(uintptr_t)ss__buf_text(&part);
    SS_TRY(open_part(&d, err));
    SS_TRY(check_space(&d, err));
    SS_TRY(read_with_second_chance(&d, err));
    SS_TRY(commit(&d, err));
out:
    if (d.descriptor >= 0) {
        if (status == SS_E_DATA || (status != SS_OK && d.n_done == 0)) {
            unlink(d.part);
        }
        close(d.descriptor);
    }
    ss__hash_free(d.hash);
    ss__buf_release(&part);
    return status;
}
