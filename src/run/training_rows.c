/* The rows that an SAE is trained on: read once, kept in memory up to 32 MB and else in a
 * file without a name, from which steps read them by number in any order.
 *
 * A tenth of them is held out, not by place but by a hash of their numbers: texts that occur
 * twice have equal rows, and one of them in the training would tell the evaluation the other.
 * A bit for each row says which. The digest of all rows is part of a training's identity: a
 * checkpoint goes on only with the rows that it came from (train/train_checkpoint.c). */
#include "run/training_rows.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/temporary.h"

enum { ROWS_AT_ONCE = 1024, MEMORY_BYTES = 32 << 20, ONE_IN = 10 };

static ss_status mark_row(struct ss_run_training_rows *rows, uint64_t key, ss_err *err)
{
    const size_t byte = (size_t)(rows->n / 8);
    if (byte >= rows->held_out_capacity) {
        const size_t before = rows->held_out_capacity;
        SS_GROW_OR_RETURN(rows->held_out, rows->held_out_capacity, byte + 1);
        memset(rows->held_out + before, 0, rows->held_out_capacity - before);
    }
    if (key % ONE_IN == 0) {
        rows->held_out[byte] = (uint8_t)(rows->held_out[byte] | 1U << rows->n % 8);
        rows->n_held_out++;
    }
    rows->first_key = rows->n == 0 ? key : rows->first_key;
    rows->differ = rows->differ || key != rows->first_key;
    rows->n++;
    return SS_OK;
}

/* Move what is in memory to the file, which is opened where there is none. */
static ss_status spill(struct ss_run_training_rows *rows, ss_err *err)
{
    if (rows->handle == 0) {
        int descriptor = -1;
        SS_RETURN_IF_ERROR(ss__temporary_unnamed(&descriptor, err));
        rows->handle = descriptor + 1;
    }
    SS_RETURN_IF_ERROR(ss__write_all(rows->handle - 1, SS__TEMPORARY_UNNAMED, rows->memory.data,
                                     rows->memory.n_bytes, err));
    if (rows->memory.n_bytes > MEMORY_BYTES) {
        ss__buf_release(&rows->memory); /* from now on there are never so many */
    }
    rows->memory.n_bytes = 0;
    return SS_OK;
}

static ss_status add_row(struct ss_run_training_rows *rows, const float *row, ss_err *err)
{
    const size_t n_bytes = rows->width * sizeof *row;
    ss__hash_add(rows->hash, row, n_bytes);
    SS_RETURN_IF_ERROR(mark_row(rows, ss__hash64(row, n_bytes), err));
    ss__buf_add(&rows->memory, row, n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(&rows->memory, err));
    const bool is_full = rows->handle == 0 ? rows->memory.n_bytes > MEMORY_BYTES
                                           : rows->memory.n_bytes > MEMORY_BYTES / 64;
    return is_full ? spill(rows, err) : SS_OK;
}

static bool is_zero(const float *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (row[i] != 0) {
            return false;
        }
    }
    return true;
}

struct reading {
    struct ss_run_training_rows *rows;
    ss_embeddings *embeddings;
    uint64_t n_read, most;
    float *x;
    bool *is_missing;
};

static ss_status read_some(struct reading *reading, size_t *n_read, ss_err *err)
{
    struct ss_run_training_rows *rows = reading->rows;
    struct ss_pass_embeddings_part part = {
        .out = reading->x, .is_missing = reading->is_missing, .n = ROWS_AT_ONCE};
    if (reading->most > 0) {
        part.n = (size_t)ss__min_u64(part.n, reading->most - reading->n_read);
    }
    SS_RETURN_IF_ERROR(
        ss_pass_embeddings_next(reading->embeddings, reading->n_read, &part, err));
    for (size_t i = 0; i < part.n_read; i++) {
        const float *row = reading->x + i * rows->width;
        if (part.is_missing[i] || is_zero(row, rows->width)) {
            rows->n_missing++;
        } else {
            SS_RETURN_IF_ERROR(add_row(rows, row, err));
        }
    }
    reading->n_read += part.n_read;
    *n_read = part.n_read;
    return SS_OK;
}

ss_status ss_run_training_rows_read(struct ss_run_training_rows *rows,
                                    ss_embeddings *embeddings, uint64_t most,
                                    struct ss_progress_callback progress, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__asking asking = {.stop = progress};
    struct ss_embeddings_info info = {.struct_size = sizeof info};
    struct reading reading = {.rows = rows, .embeddings = embeddings, .most = most};
    size_t n = 0;
    ss_embeddings_describe(embeddings, &info);
    rows->width = info.width;
    SS_ALLOC(reading.x, ROWS_AT_ONCE * rows->width);
    SS_ALLOC(reading.is_missing, ROWS_AT_ONCE);
    SS_TRY(ss__hash_new(SS__HASH_SHA256, &rows->hash, err));
    do {
        SS_TRY(ss__check_stop(&asking, err));
        SS_TRY(read_some(&reading, &n, err));
    } while (n > 0 && (most == 0 || reading.n_read < most));
    if (rows->handle != 0) {
        SS_TRY(spill(rows, err));
    }
    ss__hash_finish(rows->hash, rows->digest);
out:
    ss__free(reading.x);
    ss__free(reading.is_missing);
    return status;
}

bool ss_run_training_rows_is_held_out(const struct ss_run_training_rows *rows, uint64_t row)
{
    return (rows->held_out[row / 8] >> row % 8 & 1) != 0;
}

ss_status ss_run_training_rows_get(const struct ss_run_training_rows *rows, uint64_t row,
                                   float *out, ss_err *err)
{
    const size_t n_bytes = rows->width * sizeof *out;
    if (rows->handle == 0) {
        memcpy(out, rows->memory.data + row * n_bytes, n_bytes);
        return SS_OK;
    }
    return ss__read_all_at(rows->handle - 1, SS__TEMPORARY_UNNAMED, out, n_bytes, row * n_bytes,
                           err);
}

ss_status ss_run_training_rows_held_out(const struct ss_run_training_rows *rows, size_t *n,
                                        float **out, ss_err *err)
{
    const size_t most = (size_t)ss__min_u64(*n, rows->n_held_out);
    *n = 0;
    SS_ALLOC_OR_RETURN(*out, most * rows->width);
    for (uint64_t row = 0; row < rows->n && *n < most; row++) {
        if (ss_run_training_rows_is_held_out(rows, row)) {
            SS_RETURN_IF_ERROR(
                ss_run_training_rows_get(rows, row, *out + *n * rows->width, err));
            (*n)++;
        }
    }
    return SS_OK;
}

void ss_run_training_rows_release(struct ss_run_training_rows *rows)
{
    ss__buf_release(&rows->memory);
    ss__free(rows->held_out);
    ss__hash_free(rows->hash);
    if (rows->handle != 0) {
        close(rows->handle - 1);
    }
    *rows = (struct ss_run_training_rows){0};
}
