/* Which files a dataset has, and of what format they are. */
#ifndef SS_DATASET_FILES_H
#define SS_DATASET_FILES_H

#include "dataset/file_list.h"
#include "format/format.h"
#include "repo/repo.h"

/* ---- files (dataset_paths.c) ---- */

/* What was given, in that order: folders stand for their files with rows (layout.h), patterns
 * for what they match, both in natural order. Errors: SS_E_NOINPUT, SS_E_IO, SS_E_NOMEM, those
 * of layouts. */
SS_MUST_USE ss_status ss_dataset_paths_expand(const char *const *paths, size_t n_paths,
                                              const struct ss_log *log,
                                              struct ss_dataset_file_list *out, ss_err *err);
/* What a pattern matches (paths_pattern.c). Files of bookkeeping match where the pattern's last
 * component begins with their name's first letter, not with a wildcard. Errors: SS_E_NOINPUT
 * (nothing), SS_E_IO, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_paths_add_pattern(struct ss_dataset_file_list *list,
                                                   const char *pattern,
                                                   const struct ss_log *log, ss_err *err);

/* All files of a folder, and how its layout sees them; `files` must outlive that. */
struct ss_dataset_folder_files {
    const char *root;
    char **paths; /* relative, sorted */
    size_t n;
};
struct ss_dataset_layout;
struct ss_dataset_layout ss_dataset_folder_layout(struct ss_dataset_folder_files *files,
                                                  const struct ss_log *log);

/* ---- folders (dataset_folder.c) ---- */

/* All files under a folder as sorted relative paths (release with ss__list_release), and its
 * card. Links to folders are not followed in a repository; in a folder that is none
 * (`is_plain`) they are, and hidden folders are not entered. A link to nowhere counts as a file
 * if it has the name of one that is read, so that opening it tells; others, and pipes, are a
 * warning. Errors: SS_E_NOINPUT, SS_E_IO, SS_E_LIMIT, SS_E_DATA. */
SS_MUST_USE ss_status ss_dataset_list_folder(const char *folder, bool is_plain,
                                             const struct ss_log *log, char ***paths, size_t *n,
                                             ss_err *err);
SS_MUST_USE ss_status ss_dataset_folder_card(const char *folder, struct ss_repo_card *card,
                                             ss_err *err);

/* Whether a file is one that work on the saved dataset beside it left over. */
bool ss_dataset_path_is_left_over(const char *path);

/* ---- repositories and remote files (dataset_repo.c, dataset_hub.c) ---- */

struct ss_net_hub;

/* Files of paths, folders, patterns, repositories and URLs. `hub` may be NULL if no path
 * is remote. Errors: as ss_dataset_open; then too *use must be released. */
SS_MUST_USE ss_status ss_dataset_find_files(const char *const *paths, size_t n_paths,
                                            const struct ss_repo_request *request,
                                            struct ss_net_hub *hub,
                                            struct ss_dataset_found *use, ss_err *err);

/* The same for one name on the hub. */
SS_MUST_USE ss_status ss_dataset_hub_files(struct ss_net_hub *hub, const char *text,
                                           const struct ss_repo_request *request,
                                           struct ss_dataset_found *use, ss_err *err);

/* ---- formats (dataset_formats.c) ---- */

/* The reader for a stream that nothing was taken from: `forced` by name, or (NULL) by marks of
 * binary formats, then by the file's name, then by its first line. NULL if there is not a byte,
 * and so no row. Errors: SS_E_USAGE (an unknown name), SS_E_UNSUPPORTED (a known kind that is
 * not read, or nothing that rows could come from), SS_E_DATA (the pointer of a large-file
 * store; Parquet or Arrow without a byte), those of the stream. */
SS_MUST_USE ss_status ss_dataset_format_find(struct ss_source_stream *stream, const char *path,
                                             const char *forced,
                                             const struct ss_format_reader **reader,
                                             ss_err *err);

/* Whether the first bytes, at least 8 if there are as many, are those of Parquet or Arrow. */
bool ss_dataset_format_is_binary(const struct ss_source_stream *stream);

/* The reader that a file's name asks for, NULL if it says nothing. */
const struct ss_format_reader *ss_dataset_format_by_name(const char *path);

/* The kind (as struct ss_repo_kind names it) that a file's name asks for, or NULL. */
const char *ss_dataset_format_kind(const char *path);

/* Whether a file name ends as those of a dataset do, compression aside, or is that of a part of
 * a job's output. */
bool ss_dataset_format_knows_name(const char *path);

#endif
