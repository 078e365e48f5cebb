/* JSON Lines and JSON documents as rows.
 *
 * A row is an object, whose keys are columns, or a string, which is the column "text", or null.
 * The columns of a file are the keys of its first rows. A key that occurs twice in an object is
 * refused where it is the text column and passed on elsewhere. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/json_items.h"
#include <stdio.h>

enum { LOOK_ROWS = 100, LOOK_BYTES = 1 << 20, MAX_COLUMNS = 1024 };

struct json_column {
    char *name;
    ss__json_kind kind; /* of its values; NONE before one that is not null */
    bool is_mixed;
};

struct json_reader {
    struct ss__stream *stream;
    struct ss__json_items items;
    struct json_column *found;
    size_t n_found, n_found_room;
    struct ss__column *columns; /* [n_found], as shown */
    size_t *kept;               /* [n_kept] indexes of found */
    struct ss_text *values;     /* [n_kept] of the row, as they stand in it */
    size_t n_kept;
    const char *selected; /* NULL for whole rows */
    size_t n_selected_bytes;
    struct ss__buf text, key; /* strings whose escapes were resolved */
    const char *row;          /* the current item */
    size_t n_row_bytes;
    uint64_t row_offset;
};

static ss_status open_layout(const struct ss__source *source, ss__json_layout layout,
                             void **state, ss_err *err)
{
    ss_status status = SS_OK;
    struct json_reader *reader = NULL;
    SS_ALLOC(reader, 1);
    reader->stream = source->stream;
    reader->items.layout = layout;
    *state = reader;
out:
    return status;
}

static ss_status lines_open(const struct ss__source *source, void **state, ss_err *err)
{
    return open_layout(source, SS__JSON_LINES, state, err);
}

static ss_status document_open(const struct ss__source *source, void **state, ss_err *err)
{
    return open_layout(source, SS__JSON_DOCUMENT, state, err);
}

static void json_close(void *state)
{
    struct json_reader *reader = state;
    if (reader == NULL) {
        return;
    }
    for (size_t i = 0; i < reader->n_found; i++) {
        ss__free(reader->found[i].name);
    }
    ss__free(reader->found);
    ss__free(reader->columns);
    ss__free(reader->kept);
    ss__free(reader->values);
    ss__buf_release(&reader->text);
    ss__buf_release(&reader->key);
    ss__free(reader);
}

static struct ss__scan scan_row(const struct json_reader *reader)
{
    return (struct ss__scan){reader->row, reader->row + reader->n_row_bytes, NULL, false};
}

static ss_status fail_row(const struct json_reader *reader, const char *at, const char *problem,
                          ss_err *err)
{
    const uint64_t offset = reader->row_offset + (uint64_t)(at - reader->row);
    return ss__json_items_fail(&reader->items, reader->stream, offset, problem, err);
}

/* What a key says once its escapes are resolved. */
static struct ss_text key_text(struct json_reader *reader, struct ss__scan_string key)
{
    if (!key.escaped) {
        return (struct ss_text){key.data, key.n_bytes};
    }
    reader->key.n_bytes = 0;
    ss__scan_unescape(key, &reader->key);
    return (struct ss_text){reader->key.data, reader->key.n_bytes};
}

/* ---- columns ---- */

static ss_status note_column(struct json_reader *reader, struct ss_text name,
                             ss__json_kind kind, ss_err *err)
{
    ss_status status = SS_OK;
    size_t i = 0;
    while (i < reader->n_found && (strlen(reader->found[i].name) != name.n_bytes ||
                                   memcmp(reader->found[i].name, name.data, name.n_bytes))) {
        i++;
    }
    if (i == MAX_COLUMNS || memchr(name.data, 0, name.n_bytes) != NULL) {
        goto out;
    }
    if (i == reader->n_found) {
        SS_GROW(reader->found, reader->n_found_room, i + 1);
        reader->found[i] = (struct json_column){.name = ss__strndup(name.data, name.n_bytes)};
        if (reader->found[i].name == NULL) {
            SS_TRY(ss__fail_nomem(err, "a column name"));
        }
        reader->n_found++;
    }
    struct json_column *column = &reader->found[i];
    if (kind != SS__JSON_NULL) {
        column->is_mixed |= column->kind != SS__JSON_NONE && column->kind != kind;
        column->kind = kind;
    }
out:
    return status;
}

static ss_status note_columns(struct json_reader *reader, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__scan scan = scan_row(reader);
    struct ss__scan_string key;
    bool has_key = true, good = true;
    const ss__json_kind kind = ss__scan_peek(&scan);
    if (kind == SS__JSON_NONE) {
        SS_TRY(fail_row(reader, scan.at, "expected a JSON value", err));
    }
    if (kind != SS__JSON_OBJECT) {
        SS_TRY(note_column(reader, (struct ss_text){"text", 4}, kind, err));
        goto out;
    }
    ss__scan_char(&scan, '{');
    for (bool first = true; good && has_key; first = false) {
        good = ss__scan_key(&scan, first, &key, &has_key);
        if (good && has_key) {
            const struct ss_text name = key_text(reader, key);
            SS_TRY(ss__buf_check(&reader->key, err));
            SS_TRY(note_column(reader, name, ss__scan_peek(&scan), err));
            good = ss__scan_value(&scan);
        }
    }
    if (!good) {
        status = fail_row(reader, scan.at, scan.problem, err);
    }
out:
    return status;
}

/* Step `items` forward and make its item the current row. */
static ss_status find_row(struct json_reader *reader, struct ss__json_items *items,
                          bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_item item = {0};
    SS_TRY(ss__json_items_next(items, reader->stream, &item, has_row, err));
    reader->row = reader->stream->data + item.start;
    reader->n_row_bytes = item.n_bytes;
    reader->row_offset = reader->stream->offset + item.start;
out:
    return status;
}

/* Look at the first rows without taking them. A fault after the first row is left to next. */
static ss_status look_ahead(struct json_reader *reader, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__json_items start = reader->items;
    bool has_row = true;
    for (size_t n = 0; n < LOOK_ROWS && has_row && reader->items.at < LOOK_BYTES; n++) {
        status = find_row(reader, &reader->items, &has_row, err);
        if (status == SS_OK && has_row) {
            status = note_columns(reader, err);
        }
        if (status != SS_OK && n > 0 && status != SS_E_NOMEM) {
            status = SS_OK;
            break;
        }
        SS_TRY(status);
    }
    reader->items = start;
out:
    return status;
}

static ss_status json_columns(void *state, const struct ss__column **columns, size_t *n_columns,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct json_reader *reader = state;
    SS_TRY(look_ahead(reader, err));
    SS_ALLOC(reader->columns, reader->n_found);
    for (size_t i = 0; i < reader->n_found; i++) {
        const struct json_column *found = &reader->found[i];
        const char *type =
            found->kind == SS__JSON_NONE ? "null" : ss__json_kind_name(found->kind);
        reader->columns[i] = (struct ss__column){
            .name = found->name,
            .type = found->is_mixed ? "mixed" : type,
            .is_text = found->kind == SS__JSON_STRING && !found->is_mixed,
            .numbers = found->is_mixed                  ? SS__NUMBERS_NONE
                       : found->kind == SS__JSON_ARRAY  ? SS__NUMBERS_LIST
                       : found->kind == SS__JSON_NUMBER ? SS__NUMBERS_ONE
                                                        : SS__NUMBERS_NONE,
        };
    }
    *columns = reader->columns;
    *n_columns = reader->n_found;
out:
    return status;
}

static ss_status json_select(void *state, size_t column, ss_err *err)
{
    struct json_reader *reader = state;
    (void)err;
    if (column < SS__NO_COLUMN) {
        reader->selected = reader->found[column].name;
        reader->n_selected_bytes = strlen(reader->selected);
    }
    return SS_OK;
}

/* ---- rows ---- */

static ss_status take_text(struct json_reader *reader, struct ss__scan *scan,
                           struct ss__record *record, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__scan_string string;
    if (!ss__scan_string(scan, &string)) {
        return fail_row(reader, scan->at, scan->problem, err);
    }
    record->is_null = false;
    record->text = (struct ss_text){string.data, string.n_bytes};
    if (string.escaped) {
        reader->text.n_bytes = 0;
        record->repaired = ss__scan_unescape(string, &reader->text);
        SS_TRY(ss__buf_check(&reader->text, err));
        record->text = (struct ss_text){reader->text.data, reader->text.n_bytes};
    }
out:
    return status;
}

/* The value of the selected column, at the cursor. */
static ss_status take_selected(struct json_reader *reader, struct ss__scan *scan,
                               struct ss__record *record, ss_err *err)
{
    char problem[256];
    const ss__json_kind kind = ss__scan_peek(scan);
    if (kind == SS__JSON_STRING) {
        return take_text(reader, scan, record, err);
    }
    if (kind == SS__JSON_NULL || kind == SS__JSON_NONE) {
        return ss__scan_value(scan) ? SS_OK : fail_row(reader, scan->at, scan->problem, err);
    }
    snprintf(problem, sizeof problem, "column '%.100s' holds %s %s, expected a string or null",
             reader->selected, kind == SS__JSON_BOOL ? "the value" : "the type",
             ss__json_kind_name(kind));
    const ss_status status = fail_row(reader, scan->at, problem, err);
    ss__err_about(err, reader->selected);
    return status;
}

static bool is_selected(struct json_reader *reader, struct ss__scan_string key)
{
    if (reader->selected == NULL) {
        return false;
    }
    const struct ss_text name = key_text(reader, key);
    return name.n_bytes == reader->n_selected_bytes &&
           memcmp(name.data, reader->selected, name.n_bytes) == 0;
}

static ss_status read_object(struct json_reader *reader, struct ss__scan *scan,
                             struct ss__record *record, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__scan_string key;
    bool has_key = true, good = true, taken = false;
    ss__scan_char(scan, '{');
    for (bool first = true;; first = false) {
        good = ss__scan_key(scan, first, &key, &has_key);
        if (!good || !has_key) {
            break;
        }
        if (!is_selected(reader, key)) {
            good = ss__scan_value(scan);
        } else if (taken) {
            SS_TRY(fail_row(reader, scan->at, "the text column occurs twice in this row", err));
        } else {
            taken = true;
            SS_TRY(take_selected(reader, scan, record, err));
        }
        if (!good) {
            break;
        }
    }
    if (!good) {
        status = fail_row(reader, scan->at, scan->problem, err);
    }
out:
    return status;
}

static ss_status read_row(struct json_reader *reader, struct ss__record *record, ss_err *err)
{
    ss_status status = SS_OK;
    char problem[128];
    struct ss__scan scan = scan_row(reader);
    const ss__json_kind kind = ss__scan_peek(&scan);
    const bool is_text_column =
        reader->selected == NULL || strcmp(reader->selected, "text") == 0;
    if (kind == SS__JSON_OBJECT) {
        SS_TRY(read_object(reader, &scan, record, err));
    } else if (kind == SS__JSON_STRING && is_text_column) {
        SS_TRY(take_text(reader, &scan, record, err));
    } else if (!ss__scan_value(&scan)) {
        SS_TRY(fail_row(reader, scan.at, scan.problem, err));
    } else if (kind != SS__JSON_NULL && kind != SS__JSON_STRING) {
        snprintf(problem, sizeof problem, "expected an object or a string as a row, found %s",
                 ss__json_kind_name(kind));
        SS_TRY(fail_row(reader, reader->row, problem, err));
    }
    ss__scan_peek(&scan);
    if (scan.at != scan.end) {
        status = fail_row(reader, scan.at, "there is more text after the JSON value", err);
    }
out:
    return status;
}

static ss_status json_next(void *state, struct ss__record *record, bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct json_reader *reader = state;
    *record = (struct ss__record){.is_null = true};
    SS_TRY(find_row(reader, &reader->items, has_row, err));
    if (*has_row) {
        SS_TRY(read_row(reader, record, err));
    }
    ss__stream_take(reader->stream, reader->items.at);
    reader->items.at = 0;
out:
    return status;
}

static ss_status json_add_json(void *state, struct ss__buf *out, ss_err *err)
{
    const struct json_reader *reader = state;
    struct ss__scan scan = scan_row(reader);
    const bool is_object = ss__scan_peek(&scan) == SS__JSON_OBJECT;
    (void)err;
    ss__buf_add_text(out, is_object ? "" : "{\"text\":");
    ss__json_compact(reader->row, reader->n_row_bytes, out);
    ss__buf_add_text(out, is_object ? "" : "}");
    return SS_OK;
}

/* ---- columns that are carried along ---- */

static ss_status json_keep(void *state, const size_t *columns, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct json_reader *reader = state;
    SS_ALLOC(reader->kept, n);
    SS_ALLOC(reader->values, n);
    memcpy(reader->kept, columns, n * sizeof *columns);
    reader->n_kept = n;
out:
    return status;
}

/* Which column a key is of, most likely the one behind the last; n_kept if of none. */
static size_t find_kept(const struct json_reader *reader, struct ss_text key, size_t likely)
{
    for (size_t n = 0; n < reader->n_kept; n++) {
        const size_t i = (likely + n) % reader->n_kept;
        const char *name = reader->found[reader->kept[i]].name;
        if (strlen(name) == key.n_bytes && memcmp(name, key.data, key.n_bytes) == 0) {
            return i;
        }
    }
    return reader->n_kept;
}

/* Find the values of all columns that are carried along. A row that lacks one has null; of a
 * key that occurs twice the last value counts. The row was read before, so it is well-formed.
 */
static void find_values(struct json_reader *reader)
{
    struct ss__scan scan = scan_row(reader);
    struct ss__scan_string key;
    bool has_key = ss__scan_char(&scan, '{');
    size_t likely = 0;
    for (size_t i = 0; i < reader->n_kept; i++) {
        const bool is_text =
            !has_key && strcmp(reader->found[reader->kept[i]].name, "text") == 0;
        reader->values[i] = is_text ? (struct ss_text){reader->row, reader->n_row_bytes}
                                    : (struct ss_text){"null", 4};
    }
    for (bool first = true; has_key; first = false) {
        if (!ss__scan_key(&scan, first, &key, &has_key) || !has_key) {
            break;
        }
        const size_t i = find_kept(reader, key_text(reader, key), likely);
        (void)ss__scan_peek(&scan); /* spaces */
        const char *begin = scan.at;
        if (!ss__scan_value(&scan)) {
            break;
        }
        if (i < reader->n_kept) {
            reader->values[i] = (struct ss_text){begin, (size_t)(scan.at - begin)};
            likely = i + 1;
        }
    }
}

static ss_status json_add_kept(void *state, size_t i, struct ss__buf *out, ss_err *err)
{
    struct json_reader *reader = state;
    (void)err;
    if (i == 0) {
        find_values(reader);
    }
    ss__json_compact(reader->values[i].data, reader->values[i].n_bytes, out);
    return SS_OK;
}

const struct ss__reader ss__reader_jsonl = {
    .format = "jsonl",
    .open = lines_open,
    .columns = json_columns,
    .select = json_select,
    .next = json_next,
    .add_json = json_add_json,
    .keep = json_keep,
    .add_kept = json_add_kept,
    .close = json_close,
};

const struct ss__reader ss__reader_json = {
    .format = "json",
    .open = document_open,
    .columns = json_columns,
    .select = json_select,
    .next = json_next,
    .add_json = json_add_json,
    .keep = json_keep,
    .add_kept = json_add_kept,
    .close = json_close,
};
