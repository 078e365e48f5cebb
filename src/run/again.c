#include "run/again.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder.h"

ss_status ss_run_again_init(struct ss_run_again *self, const ss_encoder *encoder,
                            const ss_sae *sae, ss_work *work, ss_err *err)
{
    struct ss_encoder_info info;
    *self = (struct ss_run_again){.encoder = encoder, .sae = sae, .work = work};
    if (encoder == NULL || ss_encoder_error(encoder) == 0) {
        return SS_OK;
    }
    ss_encoder_describe(encoder, &info);
    self->width = info.width;
    SS_RETURN_IF_ERROR(ss_sae_margins_new(sae, ss_encoder_error(encoder), &self->margins, err));
    if (ss_sae_margins_decide(self->margins)) {
        self->error = ss_encoder_error(encoder);
    } else {
        SS_RETURN_IF_ERROR(ss_encoder_twin(encoder, self->work, &self->twin, err));
        self->encoder = self->twin;
    }
    return SS_OK;
}

void ss_run_again_release(struct ss_run_again *self)
{
    ss_sae_margins_free(self->margins);
    ss_encoder_twin_free(self->twin);
    ss_tokenizer_tokens_release(&self->tokens);
    ss__free(self->is_near);
    ss__free(self->is_exact);
    ss__free(self->embeddings);
    *self = (struct ss_run_again){
        .error = self->error, .n_rows = self->n_rows, .largest_error = self->largest_error};
}

/* Room for what is known of a batch's rows, of which none is exact but by calibration. */
static ss_status make_room(struct ss_run_again *self, size_t n_rows, ss_err *err)
{
    SS_GROW_OR_RETURN(self->is_near, self->n_near_room, n_rows);
    SS_GROW_OR_RETURN(self->is_exact, self->n_exact_room, n_rows);
    if (self->n_known != n_rows) {
        memset(self->is_exact, 0, n_rows * sizeof *self->is_exact);
    }
    return SS_OK;
}

static ss_status add_tokens(struct ss_run_again *self, const struct ss_tokenizer_tokens *tokens,
                            size_t text, ss_err *err)
{
    size_t offsets[2];
    const struct ss_tokenizer_tokens one = ss_run_tokens_slice(tokens, text, 1, offsets);
    return ss_run_tokens_append(&self->tokens, &one, err);
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

/* The texts of rows that are near, but not exact yet, into self->embeddings. */
static ss_status embed_near(struct ss_run_again *self, const struct ss_run_batch *batch,
                            ss_err *err)
{
    size_t n_values = 0;
    ss_tokenizer_tokens_reset(&self->tokens);
    for (size_t r = 0; r < batch->n_rows; r++) {
        if (self->is_near[r] && !self->is_exact[r]) {
            SS_RETURN_IF_ERROR(add_tokens(self, &batch->tokens, r, err));
        }
    }
    if (self->tokens.n_texts == 0) {
        return SS_OK;
    }
    if (self->twin == NULL) {
        SS_RETURN_IF_ERROR(ss_encoder_twin(self->encoder, self->work, &self->twin, err));
    }
    if (!ss__mul(self->tokens.n_texts, self->width, &n_values)) {
        return ss__fail_nomem(err, "embeddings");
    }
    SS_GROW_OR_RETURN(self->embeddings, self->n_embeddings_room, n_values);
    return ss_encoder_forward(self->twin, self->work, &self->tokens, self->embeddings, err);
}

/* Make the embeddings of rows that are near exact. */
static ss_status mend(struct ss_run_again *self, const struct ss_run_batch *batch,
                      float *embeddings, ss_err *err)
{
    const float *exact = NULL;
    SS_RETURN_IF_ERROR(embed_near(self, batch, err));
    exact = self->embeddings;
    for (size_t r = 0; r < batch->n_rows; r++) {
        float *x = embeddings + r * self->width;
        if (self->is_near[r] && !self->is_exact[r]) {
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

ss_status ss_run_again_calibrate(struct ss_run_again *self, ss_sae *sae,
                                 const struct ss_run_batch *batch, float *embeddings,
                                 ss_err *err)
{
    if (self->error > 0 && batch->n_rows > 0) {
        SS_RETURN_IF_ERROR(make_room(self, batch->n_rows, err));
        const struct ss_sae_near_rows rows = {
            .x = embeddings, .n = batch->n_rows, .is_near = self->is_near};
        SS_RETURN_IF_ERROR(ss_sae_calibrate_near(self->margins, sae, self->work, &rows, err));
        SS_RETURN_IF_ERROR(mend(self, batch, embeddings, err));
    }
    return ss_sae_calibrate(sae, self->work, embeddings, batch->n_rows, err);
}

static bool has_near(const struct ss_run_again *self, size_t n_rows)
{
    return memchr(self->is_near, true, n_rows * sizeof *self->is_near) != NULL;
}

ss_status ss_run_again_encode(struct ss_run_again *self, const struct ss_run_batch *batch,
                              float *embeddings, struct ss_sparse *out,
                              struct ss_sae_counts *counts, ss_err *err)
{
    if (self->error == 0) {
        self->n_rows += self->twin != NULL ? batch->n_rows : 0;
        return ss_sae_encode_counted(self->sae, self->work, embeddings, batch->n_rows, out,
                                     counts, err);
    }
    SS_RETURN_IF_ERROR(make_room(self, batch->n_rows, err));
    const struct ss_sae_near_rows rows = {
        .x = embeddings, .n = batch->n_rows, .is_near = self->is_near, .counts = counts};
    SS_RETURN_IF_ERROR(ss_sae_encode_near(self->margins, self->work, &rows, out, err));
    if (has_near(self, batch->n_rows)) {
        SS_RETURN_IF_ERROR(mend(self, batch, embeddings, err));
        SS_RETURN_IF_ERROR(ss_sae_encode_again(self->margins, self->work, &rows, out, err));
    }
    self->n_known = 0;
    return SS_OK;
}
