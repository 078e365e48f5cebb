/* The files of a repository, from the API:
 *
 *   GET /api/models/ID/revision/REV                       {"sha": COMMIT, …}
 *   GET /api/models/ID/tree/COMMIT[/PATH]?recursive=true  [{"type": "file", "path", "size"}, …]
 *
 * the second in pages. Where the hub is away, the snapshot in the cache is listed instead. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sort.h"
#include "net/hub_priv.h"

enum { MAX_ENTRIES = 1000000, MAX_PAGES = 10000, MAX_DEPTH = 64 };

void ss_net_hub_tree_release(struct ss_net_hub_tree *tree)
{
    for (size_t i = 0; i < tree->n; i++) {
        ss__free(tree->entries[i].path);
    }
    ss__free(tree->entries);
    *tree = (struct ss_net_hub_tree){0};
}

static ss_status add_entry(struct ss_net_hub_tree *tree, const char *path, uint64_t n_bytes,
                           ss_err *err)
{
    if (tree->n == MAX_ENTRIES) {
        return ss__fail(err, SS_E_LIMIT,
                        "the repository holds more than %d files; name a folder in it",
                        MAX_ENTRIES);
    }
    SS_GROW_OR_RETURN(tree->entries, tree->capacity, tree->n + 1);
    char *copy = ss__strdup(path);
    if (copy == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    tree->entries[tree->n++] = (struct ss_net_hub_entry){copy, n_bytes};
    return SS_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct ss_net_hub_entry *)a)->path,
                  ((const struct ss_net_hub_entry *)b)->path);
}

/* A branch or tag is asked for once, so that all pages are of one commit; a commit is its
 * own. */
static ss_status find_commit(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                             char commit[SS_NET_HUB_COMMIT_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf path = {0};
    struct ss__json *response = NULL;
    const char *sha = "";
    if (ss_net_hub_is_commit(name->revision)) {
        memcpy(commit, name->revision, SS_NET_HUB_COMMIT_BYTES);
        return SS_OK;
    }
    ss__buf_printf(&path, "/api/%s/%s/revision/", ss_net_hub_kind_name(name->kind), name->id);
    ss_net_url_quote(&path, name->revision, "");
    SS_TRY(ss__buf_check(&path, err));
    const char *text = ss__buf_text(&path);
    SS_TRY(ss_net_hub_api(hub, name, text, &response, NULL, err));
    SS_TRY(
        ss__json_text(text, ss__json_is_object(response) ? response : NULL, "sha", &sha, err));
    if (!ss_net_hub_is_commit(sha)) {
        SS_FAIL(SS_E_DATA, "%.300s: the hub's response names no commit", name->id);
    }
    memcpy(commit, sha, SS_NET_HUB_COMMIT_BYTES);
out:
    ss__json_free(response);
    ss__buf_release(&path);
    return status;
}

/* Names that could not be files are passed over: nobody can ask for them. */
static ss_status add_page(struct ss_net_hub_tree *tree, const char *file,
                          const struct ss__json *page, ss_err *err)
{
    size_t i = 0;
    const struct ss__json *item = NULL;
    if (!ss__json_is_array(page)) {
        return ss__fail(err, SS_E_DATA, "%.400s: the hub's list of files is not a list", file);
    }
    SS_JSON_EACH ((struct ss__json *)(uintptr_t)page, i, item) {
        const char *type = "", *path = "";
        size_t n_bytes = 0;
        if (!ss__json_is_object(item)) {
            continue;
        }
        SS_RETURN_IF_ERROR(ss__json_text(file, item, "type", &type, err));
        SS_RETURN_IF_ERROR(ss__json_text(file, item, "path", &path, err));
        SS_RETURN_IF_ERROR(ss__json_size(file, item, "size", &n_bytes, err));
        if (strcmp(type, "file") == 0 && ss_net_hub_path_is_good(path)) {
            SS_RETURN_IF_ERROR(add_entry(tree, path, n_bytes, err));
        }
    }
    return SS_OK;
}

/* Each page names the URL of the next. Their number is bounded, since such a URL could lead
 * back. */
static ss_status list_pages(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                            struct ss_net_hub_tree *tree, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf first = {0};
    struct ss__json *page = NULL;
    char *at = NULL, *next = NULL;
    ss__buf_printf(&first, "/api/%s/%s/tree/%s", ss_net_hub_kind_name(name->kind), name->id,
                   tree->commit);
    if (name->path[0] != '\0') {
        ss__buf_add_byte(&first, '/');
        ss_net_url_quote(&first, name->path, "/");
    }
    ss__buf_add_text(&first, "?recursive=true&expand=false");
    SS_TRY(ss__buf_check(&first, err));
    at = ss__strdup(ss__buf_text(&first));
    if (at == NULL) {
        SS_TRY(ss__fail_nomem(err, "a URL"));
    }
    for (size_t n_pages = 0; at != NULL; n_pages++) {
        if (n_pages == MAX_PAGES) {
            SS_FAIL(SS_E_NETWORK, "%.300s: the hub's list of files does not end", name->id);
        }
        SS_TRY(ss_net_hub_api(hub, name, at, &page, &next, err));
        SS_TRY(add_page(tree, at, page, err));
        ss__json_free(page);
        page = NULL;
        ss__free(at);
        at = next;
        next = NULL;
    }
out:
    ss__json_free(page);
    ss__free(at);
    ss__free(next);
    ss__buf_release(&first);
    return status;
}

/* ---- from the cache ---- */

/* Files below FOLDER/path, by their paths from FOLDER. */
static ss_status walk(struct ss_net_hub_tree *tree, const char *folder, const char *path,
                      size_t depth, ss_err *err)
{
    ss_status status = SS_OK;
    char *whole = ss__path_join(folder, path), **names = NULL, *below = NULL;
    size_t n = 0;
    if (whole == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    const ss__path_kind kind = ss__path_stat(whole);
    if (kind == SS__PATH_FILE) {
        struct ss__file_facts facts;
        if (!ss__file_facts_at(whole, &facts)) {
            SS_TRY(ss__fail_errno(err, whole, "open", errno));
        }
        SS_TRY(add_entry(tree, path, facts.n_bytes, err));
    } else if (kind == SS__PATH_FOLDER && depth < MAX_DEPTH) {
        SS_TRY(ss__list_folder(whole, &names, &n, err));
        for (size_t i = 0; i < n; i++) {
            below = ss__path_join(path, names[i]);
            if (below == NULL) {
                SS_TRY(ss__fail_nomem(err, "a path"));
            }
            SS_TRY(walk(tree, folder, below, depth + 1, err));
            ss__free(below);
            below = NULL;
        }
    }
out:
    ss__list_release(names, n);
    ss__free(below);
    ss__free(whole);
    return status;
}

/* A snapshot holds what somebody asked for, which need not be the whole repository. */
static ss_status list_cached(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                             struct ss_net_hub_tree *tree, bool *found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_paths paths = {0};
    struct ss_net_hub_name top = *name;
    *found = false;
    top.path[0] = '\0';
    bool is_known = false;
    SS_TRY(ss_net_hub_ref_read(hub, name, tree->commit, &is_known, err));
    if (!is_known) {
        return SS_OK;
    }
    SS_TRY(ss_net_hub_paths_find(hub, &top, tree->commit, NULL, &paths, err));
    if (ss__path_stat(paths.pointer) == SS__PATH_FOLDER) {
        *found = true;
        SS_TRY(walk(tree, paths.pointer, name->path, 0, err));
    }
out:
    ss_net_hub_paths_release(&paths);
    return status;
}

/* Only where the hub cannot be reached: what it says is not there is not listed from old
 * copies. */
ss_status ss_net_hub_list(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                          struct ss_net_hub_tree *out, ss_err *err)
{
    ss_status status = SS_OK;
    bool found = false;
    *out = (struct ss_net_hub_tree){0};
    status = find_commit(hub, name, out->commit, err);
    if (status == SS_OK) {
        status = list_pages(hub, name, out, err);
    }
    if (status == SS_E_NETWORK) {
        struct ss_net_hub_tree cached = {0};
        ss_err why;
        const ss_status other = list_cached(hub, name, &cached, &found, &why);
        const bool helps = other != SS_OK || found; /* a fault of the cache is said, too */
        ss_net_hub_tree_release(helps ? out : &cached);
        *out = helps ? cached : *out;
        status = helps ? other : status;
        if (other != SS_OK && err != NULL) {
            *err = why;
        }
    }
    if (status == SS_OK && out->n > 0) {
        ss__sort(out->entries, out->n, sizeof *out->entries, by_path);
    }
    if (status != SS_OK) {
        ss_net_hub_tree_release(out);
    }
    return status;
}
