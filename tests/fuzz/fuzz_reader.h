/* One input through one reader of datasets: its columns, its rows whole, and its rows of the
 * first column. Rows as JSON must be valid for our own scanner. */
#ifndef SS_FUZZ_READER_H
#define SS_FUZZ_READER_H

#include <stdlib.h>

#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline void fuzz_rows(const struct ss_format_reader *reader,
                             const struct ss_format_file *source, bool whole)
{
    void *state = NULL;
    ss_err err;
    const struct ss_format_column *columns = NULL;
    size_t n_columns = 0;
    bool has_row = true;
    struct ss__buf json = {0};
    ss_status status = reader->open(source, &state, &err);
    if (status == SS_OK) {
        status = reader->columns(state, &columns, &n_columns, &err);
    }
    if (status == SS_OK && (whole || n_columns > 0)) {
        status = reader->select(state, whole ? SS_FORMAT_ALL_COLUMNS : 0, &err);
        while (status == SS_OK && has_row) {
            struct ss_format_record record = {0};
            status = reader->next(state, &record, &has_row, &err);
            json.n_bytes = 0;
            if (status == SS_OK && has_row && whole) {
                status = reader->add_json(state, &json, &err);
                struct ss_format_scan scan = {json.data, json.data + json.n_bytes, NULL, false,
                                              true};
                if (status == SS_OK && (!ss_format_scan_value(&scan) || scan.at != scan.end)) {
                    abort();
                }
            }
        }
    }
    ss__buf_release(&json);
    if (state != NULL) {
        reader->close(state);
    }
}

/* Compressed input is the business of fuzz_stream: a few bytes of it stand for megabytes, which
 * would leave no time for anything else here. */
static inline bool is_plain(const struct ss_source_stream *stream)
{
    const char *codec = ss_source_stream_codec(stream);
    return codec == NULL || codec[0] == '\0';
}

static inline void fuzz_reader(const struct ss_format_reader *reader, const uint8_t *data,
                               size_t n)
{
    for (int whole = 0; whole < 2; whole++) {
        struct ss_source_stream stream = {0};
        ss_err err;
        if (ss_source_stream_open_memory("fuzz", data, n, &stream, &err) == SS_OK &&
            ss_source_stream_need(&stream, 1, &err) == SS_OK && is_plain(&stream) &&
            ss_source_stream_skip_mark(&stream, &err) == SS_OK) {
            const struct ss_format_file source = {
                .name = "fuzz", .stream = &stream, .text_unit = n % 3};
            fuzz_rows(reader, &source, whole == 1);
        }
        ss_source_stream_close(&stream);
    }
}

#endif
