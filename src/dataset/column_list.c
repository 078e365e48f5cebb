/* What a message says of a dataset's columns. A wrong name is the most frequent mistake with a
 * dataset, so the message has all that is needed to mend it: the columns, their types, a value
 * of each, and the name that was probably meant. */
#include "dataset/column_list.h"

#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "format/format.h"
#include "saescope_tools.h"

enum { EXAMPLE_ROWS = 20, EXAMPLE_BYTES = 30, MAX_EXAMPLES_BYTES = 260 };

/* ---- names ---- */

/* The column that a name most likely means, or NULL: by edit distance, at most a third of the
 * name. A leaf of a struct by its own name, and the beginning of a longer name, are nearer. */
static const char *nearest(const ss_dataset *dataset, const char *name)
{
    const char *best = NULL;
    size_t best_distance = 1 + ss__min_size(3, (strlen(name) + 1) / 3);
    for (size_t i = 0; i < dataset->n_columns && name[0] != '\0'; i++) {
        const char *other = dataset->columns[i].name;
        const char *dot = strrchr(other, '.');
        const bool is_leaf = dot != NULL && strcmp(dot + 1, name) == 0;
        const bool is_begin = strlen(name) > 2 && strncmp(other, name, strlen(name)) == 0;
        const size_t distance = is_leaf || ss__equal_ignoring_case(name, other) ? 0
                                : is_begin                                      ? 1
                                           : ss_edit_distance(name, other);
        if (distance < best_distance && distance < strlen(other)) {
            best = other;
            best_distance = distance;
        }
    }
    return best;
}

void ss_dataset_list_columns(const ss_dataset *dataset, struct ss__buf *out)
{
    for (size_t i = 0; i < dataset->n_columns && ss__buf_begin_item(out, i, dataset->n_columns);
         i++) {
        ss__buf_printf(out, "'%.60s' (%s)", dataset->columns[i].name, dataset->columns[i].type);
    }
}

/* ---- examples ---- */

/* The value of a dotted name in an object that is valid JSON; false if it is not there, or is
 * null. */
static bool find_value(struct ss_format_scan scan, const char *name, struct ss_text *out)
{
    struct ss_format_scan_string key;
    bool has_key = ss_format_scan_char(&scan, '{'), found = false;
    for (bool first = true; has_key && !found; first = false) {
        if (!ss_format_scan_key(&scan, first, &key, &has_key) || !has_key) {
            break;
        }
        const bool begins =
            strlen(name) >= key.n_bytes && memcmp(name, key.data, key.n_bytes) == 0;
        const char *rest = begins ? name + key.n_bytes : "";
        const ss_format_json_kind kind = ss_format_scan_peek(&scan);
        const char *start = scan.at;
        if (begins && *rest == '.' && kind == SS_FORMAT_JSON_OBJECT) {
            found = find_value(scan, rest + 1, out);
        }
        if (!ss_format_scan_value(&scan)) {
            break;
        }
        if (begins && *rest == '\0' && kind != SS_FORMAT_JSON_NULL) {
            *out = (struct ss_text){start, (size_t)(scan.at - start)};
            found = true;
        }
    }
    return found;
}

/* Values cut to what fits a message, at the edge of a character. */
static void add_example(struct ss__buf *out, const char *name, struct ss_text value)
{
    size_t n = ss__min_size(value.n_bytes, EXAMPLE_BYTES);
    while (n < value.n_bytes && n > 0 && ((unsigned char)value.data[n] & 0xC0) == 0x80) {
        n--;
    }
    ss__buf_printf(out, "%s'%.40s' is %.*s%s", out->n_bytes == 0 ? "" : ", ", name, (int)n,
                   value.data, n < value.n_bytes ? "…" : "");
}

/* The first value of each column in the first rows. Errors do not matter: without examples the
 * message is as true. Of a remote file nothing is fetched for them. */
static void list_examples(ss_dataset *dataset, struct ss__buf *out)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    struct ss__buf json = {0};
    bool *is_shown = dataset->n_columns == 0 || ss_source_view_plans(&dataset->view)
                         ? NULL
                         : ss__alloc(dataset->n_columns, sizeof *is_shown);
    bool has_row = is_shown != NULL &&
                   reader->select(dataset->state, SS_FORMAT_ALL_COLUMNS, NULL) == SS_OK;
    for (size_t row = 0; row < EXAMPLE_ROWS && has_row; row++) {
        struct ss_format_record record = {0};
        struct ss_text value;
        json.n_bytes = 0;
        if (reader->next(dataset->state, &record, &has_row, NULL) != SS_OK || !has_row ||
            reader->add_json(dataset->state, &json, NULL) != SS_OK || json.failed) {
            break;
        }
        const struct ss_format_scan scan = {json.data, json.data + json.n_bytes, NULL, false,
                                            false};
        for (size_t i = 0; i < dataset->n_columns && out->n_bytes < MAX_EXAMPLES_BYTES; i++) {
            if (!is_shown[i] && find_value(scan, dataset->columns[i].name, &value)) {
                is_shown[i] = true;
                add_example(out, dataset->columns[i].name, value);
            }
        }
    }
    ss__free(is_shown);
    ss__buf_release(&json);
}

/* ---- the message ---- */

/* A list of objects in the only row is perhaps what the rows are. */
/* Whether the only row is a table as pandas writes it unasked: an object of columns, or of
 * rows, whose keys are the row numbers. */
static bool is_table_by_number(const ss_dataset *dataset)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    const char *dot = dataset->n_columns == 0 ? NULL : strchr(dataset->columns[0].name, '.');
    const bool is_json = reader == &ss_format_reader_json || reader == &ss_format_reader_jsonl;
    return is_json && dot != NULL &&
           (strcmp(dot, ".0") == 0 || strncmp(dataset->columns[0].name, "0.", 2) == 0);
}

static void add_field_hint(const ss_dataset *dataset, struct ss__buf *out)
{
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (dataset->columns[i].holds_rows) {
            ss__buf_printf(out,
                           "; '%.60s' holds a list of objects: if those are the rows, read "
                           "them with `field` %.60s",
                           dataset->columns[i].name, dataset->columns[i].name);
            return;
        }
    }
}

ss_status ss_dataset_fail_column(ss_dataset *dataset, const char *message, const char *name,
                                 ss_err *err)
{
    struct ss__buf list = {0}, examples = {0}, ends = {0};
    const char *meant = nearest(dataset, name);
    ss_dataset_list_columns(dataset, &list);
    if (meant != NULL) {
        ss__buf_printf(&ends, "; did you mean '%.60s'?", meant);
    }
    add_field_hint(dataset, &ends);
    if (is_table_by_number(dataset)) {
        ss__buf_add_text(&ends, "; this looks like a table as pandas writes it, by column and "
                                "row number: write it with to_json(orient='records', "
                                "lines=True)");
    }
    list_examples(dataset, &examples);
    const char *columns = ss__buf_text(&list), *values = ss__buf_text(&examples);
    const char *hints = ss__buf_text(&ends);
    const ss_status status = ss__fail_file(
        err, dataset->source.name, SS_E_DATA, "%s%.200s%s; the columns are %s%s%s%s", message,
        name, name[0] == '\0' ? "" : "'", columns == NULL ? "" : columns,
        examples.n_bytes == 0 ? "" : "; for example ", values == NULL ? "" : values,
        hints == NULL ? "" : hints);
    ss__err_about(err, name);
    ss__buf_release(&list);
    ss__buf_release(&examples);
    ss__buf_release(&ends);
    return status;
}
