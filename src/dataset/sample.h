/* A random sample of rows of a given size, in one pass over them.
 *
 * A row's key is a mix of its number and the seed (ss_dataset_sample_key); of N rows those with
 * the smallest keys are taken, so that every set of rows is as likely as any other and the
 * choice depends on nothing but seed, size and which rows there are. Where their number is known
 * the choice is made before they are read; else the rows with the smallest keys so far wait in
 * a temporary file without a name. Threads: one at a time. */
#ifndef SS_DATASET_SAMPLE_H
#define SS_DATASET_SAMPLE_H

#include "base/buf.h"
#include "base/error.h"

/* A row that was taken, as it waits; n_bytes behind `offset` in the file. */
struct ss_dataset_sample_place {
    uint64_t key, row, offset;
    size_t n_bytes;
};

/* Zeroed, then `n` (more than 0) and `seed` are set. */
struct ss_dataset_sample {
    uint64_t n, seed;
    struct ss_dataset_sample_place *places; /* [n_places] a heap by key, the largest first */
    size_t n_places, capacity, n_given;
    int handle; /* 1 more than the descriptor of the file; 0: there is none */
    struct ss__buf unwritten;
    uint64_t n_written;
    bool is_sorted; /* places are in the order of rows */
};

/* The finaliser of SplitMix64 over the row's number plus that over the seed; distinct rows have
 * distinct keys. */
uint64_t ss_dataset_sample_key(uint64_t seed, uint64_t row);

/* Choose among rows 0 … n_rows - 1, before they are read. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_sample_choose(struct ss_dataset_sample *sample,
                                               uint64_t n_rows, ss_err *err);
/* After that: whether a row is taken; rows are asked for in ascending order. */
bool ss_dataset_sample_has(struct ss_dataset_sample *sample, uint64_t row);

/* Else: whether a row would be taken as things are, and then take it. Rows come in ascending
 * order. Errors: SS_E_NOMEM, SS_E_IO. */
bool ss_dataset_sample_wants(const struct ss_dataset_sample *sample, uint64_t row);
SS_MUST_USE ss_status ss_dataset_sample_add(struct ss_dataset_sample *sample, uint64_t row,
                                            const struct ss__buf *bytes, ss_err *err);
/* When all rows were shown: the next that was taken, in their order. At the end *has_row is
 * false. Errors: SS_E_NOMEM, SS_E_IO. */
SS_MUST_USE ss_status ss_dataset_sample_next(struct ss_dataset_sample *sample, uint64_t *row,
                                             struct ss__buf *bytes, bool *has_row, ss_err *err);

void ss_dataset_sample_release(struct ss_dataset_sample *sample);

#endif
