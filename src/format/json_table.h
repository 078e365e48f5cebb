/* An object of columns, {"text": ["a", "b"], "id": [1, 2]}, as rows: what pandas reads of it.
 *
 * Columns are all arrays of one length, or all objects with the same keys in one order. The
 * text is valid JSON and stays where it is, at a place in a stream's window. */
#ifndef SS_FORMAT_JSON_TABLE_H
#define SS_FORMAT_JSON_TABLE_H

#include "base/buf.h"
#include "base/error.h"

enum { SS_FORMAT_JSON_MAX_TABLE_COLUMNS = 1024 };

struct ss_format_json_table_column {
    size_t key, n_key; /* with its quotes */
    size_t first, at;  /* of its first value and of the next one */
};

/* A zeroed struct is no table. */
struct ss_format_json_table {
    size_t start; /* in the window */
    struct ss_format_json_table_column *columns;
    size_t n_columns, capacity;
    bool has_keys; /* columns are objects */
    uint64_t n_rows, row;
    uint64_t keys_hash; /* of a column's keys */
};

/* Look at the object text[0, n). *problem is NULL if it is such a table, else what is wrong;
 * the table can be released in any case. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_format_json_table_open(const char *text, size_t n,
                                                struct ss_format_json_table *table,
                                                const char **problem, ss_err *err);

/* The next row as an object in `row`; false at the end. `text` is where the object is now. */
bool ss_format_json_table_next(struct ss_format_json_table *table, const char *text, size_t n,
                               struct ss__buf *row);

/* Begin again. */
void ss_format_json_table_rewind(struct ss_format_json_table *table);
void ss_format_json_table_release(struct ss_format_json_table *table);

#endif
