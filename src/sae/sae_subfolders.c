/* SAEs in the folders below one that was named: repositories keep one folder for each, a hook
 * point, a layer or a trainer, some of them in folders of folders. A folder counts by the name
 * of its weights; nothing is opened. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sae_files.h"
#include "sae/sae_format.h"

/* Bounds for a folder that is no repository of SAEs at all, such as a home directory. */
enum { MAX_LEVELS = 5, MAX_VISITED = 20000, MAX_NAMED = 6 };

struct search {
    const char *root;
    struct ss_sae_list *list;
    size_t n_visited;
};

/* A folder of an SAE is not searched for others below it. */
static bool holds_weights(char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ss__is_sae_weights(names[i])) {
            return true;
        }
    }
    return false;
}

static ss_status add(struct ss_sae_list *list, const char *path, ss_err *err)
{
    SS_GROW_OR_RETURN(list->paths, list->capacity, list->n + 1);
    list->paths[list->n] = ss__strdup(path);
    if (list->paths[list->n] == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    list->n++;
    return SS_OK;
}

/* Look into ROOT/INNER; what cannot be listed holds nothing. */
static ss_status look(struct search *search, const char *inner, size_t level, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL, *path = NULL, *next = NULL;
    size_t n = 0;
    path = ss__path_join(search->root, inner);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (ss__path_stat(path) != SS__PATH_FOLDER ||
        ss__list_folder(path, &names, &n, NULL) != SS_OK) {
        goto out;
    }
    if (level > 0 && holds_weights(names, n)) {
        SS_TRY(add(search->list, inner, err));
        goto out;
    }
    for (size_t i = 0; i < n && level < MAX_LEVELS; i++) {
        if (names[i][0] == '.' || search->n_visited++ > MAX_VISITED) {
            continue;
        }
        ss__free(next);
        next = level == 0 ? ss__strdup(names[i]) : ss__path_join(inner, names[i]);
        if (next == NULL) {
            status = ss__fail_nomem(err, "a path");
            goto out;
        }
        SS_TRY(look(search, next, level + 1, err));
    }
out:
    ss__list_release(names, n);
    ss__free(path);
    ss__free(next);
    return status;
}

ss_status ss_sae_list_subfolders(const char *folder, struct ss_sae_list *out, ss_err *err)
{
    struct search search = {.root = folder, .list = out};
    *out = (struct ss_sae_list){0};
    const ss_status status = look(&search, "", 0, err);
    if (status != SS_OK) {
        ss_sae_list_release(out);
    }
    return status;
}

void ss_sae_list_release(struct ss_sae_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        ss__free(list->paths[i]);
    }
    ss__free(list->paths);
    *list = (struct ss_sae_list){0};
}

/* The message ends with a whole path, to be copied. */
ss_status ss_sae_refuse_parent_folder(const struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_list list = {0};
    struct ss__buf names = {0};
    if (from->file != NULL) {
        return SS_OK;
    }
    SS_TRY(ss_sae_list_subfolders(from->folder, &list, err));
    if (list.n == 0) {
        goto out;
    }
    for (size_t i = 0; i < list.n && i < MAX_NAMED; i++) {
        ss__buf_printf(&names, "%s'%.120s'", i == 0 ? "" : ", ", list.paths[i]);
    }
    SS_TRY(ss__buf_check(&names, err));
    const size_t n_path = strlen(from->path);
    SS_FAIL_FILE(from->path, SS_E_NOINPUT,
                 "no SAE lies in this folder itself, but %zu in folders below it: %.*s%s; name "
                 "one of them: %s%s%s",
                 list.n, (int)names.n_bytes, names.data, list.n > MAX_NAMED ? ", ..." : "",
                 from->path, n_path > 0 && from->path[n_path - 1] == '/' ? "" : "/",
                 list.paths[0]);
out:
    ss__buf_release(&names);
    ss_sae_list_release(&list);
    return status;
}
