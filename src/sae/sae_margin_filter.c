/* What was encoded with lowered thresholds (sae_margin.c), pair by pair: what fires, and which
 * rows have a pair that another embedding could change.
 *
 * Both filters go through the entries once and write what stays over what was read (`from` is
 * never behind `to`), so that no second array is needed. The margin of a pair, why it is what
 * it is, and what is ambiguous under each rule: docs/numerics.md, "Fire sets at high". Tested
 * by test_sae_margin, which moves embeddings within the error in all directions. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "sae/sae_margin.h"

/* How far h of a feature may be off in a row. */
static double margin_of(const struct ss_sae_margin_filter *s, size_t r, uint32_t f)
{
    return s->margins->du[r] * (double)s->margins->h_per_du[f];
}

/* What h a feature begins to fire at: its threshold, or where its gain makes a positive value.
 */
static double firing_threshold(const struct ss_sae_rule *rule, size_t f)
{
    const double threshold = (double)rule->thresholds[f];
    return rule->gains == NULL
               ? threshold
               : fmax(threshold, -(double)rule->shifts[f] / (double)rule->gains[f]);
}

/* What h becomes, 0 where it does not fire. */
static float activation_of(const struct ss_sae_rule *rule, size_t f, float h)
{
    const float a = rule->gains == NULL ? h : h * rule->gains[f] + rule->shifts[f];
    return h > rule->thresholds[f] && a > 0 ? a : 0;
}

/* Within 2 ulp of a threshold, as sae_selector.c counts it: the same rows have to give the same
 * counts with and without margins. */
static bool is_borderline(const struct ss_sae_rule *rule, size_t f, float h)
{
    const float threshold = rule->thresholds[f];
    return threshold != 0 && h >= rule->candidate_min[f] &&
           h <= nextafterf(nextafterf(threshold, INFINITY), INFINITY);
}

static void append(struct ss_sae_margin_filter *s, uint32_t f, float a)
{
    s->rows->features[s->to] = f;
    s->rows->values[s->to++] = a;
}

/* ---- all above their thresholds ---- */

/* A margin of 0 is that of weights of 0, whose h is the same whatever the embedding. */
static bool is_near_threshold(const struct ss_sae_margin_filter *s, size_t r, uint32_t f,
                              float h)
{
    const double margin = margin_of(s, r, f);
    return margin > 0 && fabs((double)h - firing_threshold(s->rule, f)) <= margin;
}

/* A row that is ambiguous is encoded again, and its borderline pairs are counted then. */
void ss_sae_margin_filter_above(struct ss_sae_margin_filter *s)
{
    const struct ss_sae_rule *rule = s->rule;
    for (size_t r = 0; r < s->rows->n_rows; r++) {
        const size_t end = s->rows->offsets[r + 1];
        uint64_t n_borderline = 0;
        s->is_ambiguous[r] = false;
        for (; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from], a = activation_of(rule, f, h);
            s->is_ambiguous[r] |= is_near_threshold(s, r, f, h);
            n_borderline += is_borderline(rule, f, h);
            if (a > 0) {
                append(s, f, a);
            }
        }
        if (s->counts != NULL && !s->is_ambiguous[r]) {
            s->counts->n_borderline_pairs += n_borderline;
        }
        s->rows->offsets[r + 1] = s->to;
    }
}

/* ---- the k largest ---- */

/* Rows of whose values the k largest are kept, one row or a batch. */
struct group {
    size_t first, end, k;
    bool has_more; /* encoding dropped values, no larger than the least here */
};

/* Where the k largest end: values of `least`, of which the first n_equal are kept. What is kept
 * is no lower than `low` at worst, what is not no higher than `high`. */
struct cutoff {
    size_t n_kept, n_equal;
    float least;
    double low, high;
};

static int compare_values(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Of those above their thresholds, sorted: encoding kept some below, for the margins. Where no
 * more than k are left, all are kept and nothing competes. */
static ss_status find_cutoff(const struct ss_sae_margin_filter *s, const struct group *group,
                             struct cutoff *cutoff, ss_err *err)
{
    struct ss_sae_margins *m = s->margins;
    const size_t end = s->rows->offsets[group->end];
    size_t n = 0;
    SS_GROW_OR_RETURN(m->sorted, m->sorted_capacity, end - s->from);
    for (size_t i = s->from; i < end; i++) {
        m->sorted[n] = s->rows->values[i];
        n += s->rows->values[i] > s->rule->thresholds[s->rows->features[i]];
    }
    *cutoff = (struct cutoff){.n_kept = n, .n_equal = SIZE_MAX, .least = -INFINITY};
    if (n > group->k) {
        ss__sort(m->sorted, n, sizeof *m->sorted, compare_values);
        *cutoff = (struct cutoff){.n_kept = group->k, .least = m->sorted[group->k - 1]};
        for (size_t i = 0; i < group->k; i++) {
            cutoff->n_equal += m->sorted[i] == cutoff->least;
        }
    }
    return SS_OK;
}

/* Whether the next value is kept; asked in their order. */
static bool passes(const struct ss_sae_margin_filter *s, struct cutoff *cutoff, uint32_t f,
                   float h)
{
    if (!(h > s->rule->thresholds[f]) || h < cutoff->least ||
        (h == cutoff->least && cutoff->n_equal == 0)) {
        return false;
    }
    cutoff->n_equal -= h == cutoff->least;
    return true;
}

/* How low what is kept might be, and how high what is not: a pair whose interval reaches into
 * the other side's is ambiguous. Where encoding dropped values, the largest of these may be as
 * high as the least that was kept, plus the largest margin. */
static void bound_cutoff(const struct ss_sae_margin_filter *s, const struct group *group,
                         struct cutoff *cutoff)
{
    /* asking counts equal values down, and they are asked for twice */
    struct cutoff at = *cutoff;
    double least = INFINITY;
    cutoff->low = INFINITY;
    cutoff->high = -INFINITY;
    for (size_t r = group->first, i = s->from; r < group->end; r++) {
        for (; i < s->rows->offsets[r + 1]; i++) {
            const uint32_t f = s->rows->features[i];
            const float h = s->rows->values[i];
            const double margin = margin_of(s, r, f);
            least = fmin(least, (double)h);
            if (passes(s, &at, f, h)) {
                cutoff->low = fmin(cutoff->low, (double)h - margin);
            } else if ((double)h + margin > (double)s->rule->thresholds[f]) {
                cutoff->high = fmax(cutoff->high, (double)h + margin);
            }
        }
    }
    if (group->has_more) {
        cutoff->high =
            fmax(cutoff->high, least + s->margins->du[group->first] * s->margins->max_h_per_du);
    }
}

struct pair {
    uint32_t feature;
    bool is_kept;
    double h, margin;
};

/* Whether another embedding could change what becomes of a pair: near its threshold, where
 * that decides, or between what is kept for certain and what is not. */
static bool is_pair_ambiguous(const struct ss_sae_margin_filter *s, const struct group *group,
                              const struct cutoff *cutoff, const struct pair *pair)
{
    const double low = pair->h - pair->margin, high = pair->h + pair->margin;
    const double threshold = (double)s->rule->thresholds[pair->feature];
    if (!(pair->margin > 0) || !(high > threshold)) {
        return false;
    }
    return pair->is_kept && low <= threshold ? true
           : cutoff->n_kept < group->k       ? !pair->is_kept
                                             : low <= cutoff->high && high >= cutoff->low;
}

/* A row, or a batch, of which the k largest are kept; `from` stands at its first entry. */
static ss_status filter_group(struct ss_sae_margin_filter *s, const struct group *group,
                              ss_err *err)
{
    struct cutoff cutoff = {0};
    SS_RETURN_IF_ERROR(find_cutoff(s, group, &cutoff, err));
    bound_cutoff(s, group, &cutoff);
    for (size_t r = group->first; r < group->end; r++) {
        /* fewer than k were above their thresholds, and what was dropped might be */
        s->is_ambiguous[r] = group->has_more && cutoff.n_kept < group->k;
        for (const size_t end = s->rows->offsets[r + 1]; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from];
            const bool is_kept = passes(s, &cutoff, f, h);
            const struct pair pair = {f, is_kept, (double)h, margin_of(s, r, f)};
            s->is_ambiguous[r] |= is_pair_ambiguous(s, group, &cutoff, &pair);
            if (is_kept) {
                append(s, f, h);
            }
        }
        s->rows->offsets[r + 1] = s->to;
    }
    return SS_OK;
}

ss_status ss_sae_margin_filter_topk(struct ss_sae_margin_filter *s, size_t n_each,
                                    size_t n_most, ss_err *err)
{
    for (size_t r = 0; r < s->rows->n_rows; r += n_each) {
        struct group group = {.first = r, .end = ss__min_size(r + n_each, s->rows->n_rows)};
        if (!ss__mul(s->rule->top_k, group.end - group.first, &group.k)) {
            group.k = SIZE_MAX;
        }
        group.has_more = s->rows->offsets[r + 1] - s->from == n_most &&
                         n_most < s->margins->sae->parameters.n_features;
        SS_RETURN_IF_ERROR(filter_group(s, &group, err));
    }
    return SS_OK;
}
