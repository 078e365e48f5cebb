/* Any bytes as a Parquet file: the check of all text columns, then rows and one text column
 * through the reader, all from memory. */
#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/parquet_priv.h"

/* A few hundred bytes can stand for terabytes of rows: each of them is right, and enough is
 * enough. */
enum { MAX_ROWS = 2000, MAX_JSON_BYTES = 1 << 20 };

static void read_rows(const struct ss__source *source, size_t column)
{
    const struct ss__reader *reader = &ss__reader_parquet;
    struct ss__record record = {.is_null = false};
    struct ss__buf out = {.data = NULL};
    void *state = NULL;
    bool has_row = true;
    size_t n_json_bytes = 0;
    ss_err err;
    if (reader->open(source, &state, &err) == SS_OK &&
        reader->select(state, column, &err) == SS_OK) {
        for (size_t i = 0; i < MAX_ROWS && has_row && n_json_bytes < MAX_JSON_BYTES; i++) {
            if (reader->next(state, &record, &has_row, &err) != SS_OK ||
                (column == SS__ALL_COLUMNS && has_row &&
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss__source source = {.name = "fuzz", .map = {data, n_bytes}};
    ss_err err;
    (void)ss__parquet_check_bytes("fuzz", data, n_bytes, &err);
    read_rows(&source, SS__ALL_COLUMNS);
    struct ss__parquet file;
    if (ss__parquet_open("fuzz", data, n_bytes, &file, &err) == SS_OK) {
        const size_t n_columns = file.n_columns;
        ss__parquet_release(&file);
        for (size_t i = 0; i < n_columns && i < 4; i++) {
            read_rows(&source, i);
        }
    }
    return 0;
}
