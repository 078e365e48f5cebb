/* Whether a file is JSON: item by item, so that a long array needs no memory of its size. */
#include "dataset/dataset.h"
#include "dataset/dataset_files.h"
#include "dataset/json_items.h"

ss_status ss__json_check_stream(struct ss__stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_items items = {.layout = SS__JSON_DOCUMENT};
    struct ss__json_item item;
    bool has_item = true;
    SS_TRY(ss__skip_mark(stream, err));
    while (has_item) {
        SS_TRY(ss__json_items_next(&items, stream, &item, &has_item, err));
        ss__stream_take(stream, items.at);
        items.at = 0;
    }
out:
    return status;
}

ss_status ss__json_check_file(const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__stream stream = {0};
    SS_TRY(ss__stream_open(path, &stream, err));
    SS_TRY(ss__json_check_stream(&stream, err));
out:
    ss__stream_close(&stream);
    return status;
}
