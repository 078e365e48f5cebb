/* Embeddings that were made before: rows of numbers, read as a stream, in the place of an
 * encoder. */
#ifndef SS_RUN_EMBEDDINGS_H
#define SS_RUN_EMBEDDINGS_H

#include "run/pipeline.h"

/* The next rows, at most n, into out [n, width]; *n_read is 0 at the end only. `first` is the
 * number of rows before them, for messages. Errors: SS_E_NONFINITE and SS_E_DATA with the row,
 * those of the files. Threads: caller only. */
SS_MUST_USE ss_status ss__embeddings_next(ss_embeddings *embeddings, uint64_t first, size_t n,
                                          float *out, size_t *n_read, ss_err *err);

/* As ss__pipeline_run, with embeddings that are there instead of an encoder. The dataset
 * (nullable) has a row for each embedding; without it the text of row N is "row N". Rows
 * without a text are used as well. Errors: also SS_E_SHAPE (other numbers of rows). */
SS_MUST_USE ss_status ss__embeddings_run(ss_embeddings *embeddings,
                                         const struct ss__pipeline *pipeline,
                                         struct ss__pipeline_done *done, ss_err *err);

#endif
