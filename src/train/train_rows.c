/* What a step does row by row: normalising, reconstruction and its error, and the auxiliary
 * reconstruction of what is left by features that are dead. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

enum { ROWS = 8 }; /* of a task */

static void run_rows(struct ss_trainer *self, ss_work *work,
                     void (*task)(void *context, size_t index, size_t worker))
{
    ss__pool_run(ss_tensor_work_pool(work), ss__divide_up(self->n_rows, ROWS), task, self);
}

static size_t rows_end(const struct ss_trainer *self, size_t index)
{
    return ss__min_size((index + 1) * ROWS, self->n_rows);
}

/* ---- inputs ---- */

void ss_train_normalise(ss_train_real *x, size_t width)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < width; i++) {
        sum += (double)x[i];
    }
    const ss_train_real mean = (ss_train_real)(sum / (double)width);
    for (size_t i = 0; i < width; i++) {
        x[i] -= mean;
        squares += (double)x[i] * (double)x[i];
    }
    const double deviation = sqrt(squares / (double)(width - 1));
    ss_train_scale(x, (ss_train_real)(1 / (deviation + 1e-5)), width);
}

struct input_job {
    struct ss_trainer *trainer;
    const float *x;
};

static void input_task(void *context, size_t index, size_t worker)
{
    const struct input_job *job = context;
    struct ss_trainer *self = job->trainer;
    const size_t d = self->config.width;
    (void)worker;
    for (size_t r = index * ROWS; r < rows_end(self, index); r++) {
        ss_train_real *x = self->x + r * d;
        for (size_t i = 0; i < d; i++) {
            x[i] = (ss_train_real)job->x[r * d + i];
        }
        if (self->config.normalises_input) {
            ss_train_normalise(x, d);
        }
        self->rows[r] = (struct ss_train_row_sums){.squares = (double)ss_train_dot(x, x, d)};
        if (ss_train_subtracts(&self->config)) {
            memcpy(self->centered + r * d, x, d * sizeof *x);
            ss_train_add_scaled_to(self->centered + r * d, self->parameters[SS_TRAIN_B_DEC].x,
                                   -1, d);
        }
    }
}

void ss_train_normalise_rows(struct ss_trainer *self, ss_work *work, const float *x)
{
    struct input_job job = {self, x};
    ss__pool_run(ss_tensor_work_pool(work), ss__divide_up(self->n_rows, ROWS), input_task,
                 &job);
}

/* ---- reconstruction ---- */

/* The active pairs of a row: of jumprelu those above their threshold, put into the other lists,
 * which it has no use for. */
static struct ss_train_row_sum active_pairs(struct ss_trainer *self, size_t r)
{
    const size_t at = r * self->kept.stride;
    struct ss_train_row_sum pairs = {
        .ids = self->kept.ids + at, .weights = self->kept.values + at, .n = self->kept.n[r]};
    if (self->config.kind == SS_TRAIN_JUMPRELU) {
        uint32_t *ids = self->aux.ids + r * self->aux.stride;
        ss_train_real *values = self->aux.values + r * self->aux.stride;
        size_t n = 0;
        for (size_t i = 0; i < pairs.n; i++) {
            if (pairs.weights[i] > self->thresholds[pairs.ids[i]]) {
                ids[n] = pairs.ids[i];
                values[n++] = pairs.weights[i];
            }
        }
        pairs = (struct ss_train_row_sum){.ids = ids, .weights = values, .n = n};
    }
    return pairs;
}

/* A bound of what this row adds to the norm of all gradients, in which G has length `length` and
 * the inputs `input`. */
static double bound_of(const struct ss_trainer *self, double length, double input,
                       size_t n_pairs, double l1)
{
    const double dot = length * self->max_decoder_length + fabs(self->config.l1_coeff);
    double bound =
        length * (1 + l1) + (double)n_pairs * dot * (1 + input + self->max_encoder_length);
    if (self->config.kind == SS_TRAIN_JUMPRELU) {
        const double theta = fmax(1, self->max_theta);
        bound += (double)n_pairs * (theta * theta / self->config.bandwidth) *
                 (dot + fabs(self->sparsity_factor));
    }
    return bound;
}

/* Errors of all prefixes of a row: G of a prefix, and at last of all that are longer, too. */
static void reconstruct_row(struct ss_trainer *self, size_t r, ss_train_real *y)
{
    const size_t d = self->config.width, n_prefixes = ss_train_n_prefixes(&self->config);
    const size_t plane = self->config.batch_rows * d;
    const double scale = 2 / ((double)self->n_rows * (double)d * (double)n_prefixes);
    const struct ss_train_row_sum active = active_pairs(self, r);
    struct ss_train_row_sums *sums = self->rows + r;
    memcpy(y, self->parameters[SS_TRAIN_B_DEC].x, d * sizeof *y);
    for (size_t p = 0, at = 0; p < n_prefixes; p++) {
        size_t end = active.n;
        if (self->config.n_prefixes > 0) {
            for (end = at; end < active.n && active.ids[end] < self->config.prefixes[p];) {
                end++;
            }
        }
        ss_train_sum_rows(&(struct ss_train_row_sum){.out = y,
                                                     .rows = self->parameters[SS_TRAIN_W_DEC].x,
                                                     .width = d,
                                                     .ids = active.ids + at,
                                                     .weights = active.weights + at,
                                                     .n = end - at});
        at = end;
        ss_train_real *gradient = self->gradient + p * plane + r * d;
        memcpy(gradient, y, d * sizeof *y);
        ss_train_add_scaled_to(gradient, self->x + r * d, -1, d);
        sums->error = (double)ss_train_dot(gradient, gradient, d);
        sums->prefix_error += sums->error / (double)n_prefixes;
        if (p + 1 == n_prefixes) {
            memset(self->residual + r * d, 0, d * sizeof *y);
            ss_train_add_scaled_to(self->residual + r * d, gradient, -1, d);
        }
        ss_train_scale(gradient, (ss_train_real)scale, d);
    }
    for (size_t p = n_prefixes - 1; p > 0; p--) {
        ss_train_add_scaled_to(self->gradient + (p - 1) * plane + r * d,
                               self->gradient + p * plane + r * d, 1, d);
    }
    sums->n_active = active.n;
    for (size_t i = 0; i < active.n; i++) {
        sums->l1 += (double)active.weights[i];
    }
}

static void reconstruct_task(void *context, size_t index, size_t worker)
{
    struct ss_trainer *self = context;
    for (size_t r = index * ROWS; r < rows_end(self, index); r++) {
        reconstruct_row(self, r, ss_train_scratch(self, worker));
    }
}

void ss_train_reconstruct(struct ss_trainer *self, ss_work *work)
{
    run_rows(self, work, reconstruct_task);
}

/* ---- the auxiliary loss ---- */

void ss_train_count_idle(struct ss_trainer *self)
{
    const struct ss_train_config *config = &self->config;
    self->n_dead = 0;
    memset(self->is_dead, 0, config->n_features * sizeof *self->is_dead);
    if (config->kind == SS_TRAIN_JUMPRELU) {
        return;
    }
    for (size_t f = 0; f < config->n_features; f++) {
        self->idle[f]++;
    }
    for (size_t r = 0; r < self->n_rows; r++) {
        const uint32_t *ids = self->kept.ids + r * self->kept.stride;
        for (size_t i = 0; i < self->kept.n[r]; i++) {
            self->idle[ids[i]] = 0;
        }
    }
    for (size_t f = 0; ss_train_selects(config) && f < config->n_features; f++) {
        if (self->idle[f] >= config->n_batches_to_dead) {
            self->is_dead[f] = true;
            self->dead[self->n_dead++] = (uint32_t)f;
        }
    }
}

/* The variance of residuals over the batch: mean square of what differs from their mean row. */
static double residual_variance(struct ss_trainer *self)
{
    const size_t d = self->config.width;
    const double n = (double)self->n_rows;
    double squares = 0, means = 0;
    for (size_t r = 0; r < self->n_rows; r++) {
        squares += (double)ss_train_dot(self->residual + r * d, self->residual + r * d, d);
    }
    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t r = 0; r < self->n_rows; r++) {
            sum += (double)self->residual[r * d + i];
        }
        means += sum * sum / n;
    }
    return (squares - means) / (n * (double)d);
}

static size_t collect_dead(struct ss_trainer *self, size_t r, ss_train_real *scratch)
{
    const ss_train_real *h = self->h + r * self->config.n_features;
    uint32_t *ids = self->aux.ids + r * self->aux.stride;
    ss_train_real *values = self->aux.values + r * self->aux.stride;
    size_t n = 0;
    for (size_t i = 0; i < self->n_dead; i++) {
        const ss_train_real value = h[self->dead[i]];
        if (value > 0) {
            ids[n] = self->dead[i];
            values[n++] = value;
        }
    }
    return ss_train_keep_largest(ids, values, n,
                                 ss__min_size(self->config.top_k_aux, self->n_dead), scratch);
}

/* U in place of the residual. */
static void auxiliary_row(struct ss_trainer *self, size_t r, ss_train_real *scratch)
{
    const size_t d = self->config.width;
    const double scale = 2 * self->aux_scale / ((double)self->n_rows * (double)d);
    ss_train_real *u = self->residual + r * d;
    self->aux.n[r] = collect_dead(self, r, scratch);
    ss_train_scale(u, -1, d);
    ss_train_sum_rows(
        &(struct ss_train_row_sum){.out = u,
                                   .rows = self->parameters[SS_TRAIN_W_DEC].x,
                                   .width = d,
                                   .ids = self->aux.ids + r * self->aux.stride,
                                   .weights = self->aux.values + r * self->aux.stride,
                                   .n = self->aux.n[r]});
    self->rows[r].aux = (double)ss_train_dot(u, u, d);
    ss_train_scale(u, (ss_train_real)scale, d);
    for (size_t p = 0; !self->config.aux_detach && p < ss_train_n_prefixes(&self->config);
         p++) {
        ss_train_add_scaled_to(self->gradient + (p * self->config.batch_rows + r) * d, u, 1, d);
    }
}

static void auxiliary_task(void *context, size_t index, size_t worker)
{
    struct ss_trainer *self = context;
    for (size_t r = index * ROWS; r < rows_end(self, index); r++) {
        auxiliary_row(self, r, ss_train_scratch(self, worker));
    }
}

/* Of one row, when all of its gradients are known. */
static void bound_row(struct ss_trainer *self, size_t r)
{
    const size_t d = self->config.width;
    const ss_train_real *x = self->centered + r * d, *u = self->residual + r * d;
    double l1 = self->rows[r].l1, length = 0;
    size_t n = self->kept.n[r];
    for (size_t p = 0; p < ss_train_n_prefixes(&self->config); p++) {
        const ss_train_real *g = self->gradient + (p * self->config.batch_rows + r) * d;
        length = fmax(length, sqrt((double)ss_train_dot(g, g, d)));
    }
    if (self->n_dead > 0) {
        const ss_train_real *values = self->aux.values + r * self->aux.stride;
        length += sqrt((double)ss_train_dot(u, u, d));
        n += self->aux.n[r];
        for (size_t i = 0; i < self->aux.n[r]; i++) {
            l1 += (double)values[i];
        }
    }
    self->rows[r].bound = bound_of(self, length, sqrt((double)ss_train_dot(x, x, d)), n, l1);
}

void ss_train_auxiliary(struct ss_trainer *self, ss_work *work)
{
    if (self->n_dead > 0) {
        self->aux_scale = self->config.aux_penalty;
        if (self->config.aux_normalised) {
            self->aux_scale /= residual_variance(self);
        }
        run_rows(self, work, auxiliary_task);
    }
    for (size_t r = 0; r < self->n_rows; r++) {
        bound_row(self, r);
    }
}
