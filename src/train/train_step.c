/* A step of training, part after part, and its figures.
 *
 * The order is that of train_priv.h: rows first, each by itself (normalise, encode, select,
 * reconstruct); then features, each by itself, from the list of its pairs. Threads so never
 * add to the same number, and what is summed over rows or features is summed here, by one
 * thread, in their order: a training has the same bytes for any number of threads. Gradients
 * are not kept: a feature's weights are updated as soon as its gradient is known. Where the
 * norm of all gradients has to be known before (clipping), a bound that costs nothing tells
 * most steps that they cannot be clipped; the others pass over the features twice. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

double ss_train_ramp(uint64_t step, uint64_t n_steps, uint64_t warmup, uint64_t decay)
{
    double factor = warmup == 0 ? 1 : fmin(1, ((double)step + 1) / (double)warmup);
    if (decay > 0) {
        factor *= fmin(1, ((double)n_steps - (double)step) / (double)decay);
    }
    return factor;
}

static double sparsity_coefficient(const struct ss_trainer *self)
{
    return self->config.l1_coeff *
           ss_train_ramp(self->step, 0, self->config.l0_warmup_steps, 0);
}

/* theta of every feature, and where what can matter to it begins: below its window, by more than
 * the rounding of the test (train_features.c). */
static void find_thresholds(struct ss_trainer *self)
{
    self->max_theta = 0;
    for (size_t f = 0; f < self->config.n_features; f++) {
        const double theta = exp((double)self->parameters[SS_TRAIN_LOG_THRESHOLD].x[f]);
        self->thresholds[f] = (ss_train_real)theta;
        self->lowest[f] =
            (ss_train_real)(theta * (1 - 1e-6) - self->config.bandwidth * 0.5000001);
        self->max_theta = fmax(self->max_theta, theta);
    }
}

/* ---- figures ---- */

static double variance_of_inputs(const struct ss_trainer *self)
{
    const size_t d = self->config.width;
    ss_train_real *mean = self->center_gradient; /* not in use yet */
    double squares = 0;
    memset(mean, 0, d * sizeof *mean);
    for (size_t r = 0; r < self->n_rows; r++) {
        squares += self->rows[r].squares;
        ss_train_add_scaled_to(mean, self->x + r * d, 1, d);
    }
    return squares - (double)ss_train_dot(mean, mean, d) / (double)self->n_rows;
}

static void add_up_rows(struct ss_trainer *self, struct ss_train_figures *figures)
{
    const double n = (double)self->n_rows, n_numbers = n * (double)self->config.width;
    double error = 0, prefix_error = 0, l1 = 0;
    size_t n_active = 0;
    for (size_t r = 0; r < self->n_rows; r++) {
        error += self->rows[r].error;
        prefix_error += self->rows[r].prefix_error;
        l1 += self->rows[r].l1;
        n_active += self->rows[r].n_active;
    }
    figures->l2_loss = prefix_error / n_numbers;
    figures->l0_norm = (double)n_active / n;
    figures->l1_norm = l1 / n;
    figures->explained_variance = 1 - error / variance_of_inputs(self);
}

/* The sparsity term and its derivative. */
static void weigh_sparsity(struct ss_trainer *self, struct ss_train_figures *figures)
{
    const double coefficient = sparsity_coefficient(self), n = (double)self->n_rows;
    const double target = self->config.l0_target;
    self->sparsity_factor = coefficient / n;
    if (self->config.kind != SS_TRAIN_JUMPRELU) {
        figures->l1_loss = coefficient * figures->l1_norm;
    } else if (target > 0) {
        const double off = figures->l0_norm / target - 1;
        figures->l1_loss = coefficient * off * off;
        self->sparsity_factor *= 2 * off / target;
    } else {
        figures->l1_loss = coefficient * figures->l0_norm;
    }
}

static void count_dead(const struct ss_trainer *self, struct ss_train_figures *figures)
{
    figures->n_dead_aux = self->n_dead;
    for (size_t f = 0; f < self->config.n_features; f++) {
        figures->n_dead += self->idle[f] > self->config.n_batches_to_dead ? 1 : 0;
    }
}

static void count_idle_in_batch(const struct ss_trainer *self, struct ss_train_figures *figures)
{
    for (size_t f = 0; f < self->config.n_features; f++) {
        bool fires = false;
        for (size_t i = self->starts[f]; i < self->starts[f + 1] && !self->is_dead[f]; i++) {
            fires = fires || self->config.kind != SS_TRAIN_JUMPRELU ||
                    self->pair_values[i] > self->thresholds[f];
        }
        figures->n_dead_in_batch += fires ? 0 : 1;
    }
}

static void add_up_auxiliary(const struct ss_trainer *self, struct ss_train_figures *figures)
{
    double sum = 0;
    for (size_t r = 0; r < self->n_rows; r++) {
        sum += self->rows[r].aux;
    }
    figures->aux_loss =
        self->n_dead == 0
            ? 0
            : self->aux_scale * sum / ((double)self->n_rows * (double)self->config.width);
    figures->loss = figures->l2_loss + figures->l1_loss + figures->aux_loss;
}

static double squares_of(const ss_train_real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

static void measure_gradients(const struct ss_trainer *self, struct ss_train_figures *figures)
{
    double squares[SS_TRAIN_N_PARAMETERS] = {0}, total = 0;
    for (size_t g = 0; g * SS_TRAIN_GROUP < self->config.n_features; g++) {
        squares[SS_TRAIN_W_ENC] += self->groups[g].encoder;
        squares[SS_TRAIN_W_DEC] += self->groups[g].decoder;
    }
    squares[SS_TRAIN_B_DEC] = squares_of(self->center_gradient, self->config.width);
    if (ss_train_has_bias(&self->config)) {
        squares[SS_TRAIN_B_ENC] = squares_of(self->bias_gradient, self->config.n_features);
    }
    if (self->config.kind == SS_TRAIN_JUMPRELU) {
        squares[SS_TRAIN_LOG_THRESHOLD] =
            squares_of(self->threshold_gradient, self->config.n_features);
    }
    for (size_t i = 0; i < SS_TRAIN_N_PARAMETERS; i++) {
        figures->grads[i] = sqrt(squares[i]);
        total += squares[i];
    }
    figures->grad_norm = sqrt(total);
}

/* ---- the step ---- */

static struct ss_train_update make_update(struct ss_trainer *self, double lr)
{
    const struct ss_train_config *config = &self->config;
    const double k = (double)self->step + 1;
    return (struct ss_train_update){.trainer = self,
                                    .scale = 1,
                                    .rate = lr,
                                    .adam = {.new_mean = 1 - config->beta1,
                                             .old_square = config->beta2,
                                             .new_square = 1 - config->beta2,
                                             .root_scale = 1 / sqrt(1 - pow(config->beta2, k)),
                                             .eps = config->eps,
                                             .rate = lr / (1 - pow(config->beta1, k))}};
}

/* Whether the gradients' norm could be above what is clipped: by a bound that is known before
 * they are. */
static bool may_clip(const struct ss_trainer *self)
{
    double bound = 0;
    for (size_t r = 0; r < self->n_rows; r++) {
        bound += self->rows[r].bound;
    }
    return !(bound < self->config.max_grad_norm);
}

static void update_weights(struct ss_trainer *self, ss_work *work,
                           struct ss_train_figures *figures)
{
    struct ss_train_update update = make_update(self, figures->lr);
    if (may_clip(self)) {
        struct ss_train_update measure = update;
        measure.rate = 0;
        ss_train_update_features(&measure, work);
        measure_gradients(self, figures);
        update.scale = fmin(1, self->config.max_grad_norm / (figures->grad_norm + 1e-6));
    }
    ss_train_update_features(&update, work);
    measure_gradients(self, figures);
    for (size_t g = 0; g * SS_TRAIN_GROUP < self->config.n_features; g++) {
        figures->grad_decoder_tangent += self->groups[g].tangent;
    }
    figures->grad_decoder_tangent = sqrt(figures->grad_decoder_tangent);
    ss_train_update_vectors(&update);
}

ss_status ss_train_encode_batch(struct ss_trainer *self, ss_work *work, ss_err *err)
{
    const bool has_bias = ss_train_has_bias(&self->config);
    return ss_train_encode(
        work,
        &(struct ss_train_product){.encoder = self->encoder,
                                   .x = self->centered,
                                   .n_rows = self->n_rows,
                                   .bias = has_bias ? self->parameters[SS_TRAIN_B_ENC].x : NULL,
                                   .h = self->h},
        err);
}

ss_status ss_train_step(struct ss_trainer *self, ss_work *work, const float *x, size_t n,
                        struct ss_train_figures *figures, ss_err *err)
{
    const struct ss_train_config *config = &self->config;
    *figures = (struct ss_train_figures){.step = self->step};
    figures->lr = config->lr * ss_train_ramp(self->step, config->n_steps,
                                             config->lr_warmup_steps, config->lr_decay_steps);
    self->n_rows = n;
    SS_RETURN_IF_ERROR(ss_train_reserve(self, ss_work_n_threads(work), err));
    ss_train_normalise_rows(self, work, x);
    SS_RETURN_IF_ERROR(ss_train_encode_batch(self, work, err));

    if (config->kind == SS_TRAIN_JUMPRELU) {
        find_thresholds(self);
    }
    SS_RETURN_IF_ERROR(ss_train_select(self, work, err));
    ss_train_count_idle(self);
    ss_train_reconstruct(self, work);
    add_up_rows(self, figures);
    weigh_sparsity(self, figures);
    ss_train_auxiliary(self, work);
    add_up_auxiliary(self, figures);
    count_dead(self, figures);
    SS_RETURN_IF_ERROR(ss_train_sort_pairs(self, err));
    count_idle_in_batch(self, figures);
    update_weights(self, work, figures);
    self->step++;
    return SS_OK;
}
