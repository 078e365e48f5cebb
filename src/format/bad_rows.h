/* Rows that could not be read and were left out: how many of each kind, and which. */
#ifndef SS_FORMAT_BAD_ROWS_H
#define SS_FORMAT_BAD_ROWS_H

#include "base/arena.h"
#include "base/buf.h"
#include "format/reader.h"

/* A row that could not be read and was left out. Strings are borrowed from the dataset. */
struct ss_format_bad_row {
    const char *file;
    uint64_t row; /* 0-based, over the whole dataset */
    ss_format_fault fault;
    const char *problem; /* the message */
    size_t file_index;   /* in the order of the dataset */
    uint64_t file_row;   /* 0-based, in that file */
};
enum { SS_FORMAT_MAX_BAD_ROWS = 10000 };

/* A zeroed struct is valid to release. */
struct ss_format_bad_rows {
    struct ss__arena arena;
    struct ss_format_bad_row *items; /* [n_listed] the first of them */
    size_t n_listed, capacity;
    uint64_t n, n_of[SS_FORMAT_N_FAULTS];
    bool is_said;
};

/* `problem` is copied, `file` borrowed. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_format_bad_rows_add(struct ss_format_bad_rows *rows,
                                             const struct ss_format_bad_row *row, ss_err *err);

/* Once, and only if there are any: how many of each kind. */
void ss_format_bad_rows_say(struct ss_format_bad_rows *rows, const struct ss_log *log);

void ss_format_bad_rows_release(struct ss_format_bad_rows *rows);

#endif
