/* A whole dataset at once: each row as JSON, and whether a file is JSON. */
#include "dataset/dataset.h"
#include "dataset/dataset_files.h"
#include "format/format.h"
#include "saescope_tools.h"

/* limit 0 is none; `fn` ends the walk with a number other than 0, which is no error. */
ss_status ss_dataset_each_json(const char *const *paths, size_t n_paths,
                               const struct ss_dataset_options *options, uint64_t limit,
                               int (*fn)(void *user, struct ss_text json), void *user,
                               ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    bool has_row = true;
    SS_TRY(ss_dataset_open_rows(paths, n_paths, options, &dataset, err));
    for (uint64_t n = 0; limit == 0 || n < limit; n++) {
        struct ss_text json = {0};
        SS_TRY(ss_dataset_next_json(dataset, &json, &has_row, err));
        if (!has_row || fn(user, json) != 0) {
            break;
        }
    }
out:
    ss_dataset_close(dataset);
    return status;
}

/* Read as the rows of a dataset are. */
static ss_status check_lines(const char *path, struct ss_progress_callback stop, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_text json;
    bool has_row = true;
    const struct ss_dataset_options options = {
        .struct_size = sizeof options, .format = "jsonl", .progress = stop};
    SS_TRY(ss_dataset_open_rows(&path, 1, &options, &dataset, err));
    SS_TRY(ss_dataset_check_text(dataset, err));
    while (has_row) {
        SS_TRY(ss_dataset_next_json(dataset, &json, &has_row, err));
    }
out:
    ss_dataset_close(dataset);
    return status;
}

/* Lines by their reader; anything else as one document, an array item by item. */
ss_status ss_dataset_json_check_file(const char *path, struct ss_progress_callback stop,
                                     ss_err *err)
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
