/* The rows with the smallest keys: a heap of places, and a file in which rows wait. A row that
 * is pushed out stays in the file; about n (1 + ln(rows / n)) rows are written in all. */
#include "dataset/sample.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sort.h"
#include "base/temporary.h"

enum { WRITE_BYTES = 1 << 20 };

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
    x = (x ^ x >> 27) * 0x94D049BB133111EBU;
    return x ^ x >> 31;
}

/* The key of a row is a hash of its number and the seed, and the sample is the n rows with
 * the smallest keys: uniform, without replacement, and the same whichever worker, part or
 * order the rows come in. The constants are those of splitmix64. */
uint64_t ss_dataset_sample_key(uint64_t seed, uint64_t row)
{
    return mix(row + mix(seed));
}

/* ---- the heap ---- */

static void swap(struct ss_dataset_sample_place *a, struct ss_dataset_sample_place *b)
{
    const struct ss_dataset_sample_place first = *a;
    *a = *b;
    *b = first;
}

static void sift_up(struct ss_dataset_sample_place *places, size_t at)
{
    for (; at > 0 && places[(at - 1) / 2].key < places[at].key; at = (at - 1) / 2) {
        swap(&places[(at - 1) / 2], &places[at]);
    }
}

static void sift_down(struct ss_dataset_sample_place *places, size_t n)
{
    for (size_t at = 0, child = 1; child < n; at = child, child = 2 * at + 1) {
        child += child + 1 < n && places[child + 1].key > places[child].key;
        if (places[child].key < places[at].key) {
            break;
        }
        swap(&places[child], &places[at]);
    }
}

bool ss_dataset_sample_wants(const struct ss_dataset_sample *sample, uint64_t row)
{
    return sample->n_places < sample->n ||
           ss_dataset_sample_key(sample->seed, row) < sample->places[0].key;
}

static ss_status add_place(struct ss_dataset_sample *sample,
                           struct ss_dataset_sample_place place, ss_err *err)
{
    if (sample->n_places < sample->n) {
        SS_GROW_OR_RETURN(sample->places, sample->capacity, sample->n_places + 1);
        sample->places[sample->n_places] = place;
        sift_up(sample->places, sample->n_places++);
    } else {
        sample->places[0] = place;
        sift_down(sample->places, sample->n_places);
    }
    return SS_OK;
}

static int compare_rows(const void *a, const void *b)
{
    const uint64_t left = ((const struct ss_dataset_sample_place *)a)->row;
    const uint64_t right = ((const struct ss_dataset_sample_place *)b)->row;
    return (left > right) - (left < right);
}

static void sort_places(struct ss_dataset_sample *sample)
{
    if (sample->n_places > 0 && !sample->is_sorted) {
        ss__sort(sample->places, sample->n_places, sizeof *sample->places, compare_rows);
    }
    sample->is_sorted = true;
}

/* ---- chosen before ---- */

ss_status ss_dataset_sample_choose(struct ss_dataset_sample *sample, uint64_t n_rows,
                                   ss_err *err)
{
    for (uint64_t row = 0; row < n_rows; row++) {
        if (ss_dataset_sample_wants(sample, row)) {
            const struct ss_dataset_sample_place place = {
                .key = ss_dataset_sample_key(sample->seed, row), .row = row};
            SS_RETURN_IF_ERROR(add_place(sample, place, err));
        }
    }
    sort_places(sample);
    return SS_OK;
}

/* Rows are asked for in rising order, so a cursor is enough. */
bool ss_dataset_sample_has(struct ss_dataset_sample *sample, uint64_t row)
{
    while (sample->n_given < sample->n_places && sample->places[sample->n_given].row < row) {
        sample->n_given++;
    }
    return sample->n_given < sample->n_places && sample->places[sample->n_given].row == row;
}

/* ---- chosen while rows come ---- */

static ss_status flush(struct ss_dataset_sample *sample, ss_err *err)
{
    if (sample->handle == 0) {
        int descriptor = -1;
        SS_RETURN_IF_ERROR(ss__temporary_unnamed(&descriptor, err));
        sample->handle = descriptor + 1;
    }
    SS_RETURN_IF_ERROR(ss__write_all(sample->handle - 1, SS__TEMPORARY_UNNAMED,
                                     sample->unwritten.data, sample->unwritten.n_bytes, err));
    sample->n_written += sample->unwritten.n_bytes;
    sample->unwritten.n_bytes = 0;
    return SS_OK;
}

/* How many rows there are is not known, so a row that is wanted now may be pushed out later.
 * Its bytes are written anyway and stay: by the n-th row the chance to be wanted is n over
 * the rows so far, and the sum of these is what the head of this file says. */
ss_status ss_dataset_sample_add(struct ss_dataset_sample *sample, uint64_t row,
                                const struct ss__buf *bytes, ss_err *err)
{
    const struct ss_dataset_sample_place place = {
        .key = ss_dataset_sample_key(sample->seed, row),
        .row = row,
        .offset = sample->n_written + sample->unwritten.n_bytes,
        .n_bytes = bytes->n_bytes};
    SS_RETURN_IF_ERROR(add_place(sample, place, err));
    ss__buf_add(&sample->unwritten, bytes->data, bytes->n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(&sample->unwritten, err));
    return sample->unwritten.n_bytes > WRITE_BYTES ? flush(sample, err) : SS_OK;
}

ss_status ss_dataset_sample_next(struct ss_dataset_sample *sample, uint64_t *row,
                                 struct ss__buf *bytes, bool *has_row, ss_err *err)
{
    sort_places(sample);
    *has_row = sample->n_given < sample->n_places;
    if (!*has_row) {
        return SS_OK;
    }
    const struct ss_dataset_sample_place *place = &sample->places[sample->n_given++];
    *row = place->row;
    bytes->n_bytes = 0;
    char *out = ss__buf_reserve(bytes, place->n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(bytes, err));
    if (place->offset >= sample->n_written) {
        memcpy(out, sample->unwritten.data + (place->offset - sample->n_written),
               place->n_bytes);
    } else {
        SS_RETURN_IF_ERROR(ss__read_all_at(sample->handle - 1, SS__TEMPORARY_UNNAMED, out,
                                           place->n_bytes, place->offset, err));
    }
    bytes->n_bytes = place->n_bytes;
    return SS_OK;
}

void ss_dataset_sample_release(struct ss_dataset_sample *sample)
{
    if (sample->handle != 0) {
        close(sample->handle - 1);
    }
    ss__free(sample->places);
    ss__buf_release(&sample->unwritten);
    *sample = (struct ss_dataset_sample){0};
}
