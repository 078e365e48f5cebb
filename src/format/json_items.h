/* The items of JSON text: one per line of JSON Lines, or the elements of a document's array.
 * Fitted over a stream, so that a document needs memory for one element only.
 *
 * In lines an object may stand behind another one on the same line, or go over several lines:
 * the item is the rest of the line, its reader knows where the object ends, and says so. A
 * document may have its rows under a key, as an array or as an object of columns, or be such an
 * object itself; of those all is in the window at once. */
#ifndef SS_FORMAT_JSON_ITEMS_H
#define SS_FORMAT_JSON_ITEMS_H

#include "format/json_scan.h"
#include "format/json_table.h"
#include "source/source.h"

typedef enum ss_format_json_layout {
    SS_FORMAT_JSON_LINES,   /* an item per line; blank lines are passed */
    SS_FORMAT_JSON_DOCUMENT /* an array of items, or a sequence of objects and strings */
} ss_format_json_layout;

/* A place in the text. Copied to look ahead, as long as nothing is taken from the stream. */
struct ss_format_json_items {
    ss_format_json_layout layout;
    bool strict; /* RFC 8259 (a row may hold NaN, too); objects of a sequence begin on lines of
                    their own */
    bool has_tables; /* an object of columns is rows */
    bool begun, in_array, in_sequence, done;
    bool is_mid_line; /* SS_FORMAT_JSON_LINES: the next item goes on with a line */
    size_t at;        /* of the next item, in the stream's window */
    uint64_t n_line;  /* SS_FORMAT_JSON_LINES: 1-based line of the last item */
    uint64_t n_items;
    size_t n_open;                     /* objects around the rows of a field */
    struct ss_format_json_table table; /* the rows, where they are columns */
};

struct ss_format_json_item {
    size_t start, n_bytes; /* in the stream's window; of columns, both 0 */
};

/* Go to the rows under a key of the object that the document is, "a.b" also for a key within
 * another one's object. Takes what is before it. Errors: SS_E_DATA (no such key, or it holds
 * no rows), those of the stream. */
SS_MUST_USE ss_status ss_format_json_items_seek(struct ss_format_json_items *items,
                                                struct ss_source_stream *stream,
                                                const char *field, ss_err *err);

/* Find the next item. In a document it is a valid value; in lines it is the rest of a line,
 * unchecked. Rows of columns are put together in `row`. Errors: SS_E_DATA with line or offset,
 * SS_E_LIMIT, those of the stream. */
SS_MUST_USE ss_status ss_format_json_items_next(struct ss_format_json_items *items,
                                                struct ss_source_stream *stream,
                                                struct ss_format_json_item *item,
                                                struct ss__buf *row, bool *has_item,
                                                ss_err *err);

/* In lines: the object of the last item was not closed by the end of its line. Make the item
 * the whole object, over as many lines as it takes; false where that does not help. */
bool ss_format_json_items_extend(struct ss_format_json_items *items,
                                 struct ss_source_stream *stream,
                                 struct ss_format_json_item *item);

/* In lines: the object of the last item ends at `end` in the window; another may follow. */
void ss_format_json_items_split(struct ss_format_json_items *items, size_t end);

/* In lines: take the stream up to the line behind the last item, whatever its length. Errors:
 * the stream's. */
SS_MUST_USE ss_status ss_format_json_items_skip_line(struct ss_format_json_items *items,
                                                     struct ss_source_stream *stream,
                                                     ss_err *err);

/* Fail for an item that was found: "FILE: line 3, byte 17: PROBLEM". `offset` is in the text.
 */
SS_MUST_USE ss_status ss_format_json_items_fail(const struct ss_format_json_items *items,
                                                const struct ss_source_stream *stream,
                                                uint64_t offset, const char *problem,
                                                ss_err *err);

void ss_format_json_items_release(struct ss_format_json_items *items);

/* Pass a whole document, which begins where the stream is. Errors: SS_E_DATA where it is no
 * JSON by RFC 8259, those of the stream. */
SS_MUST_USE ss_status ss_format_json_check_stream(struct ss_source_stream *stream, ss_err *err);

#endif
