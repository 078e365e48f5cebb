/* Embedding ambiguous rows again. A batch is encoded with the margins of its embeddings' error;
 * the texts of rows that are marked are gathered, embedded in fp32 with layers of their own
 * (the encoder shares all else), put in the place of the first embeddings, and encoded once
 * more. What decides that a row is ambiguous: sae/sae_margin.c; why that suffices:
 * docs/numerics.md, "Fire sets at high". */
#include "pass/reembed.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder.h"

ss_status ss_pass_reembed_init(struct ss_pass_reembed *self, const ss_encoder *encoder,
                               const ss_sae *sae, ss_work *work, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    *self = (struct ss_pass_reembed){.encoder = encoder, .sae = sae, .work = work};
    if (encoder == NULL || ss_encoder_error(encoder) == 0) {
        return SS_OK;
    }
    ss_encoder_describe(encoder, &info);
    self->width = info.width;
    SS_RETURN_IF_ERROR(ss_sae_margins_new(sae, ss_encoder_error(encoder), &self->margins, err));
    if (ss_sae_margins_decide(self->margins)) {
        self->error = ss_encoder_error(encoder);
    } else {
        SS_RETURN_IF_ERROR(ss_encoder_at_precision(encoder, self->work, SS_PRECISION_HIGHEST,
                                                   &self->exact, err));
        self->encoder = self->exact;
    }
    return SS_OK;
}

void ss_pass_reembed_release(struct ss_pass_reembed *self)
{
    ss_sae_activation_free(self->calibrated);
    ss_sae_margins_free(self->margins);
    ss_encoder_at_precision_free(self->exact);
    ss_tokenizer_tokens_release(&self->tokens);
    ss__free(self->is_ambiguous);
    ss__free(self->is_exact);
    ss__free(self->embeddings);
    *self = (struct ss_pass_reembed){
        .error = self->error, .n_rows = self->n_rows, .largest_error = self->largest_error};
}

/* Have marks for a batch's rows, of which none is exact but by calibration. */
static ss_status reserve_marks(struct ss_pass_reembed *self, size_t n_rows, ss_err *err)
{
    SS_GROW_OR_RETURN(self->is_ambiguous, self->ambiguous_capacity, n_rows);
    SS_GROW_OR_RETURN(self->is_exact, self->exact_capacity, n_rows);
    if (self->n_known != n_rows) {
        memset(self->is_exact, 0, n_rows * sizeof *self->is_exact);
    }
    return SS_OK;
}

static ss_status add_tokens(struct ss_pass_reembed *self,
                            const struct ss_tokenizer_tokens *tokens, size_t text, ss_err *err)
{
    size_t offsets[2];
    const struct ss_tokenizer_tokens one = ss_pass_tokens_slice(tokens, text, 1, offsets);
    return ss_pass_tokens_append(&self->tokens, &one, err);
}

/* |a - b| / |b|, but at most 1. */
static double relative_error(const float *a, const float *b, size_t n)
{
    double off = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        off += d * d;
        squares += (double)b[i] * (double)b[i];
    }
    return off < squares ? sqrt(off / squares) : off > 0;
}

/* The texts of rows that are ambiguous, but not exact yet, into self->embeddings. */
static ss_status embed_ambiguous(struct ss_pass_reembed *self,
                                 const struct ss_pass_batch *batch, ss_err *err)
{
    size_t n_values = 0;
    ss_tokenizer_tokens_reset(&self->tokens);
    for (size_t r = 0; r < batch->n_rows; r++) {
        if (self->is_ambiguous[r] && !self->is_exact[r]) {
            SS_RETURN_IF_ERROR(add_tokens(self, &batch->tokens, r, err));
        }
    }
    if (self->tokens.n_texts == 0) {
        return SS_OK;
    }
    if (self->exact == NULL) {
        SS_RETURN_IF_ERROR(ss_encoder_at_precision(self->encoder, self->work,
                                                   SS_PRECISION_HIGHEST, &self->exact, err));
    }
    if (!ss__mul(self->tokens.n_texts, self->width, &n_values)) {
        return ss__fail_nomem(err, "embeddings");
    }
    SS_GROW_OR_RETURN(self->embeddings, self->embeddings_capacity, n_values);
    return ss_encoder_forward(self->exact, self->work, &self->tokens, self->embeddings, err);
}

/* Put exact embeddings in the place of those of ambiguous rows. */
static ss_status replace_ambiguous(struct ss_pass_reembed *self,
                                   const struct ss_pass_batch *batch, float *embeddings,
                                   ss_err *err)
{
    const float *exact = NULL;
    SS_RETURN_IF_ERROR(embed_ambiguous(self, batch, err));
    exact = self->embeddings;
    for (size_t r = 0; r < batch->n_rows; r++) {
        float *x = embeddings + r * self->width;
        if (self->is_ambiguous[r] && !self->is_exact[r]) {
            const double error = relative_error(x, exact, self->width);
            self->largest_error = fmax(self->largest_error, error);
            memcpy(x, exact, self->width * sizeof *x);
            exact += self->width;
            self->is_exact[r] = true;
            self->n_rows++;
        }
    }
    self->n_known = batch->n_rows;
    return SS_OK;
}

/* In two passes over the rows: the first finds those that could decide the threshold, which are
 * embedded again; the second takes the threshold from all. */
ss_status ss_pass_reembed_calibrate(struct ss_pass_reembed *self,
                                    const struct ss_pass_batch *batch, float *embeddings,
                                    ss_err *err)
{
    if (self->error > 0 && batch->n_rows > 0) {
        SS_RETURN_IF_ERROR(reserve_marks(self, batch->n_rows, err));
        const struct ss_sae_batch rows = {
            .x = embeddings, .n = batch->n_rows, .is_ambiguous = self->is_ambiguous};
        SS_RETURN_IF_ERROR(ss_sae_mark_for_calibration(self->margins, self->work, &rows, err));
        SS_RETURN_IF_ERROR(replace_ambiguous(self, batch, embeddings, err));
    }
    return ss_sae_calibrate(self->sae, self->work, embeddings, batch->n_rows, &self->calibrated,
                            err);
}

static bool has_ambiguous(const struct ss_pass_reembed *self, size_t n_rows)
{
    return memchr(self->is_ambiguous, true, n_rows * sizeof *self->is_ambiguous) != NULL;
}

ss_status ss_pass_reembed_encode(struct ss_pass_reembed *self,
                                 const struct ss_pass_batch *batch, float *embeddings,
                                 struct ss_sparse *out, struct ss_sae_counts *counts,
                                 ss_err *err)
{
    struct ss_sae_batch rows = {.x = embeddings, .n = batch->n_rows, .counts = counts};
    if (self->error == 0) {
        self->n_rows += self->exact != NULL ? batch->n_rows : 0;
        return ss_sae_encode_batch(self->sae, self->calibrated, self->work, &rows, out, err);
    }
    SS_RETURN_IF_ERROR(reserve_marks(self, batch->n_rows, err));
    rows.is_ambiguous = self->is_ambiguous;
    SS_RETURN_IF_ERROR(
        ss_sae_encode_marking(self->margins, self->calibrated, self->work, &rows, out, err));
    if (has_ambiguous(self, batch->n_rows)) {
        SS_RETURN_IF_ERROR(replace_ambiguous(self, batch, embeddings, err));
        SS_RETURN_IF_ERROR(ss_sae_reencode_marked(self->margins, self->calibrated, self->work,
                                                  &rows, out, err));
    }
    self->n_known = 0;
    return SS_OK;
}
