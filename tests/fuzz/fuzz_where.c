/* Expressions over columns, and rows that they are asked of: the expression up to a NUL, then a
 * value for every column, a line each. */
#include <string.h>

#include "base/mem.h"
#include "dataset/where.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_COLUMNS = 8 };

static void match(struct ss_dataset_where *where, const char *lines, size_t n)
{
    struct ss_dataset_where_value values[MAX_COLUMNS];
    size_t n_columns = 0;
    bool is_wanted = false;
    ss_err err;
    (void)ss_dataset_where_columns(where, &n_columns);
    for (size_t i = 0; i < n_columns && i < MAX_COLUMNS; i++) {
        const char *end = memchr(lines, '\n', n);
        const size_t length = end == NULL ? n : (size_t)(end - lines);
        values[i] = (struct ss_dataset_where_value){{lines, length}, n % 2 == 0};
        n -= end == NULL ? n : length + 1;
        lines = end == NULL ? lines + length : end + 1;
    }
    if (n_columns <= MAX_COLUMNS) {
        (void)!ss_dataset_where_match(where, values, 0, &is_wanted, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss_dataset_where *where = NULL;
    ss_err err;
    const uint8_t *end = n == 0 ? NULL : memchr(data, 0, n);
    const size_t n_text = end == NULL ? n : (size_t)(end - data);
    char *text = ss__strndup((const char *)data, n_text);
    if (text != NULL && ss_dataset_where_parse(text, &where, &err) == SS_OK) {
        const char *rest = end == NULL ? "" : (const char *)end + 1;
        match(where, rest, end == NULL ? 0 : n - n_text - 1);
    }
    ss_dataset_where_free(where);
    ss__free(text);
    return 0;
}
