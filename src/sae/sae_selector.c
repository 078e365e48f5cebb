/* Selectors: which activations of a part of a call are kept. They are called with the tiles of
 * the product while these are in the first cache: sums that may count are found by 16 lanes and
 * few, so the rest is done one by one.
 *
 * Above thresholds, what passes is appended at once. For the k largest of a row, every row has
 * a top-k buffer, and its cutoff so far is the lower limit for the next tiles: once a row has k
 * good values, most tiles leave no candidate at all. A rule by row gets whole rows of the
 * product.
 *
 * Tiles of one row come by rising output, so entries stand by rising feature without a sort.
 * Sums are those of ss_tensor_linear, bit for bit, and are compared after the bias is added in
 * the same rounding. */
#include <math.h>
#include <string.h>

#include "sae/sae_selector.h"
#include "sae/sae_topk.h"

enum {
    RULE_ROWS = 16,            /* whole rows of a product at once */
    MAX_TOPK_ENTRIES = 1 << 18 /* of the buffers of one part */
};

/* Bits for the sums, now with bias, that may count; not below `least` [n_rows] where given. */
static void find_candidates(const struct ss_sae_part *part,
                            const struct ss_tensor_tile_sums *sums, const float *least,
                            uint32_t *masks)
{
    const struct ss_sae_parameters *p = part->parameters;
    const struct ss_sae_rule *rule = part->rule;
    ss_tensor_threshold_masks(&(struct ss_tensor_threshold_test){
        .sums = sums,
        .bias = p->bias == NULL ? NULL : p->bias + sums->output,
        .thresholds = rule->candidate_min + sums->output,
        .row_thresholds = least == NULL ? NULL : least + sums->row,
        .masks = masks});
}

/* Run the part's product tile by tile and hand each tile of sums to `look` while it is in the
 * first cache: the [n, L] matrix is never written. */
static void visit(const struct ss_sae_part *part, float *scratch,
                  void (*look)(void *context, const struct ss_tensor_tile_sums *sums),
                  void *context)
{
    ss_tensor_linear_tiles(&(struct ss_tensor_tile_callback){.w = &part->parameters->encoder,
                                                             .x = part->x,
                                                             .n_rows = part->n_rows,
                                                             .from = part->from,
                                                             .end = part->end,
                                                             .scratch = scratch,
                                                             .on_tile = look,
                                                             .context = context});
}

/* Scratch of the product alone, before that of the selection. */
static size_t product_bytes(const struct ss_sae_parameters *p, size_t n_rows)
{
    return ss_tensor_linear_tiles_floats(&p->encoder, n_rows) * sizeof(float);
}

/* ---- above a threshold ---- */

static void on_tile_above(void *context, const struct ss_tensor_tile_sums *sums)
{
    struct ss_sae_part *part = context;
    uint32_t masks[SS_TENSOR_MAX_TILE_ROWS];
    if (ss_sae_reserve_entries(part, sums->n_rows * sums->n_outputs) == NULL) {
        return;
    }
    find_candidates(part, sums, NULL, masks);
    for (size_t r = 0; r < sums->n_rows; r++) {
        const float *values = sums->at + r * sums->stride;
        const size_t before = part->n_entries;
        /* one turn for each bit that is set; most masks are 0 */
        for (uint32_t left = masks[r]; left != 0; left &= left - 1) {
            const size_t j = (size_t)__builtin_ctz(left);
            ss_sae_append_if_above(part, sums->row + r, sums->output + j, values[j]);
        }
        part->counts[sums->row + r] += (uint32_t)(part->n_entries - before);
    }
}

static size_t above_bytes(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                          size_t n_rows)
{
    const size_t n_bytes = product_bytes(p, n_rows);
    return ss_sae_filter_serves(p, rule) ? ss__max_size(n_bytes, ss_sae_filter_bytes(p, n_rows))
                                         : n_bytes;
}

static void select_above(struct ss_sae_part *part)
{
    if (!ss_sae_filter_serves(part->parameters, part->rule) || !ss_sae_filter_select(part)) {
        visit(part, (float *)(void *)part->scratch, on_tile_above, part);
    }
}

/* ---- the k largest of a row ---- */

struct topk_rows {
    struct ss_sae_part *part;
    struct ss_sae_topk *rows; /* [n_rows] */
    float *least;             /* [n_rows] theirs */
};

struct topk_layout {
    size_t product, rows, least, values, ids, total;
};

/* Where things lie in a part's scratch. Asked for the size and for the offsets, so that the two
 * cannot differ. */
static struct topk_layout lay_out_topk(const struct ss_sae_parameters *p,
                                       const struct ss_sae_rule *rule, size_t n_rows)
{
    const size_t capacity = ss_sae_topk_capacity(ss__min_size(rule->top_k, p->n_features));
    struct topk_layout l;
    size_t end = 0;
    l.product = ss_sae_add_array(&end, product_bytes(p, n_rows), 1);
    l.rows = ss_sae_add_array(&end, n_rows, sizeof(struct ss_sae_topk));
    l.least = ss_sae_add_array(&end, n_rows, sizeof(float));
    l.values = ss_sae_add_array(&end, n_rows * capacity, sizeof(float));
    l.ids = ss_sae_add_array(&end, n_rows * capacity, sizeof(uint32_t));
    l.total = end;
    return l;
}

/* Large k make large buffers: fewer rows at once bound the scratch of a thread. */
static size_t max_rows_of_topk(const struct ss_sae_parameters *p,
                               const struct ss_sae_rule *rule)
{
    const size_t k = ss_sae_filter_serves(p, rule) ? ss_sae_filter_topk_k(p, rule)
                                                   : ss__min_size(rule->top_k, p->n_features);
    return ss__max_size(MAX_TOPK_ENTRIES / ss_sae_topk_capacity(k), 1);
}

static size_t topk_bytes(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                         size_t n_rows)
{
    const size_t n_bytes = lay_out_topk(p, rule, n_rows).total;
    return ss_sae_filter_serves(p, rule) ? n_bytes + ss_sae_filter_topk_bytes(p, rule, n_rows)
                                         : n_bytes;
}

static void on_tile_topk(void *context, const struct ss_tensor_tile_sums *sums)
{
    const struct topk_rows *self = context;
    uint32_t masks[SS_TENSOR_MAX_TILE_ROWS];
    find_candidates(self->part, sums, self->least, masks);
    ss_sae_topk_offer_tile(self->rows, self->least, sums, masks);
}

static void append_topk(struct ss_sae_part *part, size_t row, const struct ss_sae_topk *topk)
{
    struct ss_sae_entry *entries = ss_sae_reserve_entries(part, topk->n);
    if (entries == NULL) {
        return;
    }
    for (size_t i = 0; i < topk->n; i++) {
        entries[part->n_entries++] =
            (struct ss_sae_entry){(uint32_t)row, topk->ids[i], topk->values[i]};
    }
    part->counts[row] = (uint32_t)topk->n;
    part->tally->n_tied_rows += topk->is_tied;
}

static void select_topk_of_floats(struct ss_sae_part *part)
{
    const size_t k = ss__min_size(part->rule->top_k, part->parameters->n_features);
    const size_t capacity = ss_sae_topk_capacity(k);
    const struct topk_layout l = lay_out_topk(part->parameters, part->rule, part->n_rows);
    void *product = part->scratch + l.product, *rows = part->scratch + l.rows;
    void *least = part->scratch + l.least, *values = part->scratch + l.values;
    void *ids = part->scratch + l.ids;
    struct topk_rows self = {.part = part, .rows = rows, .least = least};
    for (size_t r = 0; r < part->n_rows; r++) {
        self.rows[r] = (struct ss_sae_topk){.values = (float *)values + r * capacity,
                                            .ids = (uint32_t *)ids + r * capacity,
                                            .k = k,
                                            .capacity = capacity,
                                            .least = -INFINITY};
        self.least[r] = -INFINITY;
    }
    visit(part, product, on_tile_topk, &self);
    for (size_t r = 0; r < part->n_rows; r++) {
        ss_sae_topk_cut(&self.rows[r]);
        append_topk(part, r, &self.rows[r]);
    }
}

static void select_topk(struct ss_sae_part *part)
{
    if (!ss_sae_filter_serves(part->parameters, part->rule) ||
        !ss_sae_filter_topk(part, select_topk_of_floats)) {
        select_topk_of_floats(part);
    }
}

/* ---- rules by row ---- */

struct row_rule_layout {
    size_t product, h, a, residual, kept, stride, total;
};

/* A rule that makes its own products needs h of one row only. */
static struct row_rule_layout lay_out_row_rule(const struct ss_sae_parameters *p,
                                               const struct ss_sae_rule *rule, size_t n_rows)
{
    struct row_rule_layout l = {.stride = ss__round_up(p->n_features, 16)};
    size_t end = 0;
    n_rows = ss_sae_row_rule_multiplies(rule->kind) ? 1 : n_rows;
    l.product = ss_sae_add_array(&end, product_bytes(p, n_rows), 1);
    l.h = ss_sae_add_array(&end, n_rows * l.stride, sizeof(float));
    l.a = ss_sae_add_array(&end, l.stride, sizeof(float));
    l.residual = ss_sae_add_array(&end, p->width, sizeof(float));
    l.kept = ss_sae_add_array(&end, ss_sae_n_candidates(p, rule), sizeof(struct ss_sae_kept));
    l.total = end;
    return l;
}

static size_t max_rows_of_row_rule(const struct ss_sae_parameters *p,
                                   const struct ss_sae_rule *rule)
{
    (void)p;
    (void)rule;
    return RULE_ROWS;
}

static size_t row_rule_bytes(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                             size_t n_rows)
{
    return lay_out_row_rule(p, rule, n_rows).total;
}

static void append_positive(struct ss_sae_part *part, size_t row, const float *a)
{
    size_t n = 0;
    for (size_t f = 0; f < part->parameters->n_features; f++) {
        n += a[f] > 0;
    }
    struct ss_sae_entry *entries = ss_sae_reserve_entries(part, n);
    for (size_t f = 0; entries != NULL && f < part->parameters->n_features; f++) {
        if (a[f] > 0) {
            entries[part->n_entries++] =
                (struct ss_sae_entry){(uint32_t)row, (uint32_t)f, a[f]};
        }
    }
    part->counts[row] = (uint32_t)n;
}

static void apply_row_rule(struct ss_sae_part *part, size_t r, struct ss_sae_row *row)
{
    const struct ss_sae_parameters *p = part->parameters;
    const struct ss_sae_rule *rule = part->rule;
    const struct ss_sae_error_bounds *bounds = part->bounds;
    row->is_tied = row->is_ambiguous = false;
    if (bounds != NULL) {
        row->du = bounds->du[part->first_row + r];
        row->h_per_du = bounds->h_per_du;
        row->magnitude_per_du = bounds->magnitude_per_du;
    }
    memset(row->a, 0, p->n_features * sizeof *row->a);
    ss_sae_row_rule(rule->kind)(p, rule, row);
    if (bounds != NULL) {
        bounds->is_ambiguous[part->first_row + r] = row->is_ambiguous;
    }
    part->tally->n_tied_rows += row->is_tied && !row->is_ambiguous;
    append_positive(part, r, row->a);
}

static void select_by_row_rule(struct ss_sae_part *part)
{
    const struct ss_sae_parameters *p = part->parameters;
    const struct ss_sae_rule *rule = part->rule;
    const bool multiplies = ss_sae_row_rule_multiplies(rule->kind);
    const struct row_rule_layout l = lay_out_row_rule(p, rule, part->n_rows);
    void *product = part->scratch + l.product, *all_h = part->scratch + l.h;
    void *a = part->scratch + l.a, *residual = part->scratch + l.residual;
    void *kept = part->scratch + l.kept;
    struct ss_sae_row row = {.a = a, .residual = residual, .kept = kept, .product = product};
    if (!multiplies) {
        ss_sae_multiply(p, &(struct ss_sae_product){.x = part->x,
                                                    .n_rows = part->n_rows,
                                                    .bias = p->bias,
                                                    .h = all_h,
                                                    .stride = l.stride,
                                                    .scratch = product});
    }
    for (size_t r = 0; r < part->n_rows; r++) {
        row.u = part->x + r * p->width;
        row.h = (float *)all_h + (multiplies ? 0 : r * l.stride);
        apply_row_rule(part, r, &row);
    }
}

/* ---- the table ---- */

const struct ss_sae_selector *ss_sae_selector_of(ss_sae_selection selection)
{
    static const struct ss_sae_selector selectors[] = {
        [SS_SAE_SELECT_ABOVE] = {.scratch_bytes = above_bytes, .select = select_above},
        [SS_SAE_SELECT_ROW_TOPK] = {.max_rows = max_rows_of_topk,
                                    .scratch_bytes = topk_bytes,
                                    .select = select_topk},
        [SS_SAE_SELECT_BY_ROW] = {.max_rows = max_rows_of_row_rule,
                                  .scratch_bytes = row_rule_bytes,
                                  .select = select_by_row_rule},
    };
    return &selectors[selection];
}
