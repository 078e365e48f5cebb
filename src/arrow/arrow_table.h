/* Reading Arrow IPC files of a schema that is known, such as those of a run folder: batch by
 * batch, as arrays. Included by arrow.h. */
#ifndef SS_ARROW_TABLE_H
#define SS_ARROW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "arrow/arrow_write.h"

/* What a batch has of a column. Borrowed until the next batch. */
struct ss_arrow_table_values {
    const uint8_t *valid;   /* bitmap of what is not null; NULL: all */
    const int32_t *offsets; /* [n_rows + 1] of strings and lists, else NULL */
    const void *data;       /* [n_rows] values (bits of bool), bytes of strings, elements */
};

static inline bool ss_arrow_table_is_valid(const struct ss_arrow_table_values *values, size_t i)
{
    return values->valid == NULL || (values->valid[i / 8] >> i % 8 & 1) != 0;
}

struct ss_arrow_table;

/* Open a file, whose first n_columns columns have to be these; those of a null type are not
 * read. Its bytes are checked as they are read, and strings are UTF-8. Gives *out
 * (ss_arrow_table_close). Errors: SS_E_NOINPUT, SS_E_DATA, SS_E_UNSUPPORTED, SS_E_IO,
 * SS_E_NOMEM. Threads: caller only, as all below. */
SS_MUST_USE ss_status ss_arrow_table_open(const char *path,
                                          const struct ss_arrow_output_column *columns,
                                          size_t n_columns, struct ss_arrow_table **out,
                                          ss_err *err);
/* The next batch: values [n_columns]; *n_rows is 0 at the end. */
SS_MUST_USE ss_status ss_arrow_table_next(struct ss_arrow_table *table,
                                          struct ss_arrow_table_values *values, size_t *n_rows,
                                          ss_err *err);
/* Rows of the file, as its blocks say; no more than it has bytes for. */
uint64_t ss_arrow_table_n_rows(const struct ss_arrow_table *table);
void ss_arrow_table_close(struct ss_arrow_table *table);

#endif
