/* The columns of JSON rows: the keys of the first rows, those of objects within them by dotted
 * names, as columnar formats have them. The rows are looked at and then read again, so the
 * stream keeps them. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/json_reader_priv.h"

enum { LOOK_ROWS = 100, LOOK_BYTES = 1 << 20, MAX_COLUMNS = 1024, MAX_NAME_DEPTH = 16 };

/* ---- what a row shows ---- */

/* *out is NULL for a name that can be no column: beyond `most` columns, or with a NUL in it. */
static ss_status find_or_add(struct ss_format_json_reader *reader, struct ss_text name,
                             size_t most, struct ss_format_json_column **out, ss_err *err)
{
    size_t i = 0;
    *out = NULL;
    while (i < reader->n_found && (strlen(reader->found[i].name) != name.n_bytes ||
                                   memcmp(reader->found[i].name, name.data, name.n_bytes))) {
        i++;
    }
    if (i >= most || memchr(name.data, 0, name.n_bytes) != NULL) {
        return SS_OK;
    }
    if (i == reader->n_found) {
        SS_GROW_OR_RETURN(reader->found, reader->n_found_capacity, i + 1);
        reader->found[i] = (struct ss_format_json_column){
            .name = ss__strndup(name.data, name.n_bytes), .has_texts_only = true};
        if (reader->found[i].name == NULL) {
            return ss__fail_nomem(err, "a column name");
        }
        reader->n_found++;
    }
    *out = &reader->found[i];
    return SS_OK;
}

/* Look at the elements of a list, which the cursor stays before. */
static void note_elements(struct ss_format_json_column *column, struct ss_format_scan scan)
{
    ss_format_scan_char(&scan, '[');
    for (bool first = true; !ss_format_scan_char(&scan, ']'); first = false) {
        if (!first && !ss_format_scan_char(&scan, ',')) {
            return;
        }
        const ss_format_json_kind kind = ss_format_scan_peek(&scan);
        column->has_objects |= first && kind == SS_FORMAT_JSON_OBJECT;
        column->has_texts_only &= kind == SS_FORMAT_JSON_STRING || kind == SS_FORMAT_JSON_NULL;
        if (!column->has_texts_only || !ss_format_scan_value(&scan)) {
            return;
        }
    }
}

/* Nulls say nothing on a column's type. */
static ss_status note_value(struct ss_format_json_reader *reader, struct ss_text name,
                            struct ss_format_scan scan, ss_err *err)
{
    struct ss_format_json_column *column = NULL;
    const ss_format_json_kind kind = ss_format_scan_peek(&scan);
    const ss_status status = find_or_add(reader, name, MAX_COLUMNS, &column, err);
    if (status != SS_OK || column == NULL) {
        return status;
    }
    if (kind != SS_FORMAT_JSON_NULL) {
        column->is_mixed |= column->kind != SS_FORMAT_JSON_NONE && column->kind != kind;
        column->kind = kind;
        column->has_strings |= kind == SS_FORMAT_JSON_STRING;
    }
    if (kind == SS_FORMAT_JSON_ARRAY) {
        note_elements(column, scan);
    }
    return SS_OK;
}

static struct ss_text path_text(const struct ss_format_json_reader *reader)
{
    const bool is_empty = reader->path.n_bytes == 0; /* the key "", and no memory yet */
    return (struct ss_text){is_empty ? "" : reader->path.data, reader->path.n_bytes};
}

/* Note the keys of the object at the cursor, whose own name is in `path`; the cursor moves
 * behind it. *good tells whether it was well-formed, *n how many keys there were. */
static ss_status note_object(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                             size_t depth, bool *good, size_t *n, ss_err *err)
{
    struct ss_format_scan_string key;
    bool has_key = true;
    const size_t n_path = reader->path.n_bytes;
    *n = 0;
    ss_format_scan_char(scan, '{');
    for (;; ++*n) {
        *good = ss_format_scan_key(scan, *n == 0, &key, &has_key);
        if (!*good || !has_key) {
            break;
        }
        const struct ss_text name = ss_format_json_key_text(reader, key);
        size_t n_keys = 0;
        reader->path.n_bytes = n_path;
        ss__buf_add(&reader->path, ".", depth > 0);
        ss__buf_add(&reader->path, name.data, name.n_bytes);
        SS_RETURN_IF_ERROR(ss__buf_check(&reader->path, err));
        const struct ss_format_scan start = *scan;
        if (ss_format_scan_peek(scan) == SS_FORMAT_JSON_OBJECT && depth < MAX_NAME_DEPTH) {
            SS_RETURN_IF_ERROR(note_object(reader, scan, depth + 1, good, &n_keys, err));
        } else {
            *good = ss_format_scan_value(scan);
        }
        if (!*good) {
            break;
        }
        if (n_keys == 0) { /* no object, or an empty one */
            SS_RETURN_IF_ERROR(note_value(reader, path_text(reader), start, err));
        }
        reader->path.n_bytes = n_path;
    }
    return SS_OK;
}

static ss_status note_row(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                          struct ss_format_record *record, ss_err *err)
{
    ss_status status = SS_OK;
    size_t n = 0;
    bool good = true;
    const ss_format_json_kind kind = ss_format_scan_peek(scan);
    const char *problem = "expected a JSON value";
    reader->path.n_bytes = 0;
    if (kind == SS_FORMAT_JSON_OBJECT) {
        SS_TRY(note_object(reader, scan, 0, &good, &n, err));
    } else if (kind != SS_FORMAT_JSON_NONE) {
        SS_TRY(note_value(reader, (struct ss_text){"text", 4}, *scan, err));
        good = ss_format_scan_value(scan);
    }
    if (!good || kind == SS_FORMAT_JSON_NONE) {
        const uint64_t offset = reader->row_offset + (uint64_t)(scan->at - reader->row);
        record->fault = SS_FORMAT_FAULT_SYNTAX;
        status = ss_format_json_items_fail(&reader->items, reader->stream, offset,
                                           good ? problem : scan->problem, err);
    }
out:
    return status;
}

/* ---- the first rows ---- */

/* Look at the first rows without taking them. A fault after the first good row is left to next,
 * and so is any where bad rows are left out. */
static ss_status look_ahead(struct ss_format_json_reader *reader, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_format_json_items start = reader->items;
    const bool is_lines = start.layout == SS_FORMAT_JSON_LINES;
    struct ss_format_record record = {.fault = SS_FORMAT_FAULT_NONE};
    bool has_row = true;
    size_t n_good = 0;
    for (size_t n = 0; n < LOOK_ROWS && has_row && reader->items.at < LOOK_BYTES; n++) {
        status = ss_format_json_next_row(reader, note_row, &record, &has_row, err);
        n_good += status == SS_OK && has_row;
        const bool is_skipped = reader->skips_bad_rows && is_lines && status == SS_E_DATA &&
                                record.fault != SS_FORMAT_FAULT_NONE;
        if (status != SS_OK && !is_skipped) {
            break;
        }
        status = SS_OK;
        reader->has_all = !has_row;
    }
    reader->is_single = reader->has_all && n_good == 1;
    if (n_good > 0 && status != SS_E_NOMEM) {
        status = SS_OK;
    }
    ss_format_json_items_release(&reader->items);
    reader->items = start;
    return status;
}

/* Whether a column is only nulls where later rows have an object with keys. */
static bool is_null_object(const struct ss_format_json_reader *reader,
                           const struct ss_format_json_column *column)
{
    const size_t n = strlen(column->name);
    for (size_t i = 0; i < reader->n_found && column->kind == SS_FORMAT_JSON_NONE; i++) {
        const char *name = reader->found[i].name;
        if (strncmp(name, column->name, n) == 0 && name[n] == '.') {
            return true;
        }
    }
    return false;
}

/* Leave such columns out; names are compared before any of them is freed. */
static void drop_null_objects(struct ss_format_json_reader *reader)
{
    size_t n = 0;
    for (size_t i = 0; i < reader->n_found; i++) {
        reader->found[i].is_dropped = is_null_object(reader, &reader->found[i]);
    }
    for (size_t i = 0; i < reader->n_found; i++) {
        if (reader->found[i].is_dropped) {
            ss__free(reader->found[i].name);
        } else {
            reader->found[n++] = reader->found[i];
        }
    }
    reader->n_found = n;
}

/* A column as people see it; of mixed types no text is taken without being asked for. */
static struct ss_format_column show(const struct ss_format_json_column *found)
{
    const bool is_list = found->kind == SS_FORMAT_JSON_ARRAY;
    const char *type = found->is_mixed                      ? "mixed"
                       : found->kind == SS_FORMAT_JSON_NONE ? "null"
                       : is_list && found->has_objects      ? "list of objects"
                       : is_list && found->has_texts_only
                           ? "list of strings"
                           : ss_format_json_kind_name(found->kind);
    return (struct ss_format_column){
        .name = found->name,
        .type = type,
        .is_text = found->kind == SS_FORMAT_JSON_STRING && !found->is_mixed,
        .numbers = found->is_mixed                        ? SS_FORMAT_NUMBERS_NONE
                   : is_list                              ? SS_FORMAT_NUMBERS_LIST
                   : found->kind == SS_FORMAT_JSON_NUMBER ? SS_FORMAT_NUMBERS_ONE
                                                          : SS_FORMAT_NUMBERS_NONE,
        .is_doubtful =
            found->kind == SS_FORMAT_JSON_NONE || (found->is_mixed && found->has_strings),
    };
}

ss_status ss_format_json_columns(void *state, const struct ss_format_column **columns,
                                 size_t *n_columns, ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    SS_RETURN_IF_ERROR(look_ahead(reader, err));
    drop_null_objects(reader);
    SS_ALLOC_OR_RETURN(reader->columns, reader->n_found);
    for (size_t i = 0; i < reader->n_found; i++) {
        reader->columns[i] = show(&reader->found[i]);
        reader->columns[i].holds_rows = reader->found[i].has_objects && reader->is_single;
    }
    *columns = reader->columns;
    *n_columns = reader->n_found;
    return SS_OK;
}

ss_status ss_format_json_find_column(void *state, const char *name, size_t *column, ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    struct ss_format_json_column *found = NULL;
    SS_RETURN_IF_ERROR(find_or_add(reader, (struct ss_text){name, strlen(name)},
                                   2 * MAX_COLUMNS, &found, err));
    if (found == NULL) {
        return ss__fail_file(err, reader->stream->name, SS_E_LIMIT,
                             "there are more than %d columns", MAX_COLUMNS);
    }
    *column = (size_t)(found - reader->found);
    return SS_OK;
}

/* ---- later rows ---- */

/* The choice of the text column was right for the rows that were looked at. A later row may
 * show that there are two: silence would be a wrong analysis. */
ss_status ss_format_json_refuse_rivals(struct ss_format_json_reader *reader, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_record record = {.fault = SS_FORMAT_FAULT_NONE};
    struct ss_format_scan scan = {reader->row, reader->row + reader->n_row_bytes, NULL, false,
                                  false};
    SS_TRY(note_row(reader, &scan, &record, err));
    for (size_t i = 0; i < reader->n_found; i++) {
        const struct ss_format_json_column *column = &reader->found[i];
        const bool is_made = strncmp(column->name, "__", 2) == 0; /* __key__ */
        if (column->has_strings && !is_made && column->name != reader->selected) {
            char problem[400];
            snprintf(problem, sizeof problem,
                     "texts are taken from '%.100s', which was the only column of strings, but "
                     "here '%.100s' holds one too; say which with `text_column`",
                     reader->selected, column->name);
            status = ss_format_json_items_fail(&reader->items, reader->stream,
                                               reader->row_offset, problem, err);
            ss__err_about(err, column->name);
            break;
        }
    }
out:
    return status;
}
