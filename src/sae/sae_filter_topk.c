/* The k largest of a row by way of a rough product (sae_filter.c), in the bytes of floats.
 *
 * Rough sums with their margins are upper bounds, of which more than k of a row are kept. Twice
 * the margin below each is a lower bound; the k-th largest of these is one of the k-th largest
 * sum, so only features whose upper bound reaches it can be among the k. Their sums are made of
 * floats, and the k largest of those are the row's. A row of which an upper bound that was not
 * kept might reach it, too, is not decided: such rows are multiplied in floats together. */
#include <math.h>
#include <string.h>

#include "sae/sae_selector.h"
#include "sae/sae_topk.h"

enum { SPARE = 64 }; /* features kept of a row, besides 2 k */

size_t ss_sae_filter_topk_k(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule)
{
    const size_t k = ss__min_size(rule->top_k, p->n_features);
    return ss__min_size(2 * k + SPARE, p->n_features);
}

struct layout {
    size_t product, bias, margins, rows, least, bounds, ids; /* of the rough product */
    size_t h, lows, kept, kept_ids;                          /* of one row */
    size_t undecided, x, counts;                             /* of rows that are not decided */
    size_t total, capacity, kept_capacity;
};

static struct layout lay_out(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                             size_t n_rows)
{
    struct layout l = {.capacity = ss_sae_topk_capacity(ss_sae_filter_topk_k(p, rule)),
                       .kept_capacity =
                           ss_sae_topk_capacity(ss__min_size(rule->top_k, p->n_features))};
    size_t end = 0;
    l.product = ss_sae_add_array(&end, ss_tensor_linear_tiles_floats(&p->filter->rough, n_rows),
                                 sizeof(float));
    l.bias = ss_sae_add_array(&end, p->n_features, sizeof(float));
    l.margins = ss_sae_add_array(&end, p->n_features, sizeof(float));
    l.rows = ss_sae_add_array(&end, n_rows, sizeof(struct ss_sae_topk));
    l.least = ss_sae_add_array(&end, n_rows, sizeof(float));
    l.bounds = ss_sae_add_array(&end, n_rows * l.capacity, sizeof(float));
    l.ids = ss_sae_add_array(&end, n_rows * l.capacity, sizeof(uint32_t));
    l.h = ss_sae_add_array(&end, l.capacity, sizeof(float));
    l.lows = ss_sae_add_array(&end, l.capacity, sizeof(float));
    l.kept = ss_sae_add_array(&end, l.kept_capacity, sizeof(float));
    l.kept_ids = ss_sae_add_array(&end, l.kept_capacity, sizeof(uint32_t));
    l.undecided = ss_sae_add_array(&end, n_rows, sizeof(uint32_t));
    l.x = ss_sae_add_array(&end, n_rows * p->width, sizeof(float));
    l.counts = ss_sae_add_array(&end, n_rows, sizeof(uint32_t));
    l.total = end;
    return l;
}

size_t ss_sae_filter_topk_bytes(const struct ss_sae_parameters *p,
                                const struct ss_sae_rule *rule, size_t n_rows)
{
    return lay_out(p, rule, n_rows).total;
}

struct filter {
    struct ss_sae_part *part;
    struct layout l;
    size_t k;
    float *bias, *margins;    /* [L] */
    struct ss_sae_topk *rows; /* [n_rows] upper bounds */
    float *least;             /* [n_rows] theirs */
    uint32_t *undecided;      /* rows */
    size_t n_undecided;
};

static void on_tile(void *context, const struct ss_tensor_tile_sums *sums)
{
    const struct filter *self = context;
    uint32_t masks[SS_TENSOR_MAX_TILE_ROWS];
    ss_tensor_threshold_masks(&(struct ss_tensor_threshold_test){
        .sums = sums,
        .bias = self->bias + sums->output,
        .thresholds = self->part->rule->candidate_min + sums->output,
        .row_thresholds = self->least + sums->row,
        .masks = masks});
    ss_sae_topk_offer_tile(self->rows, self->least, sums, masks);
}

/* Bias with margins, and empty buffers. */
static void start(struct filter *self, const struct ss_tensor_rounding *rows)
{
    const struct ss_sae_part *part = self->part;
    const float *bias = part->parameters->bias;
    void *bounds = part->scratch + self->l.bounds, *ids = part->scratch + self->l.ids;
    for (size_t f = part->from; f < part->end; f++) {
        self->margins[f] = ss_sae_filter_margin(part, rows, f);
        self->bias[f] = (bias == NULL ? 0 : bias[f]) + self->margins[f];
    }
    for (size_t r = 0; r < part->n_rows; r++) {
        self->rows[r] =
            (struct ss_sae_topk){.values = (float *)bounds + r * self->l.capacity,
                                 .ids = (uint32_t *)ids + r * self->l.capacity,
                                 .k = ss_sae_filter_topk_k(part->parameters, part->rule),
                                 .capacity = self->l.capacity,
                                 .least = -INFINITY};
        self->least[r] = -INFINITY;
    }
}

/* What the k-th largest sum is at least, by those that pass their limit for certain; -INFINITY
 * where fewer than k do. */
static float bound_cutoff(const struct filter *self, const struct ss_sae_topk *topk)
{
    float *lows = (float *)(void *)(self->part->scratch + self->l.lows);
    size_t n = 0;
    for (size_t i = 0; i < topk->n; i++) {
        const size_t f = topk->ids[i];
        const double low = ((double)topk->values[i] - 2 * (double)self->margins[f]) -
                           0x1p-22 * fabs((double)topk->values[i]);
        lows[n] = nextafterf((float)low, -INFINITY);
        n += lows[n] >= self->part->rule->candidate_min[f];
    }
    return n < self->k ? -INFINITY : ss_sae_topk_find_cutoff(lows, n, self->k, -INFINITY).value;
}

static void append(struct ss_sae_part *part, size_t r, const struct ss_sae_topk *kept)
{
    struct ss_sae_entry *entries = ss_sae_reserve_entries(part, kept->n);
    for (size_t i = 0; entries != NULL && i < kept->n; i++) {
        entries[part->n_entries++] =
            (struct ss_sae_entry){(uint32_t)r, kept->ids[i], kept->values[i]};
    }
    part->counts[r] = (uint32_t)kept->n;
    part->tally->n_tied_rows += kept->is_tied;
}

/* The k largest of what can be among them, in floats; or a note that what was not kept might
 * be. */
static void decide_row(struct filter *self, size_t r)
{
    struct ss_sae_part *part = self->part;
    struct ss_sae_topk *topk = &self->rows[r];
    float *h = (float *)(void *)(part->scratch + self->l.h);
    struct ss_sae_topk kept = {.values = (float *)(void *)(part->scratch + self->l.kept),
                               .ids = (uint32_t *)(void *)(part->scratch + self->l.kept_ids),
                               .k = self->k,
                               .capacity = self->l.kept_capacity,
                               .least = -INFINITY};
    ss_sae_topk_cut(topk);
    const float cutoff = bound_cutoff(self, topk);
    if (topk->least > -INFINITY && topk->least >= cutoff) {
        self->undecided[self->n_undecided++] = (uint32_t)r;
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < topk->n; i++) {
        topk->ids[n] = topk->ids[i];
        n += topk->values[i] >= cutoff;
    }
    ss_sae_filter_multiply(part, r, topk->ids, n, h);
    for (size_t i = 0; i < n; i++) {
        if (h[i] >= part->rule->candidate_min[topk->ids[i]]) {
            ss_sae_topk_offer(&kept, h + i, 1, topk->ids[i]);
        }
    }
    ss_sae_topk_cut(&kept);
    append(part, r, &kept);
}

/* Rows that are not decided, side by side as a part of their own; what it appends gets the rows'
 * numbers afterwards. */
static void multiply_undecided(struct filter *self, void (*exact)(struct ss_sae_part *part))
{
    struct ss_sae_part *part = self->part;
    const size_t width = part->parameters->width, before = part->n_entries;
    float *x = (float *)(void *)(part->scratch + self->l.x);
    struct ss_sae_part some = *part;
    some.x = x;
    some.n_rows = self->n_undecided;
    some.counts = (uint32_t *)(void *)(part->scratch + self->l.counts);
    some.scratch = part->scratch + self->l.total;
    memset(some.counts, 0, some.n_rows * sizeof *some.counts);
    for (size_t i = 0; i < some.n_rows; i++) {
        memcpy(x + i * width, part->x + self->undecided[i] * width, width * sizeof *x);
    }
    exact(&some);
    struct ss_sae_entry *entries = part->list->items;
    for (size_t i = before; i < some.n_entries; i++) {
        entries[i].row = self->undecided[entries[i].row];
    }
    for (size_t i = 0; i < some.n_rows; i++) {
        part->counts[self->undecided[i]] = some.counts[i];
    }
    part->n_entries = some.n_entries;
}

bool ss_sae_filter_topk(struct ss_sae_part *part, void (*exact)(struct ss_sae_part *part))
{
    const struct ss_sae_parameters *p = part->parameters;
    struct filter self = {.part = part,
                          .l = lay_out(p, part->rule, part->n_rows),
                          .k = ss__min_size(part->rule->top_k, p->n_features)};
    void *bias = part->scratch + self.l.bias, *margins = part->scratch + self.l.margins;
    void *rows = part->scratch + self.l.rows, *least = part->scratch + self.l.least;
    void *undecided = part->scratch + self.l.undecided;
    const struct ss_tensor_rounding rounding = ss_sae_filter_round_rows(part);
    if (!(rounding.norm < SS_SAE_FILTER_MOST_NORM)) {
        return false;
    }
    self.bias = bias;
    self.margins = margins;
    self.rows = rows;
    self.least = least;
    self.undecided = undecided;
    start(&self, &rounding);
    ss_tensor_linear_tiles(
        &(struct ss_tensor_tile_callback){.w = &p->filter->rough,
                                          .x = part->x,
                                          .n_rows = part->n_rows,
                                          .from = part->from,
                                          .end = part->end,
                                          .scratch = (float *)(void *)part->scratch,
                                          .on_tile = on_tile,
                                          .context = &self});
    for (size_t r = 0; r < part->n_rows; r++) {
        decide_row(&self, r);
    }
    if (self.n_undecided > 0) {
        multiply_undecided(&self, exact);
    }
    return true;
}
