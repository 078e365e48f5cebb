/* The rows of a JSON reader one after the other: which bytes a row is, where it ends, and where
 * in the file something is wrong with it. What a row holds is the caller's, by a walk over it.
 */
#include "base/mem.h"
#include "format/json_reader_priv.h"

void ss_format_json_reader_close(void *state)
{
    struct ss_format_json_reader *reader = state;
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
    ss_format_json_items_release(&reader->items);
    ss__buf_release(&reader->text);
    ss__buf_release(&reader->key);
    ss__buf_release(&reader->path);
    ss__buf_release(&reader->made);
    ss__free(reader);
}

struct ss_format_scan ss_format_json_scan_row(const struct ss_format_json_reader *reader)
{
    return (struct ss_format_scan){reader->row, reader->row + reader->n_row_bytes, NULL, false,
                                   false};
}

ss_status ss_format_json_fail_row(const struct ss_format_json_reader *reader, const char *at,
                                  const char *problem, ss_err *err)
{
    const uint64_t offset = reader->row_offset + (uint64_t)(at - reader->row);
    return ss_format_json_items_fail(&reader->items, reader->stream, offset, problem, err);
}

/* A view of the row, or of the reader's buffer until the next key. */
struct ss_text ss_format_json_key_text(struct ss_format_json_reader *reader,
                                       struct ss_format_scan_string key)
{
    if (!key.escaped) {
        return (struct ss_text){key.data, key.n_bytes};
    }
    reader->key.n_bytes = 0;
    ss_format_scan_unescape(key, &reader->key);
    return (struct ss_text){reader->key.data, reader->key.n_bytes};
}

/* A row of columns was put together and stands in no window. */
static void set_row(struct ss_format_json_reader *reader, struct ss_format_json_item item)
{
    const bool is_made = reader->items.table.n_columns > 0;
    reader->row = is_made ? reader->made.data : reader->stream->data + item.start;
    reader->n_row_bytes = is_made ? reader->made.n_bytes : item.n_bytes;
    reader->row_offset = reader->stream->offset + item.start;
}

/* Where the object ends that was walked over, another one may follow on its line. */
static ss_status end_row(struct ss_format_json_reader *reader, struct ss_format_scan *scan,
                         bool is_object, struct ss_format_record *record, ss_err *err)
{
    const char *end = scan->at;
    (void)ss_format_scan_peek(scan);
    if (scan->at == scan->end) {
        return SS_OK;
    }
    if (reader->items.layout == SS_FORMAT_JSON_LINES && is_object && *scan->at == '{') {
        ss_format_json_items_split(&reader->items, (size_t)(scan->at - reader->stream->data));
        reader->n_row_bytes = (size_t)(end - reader->row);
        return SS_OK;
    }
    record->fault = SS_FORMAT_FAULT_SYNTAX;
    return ss_format_json_fail_row(reader, scan->at, "there is more text after the JSON value",
                                   err);
}

/* A line whose object is not closed may be the first of several: it is walked over once more as
 * a whole. */
ss_status ss_format_json_next_row(struct ss_format_json_reader *reader,
                                  ss_format_json_walk walk, struct ss_format_record *record,
                                  bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_json_item item = {0};
    bool was_extended = false;
    *record = (struct ss_format_record){.is_null = true};
    SS_TRY(ss_format_json_items_next(&reader->items, reader->stream, &item, &reader->made,
                                     has_row, err));
    while (*has_row) {
        set_row(reader, item);
        *record = (struct ss_format_record){.is_null = true};
        struct ss_format_scan scan = ss_format_json_scan_row(reader);
        const bool is_object = ss_format_scan_peek(&scan) == SS_FORMAT_JSON_OBJECT;
        status = walk(reader, &scan, record, err);
        if (status == SS_OK) {
            status = end_row(reader, &scan, is_object, record, err);
            break;
        }
        const bool is_open = record->fault == SS_FORMAT_FAULT_SYNTAX && scan.ended && is_object;
        if (!is_open || was_extended || reader->items.layout != SS_FORMAT_JSON_LINES ||
            !ss_format_json_items_extend(&reader->items, reader->stream, &item)) {
            break;
        }
        was_extended = true;
    }
out:
    return status;
}
