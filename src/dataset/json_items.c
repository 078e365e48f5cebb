#include "dataset/json_items.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

ss_status ss__json_items_fail(const struct ss__json_items *items,
                              const struct ss__stream *stream, uint64_t offset,
                              const char *problem, ss_err *err)
{
    const bool lines = items->layout == SS__JSON_LINES;
    const ss_status status = ss__fail_file(
        err, stream->name, SS_E_DATA, "%s %llu, byte %llu: %s", lines ? "line" : "item",
        (unsigned long long)(lines ? items->n_line : items->n_items),
        (unsigned long long)offset, problem);
    ss__err_at_offset(err, offset);
    return status;
}

/* ---- lines ---- */

static bool is_blank(const char *data, size_t n)
{
    size_t at = 0;
    while (at < n && is_space(data[at])) {
        at++;
    }
    return at == n;
}

static ss_status next_line(struct ss__json_items *items, struct ss__stream *stream,
                           struct ss__json_item *item, bool *has_item, ss_err *err)
{
    ss_status status = SS_OK;
    size_t seen = items->at;
    *has_item = false;
    while (!*has_item && !(stream->at_end && items->at == stream->n_bytes)) {
        const char *feed = memchr(stream->data + seen, '\n', stream->n_bytes - seen);
        if (feed == NULL && !stream->at_end) {
            seen = stream->n_bytes;
            SS_TRY(ss__stream_more(stream, err));
            continue;
        }
        const size_t end = feed == NULL ? stream->n_bytes : (size_t)(feed - stream->data);
        *item = (struct ss__json_item){items->at, end - items->at};
        *has_item = !is_blank(stream->data + item->start, item->n_bytes);
        items->at = seen = end + (feed != NULL);
        items->n_line++;
        items->n_items += *has_item;
    }
out:
    return status;
}

/* ---- documents ---- */

/* The next character that is no white space, not passed; -1 at the end. *feeds tells whether a
 * newline was passed on the way. */
static ss_status look(struct ss__json_items *items, struct ss__stream *stream, int *character,
                      bool *feeds, ss_err *err)
{
    ss_status status = SS_OK;
    *feeds = false;
    for (;;) {
        while (items->at < stream->n_bytes && is_space(stream->data[items->at])) {
            *feeds |= stream->data[items->at] == '\n';
            items->at++;
        }
        if (items->at < stream->n_bytes || stream->at_end) {
            break;
        }
        SS_TRY(ss__stream_more(stream, err));
    }
    *character = items->at < stream->n_bytes ? (unsigned char)stream->data[items->at] : -1;
out:
    return status;
}

static ss_status fail_here(const struct ss__json_items *items, const struct ss__stream *stream,
                           const char *problem, ss_err *err)
{
    return ss__json_items_fail(items, stream, stream->offset + items->at, problem, err);
}

/* Pass one value, with as much of the stream as it needs. */
static ss_status take_value(struct ss__json_items *items, struct ss__stream *stream,
                            struct ss__json_item *item, ss_err *err)
{
    ss_status status = SS_OK;
    items->n_items++;
    for (;;) {
        const char *start = stream->data + items->at;
        struct ss__scan scan = {start, stream->data + stream->n_bytes, NULL, false};
        const bool good = ss__scan_value(&scan);
        if (scan.at == scan.end && !stream->at_end) {
            const size_t n_seen = stream->n_bytes - items->at;
            SS_TRY(ss__stream_need(stream, items->at + 2 * n_seen + 1, err));
            continue;
        }
        const size_t n_passed = (size_t)(scan.at - start);
        if (!good) {
            SS_TRY(ss__json_items_fail(items, stream, stream->offset + items->at + n_passed,
                                       scan.problem, err));
        }
        *item = (struct ss__json_item){items->at, n_passed};
        items->at += n_passed;
        break;
    }
out:
    return status;
}

/* The end of the text: only white space may follow. */
static ss_status finish(struct ss__json_items *items, struct ss__stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    int character = 0;
    bool feeds = false;
    items->done = true;
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (character != -1) {
        status = fail_here(items, stream, "there is more text after the JSON value", err);
    }
out:
    return status;
}

static ss_status begin(struct ss__json_items *items, struct ss__stream *stream,
                       struct ss__json_item *item, bool *has_item, ss_err *err)
{
    ss_status status = SS_OK;
    int character = 0;
    bool feeds = false;
    items->begun = true;
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (character == -1) {
        SS_FAIL_FILE(stream->name, SS_E_DATA, "the file holds no JSON value");
    }
    items->in_array = character == '[';
    if (!items->in_array) {
        SS_TRY(take_value(items, stream, item, err));
        items->in_sequence = character == '{' || character == '"';
        *has_item = true;
        goto out;
    }
    items->at++;
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (character == ']') {
        items->at++;
        SS_TRY(finish(items, stream, err));
        goto out;
    }
    SS_TRY(take_value(items, stream, item, err));
    *has_item = true;
out:
    return status;
}

static ss_status next_element(struct ss__json_items *items, struct ss__stream *stream,
                              struct ss__json_item *item, bool *has_item, ss_err *err)
{
    ss_status status = SS_OK;
    int character = 0;
    bool feeds = false;
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (character == ']') {
        items->at++;
        SS_TRY(finish(items, stream, err));
        goto out;
    }
    if (character != ',') {
        SS_TRY(fail_here(items, stream,
                         character == -1 ? "the file ends before the array does"
                                         : "expected ',' or ']' in an array",
                         err));
    }
    items->at++;
    SS_TRY(take_value(items, stream, item, err));
    *has_item = true;
out:
    return status;
}

/* After a value outside an array: the end, or a value of the same kind on a new line. */
static ss_status next_in_sequence(struct ss__json_items *items, struct ss__stream *stream,
                                  struct ss__json_item *item, bool *has_item, ss_err *err)
{
    ss_status status = SS_OK;
    int character = 0;
    bool feeds = false;
    SS_TRY(look(items, stream, &character, &feeds, err));
    if (items->in_sequence && feeds && (character == '{' || character == '"')) {
        SS_TRY(take_value(items, stream, item, err));
        *has_item = true;
        goto out;
    }
    SS_TRY(finish(items, stream, err));
out:
    return status;
}

ss_status ss__json_items_next(struct ss__json_items *items, struct ss__stream *stream,
                              struct ss__json_item *item, bool *has_item, ss_err *err)
{
    *has_item = false;
    if (items->layout == SS__JSON_LINES) {
        return next_line(items, stream, item, has_item, err);
    }
    if (items->done) {
        return SS_OK;
    }
    if (!items->begun) {
        return begin(items, stream, item, has_item, err);
    }
    return items->in_array ? next_element(items, stream, item, has_item, err)
                           : next_in_sequence(items, stream, item, has_item, err);
}
