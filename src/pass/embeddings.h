/* Embeddings that were made before: rows of numbers, read as a stream, in the place of an
 * encoder. */
#ifndef SS_PASS_EMBEDDINGS_H
#define SS_PASS_EMBEDDINGS_H

#include "base/map.h"
#include "pass/pipeline.h"

/* The next rows, at most n, into out [n, width]; *n_read is 0 at the end only. is_missing [n]
 * tells rows of nothing but NaN, which stand for a text that was not there. `first` is the
 * number of rows before them, for messages. Errors: SS_E_NONFINITE (other rows that are not
 * finite) and SS_E_DATA with the row, those of the files. Threads: caller only. */
struct ss_pass_embeddings_part {
    float *out;
    bool *is_missing;
    size_t n, n_read;
};
SS_MUST_USE ss_status ss_pass_embeddings_next(ss_embeddings *embeddings, uint64_t first,
                                              struct ss_pass_embeddings_part *part,
                                              ss_err *err);

/* How the file was when it was opened, and whether it was read to its end; false where it is no
 * regular file. */
bool ss_pass_embeddings_facts(const ss_embeddings *embeddings, struct ss__file_facts *facts,
                              bool *is_complete);

/* Of the file's bytes those that were read, and all; 0 where that is not known. */
void ss_pass_embeddings_progress(const ss_embeddings *embeddings, uint64_t *n_done,
                                 uint64_t *n_total);

/* As ss_pass_pipeline_run, with embeddings that are there instead of an encoder. The dataset
 * (nullable) has a row for each embedding; without it the text of row N is "row N". Rows whose
 * embedding is missing, and rows without a text (null) whose embedding is all zeros, are of the
 * kind SS_ROW_NULL; all others are used, whatever their text. Errors: also SS_E_SHAPE (other
 * numbers of rows). */
SS_MUST_USE ss_status ss_pass_embeddings_run(ss_embeddings *embeddings,
                                             const struct ss_pass_pipeline *pipeline,
                                             struct ss_pass_pipeline_done *done, ss_err *err);

#endif
