/* The rows that an SAE is trained and evaluated on, read once: in memory, or where they are many
 * in a file without a name. */
#ifndef SS_RUN_TRAINING_ROWS_H
#define SS_RUN_TRAINING_ROWS_H

#include "base/buf.h"
#include "base/hash.h"
#include "pass/embeddings.h"

/* A zeroed one can be added to and released. */
struct ss_run_training_rows {
    size_t width;
    uint64_t n, n_held_out;            /* rows, and how many of them are never trained on */
    uint64_t n_missing;                /* rows without an embedding, which are left out */
    bool differ;                       /* not all of them are equal */
    char digest[SS__SHA256_HEX_BYTES]; /* of all rows, once they are finished */

    uint64_t first_key;
    struct ss__buf memory; /* of rows, until they are too many */
    int handle;            /* of the file + 1; 0: all are in memory */
    uint8_t *held_out;     /* a bit for each row */
    size_t held_out_capacity;
    struct ss__hash *hash;
};

/* Read embeddings to their end. `most`: rows, 0 all. Errors: those of ss_pass_embeddings_next,
 * SS_E_STOPPED, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_training_rows_read(struct ss_run_training_rows *rows,
                                                ss_embeddings *embeddings, uint64_t most,
                                                struct ss_progress_callback progress,
                                                ss_err *err);
/* A tenth of all rows is held out, by a hash of their numbers: equal rows, as those of equal
 * texts, are on one side. */
bool ss_run_training_rows_is_held_out(const struct ss_run_training_rows *rows, uint64_t row);
/* Copy a row to out [width]. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss_run_training_rows_get(const struct ss_run_training_rows *rows,
                                               uint64_t row, float *out, ss_err *err);
/* The first held out rows, at most *n: gives *out (ss__free) [*n, width]. */
SS_MUST_USE ss_status ss_run_training_rows_held_out(const struct ss_run_training_rows *rows,
                                                    size_t *n, float **out, ss_err *err);
void ss_run_training_rows_release(struct ss_run_training_rows *rows);

#endif
