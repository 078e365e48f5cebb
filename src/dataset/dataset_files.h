/* Which files a dataset has, and of what format they are. */
#ifndef SS_DATASET_FILES_H
#define SS_DATASET_FILES_H

#include "dataset/dataset_priv.h"

/* ---- files (dataset_paths.c) ---- */

struct ss__paths {
    char **items; /* sorted by bytes, each once */
    size_t n, room;
};

/* Replace folders by the known files in them (all levels; hidden names left out) and patterns
 * by what they match. Errors: SS_E_NOINPUT, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__paths_expand(const char *const *paths, size_t n_paths,
                                       struct ss__paths *out, ss_err *err);
void ss__paths_release(struct ss__paths *paths);

/* ---- repositories (dataset_repo.c) ---- */

/* How the files of a repository are read, where its card says so. */
struct ss__repo_reading {
    const char *format; /* a constant, or NULL */
    ss_text_unit text_unit;
    char delimiter; /* 0: that of the format */
};

/* The files that make a split of a folder laid out like a dataset repository, in reading order.
 * `reading` holds what was given before and keeps it where the card says nothing.
 * Errors: as ss__repo_choose, SS_E_IO. */
SS_MUST_USE ss_status ss__repo_files(const char *folder,
                                     const struct ss_dataset_options *options,
                                     struct ss__paths *out, struct ss__repo_reading *reading,
                                     ss_err *err);

/* ---- formats (dataset_formats.c) ---- */

extern const struct ss__reader ss__reader_jsonl, ss__reader_json, ss__reader_csv,
    ss__reader_tsv, ss__reader_parquet, ss__reader_arrow, ss__reader_txt;

/* Take the byte order mark of UTF-8, if the stream begins with it. */
SS_MUST_USE ss_status ss__skip_mark(struct ss__stream *stream, ss_err *err);

/* The reader for a stream that nothing was taken from: `forced` by name, or (NULL) by the first
 * bytes, then by the file's name. Errors: SS_E_USAGE (an unknown name), SS_E_UNSUPPORTED (a
 * known kind that is not read, or nothing that rows could come from), those of the stream. */
SS_MUST_USE ss_status ss__format_find(struct ss__stream *stream, const char *path,
                                      const char *forced, const struct ss__reader **reader,
                                      ss_err *err);

/* The reader that a file's name asks for, NULL if it says nothing. */
const struct ss__reader *ss__format_by_name(const char *path);

/* Whether a file name ends as those of a dataset do, compression aside. */
bool ss__format_knows_name(const char *path);

#endif
