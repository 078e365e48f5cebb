/* Whether a file is JSON: item by item, so that a long array needs no memory of its size. */
#include "format/json_items.h"

ss_status ss_format_json_check_stream(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_format_json_items items = {.layout = SS_FORMAT_JSON_DOCUMENT, .strict = true};
    struct ss_format_json_item item;
    bool has_item = true;
    SS_RETURN_IF_ERROR(ss_source_stream_skip_mark(stream, err));
    while (has_item) {
        SS_RETURN_IF_ERROR(
            ss_format_json_items_next(&items, stream, &item, NULL, &has_item, err));
        ss_source_stream_take(stream, items.at);
        items.at = 0;
    }
    return SS_OK;
}
