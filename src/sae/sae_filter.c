/* A rough product first: bf16 by the tile unit takes a small part of the time of floats, and of
 * its sums few come near a threshold. Those alone are made of floats, in the order of the
 * product of floats, so that what is kept, and every number, are the same bytes as without.
 *
 * That none is missed is no matter of luck: a rough sum is off by no more than
 *
 *   |u - u'| |w| + |u'| |w - w'| + sum error |u| |w|        (tensor/rough.c)
 *
 * with u' and w' rounded. The norms of the weights are known, those of a part's rows are found
 * first, and the largest of them give every feature a margin, which is added to its bias: sums
 * are then upper bounds, and are compared with the limits as they are.
 *
 * It serves rules that keep what is above thresholds, here, and the k largest of a row
 * (sae_filter_topk.c); rules by row want whole rows. Where many sums pass, floats would be made
 * one by one for too many of them, and the part is multiplied in floats after all. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "sae/sae_selector.h"

enum {
    LEAST_FEATURES = 2048,  /* of fewer, fires are too large a share */
    FIRST_FEATURES = 256,   /* are looked at before the others, for how many pass */
    FEATURES_PER_PASS = 24, /* a row may have one sum in so many that passes, */
    FEATURES_PER_K = 80,    /* with fewer for each of k it takes as long as floats */
    SPARE_PASSES = 64       /* and so many more */
};

/* ---- making ---- */

static ss_status fill(struct ss_sae_filter *self, const struct ss_sae_parameters *p,
                      bool *is_usable, ss_err *err)
{
    const size_t width = p->width, n = p->n_features;
    size_t n_weights = 0;
    if (!ss__mul(n, width, &n_weights)) {
        return ss__fail_nomem(err, "weights");
    }
    self->rows = p->encoder_rows;
    if (self->rows == NULL) {
        SS_ALLOC_OR_RETURN(self->own_rows, n_weights);
        ss_tensor_matrix_unpack(&p->encoder, 0, n, self->own_rows);
        self->rows = self->own_rows;
    }
    SS_ALLOC_OR_RETURN(self->norms, n);
    SS_ALLOC_OR_RETURN(self->errors, n);
    SS_RETURN_IF_ERROR(ss_tensor_matrix_new(n, width, SS_PRECISION_MEDIUM, &self->rough, err));
    ss_tensor_matrix_fill(&self->rough, 0, n, self->rows, SS_TENSOR_OUT_BY_IN);
    *is_usable = true;
    for (size_t f = 0; f < n; f++) {
        const struct ss_tensor_rounding w = ss_tensor_round_bf16(self->rows + f * width, width);
        self->norms[f] = nextafterf((float)w.norm, INFINITY);
        self->errors[f] = nextafterf((float)w.error, INFINITY);
        *is_usable = *is_usable && w.norm < SS_SAE_FILTER_MOST_NORM; /* NaN is not */
    }
    return SS_OK;
}

ss_status ss_sae_filter_init(struct ss_sae_parameters *p, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_filter *self = NULL;
    bool is_usable = false;
    if (p->n_features < LEAST_FEATURES || !ss_tensor_has_rough()) {
        return SS_OK;
    }
    SS_ALLOC(self, 1);
    SS_TRY(fill(self, p, &is_usable, err));
    if (is_usable) {
        p->filter = self;
        self = NULL;
    }
out:
    ss_sae_filter_free(self);
    return status;
}

void ss_sae_filter_free(struct ss_sae_filter *filter)
{
    if (filter != NULL) {
        ss_tensor_matrix_release(&filter->rough);
        ss__free(filter->own_rows);
        ss__free(filter->norms);
        ss__free(filter->errors);
        ss__free(filter);
    }
}

bool ss_sae_filter_serves(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule)
{
    const bool is_topk = rule->selection == SS_SAE_SELECT_ROW_TOPK;
    return p->filter != NULL && (is_topk ? rule->top_k <= p->n_features / FEATURES_PER_K
                                         : rule->selection == SS_SAE_SELECT_ABOVE);
}

/* ---- selecting ---- */

/* Sums that pass, by row: their features, ascending. */
struct passes {
    struct ss_sae_part *part;
    const float *bias;  /* [L], with the margins */
    uint32_t *features; /* [n_rows, capacity] */
    uint32_t *counts;   /* [n_rows] */
    size_t capacity;
    bool are_too_many;
};

struct layout {
    size_t product, bias, features, counts, values, total, capacity;
};

static struct layout lay_out(const struct ss_sae_parameters *p, size_t n_rows)
{
    struct layout l = {.capacity = p->n_features / FEATURES_PER_PASS + SPARE_PASSES};
    size_t end = 0;
    l.product = ss_sae_add_array(&end, ss_tensor_linear_tiles_floats(&p->filter->rough, n_rows),
                                 sizeof(float));
    l.bias = ss_sae_add_array(&end, p->n_features, sizeof(float));
    l.features = ss_sae_add_array(&end, n_rows * l.capacity, sizeof(uint32_t));
    l.counts = ss_sae_add_array(&end, n_rows, sizeof(uint32_t));
    l.values = ss_sae_add_array(&end, l.capacity, sizeof(float));
    l.total = end;
    return l;
}

size_t ss_sae_filter_bytes(const struct ss_sae_parameters *p, size_t n_rows)
{
    return lay_out(p, n_rows).total;
}

/* The largest norm of the part's rows, and of what rounding takes from them. Rows that are NaN
 * keep nothing in either way, and have no part in it. */
struct ss_tensor_rounding ss_sae_filter_round_rows(const struct ss_sae_part *part)
{
    const size_t width = part->parameters->width;
    struct ss_tensor_rounding most = {0};
    for (size_t r = 0; r < part->n_rows; r++) {
        const struct ss_tensor_rounding row = ss_tensor_round_bf16(part->x + r * width, width);
        most.norm = fmax(most.norm, row.norm);
        most.error = fmax(most.error, row.error);
    }
    return most;
}

/* The margin of a feature, and what covers the rounding of a bias with it and of the two additions
 * to the sums: 2^-22 of what goes into them. */
float ss_sae_filter_margin(const struct ss_sae_part *part,
                           const struct ss_tensor_rounding *rows, size_t f)
{
    const struct ss_sae_parameters *p = part->parameters;
    const struct ss_sae_filter *filter = p->filter;
    const double of_sums = 1.02 * ss_tensor_sum_error(p->width) * rows->norm;
    const double bias = p->bias == NULL ? 0 : (double)p->bias[f];
    const double margin = (rows->error + of_sums) * (double)filter->norms[f] +
                          (rows->norm + rows->error) * (double)filter->errors[f];
    const double limit = (double)part->rule->candidate_min[f];
    return (float)(margin + 0x1p-22 * (fabs(bias) + fabs(limit) + margin) + (double)FLT_MIN);
}

/* A bias that makes of every rough sum an upper bound of that of floats. */
static void widen_bias(const struct ss_sae_part *part, const struct ss_tensor_rounding *rows,
                       float *out)
{
    const float *bias = part->parameters->bias;
    for (size_t f = part->from; f < part->end; f++) {
        out[f] = (bias == NULL ? 0 : bias[f]) + ss_sae_filter_margin(part, rows, f);
    }
}

static void on_tile(void *context, const struct ss_tensor_tile_sums *sums)
{
    struct passes *self = context;
    uint32_t masks[SS_TENSOR_MAX_TILE_ROWS];
    ss_tensor_threshold_masks(&(struct ss_tensor_threshold_test){
        .sums = sums,
        .bias = self->bias + sums->output,
        .thresholds = self->part->rule->candidate_min + sums->output,
        .masks = masks});
    for (size_t r = 0; r < sums->n_rows; r++) {
        uint32_t *count = &self->counts[sums->row + r];
        uint32_t *features = self->features + (sums->row + r) * self->capacity;
        if (*count + sums->n_outputs > self->capacity) {
            self->are_too_many = true;
            return;
        }
        for (uint32_t left = masks[r]; left != 0; left &= left - 1) {
            features[(*count)++] = (uint32_t)(sums->output + (size_t)__builtin_ctz(left));
        }
    }
}

static void visit(struct passes *self, float *scratch, size_t from, size_t end)
{
    const struct ss_sae_part *part = self->part;
    if (from < end && !self->are_too_many) {
        ss_tensor_linear_tiles(
            &(struct ss_tensor_tile_callback){.w = &part->parameters->filter->rough,
                                              .x = part->x,
                                              .n_rows = part->n_rows,
                                              .from = from,
                                              .end = end,
                                              .scratch = scratch,
                                              .on_tile = on_tile,
                                              .context = self});
    }
}

/* Whether so many passed among n_features as would leave floats little to save. */
static bool are_many(const struct passes *self, size_t n_features)
{
    size_t n = 0;
    for (size_t r = 0; r < self->part->n_rows; r++) {
        n += self->counts[r];
    }
    return n > self->part->n_rows * (n_features / FEATURES_PER_PASS + 1);
}

/* Sums of some features in the order of a product of floats, and the same bias. */
void ss_sae_filter_multiply(const struct ss_sae_part *part, size_t r, const uint32_t *features,
                            size_t n, float *h)
{
    const struct ss_sae_parameters *p = part->parameters;
    ss_tensor_multiply_rows(&(struct ss_tensor_row_dots){.out = h,
                                                         .vector = part->x + r * p->width,
                                                         .rows = p->filter->rows,
                                                         .width = p->width,
                                                         .ids = features,
                                                         .n = n});
    for (size_t i = 0; p->bias != NULL && i < n; i++) {
        h[i] += p->bias[features[i]];
    }
}

/* What passed of a row in floats. */
static void append_row(struct ss_sae_part *part, size_t r, const uint32_t *features, size_t n,
                       float *values)
{
    const size_t before = part->n_entries;
    if (ss_sae_reserve_entries(part, n) == NULL) {
        return;
    }
    ss_sae_filter_multiply(part, r, features, n, values);
    for (size_t i = 0; i < n; i++) {
        if (values[i] >= part->rule->candidate_min[features[i]]) {
            ss_sae_append_if_above(part, r, features[i], values[i]);
        }
    }
    part->counts[r] = (uint32_t)(part->n_entries - before);
}

bool ss_sae_filter_select(struct ss_sae_part *part)
{
    const struct layout l = lay_out(part->parameters, part->n_rows);
    void *scratch = part->scratch, *bias = part->scratch + l.bias;
    void *features = part->scratch + l.features, *counts = part->scratch + l.counts;
    void *values = part->scratch + l.values;
    struct passes self = {.part = part,
                          .bias = bias,
                          .features = features,
                          .counts = counts,
                          .capacity = l.capacity};
    const struct ss_tensor_rounding rows = ss_sae_filter_round_rows(part);
    if (!(rows.norm < SS_SAE_FILTER_MOST_NORM)) {
        return false;
    }
    widen_bias(part, &rows, bias);
    memset(self.counts, 0, part->n_rows * sizeof *self.counts);
    const size_t first = ss__min_size(part->from + FIRST_FEATURES, part->end);
    visit(&self, scratch, part->from, first);
    if (are_many(&self, first - part->from)) {
        return false;
    }
    visit(&self, scratch, first, part->end);
    for (size_t r = 0; r < part->n_rows && !self.are_too_many; r++) {
        append_row(part, r, self.features + r * l.capacity, self.counts[r], values);
    }
    return !self.are_too_many;
}
