/* Plain text: a row is a line, a paragraph or the whole file.
 *
 * Newlines are universal ("\n", "\r\n" and "\r" are all "\n"). Lines may be empty; paragraphs
 * are what lies between two newlines in a row, without the empty ones; in these two a newline
 * within a row is part of it. A byte order mark at the start is left out. */
#include <string.h>

#include "base/mem.h"
#include "format/reader.h"

struct txt {
    struct ss_source_stream *stream;
    ss_text_unit unit;
    bool begun;         /* a document was given */
    struct ss__buf row; /* a row whose newlines had to be translated */
    struct ss_text text;
};

static const struct ss_format_column text_column = {
    .name = "text", .type = "string", .is_text = true};

static ss_status txt_open(const struct ss_format_file *source, void **state, ss_err *err)
{
    struct txt *txt = NULL;
    SS_ALLOC_OR_RETURN(txt, 1);
    txt->stream = source->stream;
    txt->unit = source->text_unit;
    *state = txt;
    return SS_OK;
}

/* There is one column, whatever the unit of rows. */
static ss_status txt_columns(void *state, const struct ss_format_column **columns,
                             size_t *n_columns, ss_err *err)
{
    (void)state, (void)err;
    *columns = &text_column;
    *n_columns = 1;
    return SS_OK;
}

static ss_status txt_select(void *state, size_t column, ss_err *err)
{
    (void)state, (void)column, (void)err;
    return SS_OK;
}

/* The first newline character of the window at or after `from`, NULL if there is none. */
static const char *find_newline(const struct ss_source_stream *stream, size_t from,
                                bool has_returns)
{
    const char *data = stream->data + from;
    const size_t n = stream->n_bytes - from;
    const char *feed = memchr(data, '\n', n);
    const char *back = NULL;
    if (has_returns) {
        back = memchr(data, '\r', feed == NULL ? n : (size_t)(feed - data));
    }
    return back != NULL ? back : feed;
}

/* Bytes of the newline at `at`: 1 or 2. A "\r" at the end of the window needs another byte. */
static ss_status newline_length(struct ss_source_stream *stream, size_t at, size_t *length,
                                ss_err *err)
{
    SS_RETURN_IF_ERROR(stream->data[at] == '\r' ? ss_source_stream_need(stream, at + 2, err)
                                                : SS_OK);
    const bool pair =
        stream->data[at] == '\r' && at + 1 < stream->n_bytes && stream->data[at + 1] == '\n';
    *length = pair ? 2 : 1;
    return SS_OK;
}

/* Length of the line at the front of the window, and of its newline (0 at the end). */
static ss_status find_line(struct ss_source_stream *stream, size_t *n_line, size_t *n_newline,
                           ss_err *err)
{
    const char *found = NULL;
    size_t seen = 0;
    for (;;) {
        found = find_newline(stream, seen, true);
        if (found != NULL || stream->at_end) {
            break;
        }
        seen = stream->n_bytes;
        SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
    }
    *n_line = found == NULL ? stream->n_bytes : (size_t)(found - stream->data);
    *n_newline = 0;
    if (found != NULL) {
        SS_RETURN_IF_ERROR(newline_length(stream, *n_line, n_newline, err));
    }
    return SS_OK;
}

static ss_status next_line(struct txt *txt, bool *has_row, ss_err *err)
{
    size_t n_line = 0, n_newline = 0;
    SS_RETURN_IF_ERROR(find_line(txt->stream, &n_line, &n_newline, err));
    *has_row = n_line + n_newline > 0;
    txt->text = (struct ss_text){txt->stream->data, n_line};
    ss_source_stream_take(txt->stream, n_line + n_newline);
    return SS_OK;
}

/* Lines are gathered with their newlines until an empty one follows; then the newline before it
 * is the first of the two that separate. */
static ss_status next_paragraph(struct txt *txt, bool *has_row, ss_err *err)
{
    size_t n_line = 0, n_newline = 1;
    txt->row.n_bytes = 0;
    while (n_newline > 0) {
        SS_RETURN_IF_ERROR(find_line(txt->stream, &n_line, &n_newline, err));
        ss__buf_add(&txt->row, txt->stream->data, n_line);
        if (txt->row.n_bytes > SS_SOURCE_MAX_WINDOW_BYTES) {
            return ss__fail_file(err, txt->stream->name, SS_E_LIMIT,
                                 "a paragraph is longer than 1 GiB");
        }
        ss_source_stream_take(txt->stream, n_line + n_newline);
        const bool ends = txt->row.n_bytes > 0 && n_line == 0 && n_newline > 0 &&
                          txt->row.data[txt->row.n_bytes - 1] == '\n';
        if (ends && txt->row.n_bytes == 1) {
            txt->row.n_bytes = 0; /* two newlines with nothing before them */
        } else if (ends) {
            txt->row.n_bytes--;
            break;
        } else if (n_newline > 0) {
            ss__buf_add_byte(&txt->row, '\n');
        }
    }
    SS_RETURN_IF_ERROR(ss__buf_check(&txt->row, err));
    *has_row = txt->row.n_bytes > 0;
    txt->text = (struct ss_text){txt->row.data, txt->row.n_bytes};
    return SS_OK;
}

/* A view of the window where newlines are as they should be; an empty file is one empty row. */
static ss_status next_document(struct txt *txt, bool *has_row, ss_err *err)
{
    size_t n_line = 0, n_newline = 1;
    while (!txt->stream->at_end) {
        SS_RETURN_IF_ERROR(ss_source_stream_more(txt->stream, err));
    }
    *has_row = !txt->begun;
    txt->begun = true;
    txt->text = (struct ss_text){txt->stream->data, txt->stream->n_bytes};
    if (find_newline(txt->stream, 0, true) == NULL ||
        memchr(txt->text.data, '\r', txt->text.n_bytes) == NULL) {
        ss_source_stream_take(txt->stream, txt->stream->n_bytes);
        return SS_OK;
    }
    txt->row.n_bytes = 0;
    while (n_newline > 0) {
        SS_RETURN_IF_ERROR(find_line(txt->stream, &n_line, &n_newline, err));
        ss__buf_add(&txt->row, txt->stream->data, n_line);
        ss__buf_add(&txt->row, "\n", n_newline > 0);
        ss_source_stream_take(txt->stream, n_line + n_newline);
    }
    SS_RETURN_IF_ERROR(ss__buf_check(&txt->row, err));
    txt->text = (struct ss_text){txt->row.data, txt->row.n_bytes};
    return SS_OK;
}

static ss_status txt_next(void *state, struct ss_format_record *record, bool *has_row,
                          ss_err *err)
{
    static ss_status (*const units[])(struct txt *, bool *, ss_err *) = {
        [SS_UNIT_LINE] = next_line,
        [SS_UNIT_PARAGRAPH] = next_paragraph,
        [SS_UNIT_DOCUMENT] = next_document,
    };
    struct txt *txt = state;
    const ss_status status = units[txt->unit](txt, has_row, err);
    *record = (struct ss_format_record){.text = txt->text};
    return status;
}

static ss_status txt_add_json(void *state, struct ss__buf *out, ss_err *err)
{
    const struct txt *txt = state;
    (void)err;
    ss__buf_add_text(out, "{\"text\":");
    ss_format_add_json_text(out, txt->text.data, txt->text.n_bytes);
    ss__buf_add_byte(out, '}');
    return SS_OK;
}

static void txt_close(void *state)
{
    struct txt *txt = state;
    if (txt != NULL) {
        ss__buf_release(&txt->row);
        ss__free(txt);
    }
}

const struct ss_format_reader ss_format_reader_txt = {
    .format = "txt",
    .stores_text = true,
    .open = txt_open,
    .columns = txt_columns,
    .select = txt_select,
    .next = txt_next,
    .add_json = txt_add_json,
    .close = txt_close,
};
