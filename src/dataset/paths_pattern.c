/* Patterns of paths on this machine: `*`, `?` and `[set]` within a component as the shell has
 * them, and `**` as a component for folders at any depth. A folder that cannot be read is an
 * error, not one without matches. */
#include <fnmatch.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/layout.h"

enum { MAX_DEPTH = 32 };

/* Match the rest of a pattern below a folder ("" for the working one). */
static ss_status search_below(struct ss_dataset_file_list *found, const char *folder,
                              const char *pattern, int depth, ss_err *err);

static bool has_wildcard(const char *part, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr("*?[", part[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Whether a name is one of those that a folder would leave out, and the pattern begins with a
 * wildcard, so that it does not name it. */
static bool is_left_out(const char *folder, const char *name, const char *pattern)
{
    if (strchr("*?[", pattern[0]) == NULL) {
        return false;
    }
    char *path = ss__path_join(folder, name);
    const bool is_left_over = path != NULL && ss_dataset_path_is_left_over(path);
    ss__free(path);
    return is_left_over || ss_format_name_is_hidden(name) || ss_format_name_is_about_data(name);
}

/* A name that fits a component: a file is found if that was the last, else go on below. */
static ss_status take_name(struct ss_dataset_file_list *found, const char *folder,
                           const char *name, const char *rest, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    ss__path_kind kind = SS__PATH_NONE;
    bool is_link = false;
    char *path = ss__path_join(folder, name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    SS_TRY(ss__path_check(path, &kind, &is_link, err));
    if (rest == NULL) {
        const bool is_file = kind != SS__PATH_FOLDER && (kind != SS__PATH_NONE || is_link);
        SS_TRY(is_file ? ss_dataset_file_list_add(found, path, err) : SS_OK);
    } else if (kind == SS__PATH_FOLDER) {
        SS_TRY(search_below(found, path, rest, depth, err));
    }
out:
    ss__free(path);
    return status;
}

/* Folders at any depth, hidden ones and those of bookkeeping left out. */
static ss_status search_deep(struct ss_dataset_file_list *found, const char *folder,
                             const char *pattern, const char *rest, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0;
    SS_TRY(search_below(found, folder, rest == NULL ? "*" : rest, depth, err));
    SS_TRY(ss__list_folder(folder[0] == '\0' ? "." : folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!ss_format_name_is_hidden(names[i])) {
            SS_TRY(take_name(found, folder, names[i], pattern, depth + 1, err));
        }
    }
out:
    ss__list_release(names, n);
    return status;
}

/* As the shell: a wildcard does not match a leading dot. */
static ss_status search_names(struct ss_dataset_file_list *found, const char *folder,
                              const char *part, const char *rest, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0;
    SS_TRY(ss__list_folder(folder[0] == '\0' ? "." : folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (fnmatch(part, names[i], FNM_PERIOD) == 0 && !is_left_out(folder, names[i], part)) {
            SS_TRY(take_name(found, folder, names[i], rest, depth, err));
        }
    }
out:
    ss__list_release(names, n);
    return status;
}

static ss_status search_below(struct ss_dataset_file_list *found, const char *folder,
                              const char *pattern, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = strcspn(pattern, "/");
    const char *rest = pattern[n] == '\0' ? NULL : pattern + n + strspn(pattern + n, "/");
    char *part = ss__strndup(pattern, n);
    if (part == NULL) {
        return ss__fail_nomem(err, "a pattern");
    }
    if (depth > MAX_DEPTH) {
        SS_FAIL_FILE(folder, SS_E_LIMIT, "folders are nested deeper than %d", MAX_DEPTH);
    }
    if (strcmp(part, "**") == 0) {
        SS_TRY(search_deep(found, folder, pattern, rest, depth, err));
    } else if (has_wildcard(part, n)) {
        SS_TRY(search_names(found, folder, part, rest, depth, err));
    } else {
        SS_TRY(take_name(found, folder, part, rest, depth, err));
    }
out:
    ss__free(part);
    return status;
}

/* Whether the files are of several kinds by their names; the kinds in *list. */
static bool list_kinds(const struct ss_dataset_file_list *found, size_t from,
                       struct ss__buf *list)
{
    const char *kinds[8];
    size_t n_of[8] = {0}, n = 0;
    for (size_t i = from; i < found->n; i++) {
        const char *kind = ss_dataset_format_kind(found->items[i]);
        size_t at = 0;
        while (kind != NULL && at < n && strcmp(kinds[at], kind) != 0) {
            at++;
        }
        if (kind != NULL && at < 8) {
            kinds[at] = kind;
            n = at == n ? n + 1 : n;
            n_of[at]++;
        }
    }
    for (size_t i = 0; i < n; i++) {
        ss__buf_printf(list, "%s%zu of %s", i == 0 ? "" : ", ", n_of[i], kinds[i]);
    }
    return n > 1;
}

ss_status ss_dataset_paths_add_pattern(struct ss_dataset_file_list *list, const char *pattern,
                                       const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t from = list->n;
    struct ss__buf kinds = {0};
    const size_t n_root = strspn(pattern, "/");
    SS_TRY(search_below(list, n_root > 0 ? "/" : "", pattern + n_root, 0, err));
    if (list->n == from) {
        SS_FAIL_FILE(pattern, SS_E_NOINPUT, "no file matches this pattern");
    }
    ss_dataset_file_list_sort(list, from);
    if (list_kinds(list, from, &kinds) && ss__buf_text(&kinds) != NULL) {
        ss__log(log, SS_LEVEL_WARNING, "%s: files of several kinds match and are all read: %s",
                pattern, kinds.data);
    }
out:
    ss__buf_release(&kinds);
    return status;
}
