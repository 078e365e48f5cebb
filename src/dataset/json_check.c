/* Whether a file is JSON: item by item, so that a long array needs no memory of its size. */
#include "dataset/dataset.h"
#include "dataset/dataset_files.h"
#include "dataset/json_items.h"

ss_status ss__json_check_stream(struct ss__stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_items items = {.layout = SS__JSON_DOCUMENT, .strict = true};
    struct ss__json_item item;
    bool has_item = true;
    SS_TRY(ss__skip_mark(stream, err));
    while (has_item) {
        SS_TRY(ss__json_items_next(&items, stream, &item, NULL, &has_item, err));
        ss__stream_take(stream, items.at);
        items.at = 0;
    }
out:
    return status;
}

static ss_status check_lines(const char *path, struct ss_stop stop, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_text json;
    bool has_row = true;
    const struct ss_dataset_options options = {.format = "jsonl", .stop = stop};
    SS_TRY(ss__dataset_open_rows(&path, 1, &options, &dataset, err));
    SS_TRY(ss__dataset_check_text(dataset, err));
    while (has_row) {
        SS_TRY(ss__dataset_next_json(dataset, &json, &has_row, err));
    }
out:
    ss_dataset_close(dataset);
    return status;
}

ss_status ss__json_check_file(const char *path, struct ss_stop stop, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__stream stream = {0};
    struct ss__halt halt = {.asking = {.stop = stop}};
    if (ss__format_by_name(path) == &ss__reader_jsonl) {
        return check_lines(path, stop, err);
    }
    SS_TRY(ss__stream_open(path, &halt, &stream, err));
    SS_TRY(ss__json_check_stream(&stream, err));
    SS_TRY(ss__stream_check_end(&stream, err));
out:
    ss__stream_close(&stream);
    return status;
}
