/* What a step does feature by feature: from the pairs of a feature its gradients, and the update
 * of its weights at once, while they are in cache. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

/* ---- pairs by feature ---- */

static void count_pairs(struct ss_trainer *self, const struct ss_train_lists *lists)
{
    for (size_t r = 0; r < self->n_rows; r++) {
        const uint32_t *ids = lists->ids + r * lists->stride;
        for (size_t i = 0; i < lists->n[r]; i++) {
            self->starts[ids[i] + 1]++;
        }
    }
}

/* Put pairs at the starts of their features, which become their ends. */
static void place_pairs(struct ss_trainer *self, const struct ss_train_lists *lists)
{
    for (size_t r = 0; r < self->n_rows; r++) {
        const uint32_t *ids = lists->ids + r * lists->stride;
        const ss_train_real *values = lists->values + r * lists->stride;
        for (size_t i = 0; i < lists->n[r]; i++) {
            const size_t at = self->starts[ids[i]]++;
            self->pair_rows[at] = (uint32_t)r;
            self->pair_values[at] = values[i];
        }
    }
}

/* A counting sort. A feature that is dead has pairs in the auxiliary lists alone, another one in
 * the others alone. */
ss_status ss_train_sort_pairs(struct ss_trainer *self, ss_err *err)
{
    const size_t n_features = self->config.n_features;
    const bool has_aux = self->n_dead > 0;
    memset(self->starts, 0, (n_features + 1) * sizeof *self->starts);
    count_pairs(self, &self->kept);
    if (has_aux) {
        count_pairs(self, &self->aux);
    }
    for (size_t f = 0; f < n_features; f++) {
        self->starts[f + 1] += self->starts[f];
    }
    const size_t n = self->starts[n_features];
    SS_GROW_OR_RETURN(self->pair_rows, self->pairs_capacity, n);
    SS_GROW_OR_RETURN(self->pair_values, self->pair_values_capacity, n);
    place_pairs(self, &self->kept);
    if (has_aux) {
        place_pairs(self, &self->aux);
    }
    memmove(self->starts + 1, self->starts, n_features * sizeof *self->starts);
    self->starts[0] = 0;
    return SS_OK;
}

/* ---- gradients ---- */

/* A feature at work. */
struct feature {
    size_t id, n;
    const uint32_t *rows;
    ss_train_real *values;         /* [n] a; of jumprelu h, and then a */
    const ss_train_real *gradient; /* [B, D]: G or U */
    ss_train_real *dots;           /* [n] scratch: gradients of a, then of h */
    ss_train_real *row;            /* [D] scratch */
};

static size_t prefix_of(const struct ss_train_config *config, size_t feature)
{
    size_t p = 0;
    while (p + 1 < config->n_prefixes && feature >= config->prefixes[p]) {
        p++;
    }
    return p;
}

/* In the precision of the values, with the quotient formed first: what is at the edge of a window
 * is so in the original, too. */
static bool is_in_window(ss_train_real v, ss_train_real theta, ss_train_real bandwidth)
{
    const ss_train_real u = (v - theta) / bandwidth;
    return u > (ss_train_real)-0.5 && u < (ss_train_real)0.5;
}

/* Turn gradients of a into those of h, h into a, and sum the threshold's. */
static double pass_jumps(const struct ss_trainer *self, const struct feature *feature)
{
    const struct ss_train_config *config = &self->config;
    const ss_train_real theta = self->thresholds[feature->id];
    const ss_train_real bandwidth = (ss_train_real)config->bandwidth;
    double sum = 0;
    for (size_t i = 0; i < feature->n; i++) {
        const ss_train_real h = feature->values[i];
        const bool is_active = h > theta;
        if (is_in_window(h, theta, bandwidth)) {
            sum -= (double)theta / config->bandwidth * (double)feature->dots[i];
        }
        if (is_in_window(config->l0_on_pre || is_active ? h : 0, theta, bandwidth)) {
            sum -= self->sparsity_factor / config->bandwidth;
        }
        if (!is_active) {
            feature->values[i] = 0;
            feature->dots[i] = 0;
        }
    }
    return config->log_chain ? sum * (double)theta : sum;
}

static void add_l1(const struct ss_trainer *self, const struct feature *feature)
{
    const double each = self->sparsity_factor;
    if (each != 0 && !self->is_dead[feature->id]) {
        for (size_t i = 0; i < feature->n; i++) {
            feature->dots[i] += (ss_train_real)each;
        }
    }
}

/* Gradients of h, and of the biases. */
static void differentiate(struct ss_trainer *self, const struct feature *feature)
{
    const size_t d = self->config.width, f = feature->id;
    double sum = 0;
    ss_train_dot_rows(
        &(struct ss_train_row_dots){.out = feature->dots,
                                    .vector = self->parameters[SS_TRAIN_W_DEC].x + f * d,
                                    .rows = feature->gradient,
                                    .width = d,
                                    .ids = feature->rows,
                                    .n = feature->n});
    if (self->config.kind == SS_TRAIN_JUMPRELU) {
        self->threshold_gradient[f] = (ss_train_real)pass_jumps(self, feature);
    } else {
        add_l1(self, feature);
    }
    for (size_t i = 0; i < feature->n; i++) {
        sum += (double)feature->dots[i];
    }
    self->bias_gradient[f] = (ss_train_real)sum;
}

static void sum_gradient(const struct ss_trainer *self, const struct feature *feature,
                         const ss_train_real *rows, const ss_train_real *weights)
{
    const size_t d = self->config.width;
    memset(feature->row, 0, d * sizeof *feature->row);
    ss_train_sum_rows(&(struct ss_train_row_sum){.out = feature->row,
                                                 .rows = rows,
                                                 .width = d,
                                                 .ids = feature->rows,
                                                 .weights = weights,
                                                 .n = feature->n});
}

/* ---- updates ---- */

/* The step of numbers at … of a parameter; what it is made of but for these. */
static struct ss_train_adam adam_of(const struct ss_train_update *update,
                                    ss_train_parameter_id id, size_t at,
                                    const ss_train_real *gradient, size_t n)
{
    const struct ss_train_parameter *parameter = update->trainer->parameters + id;
    struct ss_train_adam adam = update->adam;
    adam.x = parameter->x + at;
    adam.mean = parameter->mean + at;
    adam.square = parameter->square + at;
    adam.gradient = gradient;
    adam.n = n;
    adam.x_scale = 1;
    adam.gradient_scale = update->scale;
    return adam;
}

/* The decoder's row becomes a unit row, its gradient loses its part along it; then the step. */
static void update_decoder(const struct ss_train_update *update, const struct feature *feature,
                           struct ss_train_group_sums *sums)
{
    const struct ss_train_config *config = &update->trainer->config;
    const size_t d = config->width, at = feature->id * d;
    struct ss_train_adam adam = adam_of(update, SS_TRAIN_W_DEC, at, feature->row, d);
    ss_train_real dots[3]; /* gradient·gradient, gradient·x, x·x */
    ss_train_dot_pair(feature->row, adam.x, d, dots);
    sums->decoder += (double)dots[0];
    adam.x_scale = 1 / sqrt((double)dots[2]);
    adam.along_x = -update->scale * (double)dots[1] * adam.x_scale;
    const struct ss_train_squares squares = ss_train_adam_step(&adam);
    sums->tangent += (double)squares.gradient;
    double length = sqrt((double)squares.x);
    if (config->renorm_after_step) {
        ss_train_scale(adam.x, (ss_train_real)(1 / length), d);
        length = 1.0001;
    }
    sums->max_decoder_length = fmax(sums->max_decoder_length, length);
}

static void update_encoder(const struct ss_train_update *update, const struct feature *feature,
                           struct ss_train_group_sums *sums)
{
    const size_t d = update->trainer->config.width;
    const struct ss_train_adam adam =
        adam_of(update, SS_TRAIN_W_ENC, feature->id * d, feature->row, d);
    const struct ss_train_squares squares = ss_train_adam_step(&adam);
    sums->encoder += (double)squares.gradient / (update->scale * update->scale);
    sums->max_encoder_length = fmax(sums->max_encoder_length, sqrt((double)squares.x));
}

static double squares_of_row(const struct feature *feature, size_t d)
{
    return (double)ss_train_dot(feature->row, feature->row, d);
}

static void do_feature(const struct ss_train_update *update, const struct feature *feature,
                       struct ss_train_group_sums *sums, ss_train_real *center)
{
    struct ss_trainer *self = update->trainer;
    const size_t d = self->config.width, f = feature->id;
    differentiate(self, feature);
    ss_train_add_scaled_to(center, self->parameters[SS_TRAIN_W_ENC].x + f * d,
                           self->bias_gradient[f], d);
    const bool updates = update->rate > 0;
    sum_gradient(self, feature, feature->gradient, feature->values);
    if (updates) {
        update_decoder(update, feature, sums);
    } else {
        sums->decoder += squares_of_row(feature, d);
    }
    sum_gradient(self, feature, self->centered, feature->dots);
    if (updates) {
        update_encoder(update, feature, sums);
    } else {
        sums->encoder += squares_of_row(feature, d);
    }
}

/* The lists of a feature hold h of jumprelu, which is overwritten by a; where the gradients are
 * only measured they are needed again. */
static void copy_values(struct feature *feature, ss_train_real *scratch)
{
    memcpy(scratch, feature->values, feature->n * sizeof *scratch);
    feature->values = scratch;
}

static void group_task(void *context, size_t index, size_t worker)
{
    const struct ss_train_update *update = context;
    struct ss_trainer *self = update->trainer;
    const size_t d = self->config.width, first = index * SS_TRAIN_GROUP;
    const size_t end = ss__min_size(first + SS_TRAIN_GROUP, self->config.n_features);
    ss_train_real *scratch = ss_train_scratch(self, worker);
    ss_train_real *center = self->center_parts + index * d;
    struct ss_train_group_sums sums = {0};
    memset(center, 0, d * sizeof *center);
    for (size_t f = first; f < end; f++) {
        const size_t at = self->starts[f], p = prefix_of(&self->config, f);
        struct feature feature = {
            .id = f,
            .n = self->starts[f + 1] - at,
            .rows = self->pair_rows + at,
            .values = self->pair_values + at,
            .gradient = self->is_dead[f] ? self->residual
                                         : self->gradient + p * self->config.batch_rows * d,
            .dots = scratch,
            .row = scratch + self->scratch_stride - d};
        copy_values(&feature, scratch + self->config.batch_rows);
        do_feature(update, &feature, &sums, center);
    }
    self->groups[index] = sums;
    if (update->rate > 0) {
        ss_train_encoder_fill(self->encoder, first, end - first,
                              self->parameters[SS_TRAIN_W_ENC].x + first * d);
    }
}

/* The gradient of b_dec: of all rows' G, less what the encoder makes of it where it is
 * subtracted. */
static void sum_center(struct ss_trainer *self)
{
    const size_t d = self->config.width;
    ss_train_real *center = self->center_gradient;
    memset(center, 0, d * sizeof *center);
    for (size_t r = 0; r < self->n_rows; r++) {
        ss_train_add_scaled_to(center, self->gradient + r * d, 1, d);
    }
    const size_t n = ss__divide_up(self->config.n_features, SS_TRAIN_GROUP);
    for (size_t g = 0; ss_train_subtracts(&self->config) && g < n; g++) {
        ss_train_add_scaled_to(center, self->center_parts + g * d, -1, d);
    }
}

/* Parameters that are vectors. */
void ss_train_update_vectors(const struct ss_train_update *update)
{
    struct ss_trainer *self = update->trainer;
    const struct {
        ss_train_parameter_id id;
        ss_train_real *gradient;
    } vectors[] = {{SS_TRAIN_B_DEC, self->center_gradient},
                   {SS_TRAIN_B_ENC, self->bias_gradient},
                   {SS_TRAIN_LOG_THRESHOLD, self->threshold_gradient}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct ss_train_parameter *parameter = self->parameters + vectors[i].id;
        if (parameter->is_trained) {
            const struct ss_train_adam adam =
                adam_of(update, vectors[i].id, 0, vectors[i].gradient, parameter->n);
            (void)ss_train_adam_step(&adam);
        }
    }
}

void ss_train_update_features(struct ss_train_update *update, ss_work *work)
{
    struct ss_trainer *self = update->trainer;
    const size_t n = ss__divide_up(self->config.n_features, SS_TRAIN_GROUP);
    ss__pool_run(ss_tensor_work_pool(work), n, group_task, update);
    sum_center(self);
    if (update->rate > 0) {
        self->max_decoder_length = self->max_encoder_length = 0;
        for (size_t g = 0; g < n; g++) {
            self->max_encoder_length =
                fmax(self->max_encoder_length, self->groups[g].max_encoder_length);
            self->max_decoder_length =
                fmax(self->max_decoder_length, self->groups[g].max_decoder_length);
        }
    }
}
