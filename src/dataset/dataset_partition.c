/* Columns that stand in the path of a file, as in year=2007/part-0.parquet (hive partitioning):
 * for columns that are carried along and templates of texts, where the file has none of that
 * name. */
#include <string.h>

#include "base/json_write.h"
#include "base/utf8.h"
#include "dataset/dataset_state_priv.h"

#define NULL_VALUE "__HIVE_DEFAULT_PARTITION__"

/* The value of `name` in the folders of a path, and its bytes; NULL where it is in none. */
static const char *find_value(const char *path, const char *name, size_t *n)
{
    const size_t n_name = strlen(name);
    const char *slash = strchr(path, '/');
    for (const char *part = path; slash != NULL; part = slash + 1, slash = strchr(part, '/')) {
        const size_t n_part = (size_t)(slash - part);
        if (n_part > n_name && strncmp(part, name, n_name) == 0 && part[n_name] == '=') {
            *n = n_part - n_name - 1;
            return part + n_name + 1;
        }
    }
    return NULL;
}

static const char *value_of(const ss_dataset *dataset, const char *name, size_t *n)
{
    return find_value(dataset->use.paths.items[dataset->current], name, n);
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

void ss_dataset_add_partition(const ss_dataset *dataset, const char *name, struct ss__buf *out)
{
    struct ss__buf raw = {0}, valid = {0};
    size_t n = 0;
    const char *value = value_of(dataset, name, &n);
    if (value == NULL || (n == strlen(NULL_VALUE) && strncmp(value, NULL_VALUE, n) == 0)) {
        ss__buf_add_text(out, "null");
        return;
    }
    if (is_whole(value, n)) {
        ss__buf_add(out, value, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const bool is_escape = value[i] == '%' && i + 2 < n && hex_digit(value[i + 1]) >= 0 &&
                               hex_digit(value[i + 2]) >= 0;
        ss__buf_add_byte(
            &raw, is_escape ? (char)(16 * hex_digit(value[i + 1]) + hex_digit(value[i + 2]))
                            : value[i]);
        i += is_escape ? 2 : 0;
    }
    (void)ss__utf8_repair(raw.data, raw.n_bytes, &valid);
    ss__json_add_string(out, valid.data, valid.n_bytes, false);
    out->failed = out->failed || raw.failed || valid.failed;
    ss__buf_release(&raw);
    ss__buf_release(&valid);
}
