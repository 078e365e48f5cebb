/* Texts whose features turn on less than the error of their embedding: they are embedded again
 * in fp32, at the highest precision, so that every text fires the features that it fires there
 * (docs/numerics.md, "Fire sets at high"). */
#ifndef SS_PASS_REEMBED_H
#define SS_PASS_REEMBED_H

#include "pass/batch.h"
#include "sae/sae.h"

struct ss_pass_reembed {
    const ss_encoder *encoder; /* that embeds first; NULL where embeddings are given */
    const ss_sae *sae;
    struct ss_sae_activation *calibrated; /* NULL: the SAE's own activation rule */
    ss_work *work;
    double error;                   /* of embeddings; 0: nothing is embedded again */
    ss_encoder *exact;              /* in fp32; NULL while it was not needed */
    struct ss_sae_margins *margins; /* NULL where the error is 0 */
    bool *is_ambiguous, *is_exact;  /* [n_rows] of the batch in hand */
    size_t ambiguous_capacity, exact_capacity;
    size_t n_known;                    /* rows of is_exact that are set */
    struct ss_tokenizer_tokens tokens; /* of the texts to embed */
    float *embeddings;
    size_t embeddings_capacity, width;
    uint64_t n_rows;      /* embedded in fp32 */
    double largest_error; /* that they were found to have had */
};

/* encoder nullable; all three borrowed. Where the SAE's rule cannot tell rows apart, every text
 * is embedded in fp32: self->encoder is then another. Release after success and failure. */
SS_MUST_USE ss_status ss_pass_reembed_init(struct ss_pass_reembed *self,
                                           const ss_encoder *encoder, const ss_sae *sae,
                                           ss_work *work, ss_err *err);
/* What was counted and measured stays. */
void ss_pass_reembed_release(struct ss_pass_reembed *self);

/* Calibrate the SAE's rule on the rows of a batch and their embeddings, some of which are
 * replaced; from then on rows are encoded with it. A batch is calibrated on before it is
 * encoded. Errors: as ss_sae_calibrate. */
SS_MUST_USE ss_status ss_pass_reembed_calibrate(struct ss_pass_reembed *self,
                                                const struct ss_pass_batch *batch,
                                                float *embeddings, ss_err *err);
/* As ss_sae_encode_batch for the rows of a batch and their embeddings, some of which are
 * replaced. */
SS_MUST_USE ss_status ss_pass_reembed_encode(struct ss_pass_reembed *self,
                                             const struct ss_pass_batch *batch,
                                             float *embeddings, struct ss_sparse *out,
                                             struct ss_sae_counts *counts, ss_err *err);

#endif
