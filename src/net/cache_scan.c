/* Reading the cache as it lies: repositories, their blobs, snapshots and refs, by whomever they
 * were made. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/cache.h"
#include "net/hub_priv.h"

enum { MAX_DEPTH = 64, MAX_LINK_BYTES = 4096 };

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* A real folder, not a link to one. */
static bool is_own_folder(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* Where a pointer leads in blobs/: the last part of its target, if the part before is "blobs";
 * NULL where memory ran out. */
static const char *blob_of_link(struct ss_net_cached_repo *repo, const char *path)
{
    char target[MAX_LINK_BYTES];
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) {
        return "";
    }
    target[n] = '\0';
    const char *name = ss__path_name(target);
    const size_t n_before = (size_t)(name - target);
    const bool is_blob = n_before >= 6 && strncmp(name - 6, "blobs/", 6) == 0;
    return is_blob ? ss__arena_strndup(&repo->arena, name, strlen(name)) : "";
}

/* The Python client ends the names of partial files in ".incomplete", this one in a suffix of
 * its own. */
static ss_net_cached_kind kind_of(ss_net_cached_kind kind, const char *name)
{
    const bool is_partial =
        ends_with(name, ".incomplete") || ends_with(name, SS_NET_HUB_PARTIAL_SUFFIX);
    return kind == SS_NET_CACHED_BLOB && is_partial ? SS_NET_CACHED_PARTIAL : kind;
}

/* A link has no bytes of its own: its content counts once, as a blob. One that cannot be
 * followed for lack of permission is not called dangling. */
static ss_status add_file(struct ss_net_cached_repo *repo, ss_net_cached_kind kind,
                          const char *path, const char *below, const struct stat *facts,
                          ss_err *err)
{
    const bool is_link = S_ISLNK(facts->st_mode);
    const bool is_pointer = kind == SS_NET_CACHED_POINTER;
    SS_GROW_OR_RETURN(repo->files, repo->capacity, repo->n + 1);
    struct ss_net_cached_file *file = &repo->files[repo->n];
    *file = (struct ss_net_cached_file){
        .kind = kind_of(kind, below),
        .path = ss__arena_strndup(&repo->arena, path, strlen(path)),
        .name = is_pointer ? (is_link ? blob_of_link(repo, path) : "")
                           : ss__arena_strndup(&repo->arena, below, strlen(below)),
        .is_link = is_link,
        .is_dangling = is_link && access(path, F_OK) != 0 &&
                       (errno == ENOENT || errno == ENOTDIR || errno == ELOOP),
        .n_bytes = is_link ? 0 : (uint64_t)facts->st_size,
        .changed_at = (int64_t)facts->st_mtime,
    };
    if (file->path == NULL || file->name == NULL) {
        return ss__fail_nomem(err, "a list of files");
    }
    repo->n++;
    return SS_OK;
}

/* Files below REPO/TOP, `below` being the path within it. */
static ss_status walk(struct ss_net_cached_repo *repo, ss_net_cached_kind kind, const char *top,
                      const char *below, size_t depth, ss_err *err)
{
    ss_status status = SS_OK;
    struct stat facts;
    char *path = ss__path_join(top, below), **names = NULL, *deeper = NULL;
    size_t n = 0;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (lstat(path, &facts) != 0) {
        goto out;
    }
    if (S_ISREG(facts.st_mode) || S_ISLNK(facts.st_mode)) {
        repo->is_partially_scanned |= ss__path_stat(path) == SS__PATH_FOLDER;
        SS_TRY(add_file(repo, kind, path, below, &facts, err));
    } else if (S_ISDIR(facts.st_mode) && depth < MAX_DEPTH) {
        SS_TRY(ss__list_folder(path, &names, &n, err));
        repo->n_revisions += kind == SS_NET_CACHED_POINTER && depth == 0 ? n : 0;
        for (size_t i = 0; i < n; i++) {
            deeper = ss__path_join(below, names[i]);
            if (deeper == NULL) {
                SS_TRY(ss__fail_nomem(err, "a path"));
            }
            SS_TRY(walk(repo, kind, top, deeper, depth + 1, err));
            ss__free(deeper);
            deeper = NULL;
        }
    }
    repo->is_partially_scanned |= S_ISDIR(facts.st_mode) && depth >= MAX_DEPTH;
out:
    ss__list_release(names, n);
    ss__free(deeper);
    ss__free(path);
    return status;
}

/* Read one repository folder. Parts that are links to folders are noted and not entered: what
 * is removed must lie in this cache. A zeroed struct is valid to release. */
static ss_status read_repo(const char *cache, const char *folder,
                           struct ss_net_cached_repo *out, ss_err *err)
{
    static const struct {
        const char *name;
        ss_net_cached_kind kind;
    } parts[] = {{"blobs", SS_NET_CACHED_BLOB},
                 {"snapshots", SS_NET_CACHED_POINTER},
                 {"refs", SS_NET_CACHED_REF}};
    ss_status status = SS_OK;
    char *top = NULL;
    *out = (struct ss_net_cached_repo){0};
    out->path = ss__arena_printf(&out->arena, "%s/%s", cache, folder);
    out->folder = ss__arena_strndup(&out->arena, folder, strlen(folder));
    if (out->path == NULL || out->folder == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    (void)ss_net_hub_read_folder_name(folder, &out->name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        top = ss__path_join(out->path, parts[i].name);
        if (top == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        if (is_own_folder(top)) {
            SS_TRY(walk(out, parts[i].kind, top, "", 0, err));
        } else if (ss__path_stat(top) != SS__PATH_NONE) {
            out->is_partially_scanned = true;
        }
        ss__free(top);
        top = NULL;
    }
out:
    ss__free(top);
    return status;
}

static void release_repo(struct ss_net_cached_repo *repo)
{
    ss__free(repo->files);
    ss__arena_release(&repo->arena);
    *repo = (struct ss_net_cached_repo){0};
}

/* One repository at a time is in memory; `each` may change it, and it is freed afterwards. */
ss_status ss_net_cache_each(const char *cache_dir,
                            ss_status (*each)(void *user, struct ss_net_cached_repo *repo,
                                              ss_err *err),
                            void *user, char **cache_path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_cached_repo repo = {0};
    struct ss_net_hub_name name;
    char *cache = NULL, **folders = NULL;
    size_t n = 0;
    if (cache_dir == NULL) {
        SS_TRY(ss_net_hub_cache_from_environment(&cache, err));
    } else if ((cache = ss__strdup(cache_dir)) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__path_stat(cache) != SS__PATH_NONE) {
        SS_TRY(ss__list_folder(cache, &folders, &n, err));
    }
    for (size_t i = 0; i < n; i++) {
        char *path = ss__path_join(cache, folders[i]);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        const bool is_repo =
            is_own_folder(path) && ss_net_hub_read_folder_name(folders[i], &name);
        ss__free(path);
        if (is_repo) {
            SS_TRY(read_repo(cache, folders[i], &repo, err));
            SS_TRY(each(user, &repo, err));
            release_repo(&repo);
        }
    }
    if (cache_path != NULL) {
        *cache_path = cache;
        cache = NULL;
    }
out:
    release_repo(&repo);
    ss__list_release(folders, n);
    ss__free(cache);
    return status;
}
