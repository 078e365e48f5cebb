/* What is done with the cache: list, verify, prune. It is shared with other programs, so
 * nothing is ever changed that could be in use: what is named by a snapshot, locked, or younger
 * than an hour stays. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sized.h"
#include "base/sort.h"
#include "base/stop.h"
#include "net/cache.h"
#include "net/hub_priv.h"
#include "saescope_tools.h"

/* What is younger may belong to a program that works on it; its own lock says so too, but not
 * on every file system, and the Python client's partial files have none of their own. */
enum { YOUNG_SECONDS = 3600 };

/* ---- list ---- */

struct listing {
    struct ss_cache_list *out;
    size_t capacity;
    struct ss__arena *arena;
};

/* "main, v1": names by which somebody asked for a revision. */
static const char *join_refs(const struct ss_net_cached_repo *repo, struct ss__arena *arena)
{
    struct ss__buf text = {0};
    for (size_t i = 0; i < repo->n; i++) {
        if (repo->files[i].kind == SS_NET_CACHED_REF) {
            ss__buf_printf(&text, "%s%s", text.n_bytes > 0 ? ", " : "", repo->files[i].name);
        }
    }
    const char *kept =
        text.failed
            ? NULL
            : ss__arena_strndup(arena, text.data == NULL ? "" : text.data, text.n_bytes);
    ss__buf_release(&text);
    return kept;
}

/* Bytes are those of blobs and of what stands in snapshots as itself; links have none. */
static ss_status add_to_list(void *user, struct ss_net_cached_repo *repo, ss_err *err)
{
    static const char *const kinds[SS_NET_HUB_N_KINDS] = {"model", "dataset", "space"};
    struct listing *listing = user;
    SS_GROW_OR_RETURN(listing->out->repos, listing->capacity, listing->out->n_repos + 1);
    struct ss_cache_repo *row = &listing->out->repos[listing->out->n_repos];
    *row = (struct ss_cache_repo){
        .kind = kinds[repo->name.kind],
        .id = ss__arena_strndup(listing->arena, repo->name.id, strlen(repo->name.id)),
        .path = ss__arena_strndup(listing->arena, repo->path, strlen(repo->path)),
        .refs = join_refs(repo, listing->arena),
        .n_revisions = repo->n_revisions,
    };
    if (row->id == NULL || row->path == NULL || row->refs == NULL) {
        return ss__fail_nomem(err, "a list");
    }
    for (size_t i = 0; i < repo->n; i++) {
        const struct ss_net_cached_file *file = &repo->files[i];
        row->n_files += file->kind == SS_NET_CACHED_POINTER;
        row->n_bytes += file->kind != SS_NET_CACHED_REF ? file->n_bytes : 0;
        const bool is_newer =
            file->kind == SS_NET_CACHED_BLOB && file->changed_at > row->used_at;
        row->used_at = is_newer ? file->changed_at : row->used_at;
    }
    listing->out->n_repos++;
    return SS_OK;
}

static int by_kind_and_id(const void *a, const void *b)
{
    const struct ss_cache_repo *x = a, *y = b;
    const int order = strcmp(y->kind, x->kind); /* spaces and models before datasets */
    return order != 0 ? order : strcmp(x->id, y->id);
}

ss_status ss_cache_list(const char *cache_dir, struct ss_cache_list *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct listing listing = {.out = out};
    *out = (struct ss_cache_list){0};
    SS_ALLOC(listing.arena, 1);
    out->memory = listing.arena;
    SS_TRY(ss_net_cache_each(cache_dir, add_to_list, &listing, &out->path, err));
    if (out->n_repos > 0) {
        ss__sort(out->repos, out->n_repos, sizeof *out->repos, by_kind_and_id);
    }
out:
    if (status != SS_OK) {
        ss_cache_list_release(out);
    }
    return status;
}

void ss_cache_list_release(struct ss_cache_list *list)
{
    if (list->memory != NULL) {
        ss__arena_release(list->memory);
        ss__free(list->memory);
    }
    ss__free(list->repos);
    ss__free(list->path);
    *list = (struct ss_cache_list){0};
}

/* ---- findings ---- */

struct check {
    const struct ss_cache_check_options *options;
    struct ss_cache_sum *sum;
    struct ss_net *net; /* for its stop */
};

static void report(struct check *check, const struct ss_net_cached_file *file, const char *what)
{
    const struct ss_cache_finding finding = {file->path, what, file->n_bytes};
    check->sum->n_findings++;
    check->sum->n_bytes += file->n_bytes;
    if (check->options->found != NULL) {
        check->options->found(check->options->user, &finding);
    }
}

static int ask(void *user)
{
    return ss__stop_requested(user);
}

/* A client without a network, since hashing files asks it whether to stop. */
static ss_status run_check(const struct ss_cache_check_options *options,
                           ss_status (*each)(void *, struct ss_net_cached_repo *, ss_err *),
                           char **cache, struct ss_cache_sum *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_cache_check_options read = {.struct_size = sizeof read};
    struct check check = {.options = &read, .sum = out};
    const struct ss_net_options net = {.offline = true, .stop = {ask, &read.progress}};
    *out = (struct ss_cache_sum){0};
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_cache_check_options, err));
    SS_TRY(ss_net_new(&net, &check.net, err));
    SS_TRY(ss_net_cache_each(read.cache_dir, each, &check, cache, err));
out:
    ss_net_free(check.net);
    return status;
}

/* ---- verify ---- */

/* A blob's name is its hash, or a tag that nothing can be compared with. */
static ss_status verify_blob(struct check *check, const struct ss_net_cached_file *file,
                             ss_err *err)
{
    ss__hash_kind kind = SS__HASH_SHA256;
    bool is_good = true;
    if (!ss_net_hub_etag_kind(file->name, &kind)) {
        check->sum->n_unknown++;
        return SS_OK;
    }
    check->sum->n_checked++;
    const ss_status status =
        ss_net_hub_check_file(check->net, file->path, file->name, &is_good, err);
    if (status == SS_OK && !is_good) {
        report(check, file, "its content is not what its hash says; delete it and fetch again");
    }
    return status;
}

/* What a ref says has to be a commit; whether it is still the newest is not asked. */
static ss_status verify_ref(struct check *check, const struct ss_net_cached_file *file,
                            ss_err *err)
{
    char commit[SS_NET_HUB_COMMIT_BYTES];
    bool is_good = false;
    SS_RETURN_IF_ERROR(ss_net_hub_ref_load(file->path, commit, &is_good, err));
    if (!is_good) {
        report(check, file, "it names no commit; delete it, or fetch again");
    }
    return SS_OK;
}

/* A file that stands in a snapshot as itself has no name that is its hash: it counts as
 * unknown. */
static ss_status verify_repo(void *user, struct ss_net_cached_repo *repo, ss_err *err)
{
    struct check *check = user;
    for (size_t i = 0; i < repo->n; i++) {
        const struct ss_net_cached_file *file = &repo->files[i];
        if (file->is_dangling) {
            report(check, file, "it leads to a file that is not there; fetch again");
        } else if (file->kind == SS_NET_CACHED_BLOB) {
            SS_RETURN_IF_ERROR(verify_blob(check, file, err));
        } else if (file->kind == SS_NET_CACHED_REF) {
            SS_RETURN_IF_ERROR(verify_ref(check, file, err));
        } else if (file->kind == SS_NET_CACHED_POINTER && !file->is_link) {
            check->sum->n_unknown++;
        }
    }
    return SS_OK;
}

ss_status ss_cache_verify(const struct ss_cache_check_options *options,
                          struct ss_cache_sum *out, ss_err *err)
{
    return run_check(options, verify_repo, NULL, out, err);
}

/* ---- prune ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The blobs that a snapshot names, sorted. */
static ss_status find_named(const struct ss_net_cached_repo *repo, const char ***out, size_t *n,
                            ss_err *err)
{
    SS_ALLOC_OR_RETURN(*out, repo->n + 1);
    *n = 0;
    for (size_t i = 0; i < repo->n; i++) {
        if (repo->files[i].kind == SS_NET_CACHED_POINTER && repo->files[i].is_link) {
            (*out)[(*n)++] = repo->files[i].name;
        }
    }
    ss__sort(*out, *n, sizeof **out, by_text);
    return SS_OK;
}

/* A file that its writer locks as long as it lives. */
static bool is_temporary(const struct ss_net_cached_file *file)
{
    return !file->is_link &&
           ss__temporary_is_name(&ss__temporary_file, ss__path_name(file->path));
}

/* Why a file can go; NULL if it stays. */
static const char *reason_to_go(const struct ss_net_cached_file *file, const char *const *named,
                                size_t n_named, int64_t now)
{
    const bool is_young = now - file->changed_at < YOUNG_SECONDS;
    const size_t n = strlen(file->name);
    const bool is_named =
        file->kind == SS_NET_CACHED_BLOB &&
        ss__search(&file->name, named, n_named, sizeof *named, by_text) != NULL;
    const bool is_ours = n >= sizeof SS_NET_HUB_PARTIAL_SUFFIX - 1 &&
                         strcmp(file->name + n - (sizeof SS_NET_HUB_PARTIAL_SUFFIX - 1),
                                SS_NET_HUB_PARTIAL_SUFFIX) == 0;
    if (is_temporary(file)) {
        return "unfinished file";
    }
    switch (file->kind) {
    case SS_NET_CACHED_PARTIAL:
        return is_ours || !is_young ? "unfinished download" : NULL;
    case SS_NET_CACHED_BLOB:
        return file->is_dangling      ? "link that leads nowhere"
               : is_named || is_young ? NULL
                                      : "content that no snapshot names";
    case SS_NET_CACHED_POINTER:
        return file->is_dangling && !is_young ? "link that leads nowhere" : NULL;
    case SS_NET_CACHED_REF:
        return n > 4 && strcmp(file->name + n - 4, ".tmp") == 0 && !is_young ? "unfinished note"
                                                                             : NULL;
    }
    return NULL;
}

/* Whether a lock file is free, or there is none; *descriptor holds it. */
static bool try_lock(const char *path, int *descriptor)
{
    *descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return *descriptor < 0 || flock(*descriptor, LOCK_EX | LOCK_NB) == 0;
}

/* Remove a file itself, never what a link leads to, unless somebody works on it. */
static bool remove_file(const struct ss_net_cached_repo *repo,
                        const struct ss_net_cached_file *file)
{
    struct ss__buf path = {0};
    int own = -1, lock = -1;
    bool is_free = true;
    if (file->kind == SS_NET_CACHED_PARTIAL || is_temporary(file)) { /* its writer holds it */
        is_free = try_lock(file->path, &own);
    } else if (file->kind == SS_NET_CACHED_BLOB) {
        ss__buf_printf(&path, "%.*s.locks/%s/%s.lock",
                       (int)(ss__path_name(repo->path) - repo->path), repo->path, repo->folder,
                       file->name);
        is_free = ss__buf_text(&path) != NULL && try_lock(ss__buf_text(&path), &lock);
    }
    const bool is_gone = is_free && unlink(file->path) == 0;
    ss_net_hub_unlock(own);
    ss_net_hub_unlock(lock);
    ss__buf_release(&path);
    return is_gone;
}

/* Folders of a snapshot that became empty go too, up to the snapshot itself. */
static void remove_empty_parents(const struct ss_net_cached_repo *repo, const char *path)
{
    char *folder = ss__strdup(path);
    const size_t n_top = strlen(repo->path) + strlen("/snapshots");
    for (char *slash = folder == NULL ? NULL : strrchr(folder, '/'); slash != NULL;
         slash = strrchr(folder, '/')) {
        *slash = '\0';
        if (strlen(folder) <= n_top || rmdir(folder) != 0) {
            break;
        }
    }
    ss__free(folder);
}

/* Where not all of a repository could be read, a blob may be named by what was not seen. */
static ss_status prune_repo(void *user, struct ss_net_cached_repo *repo, ss_err *err)
{
    struct check *check = user;
    ss_status status = SS_OK;
    const char **named = NULL;
    size_t n_named = 0;
    const int64_t now = (int64_t)time(NULL);
    SS_TRY(find_named(repo, &named, &n_named, err));
    for (size_t i = 0; i < repo->n; i++) {
        const struct ss_net_cached_file *file = &repo->files[i];
        const char *reason = reason_to_go(file, named, n_named, now);
        const bool may_be_named =
            file->kind == SS_NET_CACHED_BLOB && repo->is_partially_scanned;
        if (reason == NULL || may_be_named ||
            (!check->options->dry_run && !remove_file(repo, file))) {
            continue;
        }
        report(check, file, reason);
        if (file->kind == SS_NET_CACHED_POINTER && !check->options->dry_run) {
            remove_empty_parents(repo, file->path);
        }
    }
out:
    ss__free(named);
    return status;
}

/* Files that this program left behind in the cache's own folders are removed last, as their
 * locks allow. */
ss_status ss_cache_prune(const struct ss_cache_check_options *options, struct ss_cache_sum *out,
                         ss_err *err)
{
    char *cache = NULL, *locks = NULL;
    const ss_status status = run_check(options, prune_repo, &cache, out, err);
    if (status == SS_OK && (options == NULL || !options->dry_run)) {
        locks = ss__path_join(cache, SS_NET_HUB_LOCKS);
        ss__out_remove_stale(cache);
        ss__out_remove_stale(locks == NULL ? cache : locks);
    }
    ss__free(cache);
    ss__free(locks);
    return status;
}
