/* A file of the hub in the cache: the order of looking that hub.h tells. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/download.h"
#include "net/hub_priv.h"

/* What is known about a wanted file without the hub. */
typedef enum cached {
    CACHED_FILE,
    CACHED_ABSENCE,
    CACHED_LOSS, /* it exists, but its content is not here */
    CACHED_NOTHING
} cached;

/* A listing of the commit, as the Python client keeps it:
 * trees/COMMIT.json {"format_version": 1, "files": {PATH: {…}, …}} */
static ss_status look_in_listing(const struct ss_net_hub *hub,
                                 const struct ss_net_hub_name *name, const char *commit,
                                 cached *found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    char *path = ss_net_hub_listing_path(hub, name, commit);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (ss__path_stat(path) == SS__PATH_FILE) {
        status = ss__json_load(path, &json, err);
        const struct ss__json *files = ss__json_get(json, "files");
        const bool is_known = ss__json_integer(ss__json_get(json, "format_version")) == 1;
        if (is_known && ss__json_is_object(files)) {
            *found = ss__json_get(files, name->path) != NULL ? CACHED_LOSS : CACHED_ABSENCE;
        }
    }
    ss__json_free(json);
    ss__free(path);
    return status == SS_E_NOMEM ? status : SS_OK;
}

/* Errors: SS_E_NOMEM, which is never taken for an absence. */
static ss_status look_in_cache(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                               const char *commit, cached *found, char **out, ss_err *err)
{
    struct ss_net_hub_paths paths = {0};
    bool is_absent = false;
    *out = NULL;
    *found = CACHED_NOTHING;
    SS_RETURN_IF_ERROR(ss_net_hub_paths_find(hub, name, commit, NULL, &paths, err));
    const ss__path_kind kind = ss__path_stat(paths.pointer);
    if (kind == SS__PATH_FILE) {
        *out = paths.pointer;
        paths.pointer = NULL;
    }
    ss_net_hub_paths_release(&paths);
    if (kind == SS__PATH_FILE || kind == SS__PATH_BROKEN) {
        *found = kind == SS__PATH_FILE ? CACHED_FILE : CACHED_LOSS;
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_net_hub_no_exist(hub, name, commit, &is_absent, err));
    *found = is_absent ? CACHED_ABSENCE : CACHED_NOTHING;
    return is_absent ? SS_OK : look_in_listing(hub, name, commit, found, err);
}

/* Whether a need is met by what is known where no more can be. */
static bool is_enough(cached found, ss_net_hub_need need)
{
    return found == CACHED_FILE || (found == CACHED_ABSENCE && need != SS_NET_HUB_REQUIRED) ||
           (found == CACHED_NOTHING && need >= SS_NET_HUB_OPTIONAL_OR_UNKNOWN) ||
           (found == CACHED_LOSS && need == SS_NET_HUB_IF_AVAILABLE);
}

/* The message says revision and path, since either may be mistyped. */
static ss_status missing(const struct ss_net_hub_name *name, ss_err *err)
{
    return ss__fail(err, SS_E_NOINPUT, "%.300s@%.100s has no file %.300s; check its path",
                    name->id, name->revision, name->path);
}

static ss_status give(cached found, const struct ss_net_hub_name *name, ss_net_hub_need need,
                      ss_err *err)
{
    return found == CACHED_FILE || need != SS_NET_HUB_REQUIRED ? SS_OK : missing(name, err);
}

/* ---- with the hub ---- */

/* Whether a blob is there with the size that it should have. */
static bool has_blob(const struct ss_net_hub_paths *paths, const struct ss_net_hub_file *file)
{
    struct stat facts;
    return stat(paths->blob, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (file->n_bytes == SS_NOWHERE || (uint64_t)facts.st_size == file->n_bytes);
}

/* Under the blob's lock, so that of several programs one downloads and the others find it. */
static ss_status bring(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                       const struct ss_net_hub_file *file, const struct ss_net_hub_paths *paths,
                       ss_err *err)
{
    ss_status status = SS_OK;
    int lock = -1;
    SS_TRY(ss_net_make_parents(paths->blob, err));
    ss_net_hub_tag_cache(hub);
    SS_TRY(ss_net_hub_ref_write(hub, name, file->commit, err));
    SS_TRY(ss_net_hub_lock(hub, paths->lock, &lock, err));
    const bool is_new =
        !has_blob(paths, file) && ss__path_stat(paths->pointer) != SS__PATH_FILE;
    if (is_new) {
        SS_TRY(ss_net_hub_download(hub, name, file, paths, err));
    }
    SS_TRY(ss_net_hub_link(hub, paths, is_new, err));
out:
    ss_net_hub_unlock(lock);
    return status;
}

/* A file that is here needs no download, but the name is noted to mean this commit, for the
 * next call without the hub. */
static ss_status get_found(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                           const struct ss_net_hub_file *file, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_paths paths = {0};
    SS_TRY(ss_net_hub_paths_find(hub, name, file->commit, file->etag, &paths, err));
    if (ss__path_stat(paths.pointer) == SS__PATH_FILE) {
        (void)!ss_net_hub_ref_write(hub, name, file->commit,
                                    NULL); /* the cache may be read-only */
    } else {
        SS_TRY(bring(hub, name, file, &paths, err));
    }
    *out = paths.pointer;
    paths.pointer = NULL;
out:
    ss_net_hub_paths_release(&paths);
    return status;
}

/* *was_seen once the hub has said something of the file: a failure after that is no reason to
 * take an old copy. */
static ss_status ask_and_get(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                             ss_net_hub_need need, char **out,
                             char commit[SS_NET_HUB_COMMIT_BYTES], bool *was_seen, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_file file = {0};
    bool exists = true;
    SS_TRY(ss_net_hub_file_metadata(hub, name, &file, &exists, err));
    *was_seen = true;
    memcpy(commit, file.commit, SS_NET_HUB_COMMIT_BYTES);
    if (exists) {
        SS_TRY(get_found(hub, name, &file, out, err));
    } else {
        if (file.commit[0] != '\0') {
            ss_net_hub_note_no_exist(hub, name, file.commit);
            (void)!ss_net_hub_ref_write(hub, name, file.commit, NULL);
        }
        SS_TRY(give(CACHED_ABSENCE, name, need, err));
    }
out:
    ss_net_hub_file_release(&file);
    return status;
}

/* A file that changed between the request and its content is asked for once more. */
static ss_status get_online(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                            ss_net_hub_need need, char **out,
                            char commit[SS_NET_HUB_COMMIT_BYTES], bool *was_seen, ss_err *err)
{
    const ss_status status = ask_and_get(hub, name, need, out, commit, was_seen, err);
    return status == SS_E_DATA ? ask_and_get(hub, name, need, out, commit, was_seen, err)
                               : status;
}

/* ---- without it ---- */

/* Only a guess at how many tries are worth while, so that no error matters. */
static bool has_copy(const struct ss_net_hub *hub, const struct ss_net_hub_name *name)
{
    char commit[SS_NET_HUB_COMMIT_BYTES] = "", *path = NULL;
    bool is_known = false;
    cached found = CACHED_NOTHING;
    const bool is_there =
        ss_net_hub_ref_read(hub, name, commit, &is_known, NULL) == SS_OK && is_known &&
        look_in_cache(hub, name, commit, &found, &path, NULL) == SS_OK && found < CACHED_LOSS;
    ss__free(path);
    return is_there;
}

/* Also for a repository that is gone or closed by now: what was fetched before stays
 * readable. */
static bool may_fall_back(ss_status status)
{
    return status == SS_E_NETWORK || status == SS_E_NOINPUT;
}

/* The error that the hub gave, before the cache was looked at. */
static ss_status fail_after_retry(const ss_err *why, ss_err *err)
{
    if (err != NULL) {
        *err = *why;
    }
    return why->code;
}

/* The hub's error, and why the cache does not help. */
static ss_status fail_unknown(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              cached found, ss_net_hub_need need, const ss_err *why,
                              ss_err *err)
{
    const bool is_lost = found == CACHED_LOSS;
    const char *before = is_lost                       ? "knows that there is"
                         : need == SS_NET_HUB_REQUIRED ? "has no copy of"
                                                       : "neither has";
    const char *after = is_lost                       ? ", but does not hold it"
                        : need == SS_NET_HUB_REQUIRED ? ""
                                                      : " nor knows that there is none";
    return ss__fail(err, why->code, "%.500s; and the cache %.200s %s %.200s%s", why->message,
                    hub->cache, before, name->path, after);
}

/* `why` is the error that the hub gave; it stays the error unless the cache helps. */
static ss_status get_offline(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                             ss_net_hub_need need, const ss_err *why, char **out,
                             char commit[SS_NET_HUB_COMMIT_BYTES], ss_err *err)
{
    bool is_known = false;
    cached found = CACHED_NOTHING;
    SS_RETURN_IF_ERROR(ss_net_hub_ref_read(hub, name, commit, &is_known, err));
    if (is_known) {
        SS_RETURN_IF_ERROR(look_in_cache(hub, name, commit, &found, out, err));
    }
    const struct ss_net_options *options = ss_net_options_of(hub->net);
    if (found == CACHED_FILE && !hub->is_unreachable && !options->offline) {
        ss__log(&options->log, SS_LEVEL_WARNING,
                "using the copy of %s in the cache, since %.600s", name->id, why->message);
    }
    if (is_known && is_enough(found, need)) {
        return SS_OK;
    }
    commit[0] = '\0';
    if (why->code != SS_E_NETWORK) {
        return fail_after_retry(why, err);
    }
    if (is_known) {
        return fail_unknown(hub, name, found, need, why, err);
    }
    return ss__fail(err, why->code, "%.700s; and the cache %.200s has no copy of it",
                    why->message, hub->cache);
}

/* Files of a commit never change, so what the cache knows of one is final and nothing is sent.
 * A branch is asked for, once only where a copy could stand in; and a hub that could not be
 * reached is not asked again by this client. */
ss_status ss_net_hub_get(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                         ss_net_hub_need need, char **out, char *commit, ss_err *err)
{
    ss_status status = SS_OK;
    char found_commit[SS_NET_HUB_COMMIT_BYTES] = "";
    ss_err why;
    bool was_seen = false;
    *out = NULL;
    if (!ss_net_hub_path_is_good(name->path)) {
        SS_FAIL(SS_E_DATA, "%.300s: '%.300s' is no name for a file", name->id, name->path);
    }
    if (ss_net_hub_is_commit(name->revision)) {
        memcpy(found_commit, name->revision, sizeof found_commit);
        cached found = CACHED_NOTHING;
        SS_TRY(look_in_cache(hub, name, name->revision, &found, out, err));
        if (found == CACHED_FILE || found == CACHED_ABSENCE) {
            status = give(found, name, need, err);
            goto out;
        }
    }
    hub->n_tries = has_copy(hub, name) ? 1 : 0;
    status = hub->is_unreachable
                 ? hub->unreachable.code
                 : get_online(hub, name, need, out, found_commit, &was_seen, &why);
    hub->n_tries = 0;
    if (status != SS_OK) {
        why = hub->is_unreachable ? hub->unreachable : why;
        const bool falls_back = !was_seen && may_fall_back(status);
        if (falls_back) {
            status = get_offline(hub, name, need, &why, out, found_commit, err);
        } else {
            status = fail_after_retry(&why, err);
        }
        if (falls_back && why.code == SS_E_NETWORK && !hub->is_unreachable) {
            hub->is_unreachable = true;
            hub->unreachable = why;
        }
    }
out:
    if (commit != NULL) {
        memcpy(commit, found_commit, sizeof found_commit);
    }
    return status;
}

/* ---- in place ---- */

/* A remote file that owns what it is asked for by: freed with ss_net_remote_free through
 * `release`. */
struct asked {
    struct ss_net_hub *hub;
    struct ss_net_hub_name name;
    char etag[SS_NET_HUB_ETAG_BYTES];
};

/* Called again when a signed URL has expired: the content has to be that of the first time, by
 * its etag. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    struct asked *asked = user;
    ss_status status = SS_OK;
    struct ss_net_hub_file file = {0};
    SS_TRY(ss_net_hub_file_metadata(asked->hub, &asked->name, &file, NULL, err));
    if (strcmp(file.etag, asked->etag) != 0) {
        SS_FAIL(SS_E_DATA, "%.300s/%.300s changed on the hub while it was read; run again",
                asked->name.id, asked->name.path);
    }
    *url = file.url;
    *authorization = file.authorization;
    file.url = NULL;
    file.authorization = NULL;
out:
    ss_net_hub_file_release(&file);
    return status;
}

/* The revision becomes the commit, so that a later request is for the same file though the
 * branch has moved on. */
ss_status ss_net_hub_remote(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                            bool needs_ranges, struct ss_net_remote **out, char *commit,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_file file = {0};
    struct ss__buf title = {0};
    struct asked *asked = NULL;
    *out = NULL;
    SS_TRY(ss_net_hub_file_metadata(hub, name, &file, NULL, err));
    ss__buf_printf(&title, "%s/%s", name->id, name->path);
    SS_TRY(ss__buf_check(&title, err));
    SS_ALLOC(asked, 1);
    asked->hub = hub;
    asked->name = *name;
    memcpy(asked->etag, file.etag, sizeof asked->etag);
    memcpy(asked->name.revision, file.commit, SS_NET_HUB_COMMIT_BYTES);
    const struct ss_net_remote_options options = {
        .name = ss__buf_text(&title),
        .url = file.url,
        .authorization = file.authorization,
        .locate = locate,
        .user = asked,
        .release = ss__free,
        .n_bytes = file.n_bytes,
        .needs_ranges = needs_ranges,
    };
    SS_TRY(ss_net_remote_new(hub->net, &options, out, err));
    asked = NULL;
    if (commit != NULL) {
        memcpy(commit, file.commit, SS_NET_HUB_COMMIT_BYTES);
    }
out:
    ss__free(asked);
    ss__buf_release(&title);
    ss_net_hub_file_release(&file);
    return status;
}
