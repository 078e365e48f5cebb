/* The top-level items of JSON text in a stream, one after the other: the lines of JSON Lines,
 * or the elements of an array, or values that each begin on a line of their own. An item must
 * fit into the stream's window; the text as a whole need not. */
#ifndef SS_DATASET_JSON_ITEMS_H
#define SS_DATASET_JSON_ITEMS_H

#include "dataset/json_scan.h"
#include "dataset/stream.h"

typedef enum ss__json_layout {
    SS__JSON_LINES,   /* an item per line; blank lines are passed */
    SS__JSON_DOCUMENT /* an array of items, or a sequence of objects and strings */
} ss__json_layout;

/* A place in the text. Copied to look ahead, as long as nothing is taken from the stream. */
struct ss__json_items {
    ss__json_layout layout;
    bool begun, in_array, in_sequence, done;
    size_t at;       /* of the next item, in the stream's window */
    uint64_t n_line; /* SS__JSON_LINES: 1-based line of the last item */
    uint64_t n_items;
};

struct ss__json_item {
    size_t start, n_bytes; /* in the stream's window */
};

/* Find the next item. In a document it is a valid value; in lines it is a line, unchecked.
 * Errors: SS_E_DATA with line or offset, SS_E_LIMIT, those of the stream. */
SS_MUST_USE ss_status ss__json_items_next(struct ss__json_items *items,
                                          struct ss__stream *stream, struct ss__json_item *item,
                                          bool *has_item, ss_err *err);

/* Fail for an item that was found: "FILE: line 3, byte 17: PROBLEM". `at` is in the window. */
SS_MUST_USE ss_status ss__json_items_fail(const struct ss__json_items *items,
                                          const struct ss__stream *stream, uint64_t offset,
                                          const char *problem, ss_err *err);

/* Pass a whole document, which begins where the stream is; what ss__json_check_file does. */
SS_MUST_USE ss_status ss__json_check_stream(struct ss__stream *stream, ss_err *err);

#endif
