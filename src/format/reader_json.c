/* JSON Lines and JSON documents as rows.
 *
 * A row is an object, whose keys are columns, or a string, which is the column "text", or null.
 * The columns of a file are the keys of its first rows; "a.b" is the key b of an object under
 * the key a, unless there is a key "a.b". A list of strings is one text, the list as JSON. A
 * key that occurs twice in an object is refused where it is the text column and passed on
 * elsewhere. What the columns are is found in json_columns.c. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/json_reader_priv.h"

/* ---- opening ---- */

static ss_status open_layout(const struct ss_format_file *source, ss_format_json_layout layout,
                             void **state, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_json_reader *reader = NULL;
    const char *field = source->rows == NULL ? NULL : source->rows->field;
    SS_ALLOC(reader, 1);
    reader->stream = source->stream;
    reader->items.layout = field == NULL ? layout : SS_FORMAT_JSON_DOCUMENT;
    reader->items.has_tables = true;
    reader->skips_bad_rows = source->skips_bad_rows;
    if (field != NULL) {
        SS_TRY(ss_format_json_items_seek(&reader->items, reader->stream, field, err));
    }
    *state = reader;
    reader = NULL;
out:
    ss_format_json_reader_close(reader);
    return status;
}

static ss_status lines_open(const struct ss_format_file *source, void **state, ss_err *err)
{
    return open_layout(source, SS_FORMAT_JSON_LINES, state, err);
}

static ss_status document_open(const struct ss_format_file *source, void **state, ss_err *err)
{
    return open_layout(source, SS_FORMAT_JSON_DOCUMENT, state, err);
}

/* ---- the text ---- */

/* Where the scanner stopped, and why. */
static ss_status fail_syntax(const struct ss_format_json_reader *reader,
                             const struct ss_format_scan *scan, struct ss_format_record *record,
                             ss_err *err)
{
    record->fault = SS_FORMAT_FAULT_SYNTAX;
    return ss_format_json_fail_row(reader, scan->at, scan->problem, err);
}

/* A string without escapes is a view of the window. */
static ss_status take_text(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                           struct ss_format_record *record, ss_err *err)
{
    struct ss_format_scan_string string;
    if (!ss_format_scan_string(scan, &string)) {
        return fail_syntax(reader, scan, record, err);
    }
    record->is_null = false;
    record->text = (struct ss_text){string.data, string.n_bytes};
    if (string.escaped) {
        reader->text.n_bytes = 0;
        record->repaired = ss_format_scan_unescape(string, &reader->text);
        SS_RETURN_IF_ERROR(ss__buf_check(&reader->text, err));
        record->text = (struct ss_text){reader->text.data, reader->text.n_bytes};
    }
    return SS_OK;
}

/* The row alone is at fault, so it may be left out. */
static ss_status fail_type(struct ss_format_json_reader *reader, const char *at,
                           const char *found, struct ss_format_record *record, ss_err *err)
{
    char problem[256];
    record->fault = SS_FORMAT_FAULT_TYPE;
    snprintf(problem, sizeof problem, "column '%.100s' holds %s, expected a string or null",
             reader->selected, found);
    const ss_status status = ss_format_json_fail_row(reader, at, problem, err);
    ss__err_about(err, reader->selected);
    return status;
}

/* A list of strings and nulls, in the form that Parquet and Arrow give it. */
static ss_status take_list(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                           struct ss_format_record *record, ss_err *err)
{
    struct ss_format_scan_string string;
    const char *before = "[";
    reader->text.n_bytes = 0;
    ss_format_scan_char(scan, '[');
    for (bool first = true; !ss_format_scan_char(scan, ']'); first = false) {
        if (!first) {
            (void)ss_format_scan_char(scan, ',');
        }
        const ss_format_json_kind kind = ss_format_scan_peek(scan);
        ss__buf_add_text(&reader->text, before);
        before = ", ";
        if (kind == SS_FORMAT_JSON_NULL) {
            (void)ss_format_scan_value(scan);
            ss__buf_add_text(&reader->text, "null");
        } else if (kind == SS_FORMAT_JSON_STRING && ss_format_scan_string(scan, &string)) {
            reader->key.n_bytes = 0;
            record->repaired |= ss_format_scan_unescape(string, &reader->key);
            ss_format_add_json_text(&reader->text, reader->key.data, reader->key.n_bytes);
        } else {
            SS_RETURN_IF_ERROR(
                fail_type(reader, scan->at, "a list of other than strings", record, err));
        }
    }
    ss__buf_add_text(&reader->text, before[0] == '[' ? "[]" : "]");
    SS_RETURN_IF_ERROR(ss__buf_check(&reader->text, err));
    record->is_null = false;
    record->text = (struct ss_text){reader->text.data, reader->text.n_bytes};
    return SS_OK;
}

/* The value of the selected column, at the cursor. */
static ss_status take_selected(struct ss_format_json_reader *reader,
                               struct ss_format_scan *scan, struct ss_format_record *record,
                               ss_err *err)
{
    const ss_format_json_kind kind = ss_format_scan_peek(scan);
    struct ss_format_scan whole = *scan;
    char found[64];
    reader->has_seen = true;
    const bool is_list = kind == SS_FORMAT_JSON_ARRAY;
    if (is_list || kind == SS_FORMAT_JSON_STRING) {
        if (reader->text_kind != SS_FORMAT_JSON_NONE && reader->text_kind != kind) {
            return fail_type(reader, scan->at,
                             is_list ? "a list here and strings in rows before"
                                     : "a string here and lists in rows before",
                             record, err);
        }
        if (is_list && !ss_format_scan_value(&whole)) {
            *scan = whole;
            return fail_syntax(reader, scan, record, err);
        }
        const ss_status status = is_list ? take_list(reader, scan, record, err)
                                         : take_text(reader, scan, record, err);
        reader->text_kind = status == SS_OK ? kind : reader->text_kind;
        return status;
    }
    if (kind == SS_FORMAT_JSON_NULL || kind == SS_FORMAT_JSON_NONE) {
        return ss_format_scan_value(scan) ? SS_OK : fail_syntax(reader, scan, record, err);
    }
    snprintf(found, sizeof found, "%s %s",
             kind == SS_FORMAT_JSON_BOOL ? "the value" : "the type",
             ss_format_json_kind_name(kind));
    return fail_type(reader, scan->at, found, record, err);
}

/* What of a name is left behind a key: "" for all of it, NULL if it is another one. */
static const char *rest_behind(const char *name, struct ss_text key)
{
    const size_t n = key.n_bytes;
    if (strncmp(name, key.data, n) != 0 || strlen(name) < n) {
        return NULL;
    }
    return name[n] == '\0' ? name + n : name[n] == '.' ? name + n + 1 : NULL;
}

/* The object at the cursor: `name` in it, or in an object of its own. A key that is the whole
 * name counts over one that is its first part, wherever in the object they stand, so the latter
 * is only noted on the way. */
static ss_status read_object(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                             const char *name, struct ss_format_record *record, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_scan_string key;
    struct ss_format_scan inner = {.at = NULL};
    const char *inner_name = NULL;
    bool has_key = true, good = true, taken = false;
    ss_format_scan_char(scan, '{');
    for (bool first = true;; first = false) {
        good = ss_format_scan_key(scan, first, &key, &has_key);
        if (!good || !has_key) {
            break;
        }
        const char *rest =
            name == NULL ? NULL : rest_behind(name, ss_format_json_key_text(reader, key));
        if (rest != NULL && *rest == '\0' && taken) {
            record->fault = SS_FORMAT_FAULT_REPEATED;
            SS_TRY(ss_format_json_fail_row(reader, scan->at,
                                           "the text column occurs twice in this row", err));
        }
        if (rest != NULL && *rest == '\0') {
            taken = true;
            SS_TRY(take_selected(reader, scan, record, err));
            continue;
        }
        if (rest != NULL && inner_name == NULL &&
            ss_format_scan_peek(scan) == SS_FORMAT_JSON_OBJECT) {
            inner = *scan;
            inner_name = rest;
        }
        good = ss_format_scan_value(scan);
        if (!good) {
            break;
        }
    }
    if (!good) {
        status = fail_syntax(reader, scan, record, err);
    } else if (!taken && inner_name != NULL) {
        status = read_object(reader, &inner, inner_name, record, err);
    }
out:
    return status;
}

static ss_status read_row(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                          struct ss_format_record *record, ss_err *err)
{
    char problem[128];
    const ss_format_json_kind kind = ss_format_scan_peek(scan);
    const bool is_text_column =
        reader->selected == NULL || strcmp(reader->selected, "text") == 0;
    if (kind == SS_FORMAT_JSON_OBJECT) {
        SS_RETURN_IF_ERROR(read_object(reader, scan, reader->selected, record, err));
    } else if (kind == SS_FORMAT_JSON_STRING && is_text_column) {
        reader->has_seen = true;
        SS_RETURN_IF_ERROR(take_text(reader, scan, record, err));
    } else if (!ss_format_scan_value(scan)) {
        SS_RETURN_IF_ERROR(fail_syntax(reader, scan, record, err));
    } else if (kind != SS_FORMAT_JSON_NULL && kind != SS_FORMAT_JSON_STRING) {
        record->fault = SS_FORMAT_FAULT_NO_ROW;
        snprintf(problem, sizeof problem, "expected an object or a string as a row, found %s",
                 ss_format_json_kind_name(kind));
        SS_RETURN_IF_ERROR(ss_format_json_fail_row(reader, reader->row, problem, err));
    }
    return SS_OK;
}

/* A row that was refused is left behind, where that can be done. */
static void pass_bad_row(struct ss_format_json_reader *reader, ss_status refusal,
                         struct ss_format_record *record)
{
    const bool is_lines = reader->items.layout == SS_FORMAT_JSON_LINES;
    if (is_lines && refusal == SS_E_LIMIT && record->fault == SS_FORMAT_FAULT_NONE) {
        record->fault = SS_FORMAT_FAULT_TOO_LARGE;
        if (ss_format_json_items_skip_line(&reader->items, reader->stream, NULL) != SS_OK) {
            record->fault = SS_FORMAT_FAULT_NONE;
        }
        return;
    }
    if (!is_lines && record->fault == SS_FORMAT_FAULT_SYNTAX) {
        record->fault = SS_FORMAT_FAULT_NONE;
    }
    ss_source_stream_take(reader->stream, reader->items.at);
    reader->items.at = 0;
}

static ss_status json_next(void *state, struct ss_format_record *record, bool *has_row,
                           ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    const ss_status status = ss_format_json_next_row(reader, read_row, record, has_row, err);
    if (status != SS_OK) {
        *has_row = false;
        pass_bad_row(reader, status, record);
        return status;
    }
    if (*has_row && reader->watches) {
        const ss_status refusal = ss_format_json_refuse_rivals(reader, err);
        if (refusal != SS_OK) {
            return refusal;
        }
    }
    ss_source_stream_take(reader->stream, reader->items.at);
    reader->items.at = 0;
    return SS_OK;
}

static ss_status json_select(void *state, size_t column, ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    (void)err;
    if (column < SS_FORMAT_NO_COLUMN) {
        reader->selected = reader->found[column].name;
    }
    return SS_OK;
}

static bool json_has_seen(const void *state)
{
    return ((const struct ss_format_json_reader *)state)->has_seen;
}

static bool json_is_whole(const void *state)
{
    return ((const struct ss_format_json_reader *)state)->has_all;
}

static void json_watch(void *state)
{
    ((struct ss_format_json_reader *)state)->watches = true;
}

static ss_status json_add_json(void *state, struct ss__buf *out, ss_err *err)
{
    const struct ss_format_json_reader *reader = state;
    struct ss_format_scan scan = ss_format_json_scan_row(reader);
    const bool is_object = ss_format_scan_peek(&scan) == SS_FORMAT_JSON_OBJECT;
    (void)err;
    ss__buf_add_text(out, is_object ? "" : "{\"text\":");
    ss_format_json_compact(reader->row, reader->n_row_bytes, out);
    ss__buf_add_text(out, is_object ? "" : "}");
    return SS_OK;
}

/* ---- columns that are carried along ---- */

static ss_status json_keep(void *state, const size_t *columns, size_t n, ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    SS_ALLOC_OR_RETURN(reader->kept, n);
    SS_ALLOC_OR_RETURN(reader->values, n);
    memcpy(reader->kept, columns, n * sizeof *columns);
    reader->n_kept = n;
    return SS_OK;
}

/* The value of a name in a well-formed object, or in an object of its own; of a key that occurs
 * twice the last value counts. Empty where it is not there. */
static struct ss_text find_value(struct ss_format_json_reader *reader,
                                 struct ss_format_scan scan, const char *name)
{
    struct ss_text value = {NULL, 0};
    struct ss_format_scan inner = {.at = NULL};
    struct ss_format_scan_string key;
    const char *inner_name = NULL;
    bool has_key = ss_format_scan_char(&scan, '{');
    for (bool first = true; has_key; first = false) {
        if (!ss_format_scan_key(&scan, first, &key, &has_key) || !has_key) {
            break;
        }
        const char *rest = rest_behind(name, ss_format_json_key_text(reader, key));
        const ss_format_json_kind kind = ss_format_scan_peek(&scan);
        const char *start = scan.at;
        if (rest != NULL && *rest != '\0' && kind == SS_FORMAT_JSON_OBJECT &&
            inner_name == NULL) {
            inner = scan;
            inner_name = rest;
        }
        if (!ss_format_scan_value(&scan)) {
            break;
        }
        if (rest != NULL && *rest == '\0') {
            value = (struct ss_text){start, (size_t)(scan.at - start)};
        }
    }
    return value.data == NULL && inner_name != NULL ? find_value(reader, inner, inner_name)
                                                    : value;
}

/* Which column a key is of, most likely the one behind the last; n_kept if of none. */
static size_t find_kept(const struct ss_format_json_reader *reader, struct ss_text key,
                        size_t likely)
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
static void find_values(struct ss_format_json_reader *reader)
{
    const struct ss_format_scan start = ss_format_json_scan_row(reader);
    struct ss_format_scan scan = start;
    struct ss_format_scan_string key;
    bool has_key = ss_format_scan_char(&scan, '{');
    const bool is_object = has_key;
    size_t likely = 0;
    for (size_t i = 0; i < reader->n_kept; i++) {
        const bool is_text =
            !has_key && strcmp(reader->found[reader->kept[i]].name, "text") == 0;
        reader->values[i] = is_text ? (struct ss_text){reader->row, reader->n_row_bytes}
                                    : (struct ss_text){NULL, 0};
    }
    for (bool first = true; has_key; first = false) {
        if (!ss_format_scan_key(&scan, first, &key, &has_key) || !has_key) {
            break;
        }
        const size_t i = find_kept(reader, ss_format_json_key_text(reader, key), likely);
        (void)ss_format_scan_peek(&scan); /* spaces */
        const char *begin = scan.at;
        if (!ss_format_scan_value(&scan)) {
            break;
        }
        if (i < reader->n_kept) {
            reader->values[i] = (struct ss_text){begin, (size_t)(scan.at - begin)};
            likely = i + 1;
        }
    }
    for (size_t i = 0; is_object && i < reader->n_kept; i++) {
        const char *name = reader->found[reader->kept[i]].name;
        if (reader->values[i].data == NULL && strchr(name, '.') != NULL) {
            reader->values[i] = find_value(reader, start, name);
        }
    }
}

/* One walk over the row finds all values. */
static ss_status json_add_kept(void *state, size_t i, struct ss__buf *out, ss_err *err)
{
    struct ss_format_json_reader *reader = state;
    (void)err;
    if (i == 0) {
        find_values(reader);
    }
    if (reader->values[i].data == NULL) {
        ss__buf_add_text(out, "null");
    } else {
        ss_format_json_compact(reader->values[i].data, reader->values[i].n_bytes, out);
    }
    return SS_OK;
}

const struct ss_format_reader ss_format_reader_jsonl = {
    .format = "jsonl",
    .open = lines_open,
    .columns = ss_format_json_columns,
    .is_whole = json_is_whole,
    .find = ss_format_json_find_column,
    .has_seen = json_has_seen,
    .watch = json_watch,
    .select = json_select,
    .next = json_next,
    .add_json = json_add_json,
    .keep = json_keep,
    .add_kept = json_add_kept,
    .close = ss_format_json_reader_close,
};

const struct ss_format_reader ss_format_reader_json = {
    .format = "json",
    .open = document_open,
    .columns = ss_format_json_columns,
    .is_whole = json_is_whole,
    .find = ss_format_json_find_column,
    .has_seen = json_has_seen,
    .watch = json_watch,
    .select = json_select,
    .next = json_next,
    .add_json = json_add_json,
    .keep = json_keep,
    .add_kept = json_add_kept,
    .close = ss_format_json_reader_close,
};
