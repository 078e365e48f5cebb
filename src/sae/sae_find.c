/* What a part of a call keeps. The product's tiles are looked at while they are in the first
 * cache: sums that may count are found by 16 lanes and few, so the rest is done one by one.
 *
 * For a threshold, what is above it is kept at once. For the k largest of a row, every row has
 * a list in which its largest so far stand; what it let go of raises the bar for the next
 * tiles. A rule by row gets whole rows of the product. */
#include <math.h>
#include <string.h>

#include "sae/sae_find.h"

enum {
    RULE_ROWS = 16,                  /* whole rows of a product at once */
    MOST_STRONGEST_ENTRIES = 1 << 18 /* of the lists of one part */
};

/* Room for n more finds. */
static struct ss_sae_find *make_room(struct ss_sae_part *part, size_t n)
{
    struct ss_tensor_list *list = part->list;
    if (!ss__grow(&list->items, &list->room, part->n_found + n, sizeof(struct ss_sae_find))) {
        part->tally->no_memory = true;
        return NULL;
    }
    return list->items;
}

/* Bits for the sums, now with bias, that may count; not below `least` [n_rows] where given. */
static void find_candidates(const struct ss_sae_part *part, const struct ss_tensor_sums *sums,
                            const float *least, uint32_t *masks)
{
    const struct ss_sae *sae = part->sae;
    ss_tensor_find_reaching(
        &(struct ss_tensor_reach){.sums = sums,
                                  .bias = sae->bias == NULL ? NULL : sae->bias + sums->output,
                                  .limits = sae->nearest + sums->output,
                                  .least = least == NULL ? NULL : least + sums->row,
                                  .masks = masks});
}

static void visit(const struct ss_sae_part *part, float *scratch,
                  void (*look)(void *context, const struct ss_tensor_sums *sums), void *context)
{
    ss_tensor_linear_visit(&(struct ss_tensor_visit){.w = &part->sae->encoder,
                                                     .x = part->x,
                                                     .n_rows = part->n_rows,
                                                     .from = part->from,
                                                     .end = part->end,
                                                     .scratch = scratch,
                                                     .look = look,
                                                     .context = context});
}

static size_t visit_bytes(const struct ss_sae *sae, size_t n_rows)
{
    return ss_tensor_visit_floats(&sae->encoder, n_rows) * sizeof(float);
}

/* ---- above a threshold ---- */

/* Append a candidate of `row` if it is kept. */
static void take_above(struct ss_sae_part *part, size_t row, size_t feature, float value)
{
    const struct ss_sae *sae = part->sae;
    struct ss_sae_find *finds = part->list->items;
    const bool has_gain = sae->gains != NULL;
    const float kept = has_gain ? value * sae->gains[feature] + sae->shifts[feature] : value;
    if (value > sae->floors[feature] && (kept > 0 || !has_gain)) {
        finds[part->n_found++] = (struct ss_sae_find){(uint32_t)row, (uint32_t)feature, kept};
    }
    part->tally->n_borderline += value <= sae->farthest[feature];
}

static void look_above(void *context, const struct ss_tensor_sums *sums)
{
    struct ss_sae_part *part = context;
    uint32_t masks[SS_TENSOR_SUMS_ROWS];
    if (make_room(part, sums->n_rows * sums->n_outputs) == NULL) {
        return;
    }
    find_candidates(part, sums, NULL, masks);
    for (size_t r = 0; r < sums->n_rows; r++) {
        const float *values = sums->at + r * sums->stride;
        const size_t before = part->n_found;
        for (uint32_t left = masks[r]; left != 0; left &= left - 1) {
            const size_t j = (size_t)__builtin_ctz(left);
            take_above(part, sums->row + r, sums->output + j, values[j]);
        }
        part->counts[sums->row + r] += (uint32_t)(part->n_found - before);
    }
}

static void find_above(struct ss_sae_part *part)
{
    visit(part, (float *)(void *)part->scratch, look_above, part);
}

/* ---- the k largest of a row ---- */

struct leaders {
    struct ss_sae_part *part;
    struct ss_sae_strongest *rows; /* [n_rows] */
    float *least;                  /* [n_rows] theirs */
};

struct leaders_layout {
    size_t product, rows, least, values, ids, total;
};

static struct leaders_layout lay_out_leaders(const struct ss_sae *sae, size_t n_rows)
{
    const size_t room = ss_sae_strongest_room(ss__min_size(sae->top_k, sae->n_features));
    struct leaders_layout l;
    size_t end = 0;
    l.product = ss_sae_place(&end, visit_bytes(sae, n_rows), 1);
    l.rows = ss_sae_place(&end, n_rows, sizeof(struct ss_sae_strongest));
    l.least = ss_sae_place(&end, n_rows, sizeof(float));
    l.values = ss_sae_place(&end, n_rows * room, sizeof(float));
    l.ids = ss_sae_place(&end, n_rows * room, sizeof(uint32_t));
    l.total = end;
    return l;
}

static size_t most_rows_of_leaders(const struct ss_sae *sae)
{
    const size_t room = ss_sae_strongest_room(ss__min_size(sae->top_k, sae->n_features));
    return ss__max_size(MOST_STRONGEST_ENTRIES / room, 1);
}

static size_t leaders_bytes(const struct ss_sae *sae, size_t n_rows)
{
    return lay_out_leaders(sae, n_rows).total;
}

static void look_strongest(void *context, const struct ss_tensor_sums *sums)
{
    const struct leaders *self = context;
    uint32_t masks[SS_TENSOR_SUMS_ROWS];
    find_candidates(self->part, sums, self->least, masks);
    for (size_t r = 0; r < sums->n_rows; r++) {
        struct ss_sae_strongest *strongest = &self->rows[sums->row + r];
        if (masks[r] != 0) {
            ss_sae_strongest_offer(strongest, sums->at + r * sums->stride, masks[r],
                                   (uint32_t)sums->output);
            self->least[sums->row + r] = strongest->least;
        }
    }
}

static void append_strongest(struct ss_sae_part *part, size_t row,
                             const struct ss_sae_strongest *strongest)
{
    struct ss_sae_find *finds = make_room(part, strongest->n);
    if (finds == NULL) {
        return;
    }
    for (size_t i = 0; i < strongest->n; i++) {
        finds[part->n_found++] =
            (struct ss_sae_find){(uint32_t)row, strongest->ids[i], strongest->values[i]};
    }
    part->counts[row] = (uint32_t)strongest->n;
    part->tally->n_tied_rows += strongest->is_tied;
}

static void find_strongest(struct ss_sae_part *part)
{
    const size_t k = ss__min_size(part->sae->top_k, part->sae->n_features);
    const size_t room = ss_sae_strongest_room(k);
    const struct leaders_layout l = lay_out_leaders(part->sae, part->n_rows);
    void *product = part->scratch + l.product, *rows = part->scratch + l.rows;
    void *least = part->scratch + l.least, *values = part->scratch + l.values;
    void *ids = part->scratch + l.ids;
    struct leaders self = {.part = part, .rows = rows, .least = least};
    for (size_t r = 0; r < part->n_rows; r++) {
        self.rows[r] = (struct ss_sae_strongest){.values = (float *)values + r * room,
                                                 .ids = (uint32_t *)ids + r * room,
                                                 .k = k,
                                                 .room = room,
                                                 .least = -INFINITY};
        self.least[r] = -INFINITY;
    }
    visit(part, product, look_strongest, &self);
    for (size_t r = 0; r < part->n_rows; r++) {
        ss_sae_strongest_cut(&self.rows[r]);
        append_strongest(part, r, &self.rows[r]);
    }
}

/* ---- rules by row ---- */

struct rule_layout {
    size_t product, h, a, residual, kept, stride, total;
};

/* A rule that makes its own products needs h of one row only. */
static struct rule_layout lay_out_rule(const struct ss_sae *sae, size_t n_rows)
{
    struct rule_layout l = {.stride = ss__round_up(sae->n_features, 16)};
    size_t end = 0;
    n_rows = ss_sae_rule_multiplies(sae->kind) ? 1 : n_rows;
    l.product = ss_sae_place(&end, visit_bytes(sae, n_rows), 1);
    l.h = ss_sae_place(&end, n_rows * l.stride, sizeof(float));
    l.a = ss_sae_place(&end, l.stride, sizeof(float));
    l.residual = ss_sae_place(&end, sae->width, sizeof(float));
    l.kept = ss_sae_place(&end, ss_sae_n_candidates(sae), sizeof(struct ss_sae_kept));
    l.total = end;
    return l;
}

static size_t most_rows_of_rule(const struct ss_sae *sae)
{
    (void)sae;
    return RULE_ROWS;
}

static size_t rule_bytes(const struct ss_sae *sae, size_t n_rows)
{
    return lay_out_rule(sae, n_rows).total;
}

static void append_positive(struct ss_sae_part *part, size_t row, const float *a)
{
    size_t n = 0;
    for (size_t f = 0; f < part->sae->n_features; f++) {
        n += a[f] > 0;
    }
    struct ss_sae_find *finds = make_room(part, n);
    for (size_t f = 0; finds != NULL && f < part->sae->n_features; f++) {
        if (a[f] > 0) {
            finds[part->n_found++] = (struct ss_sae_find){(uint32_t)row, (uint32_t)f, a[f]};
        }
    }
    part->counts[row] = (uint32_t)n;
}

static void apply_rule(struct ss_sae_part *part, size_t r, struct ss_sae_row *row)
{
    const struct ss_sae *sae = part->sae;
    const struct ss_sae_doubt *doubt = part->doubt;
    row->is_tied = row->is_near = false;
    if (doubt != NULL) {
        row->reach = doubt->reach[part->first_row + r];
        row->lengths = doubt->lengths;
        row->size_lengths = doubt->size_lengths;
    }
    memset(row->a, 0, sae->n_features * sizeof *row->a);
    ss_sae_row_rule(sae->kind)(sae, row);
    if (doubt != NULL) {
        doubt->is_near[part->first_row + r] = row->is_near;
    }
    part->tally->n_tied_rows += row->is_tied && !row->is_near;
    append_positive(part, r, row->a);
}

static void find_by_rule(struct ss_sae_part *part)
{
    const struct ss_sae *sae = part->sae;
    const bool multiplies = ss_sae_rule_multiplies(sae->kind);
    const struct rule_layout l = lay_out_rule(sae, part->n_rows);
    void *product = part->scratch + l.product, *all_h = part->scratch + l.h;
    void *a = part->scratch + l.a, *residual = part->scratch + l.residual;
    void *kept = part->scratch + l.kept;
    struct ss_sae_row row = {.a = a, .residual = residual, .kept = kept, .product = product};
    if (!multiplies) {
        ss_sae_multiply(sae, &(struct ss_sae_product){.x = part->x,
                                                      .n_rows = part->n_rows,
                                                      .bias = sae->bias,
                                                      .h = all_h,
                                                      .stride = l.stride,
                                                      .scratch = product});
    }
    for (size_t r = 0; r < part->n_rows; r++) {
        row.u = part->x + r * sae->width;
        row.h = (float *)all_h + (multiplies ? 0 : r * l.stride);
        apply_rule(part, r, &row);
    }
}

/* ---- the table ---- */

const struct ss_sae_finder_fn *ss_sae_finder(ss_sae_selection selection)
{
    static const struct ss_sae_finder_fn finders[] = {
        [SS_SAE_SELECT_ABOVE] = {.scratch_bytes = visit_bytes, .find = find_above},
        [SS_SAE_SELECT_ROW_TOPK] = {.most_rows = most_rows_of_leaders,
                                    .scratch_bytes = leaders_bytes,
                                    .find = find_strongest},
        [SS_SAE_SELECT_BY_ROW] = {.most_rows = most_rows_of_rule,
                                  .scratch_bytes = rule_bytes,
                                  .find = find_by_rule},
    };
    return &finders[selection];
}
