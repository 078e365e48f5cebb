/* Columns that stand in the path of a file, as in year=2007/part-0.parquet (hive partitioning):
 * for columns that are carried along and templates of texts, where the file has none of that
 * name. */
#include <string.h>

#include "base/json_write.h"
#include "base/utf8.h"
#include "dataset/dataset_state_priv.h"

#define NULL_VALUE "__HIVE_DEFAULT_PARTITION__"

/* A column of the file itself counts over one in its path. */
static bool has_column(const ss_dataset *dataset, struct ss_text name)
{
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const char *column = dataset->columns[i].name;
        if (strlen(column) == name.n_bytes && memcmp(column, name.data, name.n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

bool ss_dataset_next_partition(const ss_dataset *dataset, size_t *at, struct ss_text *name,
                               struct ss_text *value)
{
    if (dataset->current >= dataset->use.paths.n) {
        return false;
    }
    const char *path = dataset->use.paths.items[dataset->current];
    for (;;) {
        const char *part = path + *at, *slash = strchr(part, '/');
        if (slash == NULL) {
            return false;
        }
        *at = (size_t)(slash + 1 - path);
        const char *equals = memchr(part, '=', (size_t)(slash - part));
        *name = (struct ss_text){part, equals == NULL ? 0 : (size_t)(equals - part)};
        if (name->n_bytes > 0 && !has_column(dataset, *name)) {
            *value = (struct ss_text){equals + 1, (size_t)(slash - equals) - 1};
            return true;
        }
    }
}

/* The value of `name` in the path of the current file; NULL where it is not there. */
static const char *value_of(const ss_dataset *dataset, const char *wanted, size_t *n)
{
    struct ss_text name, value;
    for (size_t at = 0; ss_dataset_next_partition(dataset, &at, &name, &value);) {
        if (name.n_bytes == strlen(wanted) && memcmp(name.data, wanted, name.n_bytes) == 0) {
            *n = value.n_bytes;
            return value.data;
        }
    }
    return NULL;
}

bool ss_dataset_has_partition(const ss_dataset *dataset, const char *name)
{
    size_t n = 0;
    return value_of(dataset, name, &n) != NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A whole number as JSON writes it. */
static bool is_whole(const char *text, size_t n)
{
    const size_t sign = n > 0 && text[0] == '-';
    return n > sign && n < 18 && strspn(text + sign, "0123456789") >= n - sign &&
           (text[sign] != '0' || n == sign + 1);
}

/* Values are quoted as in URLs; what looks like a whole number is one, as in the reference
 * library. */
static void add_value(struct ss_text value, struct ss__buf *out)
{
    struct ss__buf raw = {0}, valid = {0};
    const char *text = value.data;
    const size_t n = value.n_bytes;
    if (text == NULL || (n == strlen(NULL_VALUE) && strncmp(text, NULL_VALUE, n) == 0)) {
        ss__buf_add_text(out, "null");
        return;
    }
    if (is_whole(text, n)) {
        ss__buf_add(out, text, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const bool is_escape = text[i] == '%' && i + 2 < n && hex_digit(text[i + 1]) >= 0 &&
                               hex_digit(text[i + 2]) >= 0;
        ss__buf_add_byte(
            &raw,
            is_escape ? (char)(16 * hex_digit(text[i + 1]) + hex_digit(text[i + 2])) : text[i]);
        i += is_escape ? 2 : 0;
    }
    (void)ss__utf8_repair(raw.data, raw.n_bytes, &valid);
    ss__json_add_string(out, valid.data, valid.n_bytes, false);
    out->failed = out->failed || raw.failed || valid.failed;
    ss__buf_release(&raw);
    ss__buf_release(&valid);
}

void ss_dataset_add_partition(const ss_dataset *dataset, const char *name, struct ss__buf *out)
{
    struct ss_text value = {0};
    value.data = value_of(dataset, name, &value.n_bytes);
    add_value(value, out);
}

void ss_dataset_add_partitions(const ss_dataset *dataset, struct ss__buf *object)
{
    struct ss_text name, value;
    for (size_t at = 0; ss_dataset_next_partition(dataset, &at, &name, &value);) {
        if (object->n_bytes < 2 || object->data[object->n_bytes - 1] != '}') {
            continue;
        }
        object->n_bytes--;
        ss__buf_add_text(object, object->data[object->n_bytes - 1] == '{' ? "" : ", ");
        ss__json_add_string(object, name.data, name.n_bytes, false);
        ss__buf_add_text(object, ": ");
        add_value(value, object);
        ss__buf_add_byte(object, '}');
    }
}
