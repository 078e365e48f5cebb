/* Writing Arrow IPC files: flat columns and lists of numbers, uncompressed, row by row. Readers
 * of Arrow open them as they are (pyarrow, pandas, polars, duckdb), also as Feather version 2.
 *
 * Rows are gathered into record batches of a fixed number of rows or bytes, whichever is full
 * first, so that the bytes of a file depend on its rows alone. Memory is one record batch. */
#ifndef SS_ARROW_WRITE_H
#define SS_ARROW_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/output.h"

/* What a column, or a list in it, holds, and what values are given as. */
typedef enum ss_arrow_value {
    SS_ARROW_VALUE_NULL, /* nothing: every value is null */
    SS_ARROW_VALUE_BOOL, /* bool */
    SS_ARROW_VALUE_I64,  /* int64_t */
    SS_ARROW_VALUE_U8,   /* uint8_t */
    SS_ARROW_VALUE_U32,  /* uint32_t */
    SS_ARROW_VALUE_U64,  /* uint64_t */
    SS_ARROW_VALUE_F32,  /* float */
    SS_ARROW_VALUE_F64,  /* double */
    SS_ARROW_VALUE_UTF8, /* bytes of valid UTF-8; not in lists */
    SS_ARROW_N_ARROW_VALUES
} ss_arrow_value;

struct ss_arrow_output_column {
    const char *name; /* valid UTF-8 */
    ss_arrow_value value;
    bool is_list; /* of numbers */
    bool is_nullable;
};

/* A key and its value in the file's metadata. */
struct ss_arrow_note {
    const char *key, *value;
};

struct ss_arrow_output_options {
    const struct ss_arrow_output_column *columns; /* [n_columns], copied */
    size_t n_columns;
    const struct ss_arrow_note *notes; /* [n_notes], borrowed until the file is open */
    size_t n_notes;
};

struct ss_arrow_output;

/* Begin a file in an open `out`, which is borrowed until the end. Gives *output
 * (ss_arrow_output_free). Errors: SS_E_IO, SS_E_NOMEM. Threads: caller only, as all below. */
SS_MUST_USE ss_status ss_arrow_output_new(struct ss__out *out,
                                          const struct ss_arrow_output_options *options,
                                          struct ss_arrow_output **output, ss_err *err);

/* The value of a column in the row that is made: one value (n = 1; of UTF-8: n bytes), or the n
 * elements of a list. Each column once per row, in any order. Errors: SS_E_LIMIT (a value of 1
 * GiB or more), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_output_add(struct ss_arrow_output *output, size_t column,
                                          const void *values, size_t n, ss_err *err);
SS_MUST_USE ss_status ss_arrow_output_add_null(struct ss_arrow_output *output, size_t column,
                                               ss_err *err);
/* Every column has had its value. Writes a record batch when one is full. Errors: SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_output_end_row(struct ss_arrow_output *output, ss_err *err);

/* Write what is left and the footer; `out` is then to be committed. Errors: SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_arrow_output_finish(struct ss_arrow_output *output, ss_err *err);
void ss_arrow_output_free(struct ss_arrow_output *output); /* nullable */

#endif
