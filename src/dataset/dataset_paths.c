/* The files of a dataset: paths, folders and patterns become one list, sorted by bytes. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_files.h"

enum { MAX_FOLDER_DEPTH = 32 };

/* Files of a model or a dataset card that end like data but are not. */
static bool is_about_data(const char *name)
{
    static const char *const names[] = {"config.json", "dataset_info.json",
                                        "dataset_infos.json", "dataset_dict.json",
                                        "state.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool ss__path_is_data(const char *path)
{
    return ss__format_knows_name(path) && !is_about_data(ss__path_name(path));
}

static ss_status add_path(struct ss__paths *list, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(list->items, list->room, list->n + 1);
    list->items[list->n] = ss__strdup(path);
    if (list->items[list->n] == NULL) {
        status = ss__fail_nomem(err, "a file name");
        goto out;
    }
    list->n++;
out:
    return status;
}

static ss_status add_folder(struct ss__paths *list, const char *folder, int depth, ss_err *err);

static ss_status add_entry(struct ss__paths *list, const char *path, int depth, ss_err *err)
{
    const char *name = ss__path_name(path);
    const ss__path_kind kind = ss__path_look(path);
    if (name[0] == '.' || strncmp(name, "__", 2) == 0) {
        return SS_OK;
    }
    if (kind == SS__PATH_FOLDER) {
        return add_folder(list, path, depth + 1, err);
    }
    const bool wanted = kind == SS__PATH_FILE && ss__path_is_data(path);
    return wanted ? add_path(list, path, err) : SS_OK;
}

static ss_status add_folder(struct ss__paths *list, const char *folder, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL, *path = NULL;
    size_t n = 0;
    if (depth > MAX_FOLDER_DEPTH) {
        SS_FAIL_FILE(folder, SS_E_LIMIT, "folders are nested deeper than %d", MAX_FOLDER_DEPTH);
    }
    SS_TRY(ss__list_folder(folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        path = ss__path_join(folder, names[i]);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a file name"));
        }
        SS_TRY(add_entry(list, path, depth, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    ss__list_release(names, n);
    return status;
}

static ss_status add_pattern(struct ss__paths *list, const char *pattern, ss_err *err)
{
    ss_status status = SS_OK;
    glob_t found = {0};
    const int result = glob(pattern, GLOB_NOSORT, NULL, &found);
    if (result == GLOB_NOSPACE) {
        SS_TRY(ss__fail_nomem(err, "file names"));
    }
    if (result != 0) {
        SS_FAIL_FILE(pattern, SS_E_NOINPUT, "no file matches this pattern");
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (ss__path_look(path) != SS__PATH_FOLDER) {
            SS_TRY(add_path(list, path, err));
        }
    }
out:
    globfree(&found);
    return status;
}

static ss_status add_given(struct ss__paths *list, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_before = list->n;
    const ss__path_kind kind = ss__path_look(path);
    if (strcmp(path, "-") == 0 || kind == SS__PATH_FILE || kind == SS__PATH_OTHER) {
        SS_TRY(add_path(list, path, err));
    } else if (kind == SS__PATH_FOLDER) {
        SS_TRY(add_folder(list, path, 0, err));
    } else if (strpbrk(path, "*?[") != NULL) {
        SS_TRY(add_pattern(list, path, err));
    } else {
        SS_FAIL_FILE(path, SS_E_NOINPUT, "there is no such file or folder");
    }
    if (list->n == n_before) {
        SS_FAIL_FILE(path, SS_E_NOINPUT,
                     "no dataset in here: expected files that end in .jsonl, .json, .csv, "
                     ".tsv, .txt, .parquet or .arrow, compressed or not");
    }
out:
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

ss_status ss__paths_expand(const char *const *paths, size_t n_paths, struct ss__paths *out,
                           ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss__paths){0};
    if (n_paths == 0) {
        SS_FAIL(SS_E_USAGE, "no dataset was given");
    }
    for (size_t i = 0; i < n_paths; i++) {
        SS_TRY(add_given(out, paths[i], err));
    }
    qsort(out->items, out->n, sizeof *out->items, compare_paths);
    size_t n_kept = 0;
    for (size_t i = 0; i < out->n; i++) {
        if (n_kept > 0 && strcmp(out->items[n_kept - 1], out->items[i]) == 0) {
            ss__free(out->items[i]);
        } else {
            out->items[n_kept++] = out->items[i];
        }
    }
    out->n = n_kept;
out:
    if (status != SS_OK) {
        ss__paths_release(out);
    }
    return status;
}

void ss__paths_release(struct ss__paths *paths)
{
    ss__list_release(paths->items, paths->n);
    *paths = (struct ss__paths){0};
}
