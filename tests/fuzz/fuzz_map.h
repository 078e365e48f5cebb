/* One input through a reader that needs all bytes at once: whole rows, then some columns. */
#ifndef SS_FUZZ_MAP_H
#define SS_FUZZ_MAP_H

#include <stdlib.h>

#include "base/mem.h"
#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* A few hundred bytes can stand for terabytes of rows: each of them is right, and enough is
 * enough. */
enum { MAX_ROWS = 2000, MAX_JSON_BYTES = 1 << 20, MAX_COLUMNS = 4 };

static inline void fuzz_map_rows(const struct ss_format_reader *reader,
                                 const struct ss_format_file *source, size_t column)
{
    struct ss_format_record record = {.is_null = false};
    struct ss__buf out = {.data = NULL};
    void *state = NULL;
    bool has_row = true;
    size_t n_json_bytes = 0;
    ss_err err;
    if (reader->open(source, &state, &err) == SS_OK &&
        reader->select(state, column, &err) == SS_OK) {
        for (size_t i = 0; i < MAX_ROWS && has_row && n_json_bytes < MAX_JSON_BYTES; i++) {
            if (reader->next(state, &record, &has_row, &err) != SS_OK ||
                (column == SS_FORMAT_ALL_COLUMNS && has_row &&
                 reader->add_json(state, &out, &err) != SS_OK)) {
                break;
            }
            n_json_bytes += out.n_bytes;
            out.n_bytes = 0;
        }
    }
    reader->close(state);
    ss__buf_release(&out);
}

/* Rows of nothing but the first columns, whatever their types, each valid JSON. */
static inline void fuzz_map_kept(const struct ss_format_reader *reader,
                                 const struct ss_format_file *source, size_t n_columns)
{
    const size_t columns[MAX_COLUMNS] = {0, 1, 2, 3};
    const size_t n = n_columns < MAX_COLUMNS ? n_columns : MAX_COLUMNS;
    struct ss_format_record record = {.is_null = false};
    struct ss__buf out = {.data = NULL};
    void *state = NULL;
    bool has_row = true;
    size_t n_json_bytes = 0;
    ss_err err;
    ss_status status = reader->open(source, &state, &err);
    if (status == SS_OK) {
        status = reader->select(state, SS_FORMAT_NO_COLUMN, &err);
    }
    if (status == SS_OK) {
        status = reader->keep(state, columns, n, &err);
    }
    for (size_t r = 0; r < MAX_ROWS && status == SS_OK && has_row; r++) {
        status = reader->next(state, &record, &has_row, &err);
        for (size_t i = 0; i < n && status == SS_OK && has_row; i++) {
            out.n_bytes = 0;
            status = reader->add_kept(state, i, &out, &err);
            n_json_bytes += out.n_bytes;
            if (status != SS_OK) {
                break;
            }
            struct ss_format_scan scan = {out.data, out.data + out.n_bytes, NULL, false, true};
            if (!ss_format_scan_value(&scan) || scan.at != scan.end) {
                abort();
            }
        }
        has_row = has_row && n_json_bytes < MAX_JSON_BYTES;
    }
    reader->close(state);
    ss__buf_release(&out);
}

static inline void fuzz_map(const struct ss_format_reader *reader, const uint8_t *data,
                            size_t n_bytes)
{
    struct ss_source_view view = ss_source_view_of("fuzz", data, n_bytes);
    const struct ss_format_file source = {.name = "fuzz", .view = &view};
    const struct ss_format_column *columns = NULL;
    size_t n_columns = 0;
    void *state = NULL;
    ss_err err;
    fuzz_map_rows(reader, &source, SS_FORMAT_ALL_COLUMNS);
    if (reader->open(&source, &state, &err) == SS_OK) {
        (void)!reader->columns(state, &columns, &n_columns, &err);
    }
    reader->close(state);
    if (n_columns > 0) {
        fuzz_map_kept(reader, &source, n_columns);
    }
    for (size_t i = 0; i < n_columns && i < MAX_COLUMNS; i++) {
        fuzz_map_rows(reader, &source, i);
    }
}

#endif
