/* The files of a dataset: what a user gives is read in the order given, and as often. A folder
 * or pattern stands for its files in natural order. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/layout.h"
#include "source/source.h"

/* ---- folders ---- */

/* A document of the layout. */
static ss_status read_small(void *user, size_t index, size_t max_bytes, struct ss__buf *out,
                            ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_dataset_folder_files *folder = user;
    char *path = ss__path_join(folder->root, folder->paths[index]);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss__file_read(path, max_bytes, out, err));
out:
    ss__free(path);
    return status;
}

struct ss_dataset_layout ss_dataset_folder_layout(struct ss_dataset_folder_files *files,
                                                  const struct ss_log *log)
{
    return (struct ss_dataset_layout){.name = files->root,
                                      .paths = (const char *const *)files->paths,
                                      .n = files->n,
                                      .read = read_small,
                                      .user = files,
                                      .log = log,
                                      .enters_archives = true};
}

/* The layout tells data from what lies beside it (layout.c); the order is natural: part-2
 * before part-10. */
static ss_status add_folder(struct ss_dataset_file_list *list, const char *root,
                            const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_dataset_folder_files files = {.root = root};
    bool *is_data = NULL;
    char *path = NULL;
    const size_t n_before = list->n;
    SS_TRY(ss_dataset_list_folder(root, true, log, &files.paths, &files.n, err));
    const struct ss_dataset_layout layout = ss_dataset_folder_layout(&files, log);
    SS_ALLOC(is_data, files.n);
    SS_TRY(ss_dataset_layout_choose(&layout, is_data, err));
    for (size_t i = 0; i < files.n; i++) {
        if (!is_data[i]) {
            continue;
        }
        path = ss__path_join(root, files.paths[i]);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a file name"));
        }
        SS_TRY(ss_dataset_file_list_add(list, path, err));
        ss__free(path);
        path = NULL;
    }
    ss_dataset_file_list_sort(list, n_before);
out:
    ss__free(path);
    ss__free(is_data);
    ss__list_release(files.paths, files.n);
    return status;
}

/* ---- all of it ---- */

/* A path that is there is meant as it stands, even with characters of patterns in it. */
static ss_status add_given(struct ss_dataset_file_list *list, const char *path,
                           const struct ss_log *log, ss_err *err)
{
    const size_t n_before = list->n;
    const ss__path_kind kind = ss__path_stat(path);
    if (strcmp(path, "-") == 0 || kind == SS__PATH_FILE || kind == SS__PATH_OTHER) {
        SS_RETURN_IF_ERROR(ss_dataset_file_list_add(list, path, err));
        if (ss_dataset_path_is_left_over(path)) {
            ss__log(log, SS_LEVEL_WARNING,
                    "%s: is left over from work on the saved dataset beside it, not one of its "
                    "files, and read since it is named",
                    path);
        }
    } else if (kind == SS__PATH_FOLDER) {
        SS_RETURN_IF_ERROR(add_folder(list, path, log, err));
    } else if (strpbrk(path, "*?[") != NULL) {
        SS_RETURN_IF_ERROR(ss_dataset_paths_add_pattern(list, path, log, err));
    } else if (kind == SS__PATH_BROKEN) {
        return ss__fail_broken(err, path);
    } else {
        return ss__fail_file(err, path, SS_E_NOINPUT, "there is no such file or folder");
    }
    if (list->n == n_before) {
        return ss__fail_file(
            err, path, SS_E_NOINPUT,
            "no dataset in here: expected files that end in .jsonl, .json, .csv, "
            ".tsv, .txt, .parquet or .arrow, compressed or not");
    }
    return SS_OK;
}

ss_status ss_dataset_paths_expand(const char *const *paths, size_t n_paths,
                                  const struct ss_log *log, struct ss_dataset_file_list *out,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss_dataset_file_list){0};
    if (n_paths == 0) {
        SS_FAIL(SS_E_USAGE, "no dataset was given");
    }
    for (size_t i = 0; i < n_paths; i++) {
        SS_TRY(add_given(out, paths[i], log, err));
    }
out:
    if (status != SS_OK) {
        ss_dataset_file_list_release(out);
    }
    return status;
}
