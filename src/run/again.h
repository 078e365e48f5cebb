/* Texts whose features turn on less than the error of their embedding: they are embedded again
 * at the highest precision, so that every text fires the features that it fires there. */
#ifndef SS_RUN_AGAIN_H
#define SS_RUN_AGAIN_H

#include "run/batch.h"
#include "sae/sae.h"

struct ss_run_again {
    const ss_encoder *encoder; /* that embeds first; NULL where embeddings are given */
    const ss_sae *sae;
    ss_work *work;
    double error;                   /* of embeddings; 0: nothing is done again */
    ss_encoder *twin;               /* at the highest precision; NULL while it was not needed */
    struct ss_sae_margins *margins; /* NULL where the error is 0 */
    bool *is_near, *is_exact;       /* [n_rows] of the batch in hand */
    size_t n_near_room, n_exact_room, n_known; /* rows of is_exact that are set */
    struct ss_tokenizer_tokens tokens;         /* of the texts to embed */
    float *embeddings;
    size_t n_embeddings_room, width;
    uint64_t n_rows;      /* embedded at the highest precision */
    double largest_error; /* that they were found to have had */
};

/* encoder nullable; all three borrowed. Where the SAE's rule cannot tell rows apart, every text
 * is embedded at the highest precision: self->encoder is then another. Release after success
 * and failure. */
SS_MUST_USE ss_status ss_run_again_init(struct ss_run_again *self, const ss_encoder *encoder,
                                        const ss_sae *sae, ss_work *work, ss_err *err);
/* What was counted and measured stays. */
void ss_run_again_release(struct ss_run_again *self);

/* As ss_sae_calibrate and ss_sae_encode_counted for the rows of a batch and their embeddings,
 * some of which are replaced. A batch is calibrated on before it is encoded. */
SS_MUST_USE ss_status ss_run_again_calibrate(struct ss_run_again *self, ss_sae *sae,
                                             const struct ss_run_batch *batch,
                                             float *embeddings, ss_err *err);
SS_MUST_USE ss_status ss_run_again_encode(struct ss_run_again *self,
                                          const struct ss_run_batch *batch, float *embeddings,
                                          struct ss_sparse *out, struct ss_sae_counts *counts,
                                          ss_err *err);

#endif
