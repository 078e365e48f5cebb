/* Random access to an input: memory of its size, of which those bytes are there that were asked
 * for. For formats that are read by offset.
 *
 * Whoever wants bytes asks for them first (ss_source_view_need) and looks at `data` only within
 * what came. A view is used by one thread at a time; two views of one file
 * (ss_source_view_again) by two. */
#ifndef SS_SOURCE_INPUT_VIEW_H
#define SS_SOURCE_INPUT_VIEW_H

#include "source/input.h"
#include "source/stream.h"

/* A zeroed struct is closed. */
struct ss_source_view {
    const char *name; /* for messages, borrowed */
    const uint8_t *data;
    size_t n_bytes;
    struct ss__map map;           /* that the data lies in; empty: in memory of the caller's */
    struct ss_source_input input; /* which brings the bytes; its ops are NULL: the map does */
    bool is_borrowed; /* map and input are those of the view that this one is again */
};

/* Memory of the caller's that outlives the view: all is there. */
struct ss_source_view ss_source_view_of(const char *name, const void *data, size_t n_bytes);

/* The whole content of a stream: of the file itself if it is plain and regular, else of a
 * spooled copy on disk that has no name. Nothing was taken from the stream, which outlives the
 * view. Errors: those of the stream; SS_E_IO (no space for the copy), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_source_view_stream(struct ss_source_stream *stream,
                                            struct ss_source_view *out, ss_err *err);

/* An input that is read by ranges, which is taken, on errors too. Waits for its size. Errors:
 * those of the input's `map`. */
SS_MUST_USE ss_status ss_source_view_input(struct ss_source_input *input,
                                           struct ss_source_view *out, ss_err *err);

/* A second view of the same bytes, of which others come and go. The first one outlives it. */
SS_MUST_USE ss_status ss_source_view_again(const struct ss_source_view *view,
                                           struct ss_source_view *out, ss_err *err);

void ss_source_view_close(struct ss_source_view *view);

/* Have the bytes [from, from + n), which end before `end`. More may be there afterwards: up to
 * *until. Errors: SS_E_IO, those of the input. */
SS_MUST_USE ss_status ss_source_view_need(const struct ss_source_view *view, size_t from,
                                          size_t n, size_t end, size_t *until, ss_err *err);

/* Copy bytes without having them in the view, so that what is looked at once takes no memory.
 * The range lies within the view. Errors: SS_E_IO, those of the input. */
SS_MUST_USE ss_status ss_source_view_read(const struct ss_source_view *view, size_t from,
                                          size_t n, void *out, ss_err *err);

/* Say which ranges will be needed, ascending and apart, if that is of use; `ranges` is taken.
 */
void ss_source_view_will_need(const struct ss_source_view *view,
                              struct ss_source_ranges *ranges);

/* Whether it is: bytes that were not planned cost a request each. */
bool ss_source_view_plans(const struct ss_source_view *view);

/* Whether bytes come and go: what is used later has to be copied. */
bool ss_source_view_is_partial(const struct ss_source_view *view);

/* Bytes are not needed any more: their pages are let go, and would be read as zeros or read
 * anew. */
void ss_source_view_forget(const struct ss_source_view *view, const void *data, size_t n_bytes);

/* SS_E_IO if the file was cut or written to since it was opened. */
SS_MUST_USE ss_status ss_source_view_check(const struct ss_source_view *view, ss_err *err);

#endif
