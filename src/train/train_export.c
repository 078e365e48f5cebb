/* A trained SAE's weights as checkpoints have them, and the threshold that makes a row of a
 * batch-top-k SAE independent of others. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

/* ---- weights ---- */

static ss_status make_weights(const struct ss_trainer *self, bool has_thresholds,
                              struct ss_train_weights *out, ss_err *err)
{
    const size_t n = self->config.n_features, d = self->config.width;
    SS_ALLOC_OR_RETURN(out->b_dec, d);
    SS_ALLOC_OR_RETURN(out->b_enc, n);
    SS_ALLOC_OR_RETURN(out->w_enc, n * d);
    SS_ALLOC_OR_RETURN(out->w_dec, n * d);
    if (has_thresholds) {
        SS_ALLOC_OR_RETURN(out->log_threshold, n);
    }
    return SS_OK;
}

static void copy_numbers(const ss_train_real *from, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (float)from[i];
    }
}

/* What the encoder makes of b_dec, which it subtracts: a jumprelu SAE has no such part. */
static double center_of(const struct ss_trainer *self, size_t feature)
{
    const size_t d = self->config.width;
    const ss_train_real *w = self->parameters[SS_TRAIN_W_ENC].x + feature * d;
    double sum = 0;
    for (size_t i = 0; i < d; i++) {
        sum += (double)w[i] * (double)self->parameters[SS_TRAIN_B_DEC].x[i];
    }
    return sum;
}

static void fill_features(const struct ss_trainer *self, double threshold,
                          struct ss_train_weights *out)
{
    const size_t n = self->config.n_features, d = self->config.width;
    for (size_t f = 0; f < n; f++) {
        const ss_train_real *w = self->parameters[SS_TRAIN_W_ENC].x + f * d;
        for (size_t i = 0; i < d; i++) {
            out->w_enc[i * n + f] = (float)w[i];
        }
        out->b_enc[f] = (float)self->parameters[SS_TRAIN_B_ENC].x[f];
        if (threshold > 0 && self->config.kind != SS_TRAIN_JUMPRELU) {
            out->b_enc[f] =
                (float)((double)self->parameters[SS_TRAIN_B_ENC].x[f] - center_of(self, f));
            out->log_threshold[f] = (float)log(threshold);
        }
    }
}

ss_status ss_train_export(const struct ss_trainer *self, double threshold,
                          struct ss_train_weights *out, ss_err *err)
{
    const size_t n = self->config.n_features, d = self->config.width;
    const bool has_own = self->config.kind == SS_TRAIN_JUMPRELU;
    *out = (struct ss_train_weights){.kind =
                                         threshold > 0 ? SS_TRAIN_JUMPRELU : self->config.kind};
    const ss_status status = make_weights(self, has_own || threshold > 0, out, err);
    if (status != SS_OK) {
        ss_train_weights_release(out);
        return status;
    }
    copy_numbers(self->parameters[SS_TRAIN_B_DEC].x, d, out->b_dec);
    copy_numbers(self->parameters[SS_TRAIN_W_DEC].x, n * d, out->w_dec);
    fill_features(self, threshold, out);
    for (size_t f = 0; has_own && f < n; f++) {
        out->log_threshold[f] = (float)((double)self->parameters[SS_TRAIN_LOG_THRESHOLD].x[f] +
                                        (threshold > 0 ? log(threshold) : 0));
    }
    return SS_OK;
}

void ss_train_weights_release(struct ss_train_weights *weights)
{
    ss__free(weights->b_dec);
    ss__free(weights->b_enc);
    ss__free(weights->w_enc);
    ss__free(weights->w_dec);
    ss__free(weights->log_threshold);
    *weights = (struct ss_train_weights){0};
}

/* ---- calibration ---- */

/* The largest `k` of what was offered, in no order, once it is cut. */
struct largest {
    ss_train_real *values;
    size_t n, k, capacity;
    ss_train_real least; /* of the k; nothing below it counts */
};

static void cut_largest(struct largest *self)
{
    if (self->n > self->k) {
        self->least = ss_train_kth_largest(self->values, self->n, self->k);
        self->n = self->k;
    }
}

/* h of jumprelu in units of its thresholds. */
static void divide_by_thresholds(struct ss_trainer *self)
{
    const size_t n = self->config.n_features;
    for (size_t f = 0; f < n; f++) {
        self->thresholds[f] =
            (ss_train_real)exp(-(double)self->parameters[SS_TRAIN_LOG_THRESHOLD].x[f]);
    }
    for (size_t r = 0; r < self->n_rows; r++) {
        for (size_t f = 0; f < n; f++) {
            self->h[r * n + f] *= self->thresholds[f];
        }
    }
}

static ss_status offer_rows(struct ss_trainer *self, struct largest *largest, ss_err *err)
{
    const size_t n = self->config.n_features;
    for (size_t r = 0; r < self->n_rows; r++) {
        SS_GROW_OR_RETURN(largest->values, largest->capacity, largest->n + n);
        largest->n += ss_train_collect_at_least(
            &(struct ss_train_collection){.x = self->h + r * n,
                                          .n = n,
                                          .threshold = largest->least,
                                          .ids = self->kept.ids,
                                          .values = largest->values + largest->n});
        if (largest->n > 2 * largest->k + n) {
            cut_largest(largest);
        }
    }
    return SS_OK;
}

ss_status ss_train_calibrate(struct ss_trainer *self, ss_work *work, const float *x, size_t n,
                             double *threshold, ss_err *err)
{
    ss_status status = SS_OK;
    const bool is_jumprelu = self->config.kind == SS_TRAIN_JUMPRELU;
    const double k = is_jumprelu ? self->config.l0_target : (double)self->config.top_k;
    struct largest largest = {.k = (size_t)(k * (double)n + 0.5) + 1, .least = FLT_MIN};
    const size_t d = self->config.width;
    for (size_t at = 0; at < n; at += self->n_rows) {
        self->n_rows = ss__min_size(self->config.batch_rows, n - at);
        ss_train_normalise_rows(self, work, x + at * d);
        SS_TRY(ss_train_encode_batch(self, work, err));
        if (is_jumprelu) {
            divide_by_thresholds(self);
        }
        SS_TRY(offer_rows(self, &largest, err));
    }
    cut_largest(&largest);
    *threshold = 1e-6; /* where fewer are positive, all of them fire */
    if (largest.n == largest.k) {
        ss_train_real last = INFINITY;
        for (size_t i = 0; i + 1 < largest.n; i++) {
            last = largest.values[i] < last ? largest.values[i] : last;
        }
        *threshold = ((double)last + (double)largest.least) / 2;
    }
out:
    ss__free(largest.values);
    return status;
}
