/* Whether a file is JSON: item by item, so that a long array needs no memory of its size. */
#include "dataset/dataset.h"
#include "dataset/dataset_files.h"
#include "dataset/json_items.h"

ss_status ss_format_json_check_stream(struct ss_source_stream *stream, ss_err *err)
{
    struct ss_format_json_items items = {.layout = SS_FORMAT_JSON_DOCUMENT, .strict = true};
    struct ss_format_json_item item;
    bool has_item = true;
    SS_RETURN_IF_ERROR(ss_dataset_skip_mark(stream, err));
    while (has_item) {
        SS_RETURN_IF_ERROR(
            ss_format_json_items_next(&items, stream, &item, NULL, &has_item, err));
        ss_source_stream_take(stream, items.at);
        items.at = 0;
    }
    return SS_OK;
}

static ss_status check_lines(const char *path, struct ss_stop stop, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_text json;
    bool has_row = true;
    const struct ss_dataset_options options = {.format = "jsonl", .stop = stop};
    SS_TRY(ss_dataset_open_rows(&path, 1, &options, &dataset, err));
    SS_TRY(ss_dataset_check_text(dataset, err));
    while (has_row) {
        SS_TRY(ss_dataset_next_json(dataset, &json, &has_row, err));
    }
out:
    ss_dataset_close(dataset);
    return status;
}

ss_status ss_dataset_json_check_file(const char *path, struct ss_stop stop, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    struct ss_source_halt halt = {.asking = {.stop = stop}};
    if (ss_dataset_format_by_name(path) == &ss_format_reader_jsonl) {
        return check_lines(path, stop, err);
    }
    SS_TRY(ss_source_stream_open(path, &halt, &stream, err));
    SS_TRY(ss_format_json_check_stream(&stream, err));
    SS_TRY(ss_source_stream_check_end(&stream, err));
out:
    ss_source_stream_close(&stream);
    return status;
}
