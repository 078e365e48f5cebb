/* Items of a stream one by one: lines, elements of the top array, objects one behind the other.
 *
 * A value is scanned where it lies in the stream's window. Where the window ends first, it is
 * scanned again with twice as much, so that the cost stays in proportion to the value. What was
 * passed is taken out of the stream by the reader, so that memory is that of one item. */
#include "format/json_items.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* As the scanner's: what it takes for the end of a value is not white space here. */
static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

ss_status ss_format_json_items_fail(const struct ss_format_json_items *items,
                                    const struct ss_source_stream *stream, uint64_t offset,
                                    const char *problem, ss_err *err)
{
    const bool lines = items->layout == SS_FORMAT_JSON_LINES;
    const ss_status status = ss__fail_file(
        err, stream->name, SS_E_DATA, "%s %llu, byte %llu: %s", lines ? "line" : "item",
        (unsigned long long)(lines ? items->n_line : items->n_items),
        (unsigned long long)offset, problem);
    ss__err_at_offset(err, offset);
    return status;
}

/* ---- lines ---- */

/* Blank lines are passed over in files of lines; they are counted, so that numbers in messages
 * are those of an editor. */
static bool is_blank(const char *data, size_t n)
{
    size_t at = 0;
    while (at < n && is_space(data[at])) {
        at++;
    }
    return at == n;
}

/* Bytes that were searched for a newline are not searched again. */
static ss_status next_line(struct ss_format_json_items *items, struct ss_source_stream *stream,
                           struct ss_format_json_item *item, bool *has_item, ss_err *err)
{
    size_t seen = items->at;
    *has_item = false;
    while (!*has_item && !(stream->at_end && items->at == stream->n_bytes)) {
        const char *feed = memchr(stream->data + seen, '\n', stream->n_bytes - seen);
        if (feed == NULL && !stream->at_end) {
            seen = stream->n_bytes;
            SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
            continue;
        }
        const size_t end = feed == NULL ? stream->n_bytes : (size_t)(feed - stream->data);
        *item = (struct ss_format_json_item){items->at, end - items->at};
        *has_item = !is_blank(stream->data + item->start, item->n_bytes);
        items->at = seen = end + (feed != NULL);
        items->n_line += !items->is_mid_line;
        items->n_items += *has_item;
        items->is_mid_line = false;
    }
    return SS_OK;
}

/* The rest of the line is the next item. */
void ss_format_json_items_split(struct ss_format_json_items *items, size_t end)
{
    items->at = end;
    items->is_mid_line = true;
}

/* After a fault in a line: nothing of it can be trusted, so the next row begins behind its
 * newline. A line longer than the window is passed in pieces. */
ss_status ss_format_json_items_skip_line(struct ss_format_json_items *items,
                                         struct ss_source_stream *stream, ss_err *err)
{
    const char *feed = NULL;
    ss_source_stream_take(stream, items->at);
    for (;;) {
        feed = memchr(stream->data, '\n', stream->n_bytes);
        const size_t n = feed == NULL ? stream->n_bytes : (size_t)(feed - stream->data) + 1;
        ss_source_stream_take(stream, n);
        if (feed != NULL || stream->at_end) {
            break;
        }
        SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
    }
    items->at = 0;
    items->n_line += !items->is_mid_line;
    items->n_items++;
    items->is_mid_line = false;
    return SS_OK;
}

/* ---- documents ---- */

/* The next character that is no white space, not passed; -1 at the end. *feeds tells whether a
 * newline was passed on the way. */
static ss_status look(struct ss_format_json_items *items, struct ss_source_stream *stream,
                      int *character, bool *feeds, ss_err *err)
{
    *feeds = false;
    for (;;) {
        while (items->at < stream->n_bytes && is_space(stream->data[items->at])) {
            *feeds |= stream->data[items->at] == '\n';
            items->at++;
        }
        if (items->at < stream->n_bytes || stream->at_end) {
            break;
        }
        SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
    }
    *character = items->at < stream->n_bytes ? (unsigned char)stream->data[items->at] : -1;
    return SS_OK;
}

static ss_status fail_here(const struct ss_format_json_items *items,
                           const struct ss_source_stream *stream, const char *problem,
                           ss_err *err)
{
    return ss_format_json_items_fail(items, stream, stream->offset + items->at, problem, err);
}

/* Whether an object comes next: rows may hold NaN. */
static bool begins_object(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at < end && *at == '{';
}

/* Pass one value, with as much of the stream as it needs. */
static ss_status take_value(struct ss_format_json_items *items, struct ss_source_stream *stream,
                            struct ss_format_json_item *item, ss_err *err)
{
    items->n_items++;
    for (;;) {
        const char *start = stream->data + items->at;
        const char *end = stream->data + stream->n_bytes;
        struct ss_format_scan scan = {start, end, NULL, false,
                                      items->strict && !begins_object(start, end)};
        const bool good = ss_format_scan_value(&scan);
        if (scan.at == scan.end && !stream->at_end) {
            const size_t n_seen = stream->n_bytes - items->at;
            SS_RETURN_IF_ERROR(ss_source_stream_need(stream, items->at + 2 * n_seen + 1, err));
            continue;
        }
        const size_t n_passed = (size_t)(scan.at - start);
        if (!good) {
            SS_RETURN_IF_ERROR(ss_format_json_items_fail(
                items, stream, stream->offset + items->at + n_passed, scan.problem, err));
        }
        *item = (struct ss_format_json_item){items->at, n_passed};
        items->at += n_passed;
        break;
    }
    return SS_OK;
}

/* The object is tried as a value of a document; lines are counted by what it took. */
bool ss_format_json_items_extend(struct ss_format_json_items *items,
                                 struct ss_source_stream *stream,
                                 struct ss_format_json_item *item)
{
    struct ss_format_json_items whole = *items;
    struct ss_format_json_item found = *item;
    whole.at = item->start;
    if (take_value(&whole, stream, &found, NULL) != SS_OK) {
        return false;
    }
    const char *at = stream->data + found.start, *end = at + found.n_bytes;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        items->n_line++;
        at++;
    }
    items->at = found.start + found.n_bytes;
    items->is_mid_line = true;
    *item = found;
    return true;
}

/* The key at the cursor, with its ":"; its escapes are resolved in `key`. */
static ss_status take_key(struct ss_format_json_items *items, struct ss_source_stream *stream,
                          struct ss__buf *key, ss_err *err)
{
    struct ss_format_json_item item = {0};
    struct ss_format_scan_string string;
    int character = 0;
    bool feeds = false;
    SS_RETURN_IF_ERROR(take_value(items, stream, &item, err));
    struct ss_format_scan scan = {stream->data + item.start, stream->data + items->at, NULL,
                                  false, true};
    key->n_bytes = 0;
    if (!ss_format_scan_string(&scan, &string)) {
        SS_RETURN_IF_ERROR(fail_here(items, stream, "expected a key in quotes", err));
    }
    ss_format_scan_unescape(string, key);
    SS_RETURN_IF_ERROR(ss__buf_check(key, err));
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    if (character != ':') {
        SS_RETURN_IF_ERROR(fail_here(items, stream, "expected ':' after a key", err));
    }
    items->at++;
    return look(items, stream, &character, &feeds, err);
}

/* Behind the rows of a field: what else is in the objects around them. */
static ss_status pass_rest(struct ss_format_json_items *items, struct ss_source_stream *stream,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_json_item ignored;
    struct ss__buf key = {0};
    int character = 0;
    bool feeds = false;
    const uint64_t n_items = items->n_items;
    while (items->n_open > 0) {
        SS_TRY(look(items, stream, &character, &feeds, err));
        if (character != ',' && character != '}') {
            SS_TRY(fail_here(items, stream,
                             character == -1 ? "the file ends before the object does"
                                             : "expected ',' or '}' in an object",
                             err));
        }
        items->at++;
        items->n_open -= character == '}';
        if (character == ',') {
            SS_TRY(look(items, stream, &character, &feeds, err));
            SS_TRY(take_key(items, stream, &key, err));
            SS_TRY(take_value(items, stream, &ignored, err));
        }
    }
    items->n_items = n_items;
out:
    ss__buf_release(&key);
    return status;
}

/* The end of the text: only white space may follow. */
static ss_status finish(struct ss_format_json_items *items, struct ss_source_stream *stream,
                        ss_err *err)
{
    ss_status status = SS_OK;
    int character = 0;
    bool feeds = false;
    items->done = true;
    SS_TRY(pass_rest(items, stream, err));
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (character != -1) {
        status = fail_here(items, stream, "there is more text after the JSON value", err);
    }
out:
    return status;
}

/* The first element of an array that the cursor is at. */
static ss_status begin_array(struct ss_format_json_items *items,
                             struct ss_source_stream *stream, struct ss_format_json_item *item,
                             bool *has_item, ss_err *err)
{
    int character = 0;
    bool feeds = false;
    items->in_array = true;
    items->at++;
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    if (character == ']') {
        items->at++;
        SS_RETURN_IF_ERROR(finish(items, stream, err));
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(take_value(items, stream, item, err));
    *has_item = true;
    return SS_OK;
}

/* Whether the object that was taken is the whole text and a table. Under a key it must be one.
 */
static ss_status try_table(struct ss_format_json_items *items, struct ss_source_stream *stream,
                           const struct ss_format_json_item *item, bool *is_table, ss_err *err)
{
    int character = 0;
    bool feeds = false;
    const char *problem = NULL;
    const bool is_field = items->n_open > 0;
    const size_t end = items->at;
    *is_table = false;
    if (!is_field) {
        SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
        items->at = end;
        if (character != -1) {
            return SS_OK;
        }
    }
    SS_RETURN_IF_ERROR(ss_format_json_table_open(stream->data + item->start, item->n_bytes,
                                                 &items->table, &problem, err));
    if (problem != NULL && is_field) {
        char message[200];
        snprintf(message, sizeof message,
                 "the object under that key is no table: %s; expected a list of rows or an "
                 "object of columns",
                 problem);
        SS_RETURN_IF_ERROR(ss_format_json_items_fail(
            items, stream, stream->offset + item->start, message, err));
    }
    *is_table = problem == NULL && (is_field || !items->table.has_keys);
    if (!*is_table) {
        ss_format_json_table_release(&items->table);
        return SS_OK;
    }
    items->table.start = item->start;
    SS_RETURN_IF_ERROR(finish(items, stream, err));
    items->done = false;
    return SS_OK;
}

/* Rows of a table: the whole text stays in the window until the last was given, so `at` stays 0
 * and the reader takes nothing. */
static ss_status next_of_table(struct ss_format_json_items *items,
                               const struct ss_source_stream *stream,
                               struct ss_format_json_item *item, struct ss__buf *row,
                               bool *has_item, ss_err *err)
{
    const size_t start = items->table.start;
    *item = (struct ss_format_json_item){0, 0};
    *has_item = ss_format_json_table_next(&items->table, stream->data + start,
                                          stream->n_bytes - start, row);
    items->n_items += *has_item;
    items->at = *has_item ? 0 : stream->n_bytes;
    items->done = !*has_item;
    return ss__buf_check(row, err);
}

/* What the text is, by its first character: an array of rows, or a row by itself, which may be
 * the first of several or a table of columns. */
static ss_status begin(struct ss_format_json_items *items, struct ss_source_stream *stream,
                       struct ss_format_json_item *item, struct ss__buf *row, bool *has_item,
                       ss_err *err)
{
    int character = 0;
    bool feeds = false, is_table = false;
    items->begun = true;
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    if (character == -1) {
        return ss__fail_file(err, stream->name, SS_E_DATA, "the file holds no JSON value");
    }
    if (character == '[') {
        return begin_array(items, stream, item, has_item, err);
    }
    SS_RETURN_IF_ERROR(take_value(items, stream, item, err));
    items->in_sequence = character == '{' || character == '"';
    if (character == '{' && items->has_tables) {
        SS_RETURN_IF_ERROR(try_table(items, stream, item, &is_table, err));
    }
    if (is_table) {
        items->n_items = 0;
        return next_of_table(items, stream, item, row, has_item, err);
    }
    *has_item = true;
    return SS_OK;
}

/* ---- rows under a key ---- */

/* What of a dotted name is left behind a key: "" for all of it, NULL if it is another one. */
static const char *rest_behind(const char *name, const struct ss__buf *key)
{
    const size_t n = key->n_bytes;
    if (strlen(name) < n || (n > 0 && memcmp(name, key->data, n) != 0)) {
        return NULL;
    }
    return name[n] == '\0' ? name + n : name[n] == '.' ? name + n + 1 : NULL;
}

static ss_status fail_field(const struct ss_source_stream *stream, const char *field,
                            const char *what, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, stream->name, SS_E_DATA, "the field '%.100s' %s", field, what);
    ss__err_about(err, "field");
    return status;
}

/* Note a key for a message: 'a', 'b', … */
static void list_key(struct ss__buf *seen, const struct ss__buf *key)
{
    enum { MAX_LISTED_BYTES = 200 };
    if (seen->n_bytes < MAX_LISTED_BYTES) {
        ss__buf_printf(seen, "%s'%.*s'", seen->n_bytes == 0 ? "" : ", ",
                       (int)ss__min_size(key->n_bytes, 60), key->data);
    }
}

/* Pass what is in the object at the cursor up to the value of `name`, or of the first part of
 * it that is a key; *rest is what is left of the name, and `seen` has the keys before. */
static ss_status seek_in_object(struct ss_format_json_items *items,
                                struct ss_source_stream *stream, const char *name,
                                const char **rest, struct ss__buf *seen, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf key = {0};
    struct ss_format_json_item ignored;
    int character = 0;
    bool feeds = false;
    *rest = NULL;
    for (bool first = true; *rest == NULL; first = false) {
        items->at++; /* "{" or "," */
        SS_TRY(look(items, stream, &character, &feeds, err));
        if (first && character == '}') {
            break;
        }
        SS_TRY(take_key(items, stream, &key, err));
        *rest = rest_behind(name, &key);
        list_key(seen, &key);
        const bool enters = items->at < stream->n_bytes && stream->data[items->at] == '{';
        if (*rest == NULL || (**rest != '\0' && !enters)) {
            *rest = NULL;
            SS_TRY(take_value(items, stream, &ignored, err));
            SS_TRY(look(items, stream, &character, &feeds, err));
        }
        ss_source_stream_take(stream, items->at);
        items->at = 0;
        if (*rest == NULL && character != ',') {
            break;
        }
    }
out:
    ss__buf_release(&key);
    return status;
}

/* A step into the object at the cursor, which has to have a key that `rest` begins with. */
static ss_status enter_object(struct ss_format_json_items *items,
                              struct ss_source_stream *stream, const char *field,
                              const char **rest, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf seen = {0}, message = {0};
    items->n_open++;
    SS_TRY(seek_in_object(items, stream, *rest, rest, &seen, err));
    if (*rest == NULL) {
        ss__buf_printf(&message, "is no key of the document%s%s",
                       seen.n_bytes == 0 ? "" : ", whose keys are ",
                       seen.n_bytes == 0 ? "" : ss__buf_text(&seen));
        SS_TRY(ss__buf_check(&message, err));
        SS_TRY(fail_field(stream, field, ss__buf_text(&message), err));
    }
out:
    ss__buf_release(&seen);
    ss__buf_release(&message);
    return status;
}

/* Key by key, without reading again what was passed. */
ss_status ss_format_json_items_seek(struct ss_format_json_items *items,
                                    struct ss_source_stream *stream, const char *field,
                                    ss_err *err)
{
    const char *rest = field;
    int character = 0;
    bool feeds = false;
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    do {
        if (character != '{') {
            SS_RETURN_IF_ERROR(fail_field(
                stream, field, "is looked for, but the document is no object with keys", err));
        }
        SS_RETURN_IF_ERROR(enter_object(items, stream, field, &rest, err));
        SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    } while (*rest != '\0');
    if (character != '[' && character != '{') {
        SS_RETURN_IF_ERROR(fail_field(
            stream, field, "holds neither a list of rows nor an object of columns", err));
    }
    items->n_items = 0;
    items->has_tables = true;
    return SS_OK;
}

static ss_status next_element(struct ss_format_json_items *items,
                              struct ss_source_stream *stream, struct ss_format_json_item *item,
                              bool *has_item, ss_err *err)
{
    int character = 0;
    bool feeds = false;
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    if (character == ']') {
        items->at++;
        SS_RETURN_IF_ERROR(finish(items, stream, err));
        return SS_OK;
    }
    if (character != ',') {
        SS_RETURN_IF_ERROR(fail_here(items, stream,
                                     character == -1 ? "the file ends before the array does"
                                                     : "expected ',' or ']' in an array",
                                     err));
    }
    items->at++;
    SS_RETURN_IF_ERROR(take_value(items, stream, item, err));
    *has_item = true;
    return SS_OK;
}

/* After a value outside an array: the end, or a value of the same kind on a new line. */
static ss_status next_in_sequence(struct ss_format_json_items *items,
                                  struct ss_source_stream *stream,
                                  struct ss_format_json_item *item, bool *has_item, ss_err *err)
{
    int character = 0;
    bool feeds = false;
    SS_RETURN_IF_ERROR(look(items, stream, &character, &feeds, err));
    const bool goes_on = character == '{' ? feeds || !items->strict : character == '"' && feeds;
    if (items->in_sequence && goes_on) {
        SS_RETURN_IF_ERROR(take_value(items, stream, item, err));
        *has_item = true;
        return SS_OK;
    }
    return finish(items, stream, err);
}

ss_status ss_format_json_items_next(struct ss_format_json_items *items,
                                    struct ss_source_stream *stream,
                                    struct ss_format_json_item *item, struct ss__buf *row,
                                    bool *has_item, ss_err *err)
{
    *has_item = false;
    if (items->layout == SS_FORMAT_JSON_LINES) {
        return next_line(items, stream, item, has_item, err);
    }
    if (items->done) {
        return SS_OK;
    }
    if (!items->begun) {
        return begin(items, stream, item, row, has_item, err);
    }
    if (items->table.n_columns > 0) {
        return next_of_table(items, stream, item, row, has_item, err);
    }
    return items->in_array ? next_element(items, stream, item, has_item, err)
                           : next_in_sequence(items, stream, item, has_item, err);
}

void ss_format_json_items_release(struct ss_format_json_items *items)
{
    ss_format_json_table_release(&items->table);
}
