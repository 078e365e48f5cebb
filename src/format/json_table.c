/* A JSON document of columns, {"a": [1, 2], "b": [3, 4]}, as rows. One pass counts the values
 * of each column and hashes their keys, which tells whether they are alike without comparing
 * them; then every column has a cursor of its own, and a row is one value of each. */
#include "format/json_table.h"

#include <string.h>

#include "base/mem.h"
#include "format/json_scan.h"

static struct ss_format_scan scan_at(const char *text, size_t n, size_t at)
{
    return (struct ss_format_scan){text + at, text + n, NULL, false, false};
}

/* Step over one value of a column, and the key before it; false at its end. */
static bool step(struct ss_format_scan *scan, bool has_keys, bool first,
                 struct ss_format_scan_string *key, const char **value)
{
    bool has_key = true;
    *key = (struct ss_format_scan_string){.data = ""};
    if (has_keys && (!ss_format_scan_key(scan, first, key, &has_key) || !has_key)) {
        return false;
    }
    if (!has_keys) {
        if (ss_format_scan_char(scan, ']')) {
            return false;
        }
        (void)(first || ss_format_scan_char(scan, ','));
    }
    (void)ss_format_scan_peek(scan); /* spaces */
    *value = scan->at;
    return ss_format_scan_value(scan);
}

/* How many values there are, and a hash (FNV-1a) of their keys. */
static uint64_t count_values(struct ss_format_scan *scan, bool has_keys, uint64_t *hash)
{
    uint64_t n = 0;
    const char *value = NULL;
    struct ss_format_scan_string key;
    *hash = UINT64_C(0xCBF29CE484222325);
    for (; step(scan, has_keys, n == 0, &key, &value); n++) {
        for (size_t i = 0; i <= key.n_bytes; i++) {
            *hash ^= i == key.n_bytes ? 0x100U : (unsigned char)key.data[i];
            *hash *= UINT64_C(0x100000001B3);
        }
    }
    return n;
}

static ss_status add_column(struct ss_format_json_table *table, const char *text,
                            struct ss_format_scan_string key, size_t first, ss_err *err)
{
    SS_GROW_OR_RETURN(table->columns, table->capacity, table->n_columns + 1);
    table->columns[table->n_columns++] = (struct ss_format_json_table_column){
        .key = (size_t)(key.data - 1 - text),
        .n_key = key.n_bytes + 2,
        .first = first,
        .at = first,
    };
    return SS_OK;
}

ss_status ss_format_json_table_open(const char *text, size_t n,
                                    struct ss_format_json_table *table, const char **problem,
                                    ss_err *err)
{
    struct ss_format_scan scan = scan_at(text, n, 0);
    struct ss_format_scan_string key;
    bool has_key = true;
    *table = (struct ss_format_json_table){.start = 0};
    *problem = NULL;
    ss_format_scan_char(&scan, '{');
    for (bool first = true; ss_format_scan_key(&scan, first, &key, &has_key) && has_key;
         first = false) {
        const ss_format_json_kind kind = ss_format_scan_peek(&scan);
        const bool has_keys = kind == SS_FORMAT_JSON_OBJECT;
        if ((kind != SS_FORMAT_JSON_ARRAY && !has_keys) ||
            (!first && has_keys != table->has_keys) ||
            table->n_columns == SS_FORMAT_JSON_MAX_TABLE_COLUMNS) {
            *problem = "its keys do not all hold lists of one length";
            break;
        }
        table->has_keys = has_keys;
        scan.at++;
        SS_RETURN_IF_ERROR(add_column(table, text, key, (size_t)(scan.at - text), err));
        uint64_t hash = 0;
        const uint64_t n_rows = count_values(&scan, has_keys, &hash);
        if (!first && (n_rows != table->n_rows || hash != table->keys_hash)) {
            *problem = has_keys ? "its columns do not have the same keys in one order"
                                : "its columns are not of one length";
            break;
        }
        table->n_rows = n_rows;
        table->keys_hash = hash;
    }
    if (*problem == NULL && table->n_columns == 0) {
        *problem = "it holds nothing";
    }
    return SS_OK;
}

bool ss_format_json_table_next(struct ss_format_json_table *table, const char *text, size_t n,
                               struct ss__buf *row)
{
    row->n_bytes = 0;
    if (table->row == table->n_rows) {
        return false;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        struct ss_format_json_table_column *column = &table->columns[i];
        struct ss_format_scan scan = scan_at(text, n, column->at);
        struct ss_format_scan_string key;
        const char *value = NULL;
        if (!step(&scan, table->has_keys, table->row == 0, &key, &value)) {
            return false;
        }
        ss__buf_add_byte(row, i == 0 ? '{' : ',');
        ss__buf_add(row, text + column->key, column->n_key);
        ss__buf_add_byte(row, ':');
        ss__buf_add(row, value, (size_t)(scan.at - value));
        column->at = (size_t)(scan.at - text);
    }
    ss__buf_add_byte(row, '}');
    table->row++;
    return true;
}

void ss_format_json_table_rewind(struct ss_format_json_table *table)
{
    table->row = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        table->columns[i].at = table->columns[i].first;
    }
}

void ss_format_json_table_release(struct ss_format_json_table *table)
{
    ss__free(table->columns);
    *table = (struct ss_format_json_table){.start = 0};
}
