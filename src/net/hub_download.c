/* Bringing a blob into the cache: by way of blobs/ETAG.saescope-part under the blob's lock (see
 * download.h), with the hash that its etag is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/download.h"
#include "net/hub_priv.h"

enum { READ_BYTES = 1 << 18 };

struct download {
    struct ss_net_hub *hub;
    const struct ss_net_hub_name *name; /* at the commit */
    const struct ss_net_hub_file *file;
    const struct ss_net_hub_paths *paths;
    bool is_first_url; /* the URL that came with `file` was not used yet */
};

/* ---- etags ---- */

bool ss_net_hub_etag_kind(const char *etag, ss__hash_kind *kind)
{
    const size_t n = strlen(etag);
    *kind = n == 64 ? SS__HASH_SHA256 : SS__HASH_SHA1;
    return (n == 64 || n == 40) && strspn(etag, "0123456789abcdef") == n;
}

/* What git hashes before the content: "blob LENGTH" and a NUL. */
static size_t git_head(uint64_t n_bytes, char head[48])
{
    return (size_t)snprintf(head, 48, "blob %llu", (unsigned long long)n_bytes) + 1;
}

/* Large files have the SHA-256 of their content as etag, small ones git's SHA-1 of a blob. */
static ss_status start_hash(ss__hash_kind kind, uint64_t n_bytes, struct ss__hash **out,
                            ss_err *err)
{
    char head[48];
    const ss_status status = ss__hash_new(kind, out, err);
    if (status == SS_OK && kind == SS__HASH_SHA1) {
        ss__hash_add(*out, head, git_head(n_bytes, head));
    }
    return status;
}

static bool stop_is_asked(struct ss_net *net)
{
    const struct ss_net_stop stop = ss_net_options_of(net)->stop;
    return stop.fn != NULL && stop.fn(stop.user) != 0;
}

/* Add what a file holds to a hash. */
static ss_status hash_descriptor(struct ss_net *net, int descriptor, const char *path,
                                 struct ss__hash *hash, ss_err *err)
{
    ss_status status = SS_OK;
    char *chunk = NULL;
    SS_ALLOC(chunk, READ_BYTES);
    for (ssize_t got = 1; got != 0;) {
        got = read(descriptor, chunk, READ_BYTES);
        if (got < 0 && errno != EINTR) {
            SS_TRY(ss__fail_errno(err, path, "read", errno));
        }
        if (got > 0) {
            ss__hash_add(hash, chunk, (size_t)got);
        }
        if (stop_is_asked(net)) {
            SS_FAIL_FILE(path, SS_E_STOPPED, "stopped while its content was checked");
        }
    }
out:
    ss__free(chunk);
    return status;
}

ss_status ss_net_hub_check_file(struct ss_net *net, const char *path, const char *etag,
                                bool *is_good, ss_err *err)
{
    ss_status status = SS_OK;
    ss__hash_kind kind = SS__HASH_SHA256;
    struct ss__hash *hash = NULL;
    struct stat facts;
    char hex[SS__HASH_HEX_BYTES];
    *is_good = true;
    if (!ss_net_hub_etag_kind(etag, &kind)) {
        return SS_OK;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &facts) != 0) {
        SS_TRY(ss__fail_errno(err, path, "open", errno));
    }
    SS_TRY(start_hash(kind, (uint64_t)facts.st_size, &hash, err));
    SS_TRY(hash_descriptor(net, descriptor, path, hash, err));
    ss__hash_finish(hash, hex);
    *is_good = strcmp(hex, etag) == 0;
out:
    ss__hash_free(hash);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

/* The URL of the content: first the one that was told, then, when it has expired, the one
 * that the hub tells for the same commit. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    struct download *d = user;
    ss_status status = SS_OK;
    struct ss_net_hub_file again = {0};
    const struct ss_net_hub_file *file = d->file;
    if (!d->is_first_url) {
        SS_TRY(ss_net_hub_file_metadata(d->hub, d->name, &again, NULL, err));
        if (strcmp(again.etag, d->file->etag) != 0) {
            SS_FAIL(SS_E_DATA, "%.300s/%.300s changed on the hub while it was read; run again",
                    d->name->id, d->name->path);
        }
        file = &again;
    }
    d->is_first_url = false;
    *url = ss__strdup(file->url);
    *authorization = file->authorization == NULL ? NULL : ss__strdup(file->authorization);
    if (*url == NULL || (file->authorization != NULL && *authorization == NULL)) {
        ss__free(*url);
        *url = NULL;
        SS_TRY(ss__fail_nomem(err, "a URL"));
    }
out:
    ss_net_hub_file_release(&again);
    return status;
}

/* ---- to the disk ---- */

/* The size, asked for where the hub did not tell it: a git hash begins with it. */
static ss_status find_size(const struct ss_net_hub_file *file, struct ss_net_remote *remote,
                           uint64_t *n_bytes, ss_err *err)
{
    *n_bytes = file->n_bytes;
    return *n_bytes == SS_NOWHERE ? ss_net_remote_size(remote, n_bytes, err) : SS_OK;
}

/* What could not be hashed on its way is hashed where it lies. */
static ss_status check_downloaded(struct download *d, ss_err *err)
{
    bool is_good = true;
    const ss_status status =
        ss_net_hub_check_file(d->hub->net, d->paths->blob, d->file->etag, &is_good, err);
    if (status == SS_OK && is_good) {
        return SS_OK;
    }
    unlink(d->paths->blob);
    return status != SS_OK
               ? status
               : ss__fail(err, SS_E_DATA,
                          "%.300s/%.300s: what the server sent is not the content that the hub "
                          "names by its hash %s; run again",
                          d->name->id, d->name->path, d->file->etag);
}

/* Of a file without a known size git's hash cannot be begun: it is checked at the end
 * (is_late). */
static ss_status download(struct download *d, struct ss_net_remote *remote, const char *part,
                          ss_err *err)
{
    char head[48] = "";
    struct ss_net_download options = {.partial = part, .path = d->paths->blob};
    SS_RETURN_IF_ERROR(find_size(d->file, remote, &options.n_bytes, err));
    const bool is_known = ss_net_hub_etag_kind(d->file->etag, &options.kind);
    const bool is_late =
        is_known && options.kind == SS__HASH_SHA1 && options.n_bytes == SS_NOWHERE;
    options.kind = is_known ? options.kind : SS__HASH_SHA256;
    options.hex = is_known && !is_late ? d->file->etag : NULL;
    if (options.kind == SS__HASH_SHA1) {
        options.hash_head = head;
        options.n_hash_head_bytes = git_head(options.n_bytes, head);
    }
    SS_RETURN_IF_ERROR(ss_net_download_file(d->hub->net, remote, d->name->path, &options, err));
    return is_late ? check_downloaded(d, err) : SS_OK;
}

ss_status ss_net_hub_download(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const struct ss_net_hub_file *file,
                              const struct ss_net_hub_paths *paths, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf part = {0}, title = {0};
    struct ss_net_hub_name fixed = *name;
    struct ss_net_remote *remote = NULL;
    struct download d = {
        .hub = hub, .name = &fixed, .file = file, .paths = paths, .is_first_url = true};
    memcpy(fixed.revision, file->commit, SS_NET_HUB_COMMIT_BYTES);
    ss__buf_printf(&part, "%s" SS_NET_HUB_PARTIAL_SUFFIX, paths->blob);
    ss__buf_printf(&title, "%s/%s", name->id, name->path);
    SS_TRY(ss__buf_check(&part, err));
    SS_TRY(ss__buf_check(&title, err));
    const struct ss_net_remote_options options = {
        .name = ss__buf_text(&title), .locate = locate, .user = &d, .n_bytes = file->n_bytes};
    SS_TRY(ss_net_remote_new(hub->net, &options, &remote, err));
    SS_TRY(download(&d, remote, ss__buf_text(&part), err));
out:
    ss_net_remote_free(remote);
    ss__buf_release(&part);
    ss__buf_release(&title);
    return status;
}
