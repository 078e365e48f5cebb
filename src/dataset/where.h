/* Which rows are wanted: comparisons of columns with values, joined by and, or and not.
 *
 *     or:         and { "or" and }
 *     and:        not { "and" not }
 *     not:        "not" not | "(" or ")" | comparison
 *     comparison: column ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
 *               | column ["not"] "in" "(" value { "," value } ")"
 *               | column "is" ["not"] "null"
 *     column:     a bare name (letters, digits, "_", "." and all beyond ASCII), or a name in
 *                 double or backward quotes
 *     value:      a number, true, false, or a text in single or double quotes
 *
 * A quote inside quotes is written twice. Words of the grammar are not sensitive to case.
 *
 * Values are compared as the JSON that a row shows: numbers by what they stand for in decimal,
 * of any size, texts by their bytes. As in SQL, a comparison with null is neither true nor
 * false, and a row is wanted where the whole is true. Values of different types are not
 * compared either, which is counted and said; where a format holds nothing but text (csv), and
 * in decimal columns, the value in the expression says the type.
 *
 * Source of the rules: SQL's three-valued logic (tests/cli/test_where.py compares with
 * SQLite). Threads: one at a time. */
#ifndef SS_DATASET_WHERE_H
#define SS_DATASET_WHERE_H

#include "base/error.h"

struct ss_dataset_where;

/* The value of a column in a row. */
struct ss_dataset_where_value {
    struct ss_text json;
    bool is_untyped; /* it is a string that may stand for a number or a boolean */
};

/* Read an expression; gives *out (ss_dataset_where_free). Errors: SS_E_USAGE with the place and
 * what was expected there, SS_E_NOMEM. Threads: any. */
SS_MUST_USE ss_status ss_dataset_where_parse(const char *text, struct ss_dataset_where **out,
                                             ss_err *err);
void ss_dataset_where_free(struct ss_dataset_where *where);

/* The names of its columns, each once; borrowed. */
const char *const *ss_dataset_where_columns(const struct ss_dataset_where *where, size_t *n);

/* Whether a row is wanted: values are one per column, `row` is its number. Errors: SS_E_NOMEM.
 */
SS_MUST_USE ss_status ss_dataset_where_match(struct ss_dataset_where *where,
                                             const struct ss_dataset_where_value *values,
                                             uint64_t row, bool *is_wanted, ss_err *err);

/* Values that could not be compared: how many, and the first of them; of its place the row is set
 * alone. */
struct ss_dataset_mismatch {
    uint64_t n;
    size_t file;       /* of the dataset */
    uint64_t file_row; /* in the file */
    uint64_t row;      /* as it was given to ss_dataset_where_match */
    const char *what;  /* "column 'x' holds a text, not a number"; borrowed */
};
struct ss_dataset_mismatch ss_dataset_where_mismatch(const struct ss_dataset_where *where);

#endif
