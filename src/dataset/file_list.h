/* Lists of files, and what was found out about those of a dataset with them. Files are named as
 * datasets name them: a path, "-", a URL, "hf://datasets/ORG/NAME@COMMIT/PATH", or
 * "archive.zip!/member". */
#ifndef SS_DATASET_FILE_LIST_H
#define SS_DATASET_FILE_LIST_H

#include "base/error.h"
#include "format/format.h"
#include "repo/repo.h"

struct ss_dataset_file_list {
    char **items; /* in reading order, perhaps repeated */
    size_t n, capacity;
};

SS_MUST_USE ss_status ss_dataset_file_list_add(struct ss_dataset_file_list *list,
                                               const char *path, ss_err *err);
/* Sort the paths from the from-th on in natural order. */
void ss_dataset_file_list_sort(struct ss_dataset_file_list *paths, size_t from);
/* As strcmp, but runs of digits count as numbers: part-2 stands before part-10. */
int ss_dataset_compare_natural(const char *a, const char *b);
void ss_dataset_file_list_release(struct ss_dataset_file_list *paths);

/* Say that a file is read more than once. Errors: SS_E_USAGE (standard input), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_file_list_check_repeats(
    const struct ss_dataset_file_list *paths, const struct ss_log *log, ss_err *err);

/* Append a name, which is taken; NULL: memory ran out. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_file_list_take(struct ss_dataset_file_list *list, char *path,
                                                ss_err *err);

/* The files that were found, and how they are read where a repository's card says so. */
struct ss_dataset_found {
    const struct ss_log *log;                   /* borrowed */
    struct ss_dataset_file_list paths;          /* in reading order */
    bool keeps;                                 /* files of the hub come into its cache */
    char *repository, *commit, *config, *split; /* NULL where there is no repository */
    const char *format;                         /* a constant, or NULL */
    ss_text_unit text_unit;                     /* as given before, or what the card says */
    struct ss_format_row_options rows;          /* that a card gives */
};
void ss_dataset_found_release(struct ss_dataset_found *use);

/* Note what was chosen of a repository (`choice` NULL: files by name; its options of readers
 * move to `use`), and say what a user might not expect. */
SS_MUST_USE ss_status ss_dataset_found_note_choice(const char *name, const char *commit,
                                                   struct ss_repo_choice *choice,
                                                   struct ss_dataset_found *use, ss_err *err);

#endif
