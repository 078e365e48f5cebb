/* A trainer's memory: weights with both moments of Adam, and the arrays of one step, sized
 * for the largest batch so far. A step after the first of its size asks for no memory but
 * where more pairs fire than before. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

static ss_status make_parameter(struct ss_train_parameter *parameter, size_t n, bool is_trained,
                                ss_err *err)
{
    parameter->n = n;
    parameter->is_trained = is_trained;
    SS_ALLOC_OR_RETURN(parameter->x, n);
    SS_ALLOC_OR_RETURN(parameter->mean, n);
    SS_ALLOC_OR_RETURN(parameter->square, n);
    return SS_OK;
}

static ss_status make_parameters(struct ss_trainer *self, ss_err *err)
{
    const struct ss_train_config *config = &self->config;
    const size_t d = config->width, n = config->n_features;
    struct ss_train_parameter *p = self->parameters;
    SS_RETURN_IF_ERROR(make_parameter(p + SS_TRAIN_B_DEC, d, true, err));
    SS_RETURN_IF_ERROR(make_parameter(p + SS_TRAIN_B_ENC, n, ss_train_has_bias(config), err));
    SS_RETURN_IF_ERROR(make_parameter(p + SS_TRAIN_W_ENC, n * d, true, err));
    SS_RETURN_IF_ERROR(make_parameter(p + SS_TRAIN_W_DEC, n * d, true, err));
    if (config->kind == SS_TRAIN_JUMPRELU) {
        SS_RETURN_IF_ERROR(make_parameter(p + SS_TRAIN_LOG_THRESHOLD, n, true, err));
    }
    return SS_OK;
}

static ss_status make_lists(struct ss_train_lists *lists, size_t n_rows, size_t stride,
                            ss_err *err)
{
    lists->stride = stride;
    SS_ALLOC_OR_RETURN(lists->ids, n_rows * stride);
    SS_ALLOC_OR_RETURN(lists->values, n_rows * stride);
    SS_ALLOC_OR_RETURN(lists->n, n_rows);
    return SS_OK;
}

/* Memory of a step, by rows. */
static ss_status make_rows(struct ss_trainer *self, ss_err *err)
{
    const struct ss_train_config *config = &self->config;
    const size_t d = config->width, n_rows = config->batch_rows, n = config->n_features;
    SS_ALLOC_OR_RETURN(self->x, n_rows * d);
    if (ss_train_subtracts(config)) {
        SS_ALLOC_OR_RETURN(self->centered, n_rows * d);
    } else {
        self->centered = self->x;
    }
    SS_ALLOC_OR_RETURN(self->h, n_rows * n);
    SS_ALLOC_OR_RETURN(self->gradient, ss_train_n_prefixes(config) * n_rows * d);
    SS_ALLOC_OR_RETURN(self->residual, n_rows * d);
    SS_ALLOC_OR_RETURN(self->rows, n_rows);
    SS_RETURN_IF_ERROR(make_lists(&self->kept, n_rows, n, err));
    return make_lists(&self->aux, n_rows, n, err);
}

static ss_status make_features(struct ss_trainer *self, ss_err *err)
{
    const size_t n = self->config.n_features, d = self->config.width;
    const size_t n_groups = ss__divide_up(n, SS_TRAIN_GROUP);
    SS_ALLOC_OR_RETURN(self->idle, n);
    SS_ALLOC_OR_RETURN(self->thresholds, n);
    SS_ALLOC_OR_RETURN(self->lowest, n);
    SS_ALLOC_OR_RETURN(self->dead, n);
    SS_ALLOC_OR_RETURN(self->is_dead, n);
    SS_ALLOC_OR_RETURN(self->starts, n + 1);
    SS_ALLOC_OR_RETURN(self->bias_gradient, n);
    SS_ALLOC_OR_RETURN(self->threshold_gradient, n);
    SS_ALLOC_OR_RETURN(self->center_gradient, d);
    SS_ALLOC_OR_RETURN(self->center_parts, n_groups * d);
    SS_ALLOC_OR_RETURN(self->groups, n_groups);
    return ss_train_encoder_new(n, d, &self->encoder, err);
}

ss_status ss_train_reserve(struct ss_trainer *self, size_t n_workers, ss_err *err)
{
    if (self->n_workers < n_workers) {
        ss__free(self->scratch);
        self->scratch = NULL;
        self->n_workers = 0;
        SS_ALLOC_OR_RETURN(self->scratch, n_workers * self->scratch_stride);
        self->n_workers = n_workers;
    }
    return SS_OK;
}

ss_status ss_train_new(const struct ss_train_config *config, struct ss_trainer **out,
                       ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_trainer *self = NULL;
    *out = NULL;
    SS_TRY(ss_train_check_config(config, err));
    SS_ALLOC(self, 1);
    self->config = *config;
    self->scratch_stride =
        ss__max_size(2 * config->batch_rows, config->n_features) + config->width;
    SS_TRY(make_parameters(self, err));
    SS_TRY(make_rows(self, err));
    SS_TRY(make_features(self, err));
    ss_train_draw_weights(self);
    ss_train_weights_changed(self);
    *out = self;
    self = NULL;
out:
    ss_train_free(self);
    return status;
}

static void free_lists(struct ss_train_lists *lists)
{
    ss__free(lists->ids);
    ss__free(lists->values);
    ss__free(lists->n);
}

void ss_train_free(struct ss_trainer *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < SS_TRAIN_N_PARAMETERS; i++) {
        ss__free(self->parameters[i].x);
        ss__free(self->parameters[i].mean);
        ss__free(self->parameters[i].square);
    }
    if (self->centered != self->x) {
        ss__free(self->centered);
    }
    free_lists(&self->kept);
    free_lists(&self->aux);
    ss_train_encoder_free(self->encoder);
    void *const blocks[] = {self->idle,
                            self->x,
                            self->h,
                            self->gradient,
                            self->residual,
                            self->rows,
                            self->thresholds,
                            self->lowest,
                            self->scratch,
                            self->values,
                            self->dead,
                            self->is_dead,
                            self->starts,
                            self->pair_rows,
                            self->pair_values,
                            self->bias_gradient,
                            self->threshold_gradient,
                            self->center_gradient,
                            self->center_parts,
                            self->groups};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ss__free(blocks[i]);
    }
    ss__free(self);
}

const struct ss_train_config *ss_train_config_of(const struct ss_trainer *trainer)
{
    return &trainer->config;
}

uint64_t ss_train_steps_done(const struct ss_trainer *trainer)
{
    return trainer->step;
}

void ss_train_weights_changed(struct ss_trainer *self)
{
    const size_t n = self->config.n_features, d = self->config.width;
    const ss_train_real *w = self->parameters[SS_TRAIN_W_ENC].x;
    const ss_train_real *decoder = self->parameters[SS_TRAIN_W_DEC].x;
    self->max_encoder_length = self->max_decoder_length = 0;
    self->guess = 0;
    for (size_t f = 0; f < n; f++) {
        self->max_encoder_length =
            fmax(self->max_encoder_length, sqrt((double)ss_train_dot(w + f * d, w + f * d, d)));
        self->max_decoder_length =
            fmax(self->max_decoder_length,
                 sqrt((double)ss_train_dot(decoder + f * d, decoder + f * d, d)));
    }
    for (size_t f = 0; f < n; f += SS_TRAIN_GROUP) {
        ss_train_encoder_fill(self->encoder, f, ss__min_size(SS_TRAIN_GROUP, n - f), w + f * d);
    }
}
