/* The pass that analyze and encode share: rows of a dataset, or embeddings that are there, to
 * sparse activations, batch by batch in row order. */
#ifndef SS_PASS_H
#define SS_PASS_H

#include "base/stop.h"
#include "pass/embeddings_file.h"
#include "pass/pipeline.h"
#include "pass/reembed.h"

/* A batch and what the SAE made of it; all of it is borrowed until the call returns. */
struct ss_pass_rows {
    const struct ss_pass_batch *batch;
    const float *embeddings;      /* [n_rows, width] */
    const struct ss_sparse *rows; /* [n_rows] */
};

struct ss_pass {
    const ss_encoder *encoder; /* NULL with `embeddings` */
    const ss_sae *sae;
    ss_dataset *dataset;         /* nullable with `embeddings` */
    ss_embeddings *embeddings;   /* read in place of embedding texts; nullable */
    const char *save_embeddings; /* a .npy file, a row per row of the dataset; NULL: none */
    bool force;                  /* … which replaces one that is there */
    size_t n_threads, batch_tokens;
    uint64_t max_used, max_read;         /* as those of struct ss_pass_pipeline */
    uint64_t n_passed_over;              /* the same; not with `embeddings` */
    ss_pass_row_use use[SS_N_ROW_KINDS]; /* the same */
    struct ss_log log;
    struct ss_progress_callback progress;
    ss_status (*on_rows)(void *user, const struct ss_pass_rows *rows, ss_err *err);
    void *user;

    /* Set by the functions below. */
    ss_work *work;
    struct ss_pass_reembed reembed;
    struct ss_sparse rows;
    struct ss_sae_counts sae_counts;
    struct ss_pass_pipeline_done done;
    struct ss__asking asking; /* outside of the pipeline, which asks by itself */
    bool is_calibrating;
    bool is_saving; /* the next is open: */
    struct ss_pass_embeddings_file saved;
};

/* Make ready, where the pass stays until it is released: refuse widths that differ, warn of
 * another encoder than the SAE's config names. The fields above are set before. Release after
 * success and failure. Errors: SS_E_SHAPE, SS_E_NOMEM, SS_E_USAGE; those of the file of
 * embeddings. */
SS_MUST_USE ss_status ss_pass_init(struct ss_pass *pass, ss_err *err);

/* Run to the end of the rows. Errors: of the pipeline, the SAE and `on_rows`. */
SS_MUST_USE ss_status ss_pass_run(struct ss_pass *pass, ss_err *err);

/* Complete the file of embeddings, if there is one. Errors: SS_E_IO, SS_E_EXISTS. */
SS_MUST_USE ss_status ss_pass_save(struct ss_pass *pass, ss_err *err);

/* Free threads, scratch and what was calibrated; what was counted stays. */
void ss_pass_release(struct ss_pass *pass);

#endif
