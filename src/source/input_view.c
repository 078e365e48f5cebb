/* Views: of a local file by its map, of an input by its ranges.
 *
 * A map of kind SS__MAP_PARTIAL is memory of the file's size into which bytes are read as they
 * are needed (base/map.h): what a parser checked can then not change under it, as it could in a
 * mapping of a file that somebody writes to. */
#include "source/input_view.h"

#include <string.h>

#include "base/mem.h"

struct ss_source_view ss_source_view_of(const char *name, const void *data, size_t n_bytes)
{
    return (struct ss_source_view){.name = name, .data = data, .n_bytes = n_bytes};
}

static void use_map(struct ss_source_view *view)
{
    view->data = view->map.data;
    view->n_bytes = view->map.n_bytes;
}

ss_status ss_source_view_stream(struct ss_source_stream *stream, struct ss_source_view *out,
                                ss_err *err)
{
    *out = (struct ss_source_view){.name = stream->name};
    SS_RETURN_IF_ERROR(ss_source_stream_map(stream, true, &out->map, err));
    use_map(out);
    return SS_OK;
}

ss_status ss_source_view_input(struct ss_source_input *input, struct ss_source_view *out,
                               ss_err *err)
{
    *out = (struct ss_source_view){.name = input->name, .input = *input};
    *input = (struct ss_source_input){.name = NULL};
    const ss_status status = out->input.ops->map(out->input.state, true, &out->map, err);
    if (status != SS_OK) {
        ss_source_view_close(out);
        return status;
    }
    use_map(out);
    return SS_OK;
}

/* Only parts that come and go need memory of their own; other bytes are shared. */
ss_status ss_source_view_again(const struct ss_source_view *view, struct ss_source_view *out,
                               ss_err *err)
{
    *out = *view;
    out->is_borrowed = view->input.ops != NULL || view->map.kind != SS__MAP_PARTIAL;
    if (!out->is_borrowed) {
        SS_RETURN_IF_ERROR(ss__map_again(&view->map, view->name, &out->map, err));
        use_map(out);
    }
    return SS_OK;
}

void ss_source_view_close(struct ss_source_view *view)
{
    if (view->input.ops != NULL && !view->is_borrowed) {
        ss_source_input_close(&view->input); /* the map is its */
    } else if (!view->is_borrowed) {
        ss__map_release(&view->map);
    }
    *view = (struct ss_source_view){.name = NULL};
}

/* ---- bytes ---- */

ss_status ss_source_view_need(const struct ss_source_view *view, size_t from, size_t n,
                              size_t end, size_t *until, ss_err *err)
{
    /* a format asks for a few bytes at a time: each read brings some more */
    enum { PIECE_BYTES = 64 << 10 };
    if (view->input.ops != NULL) {
        uint64_t at = from;
        const ss_status status =
            view->input.ops->need(view->input.state, from, n, end, &at, err);
        *until = (size_t)at;
        return status;
    }
    const bool is_in_parts = view->map.kind == SS__MAP_PARTIAL;
    const size_t n_read =
        is_in_parts ? ss__min_size(ss__max_size(n, PIECE_BYTES), end - from) : end - from;
    *until = from + n_read;
    return ss__map_populate(&view->map, from, n_read, view->name, err);
}

ss_status ss_source_view_read(const struct ss_source_view *view, size_t from, size_t n,
                              void *out, ss_err *err)
{
    size_t until = from;
    if (view->input.ops == NULL && view->map.handle > 0) {
        return ss__map_read(&view->map, from, n, out, view->name, err);
    }
    SS_RETURN_IF_ERROR(ss_source_view_need(view, from, n, view->n_bytes, &until, err));
    memcpy(out, view->data + from, n);
    return SS_OK;
}

bool ss_source_view_is_partial(const struct ss_source_view *view)
{
    return view->map.kind == SS__MAP_PARTIAL;
}

bool ss_source_view_plans(const struct ss_source_view *view)
{
    return view->input.ops != NULL && view->input.ops->will_need != NULL;
}

void ss_source_view_will_need(const struct ss_source_view *view,
                              struct ss_source_ranges *ranges)
{
    if (ss_source_view_plans(view)) {
        view->input.ops->will_need(view->input.state, ranges);
    } else {
        ss__free(ranges->items);
        *ranges = (struct ss_source_ranges){.items = NULL};
    }
}

void ss_source_view_forget(const struct ss_source_view *view, const void *data, size_t n_bytes)
{
    ss__map_release_pages(&view->map, data, n_bytes);
}

ss_status ss_source_view_check(const struct ss_source_view *view, ss_err *err)
{
    return ss__map_check(&view->map, view->name, err);
}
