/* An artifact in its folder, by way of the cache that the store's own client uses: objects
 * there are named by their hashes, so that what two artifacts share is downloaded once. A copy
 * is hashed while it is made, and one that is not right is fetched again. A file appears in the
 * folder whole or not at all, so a fetch that was stopped goes on where it was. */
#include "net/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "net/artifact_store.h"
#include "net/download.h"

enum { COPY_BYTES = 1 << 18 };

/* ---- paths on disk ---- */

static char *join3(const char *a, const char *b, const char *c)
{
    char *ab = ss__path_join(a, b);
    char *abc = ab == NULL ? NULL : ss__path_join(ab, c);
    ss__free(ab);
    return abc;
}

/* $WANDB_CACHE_DIR/artifacts, else ~/.cache/wandb/artifacts. */
static ss_status find_cache(char **out, ss_err *err)
{
    const char *named = getenv("WANDB_CACHE_DIR"), *home = getenv("HOME");
    const bool is_named = named != NULL && *named != '\0';
    *out = NULL;
    if (!is_named && (home == NULL || *home == '\0')) {
        return ss__fail(err, SS_E_USAGE,
                        "there is no home folder for the cache of artifacts; set "
                        "WANDB_CACHE_DIR");
    }
    *out =
        is_named ? ss__path_join(named, "artifacts") : join3(home, ".cache/wandb", "artifacts");
    return *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* ROOT/NAME:vN, where ROOT is given or $WANDB_ARTIFACT_DIR or ./artifacts. */
static ss_status find_folder(const struct ss_net_artifact_options *options,
                             const struct ss_net_artifact_name *name, uint64_t version,
                             char **out, ss_err *err)
{
    struct ss__buf own = {0};
    const char *named = getenv("WANDB_ARTIFACT_DIR");
    const char *root = options->root != NULL             ? options->root
                       : named != NULL && *named != '\0' ? named
                                                         : "artifacts";
    ss__buf_printf(&own, "%s:v%llu", name->collection, (unsigned long long)version);
    const char *text = ss__buf_text(&own);
    *out = text == NULL ? NULL : ss__path_join(root, text);
    ss__buf_release(&own);
    return *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* Whether a file of the right size is there, whose content the caller then checks. */
static bool is_there(const char *path, const struct ss_net_artifact_entry *entry)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (entry->n_bytes == SS_NOWHERE || entry->ref != NULL ||
            (uint64_t)facts.st_size == entry->n_bytes);
}

/* By size first, which costs nothing; a reference by another tag than a hash is never taken for
 * right. */
static ss_status has_content(const char *path, const struct ss_net_artifact_entry *entry,
                             bool *right, ss_err *err)
{
    char hex[SS__HASH_HEX_BYTES] = "";
    const ss_status status = is_there(path, entry) && entry->hex[0] != '\0'
                                 ? ss__hash_file(entry->kind, path, NULL, hex, err)
                                 : SS_OK;
    *right = status == SS_OK && hex[0] != '\0' && strcmp(hex, entry->hex) == 0;
    return status;
}

/* ---- from the store into the cache ---- */

/* Whose URL is asked for, and whether it was before: then it has expired. */
struct entry_source {
    struct ss_net_artifact *artifact;
    const struct ss_net_artifact_entry *entry;
    bool was_asked;
};

/* The store signs a URL for an hour or so; asked a second time, it signs anew. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    struct entry_source *of = user;
    const bool again = of->was_asked;
    of->was_asked = true;
    return ss_net_artifact_file_url(of->artifact, of->entry, again, url, authorization, err);
}

/* artifacts/obj/md5/ab/cdef… (or xxh128) and artifacts/tmp/saescope-abcdef… */
static ss_status cache_paths(const struct ss_net_artifact_job *fetch,
                             const struct ss_net_artifact_entry *entry, char **object,
                             char **partial, ss_err *err)
{
    const char *hex = entry->hex;
    struct ss__buf inner = {0}, temporary = {0};
    ss__buf_printf(&inner, "obj/%s/%.2s/%s", entry->kind == SS__HASH_MD5 ? "md5" : "xxh128",
                   hex, hex + 2);
    ss__buf_printf(&temporary, "tmp/saescope-%s", hex);
    *object = ss__buf_text(&inner) == NULL ? NULL : ss__path_join(fetch->cache, inner.data);
    *partial =
        ss__buf_text(&temporary) == NULL ? NULL : ss__path_join(fetch->cache, temporary.data);
    ss__buf_release(&inner);
    ss__buf_release(&temporary);
    return *object == NULL || *partial == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* Into the cache, checked against the hash that the manifest gives. */
static ss_status download_object(struct ss_net_artifact_job *fetch, struct entry_source *of,
                                 const char *object, const char *partial, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_remote *remote = NULL;
    struct ss__buf what = {0};
    ss__buf_printf(&what, "'%s' of artifact '%s'", of->entry->path, of->artifact->label);
    const char *name = ss__buf_text(&what);
    if (name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    const struct ss_net_remote_options options = {
        .name = name, .locate = locate, .user = of, .n_bytes = of->entry->n_bytes};
    const struct ss_net_download target = {.partial = partial,
                                           .path = object,
                                           .n_bytes = of->entry->n_bytes,
                                           .kind = of->entry->kind,
                                           .hex = of->entry->hex};
    SS_TRY(ss_net_make_parents(object, err));
    SS_TRY(ss_net_make_parents(partial, err));
    SS_TRY(ss_net_remote_new(fetch->store.net, &options, &remote, err));
    SS_TRY(ss_net_download_file(fetch->store.net, remote, name, &target, err));
out:
    ss_net_remote_free(remote);
    ss__buf_release(&what);
    return status;
}

/* ---- from the cache into the folder ---- */

/* Copy while hashing, so that a damaged object of the cache is found out: *right. */
static ss_status copy_checked(const struct ss_net_artifact_job *fetch, const char *from,
                              const char *to, const struct ss_net_artifact_entry *entry,
                              bool *right, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__hash *hash = NULL;
    char *chunk = NULL, hex[SS__HASH_HEX_BYTES];
    ssize_t got = 0;
    *right = false;
    const int descriptor = open(from, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return ss__fail_errno(err, from, "open", errno);
    }
    SS_ALLOC_ALIGNED(chunk, COPY_BYTES);
    SS_TRY(ss__hash_new(entry->kind, &hash, err));
    SS_TRY(ss__out_open_made_in(to, fetch->folder, &out, err));
    while ((got = read(descriptor, chunk, COPY_BYTES)) != 0) {
        if (got > 0) {
            ss__hash_add(hash, chunk, (size_t)got);
            SS_TRY(ss__out_write(&out, chunk, (size_t)got, err));
        } else if (errno != EINTR) {
            SS_TRY(ss__fail_errno(err, from, "read", errno));
        }
    }
    ss__hash_finish(hash, hex);
    *right = strcmp(hex, entry->hex) == 0;
    if (*right) {
        SS_TRY(ss__out_commit(&out, err));
    }
out:
    close(descriptor);
    ss__out_abort(&out);
    ss__hash_free(hash);
    ss__free(chunk);
    return status;
}

/* The content of an entry comes to `to`, through the cache. An object that is there is tried
 * first; where its content is not right, it is fetched once more and copied again. */
static ss_status fetch_content(struct ss_net_artifact_job *fetch,
                               struct ss_net_artifact *artifact,
                               const struct ss_net_artifact_entry *entry, const char *to,
                               ss_err *err)
{
    ss_status status = SS_OK;
    char *object = NULL, *partial = NULL;
    struct entry_source of = {artifact, entry, false};
    bool right = false;
    SS_TRY(ss_net_make_parents(to, err));
    SS_TRY(cache_paths(fetch, entry, &object, &partial, err));
    if (is_there(object, entry)) {
        SS_TRY(copy_checked(fetch, object, to, entry, &right, err));
    }
    if (!right) {
        SS_TRY(download_object(fetch, &of, object, partial, err));
        SS_TRY(copy_checked(fetch, object, to, entry, &right, err));
    }
    if (!right) {
        SS_FAIL_FILE(object, SS_E_IO, "changed while it was copied; try again");
    }
out:
    ss__free(object);
    ss__free(partial);
    return status;
}

/* ---- entries ---- */

/* A file of the folder that is right already costs reading it, and nothing is asked for. */
ss_status ss_net_artifact_fetch_entry(struct ss_net_artifact_job *fetch,
                                      struct ss_net_artifact *artifact,
                                      const struct ss_net_artifact_entry *entry, const char *to,
                                      size_t depth, ss_err *err)
{
    bool right = false;
    const ss_status status = has_content(to, entry, &right, err);
    if (status != SS_OK || right) {
        return status;
    }
    if (entry->ref == NULL) {
        return fetch_content(fetch, artifact, entry, to, err);
    }
    return ss_net_artifact_fetch_reference(fetch, entry, to, depth, err);
}

/* What cannot be followed is refused before anything is fetched. */
static ss_status fetch_all(struct ss_net_artifact_job *fetch, struct ss_net_artifact *artifact,
                           ss_err *err)
{
    ss_status status = SS_OK;
    char *to = NULL;
    SS_TRY(ss_net_artifact_check_references(artifact, err));
    SS_TRY(ss__make_folder(fetch->folder, NULL, err));
    ss__out_remove_stale(fetch->folder);
    for (size_t i = 0; i < artifact->manifest.n; i++) {
        to = ss__path_join(fetch->folder, artifact->manifest.entries[i].path);
        if (to == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(ss_net_artifact_fetch_entry(fetch, artifact, &artifact->manifest.entries[i], to,
                                           0, err));
        ss__free(to);
        to = NULL;
    }
out:
    ss__free(to);
    return status;
}

/* Before anything is fetched: a dataset in place of a model may be large. */
static ss_status check_type(const struct ss_net_artifact_options *options, const char *label,
                            const struct ss_net_artifact_info *facts, ss_err *err)
{
    return options->type == NULL || strcmp(options->type, facts->type) == 0
               ? SS_OK
               : ss__fail(err, SS_E_DATA,
                          "artifact '%.300s' is of type '%.60s', expected '%.60s'", label,
                          facts->type, options->type);
}

/* Two questions: what the name means, and the manifest of that. */
static ss_status ask_store(struct ss_net_artifact_job *fetch,
                           const struct ss_net_artifact_name *name, const char *label,
                           struct ss_net_artifact *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_info facts = {0};
    SS_TRY(ss_net_artifact_resolve(&fetch->store, name, &facts, err));
    SS_TRY(ss_net_artifact_open(&fetch->store, label, &facts, out, err));
    out->name = name;
out:
    ss_net_artifact_info_release(&facts);
    return status;
}

/* From the store, or where it cannot be reached, as it was last time. */
static ss_status find_artifact(struct ss_net_artifact_job *fetch,
                               const struct ss_net_artifact_name *name, const char *label,
                               struct ss_net_artifact *out, ss_err *err)
{
    ss_err why;
    bool found = false;
    ss_status status = ask_store(fetch, name, label, out, &why);
    if (status == SS_E_NETWORK) {
        status = ss_net_artifact_record_read(fetch->cache, name, label, &fetch->store, out,
                                             &found, err);
        if (status != SS_OK || found) {
            ss__log(&ss_net_options_of(fetch->store.net)->log, SS_LEVEL_WARNING,
                    "the artifact store was not asked; '%.300s' is taken as it was last time",
                    label);
            return status;
        }
        status = SS_E_NETWORK;
    }
    return status == SS_OK ? SS_OK : ss__fail(err, status, "%s", why.message);
}

/* The record of what the name means is written last, when all that it promises is there. */
ss_status ss_net_artifact_fetch(struct ss_net *net, const char *name_text,
                                const struct ss_net_artifact_options *options, char **folder,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_job fetch = {0};
    struct ss_net_artifact_name name = {0};
    struct ss_net_artifact artifact = {0};
    *folder = NULL;
    SS_TRY(ss_net_artifact_name_parse(name_text, &name, err));
    SS_TRY(ss_net_artifact_store_open(net, &fetch.store, err));
    SS_TRY(find_cache(&fetch.cache, err));
    SS_TRY(find_artifact(&fetch, &name, name_text, &artifact, err));
    SS_TRY(check_type(options, name_text, &artifact.facts, err));
    SS_TRY(find_folder(options, &name, artifact.facts.version, &fetch.folder, err));
    SS_TRY(fetch_all(&fetch, &artifact, err));
    (void)!ss_net_artifact_record_write(fetch.cache, &name, &artifact, NULL); /* best effort */
    *folder = fetch.folder;
    fetch.folder = NULL;
out:
    ss_net_artifact_release(&artifact);
    ss_net_artifact_name_release(&name);
    ss_net_artifact_store_release(&fetch.store);
    ss__free(fetch.cache);
    ss__free(fetch.folder);
    return status;
}
