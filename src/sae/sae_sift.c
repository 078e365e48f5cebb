/* What the copy of an SAE with lowered floors kept (sae_margin.c), pair by pair: what fires,
 * and which rows have a pair that another embedding could change. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sae/sae_margin.h"

static double margin_of(const struct ss_sae_sifting *s, size_t r, uint32_t f)
{
    return s->margins->reach[r] * (double)s->margins->lengths[f];
}

/* Where a feature begins to fire: at its floor, or where its gain makes a positive value. */
static double firing_floor(const ss_sae *sae, size_t f)
{
    const double floor = (double)sae->floors[f];
    return sae->gains == NULL ? floor
                              : fmax(floor, -(double)sae->shifts[f] / (double)sae->gains[f]);
}

/* What h becomes, 0 where it does not fire. */
static float activation_of(const ss_sae *sae, size_t f, float h)
{
    const float a = sae->gains == NULL ? h : h * sae->gains[f] + sae->shifts[f];
    return h > sae->floors[f] && a > 0 ? a : 0;
}

static bool is_borderline(const ss_sae *sae, size_t f, float h)
{
    const float floor = sae->floors[f];
    return floor != 0 && h >= sae->nearest[f] &&
           h <= nextafterf(nextafterf(floor, INFINITY), INFINITY);
}

static void keep(struct ss_sae_sifting *s, uint32_t f, float a)
{
    s->rows->features[s->to] = f;
    s->rows->values[s->to++] = a;
}

/* ---- all above their floors ---- */

/* A margin of 0 is that of weights of 0, whose h is the same whatever the embedding. */
static bool is_near_floor(const struct ss_sae_sifting *s, size_t r, uint32_t f, float h)
{
    const double margin = margin_of(s, r, f);
    return margin > 0 && fabs((double)h - firing_floor(s->margins->sae, f)) <= margin;
}

void ss_sae_sift_above(struct ss_sae_sifting *s)
{
    const ss_sae *sae = s->margins->sae;
    for (size_t r = 0; r < s->rows->n_rows; r++) {
        const size_t end = s->rows->offsets[r + 1];
        uint64_t n_borderline = 0;
        s->is_near[r] = false;
        for (; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from], a = activation_of(sae, f, h);
            s->is_near[r] |= is_near_floor(s, r, f, h);
            n_borderline += is_borderline(sae, f, h);
            if (a > 0) {
                keep(s, f, a);
            }
        }
        if (s->counts != NULL && !s->is_near[r]) {
            s->counts->n_borderline_pairs += n_borderline;
        }
        s->rows->offsets[r + 1] = s->to;
    }
}

/* ---- the k largest ---- */

/* Rows of whose values the k largest are kept, one row or a batch. */
struct field {
    size_t first, end, k;
    bool has_more; /* the copy let go of values, no larger than the least here */
};

/* Where the k largest end: values of `least`, of which the first n_equal are kept. What is kept
 * is no lower than `low` at worst, what is not no higher than `high`. */
struct border {
    size_t n_kept, n_equal;
    float least;
    double low, high;
};

static int compare_values(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static ss_status find_border(const struct ss_sae_sifting *s, const struct field *field,
                             struct border *border, ss_err *err)
{
    struct ss_sae_margins *m = s->margins;
    const size_t end = s->rows->offsets[field->end];
    size_t n = 0;
    SS_GROW_OR_RETURN(m->sorted, m->n_sorted_room, end - s->from);
    for (size_t i = s->from; i < end; i++) {
        m->sorted[n] = s->rows->values[i];
        n += s->rows->values[i] > m->sae->floors[s->rows->features[i]];
    }
    *border = (struct border){.n_kept = n, .n_equal = SIZE_MAX, .least = -INFINITY};
    if (n > field->k) {
        qsort(m->sorted, n, sizeof *m->sorted, compare_values);
        *border = (struct border){.n_kept = field->k, .least = m->sorted[field->k - 1]};
        for (size_t i = 0; i < field->k; i++) {
            border->n_equal += m->sorted[i] == border->least;
        }
    }
    return SS_OK;
}

/* Whether the next value is kept; asked in their order. */
static bool takes(const struct ss_sae_sifting *s, struct border *border, uint32_t f, float h)
{
    if (!(h > s->margins->sae->floors[f]) || h < border->least ||
        (h == border->least && border->n_equal == 0)) {
        return false;
    }
    border->n_equal -= h == border->least;
    return true;
}

static void bound(const struct ss_sae_sifting *s, const struct field *field,
                  struct border *border)
{
    struct border at = *border;
    double least = INFINITY;
    border->low = INFINITY;
    border->high = -INFINITY;
    for (size_t r = field->first, i = s->from; r < field->end; r++) {
        for (; i < s->rows->offsets[r + 1]; i++) {
            const uint32_t f = s->rows->features[i];
            const float h = s->rows->values[i];
            const double margin = margin_of(s, r, f);
            least = fmin(least, (double)h);
            if (takes(s, &at, f, h)) {
                border->low = fmin(border->low, (double)h - margin);
            } else if ((double)h + margin > (double)s->margins->sae->floors[f]) {
                border->high = fmax(border->high, (double)h + margin);
            }
        }
    }
    if (field->has_more) {
        border->high = fmax(border->high,
                            least + s->margins->reach[field->first] * s->margins->most_length);
    }
}

struct pair {
    uint32_t feature;
    bool is_kept;
    double h, margin;
};

/* Whether another embedding could change what becomes of a pair: near its floor, where that
 * decides, or between what is kept for certain and what is not. */
static bool is_near_border(const struct ss_sae_sifting *s, const struct field *field,
                           const struct border *border, const struct pair *pair)
{
    const double low = pair->h - pair->margin, high = pair->h + pair->margin;
    const double floor = (double)s->margins->sae->floors[pair->feature];
    if (!(pair->margin > 0) || !(high > floor)) {
        return false;
    }
    return pair->is_kept && low <= floor ? true
           : border->n_kept < field->k   ? !pair->is_kept
                                         : low <= border->high && high >= border->low;
}

static ss_status sift_field(struct ss_sae_sifting *s, const struct field *field, ss_err *err)
{
    struct border border = {0};
    SS_RETURN_IF_ERROR(find_border(s, field, &border, err));
    bound(s, field, &border);
    for (size_t r = field->first; r < field->end; r++) {
        s->is_near[r] = field->has_more && border.n_kept < field->k;
        for (const size_t end = s->rows->offsets[r + 1]; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from];
            const bool is_kept = takes(s, &border, f, h);
            const struct pair pair = {f, is_kept, (double)h, margin_of(s, r, f)};
            s->is_near[r] |= is_near_border(s, field, &border, &pair);
            if (is_kept) {
                keep(s, f, h);
            }
        }
        s->rows->offsets[r + 1] = s->to;
    }
    return SS_OK;
}

ss_status ss_sae_sift_largest(struct ss_sae_sifting *s, size_t n_each, size_t n_most,
                              ss_err *err)
{
    const ss_sae *sae = s->margins->sae;
    for (size_t r = 0; r < s->rows->n_rows; r += n_each) {
        struct field field = {.first = r, .end = ss__min_size(r + n_each, s->rows->n_rows)};
        if (!ss__mul(sae->top_k, field.end - field.first, &field.k)) {
            field.k = SIZE_MAX;
        }
        field.has_more =
            s->rows->offsets[r + 1] - s->from == n_most && n_most < sae->n_features;
        SS_RETURN_IF_ERROR(sift_field(s, &field, err));
    }
    return SS_OK;
}
