/* Files of rows of features, one per embedding: the format follows the file's name. */
#ifndef SS_FOLDER_SPARSE_FILE_H
#define SS_FOLDER_SPARSE_FILE_H

#include <stdint.h>

#include "base/error.h"
#include "base/output.h"

struct ss_folder_sparse_row {
    uint64_t id;              /* in the dataset */
    const uint32_t *features; /* [n] ascending */
    const float *values;      /* [n] */
    size_t n;
    bool is_null;              /* there is no text */
    struct ss_text text, kept; /* kept: a JSON object of the columns, or "" */
};

struct ss_folder_sparse_options { /* borrowed until the file is closed */
    const char *path;
    struct ss__out *out; /* of that path, open; whoever opened it aborts it at the end */
    size_t n_features;
    bool has_text;           /* texts are written */
    bool has_gaps;           /* rows may be left out, so that their ids are needed */
    const char *const *kept; /* [n_kept] names of columns that are carried along */
    size_t n_kept;
};

struct ss_folder_sparse_format {
    const char *extension;
    bool holds_columns; /* texts and columns that are carried along */
    /* Errors: SS_E_NOMEM, SS_E_IO (scratch that waits in files). */
    ss_status (*open)(const struct ss_folder_sparse_options *options, void **state,
                      ss_err *err);
    ss_status (*add)(void *state, const struct ss_folder_sparse_row *row, ss_err *err);
    ss_status (*commit)(void *state, ss_err *err); /* on error nothing is left of the file */
    void (*close)(void *state);                    /* NULL is fine */
};

/* sparse_npz.c: what scipy.sparse.load_npz reads; sparse_arrow.c; sparse_jsonl.c */
extern const struct ss_folder_sparse_format ss_run_sparse_npz, ss_run_sparse_arrow,
    ss_run_sparse_feather, ss_folder_sparse_jsonl;

#endif
