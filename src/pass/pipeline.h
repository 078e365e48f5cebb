/* Rows to embeddings: a thread reads and tokenises ahead through a short queue of batches; the
 * calling thread encodes them and hands them on in row order. Memory is a few batches. */
#ifndef SS_PASS_PIPELINE_H
#define SS_PASS_PIPELINE_H

#include "pass/batch.h"

typedef enum ss_pass_row_use {
    SS_PASS_ROW_USE,
    SS_PASS_ROW_SKIP,
    SS_PASS_ROW_UNEMBEDDED, /* counted as skipped, but it keeps its place in the batch */
    SS_PASS_ROW_REFUSE
} ss_pass_row_use;

struct ss_pass_pipeline {
    const ss_encoder *encoder;
    ss_dataset *dataset;
    ss_work *work;
    size_t batch_tokens;                 /* 0: as the encoder likes it */
    uint64_t max_used;                   /* stop after so many used rows; 0: all */
    uint64_t max_read;                   /* stop after so many rows of any kind; 0: all */
    uint64_t n_passed_over;              /* so many rows are read and counted, no more */
    ss_pass_row_use use[SS_N_ROW_KINDS]; /* what is done with each kind of row */
    size_t first_rows; /* the first batch holds so many rows, if there are (calibration) */
    size_t rows_each;  /* every other batch holds exactly so many rows; 0: by tokens */
    struct ss_log log;
    struct ss_progress_callback progress;

    /* Receives every batch that has rows in order with its embeddings [n_rows, width], which it
     * may change; a failure ends the work. */
    ss_status (*on_batch)(void *user, const struct ss_pass_batch *batch, float *embeddings,
                          ss_err *err);
    void *user;
};

struct ss_pass_pipeline_done {
    struct ss_pass_row_counts counts;
    uint64_t n_tokens;
    double seconds, seconds_waiting; /* waiting: for the reader */
};

/* Run to the end of the dataset. Progress and log callbacks come from the calling thread.
 * Errors: of the dataset, SS_E_DATA for a refused row, SS_E_STOPPED, those of `on_batch`. */
SS_MUST_USE ss_status ss_pass_pipeline_run(const struct ss_pass_pipeline *pipeline,
                                           struct ss_pass_pipeline_done *done, ss_err *err);

/* The message of a run that was stopped: what was done, and that nothing was written to `out`
 * (NULL: it was to be written nowhere). Returns SS_E_STOPPED. */
ss_status ss_pass_pipeline_stopped(const struct ss_pass_pipeline_done *done, const char *out,
                                   ss_err *err);

#endif
