/* Rules that need a whole row of the product, or make several:
 *
 *   groupmax         the largest of each of k equal groups of neighbouring features
 *   gated top-k      the k largest gates g choose; a = relu(exp(r) (u M) sigmoid(g))
 *   pursuit          matching pursuit: the feature nearest to what is left, again and again
 *   lista            the 4 k largest inhibit each other by their decoders' products, then the k
 *                    largest stay
 *
 * Sums over a row are made in double, so that they need no order of their own. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { CANDIDATES_PER_K = 4 };

size_t ss__sae_n_candidates(const struct ss_sae *sae)
{
    const size_t n = sae->kind == SS__SAE_LISTA && sae->top_k <= sae->n_features
                         ? CANDIDATES_PER_K * sae->top_k
                         : sae->top_k;
    return ss__min_size(n, sae->n_features);
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* The candidates of a row: the largest h above a floor, equal ones by lower feature. */
static struct ss__strongest find_candidates(const struct ss_sae *sae, struct ss__row *row,
                                            size_t k, float floor)
{
    struct ss__strongest strongest = {.kept = row->kept, .k = k, .best_left = -INFINITY};
    for (size_t f = 0; f < sae->n_features; f++) {
        if (row->h[f] > floor) {
            ss__strongest_offer(&strongest, row->h[f], f);
        }
    }
    row->is_tied = row->is_tied || ss__strongest_is_tied(&strongest);
    ss__strongest_sort_by_id(&strongest);
    return strongest;
}

/* Whether u may be off: then rules look how near they come to other results. */
static bool is_doubted(const struct ss__row *row)
{
    return row->reach > 0;
}

static double margin_of(const struct ss__row *row, size_t f)
{
    return row->reach * (double)row->lengths[f];
}

/* Whether one of h that is not among the n chosen, in rising order, might be larger than one of
 * them; of h from `start` to `end`. */
static bool may_change_places(const struct ss__row *row, const struct ss__kept *chosen,
                              size_t n, size_t start, size_t end)
{
    double low = INFINITY, high = -INFINITY;
    size_t next = 0;
    for (size_t f = start; f < end; f++) {
        if (next < n && chosen[next].id == f) {
            low = fmin(low, (double)row->h[f] - margin_of(row, f));
            next++;
        } else {
            high = fmax(high, (double)row->h[f] + margin_of(row, f));
        }
    }
    return low <= high;
}

static bool may_be_0(double h, double margin)
{
    return margin > 0 && fabs(h) <= margin;
}

/* The largest of a group fires if it is above 0. */
static bool is_near_group(const struct ss__row *row, size_t best, size_t start, size_t end)
{
    const struct ss__kept chosen = {row->h[best], best};
    double high = -INFINITY;
    for (size_t f = start; f < end; f++) {
        high = fmax(high, (double)row->h[f] + margin_of(row, f));
    }
    return high > 0 && (may_be_0((double)row->h[best], margin_of(row, best)) ||
                        may_change_places(row, &chosen, 1, start, end));
}

static void encode_groupmax(const struct ss_sae *sae, struct ss__row *row)
{
    const size_t n_group = sae->n_features / sae->top_k;
    for (size_t start = 0; start < sae->n_features; start += n_group) {
        size_t best = start;
        for (size_t f = start + 1; f < start + n_group; f++) {
            best = row->h[f] > row->h[best] ? f : best;
        }
        row->a[best] = row->h[best];
        row->is_near |= is_doubted(row) && is_near_group(row, best, start, start + n_group);
    }
}

static void encode_gated_topk(const struct ss_sae *sae, struct ss__row *row)
{
    const struct ss__strongest gates = find_candidates(sae, row, sae->top_k, -INFINITY);
    for (size_t i = 0; i < gates.n; i++) {
        const size_t f = (size_t)gates.kept[i].id;
        const double gate = 1 / (1 + exp(-(double)gates.kept[i].value));
        const double size = dot(row->u, sae->magnitudes + f * sae->width, sae->width);
        row->a[f] = (float)(size * (double)sae->gains[f] * gate);
        row->is_near |=
            is_doubted(row) && may_be_0(size, row->reach * (double)row->size_lengths[f]);
    }
    row->is_near |=
        is_doubted(row) && may_change_places(row, gates.kept, gates.n, 0, sae->n_features);
}

/* The product of what is left with every feature's decoder. */
static size_t find_nearest(const struct ss_sae *sae, struct ss__row *row)
{
    size_t best = 0;
    for (size_t first = 0; first < sae->n_features; first += SS__PANEL) {
        const size_t n = ss__min_size(SS__PANEL, sae->n_features - first);
        ss__linear_block(&sae->encoder, row->residual, 1, first, n, NULL, row->h + first, n);
    }
    for (size_t f = 1; f < sae->n_features; f++) {
        best = row->h[f] > row->h[best] ? f : best;
    }
    return best;
}

/* Whether the choice of a step, or its end, might be another. */
static bool is_near_step(const struct ss_sae *sae, const struct ss__row *row, size_t best)
{
    const struct ss__kept chosen = {row->h[best], best};
    return may_be_0((double)row->h[best], margin_of(row, best)) ||
           may_change_places(row, &chosen, 1, 0, sae->n_features);
}

/* What is off in r goes on as (I - d dᵀ) of it. */
static double growth_of(const struct ss_sae *sae, size_t feature)
{
    const float *d = sae->decoder + feature * sae->width;
    return fmax(1, fabs(1 - dot(d, d, sae->width)));
}

static void encode_pursuit(const struct ss_sae *sae, struct ss__row *row)
{
    const bool is_exact = !is_doubted(row);
    memcpy(row->residual, row->u, sae->width * sizeof *row->residual);
    for (size_t step = 0; step < sae->n_steps; step++) {
        const size_t best = find_nearest(sae, row);
        const float size = row->h[best];
        const bool is_new = row->a[best] == 0;
        row->is_near |= !is_exact && is_near_step(sae, row, best);
        if (!(size > 0)) {
            return;
        }
        row->a[best] += size;
        for (size_t i = 0; i < sae->width; i++) {
            row->residual[i] -= size * sae->decoder[best * sae->width + i];
        }
        const double left = sqrt(dot(row->residual, row->residual, sae->width));
        row->reach *= is_exact ? 1 : growth_of(sae, best);
        row->is_near |= !is_exact && sae->residual_threshold > 0 &&
                        fabs(left - sae->residual_threshold) <= row->reach;
        if ((!is_new && sae->stops_on_same_support) ||
            (sae->residual_threshold > 0 && left < sae->residual_threshold)) {
            return;
        }
    }
}

/* One round among the candidates: the sum of the others' products is that of all less one's
 * own, so a round costs as many products as there are candidates. */
static void inhibit(const struct ss_sae *sae, struct ss__strongest *candidates, float *all)
{
    const size_t width = sae->width;
    memset(all, 0, width * sizeof *all);
    for (size_t i = 0; i < candidates->n; i++) {
        const float *decoder = sae->decoder + candidates->kept[i].id * width;
        for (size_t j = 0; j < width; j++) {
            all[j] += candidates->kept[i].value * decoder[j];
        }
    }
    for (size_t i = 0; i < candidates->n; i++) {
        struct ss__kept *kept = &candidates->kept[i];
        const float *decoder = sae->decoder + kept->id * width;
        const double own = dot(decoder, decoder, width) * (double)kept->value;
        const double inhibition = dot(decoder, all, width) - own;
        kept->value = fmaxf((float)((double)kept->value - sae->eta * inhibition), 0);
    }
}

static void encode_lista(const struct ss_sae *sae, struct ss__row *row)
{
    struct ss__strongest candidates = {0};
    row->is_near = is_doubted(row); /* rounds that feed each other: nothing is certain */
    for (size_t f = 0; f < sae->n_features; f++) {
        row->h[f] = fmaxf(row->h[f], 0);
    }
    for (size_t step = 0; step < sae->n_steps; step++) {
        candidates = find_candidates(sae, row, ss__sae_n_candidates(sae), -INFINITY);
        inhibit(sae, &candidates, row->residual);
        for (size_t i = 0; i < candidates.n; i++) {
            row->h[candidates.kept[i].id] = candidates.kept[i].value;
        }
    }
    /* Only candidates of the last round may stay. */
    for (size_t i = 0; i < candidates.n; i++) {
        row->a[candidates.kept[i].id] = candidates.kept[i].value;
    }
    memcpy(row->h, row->a, sae->n_features * sizeof *row->h);
    const struct ss__strongest last = find_candidates(sae, row, sae->top_k, 0);
    memset(row->a, 0, sae->n_features * sizeof *row->a);
    for (size_t i = 0; i < last.n; i++) {
        row->a[last.kept[i].id] = last.kept[i].value;
    }
}

static const struct {
    ss__row_rule *apply;
    bool multiplies;
} rules[SS__N_SAE_KINDS] = {
    [SS__SAE_GROUPMAX] = {.apply = encode_groupmax},
    [SS__SAE_GATED_TOPK] = {.apply = encode_gated_topk},
    [SS__SAE_PURSUIT] = {.apply = encode_pursuit, .multiplies = true},
    [SS__SAE_LISTA] = {.apply = encode_lista},
};

ss__row_rule *ss__sae_row_rule(ss__sae_kind kind)
{
    return rules[kind].apply;
}

bool ss__sae_rule_multiplies(ss__sae_kind kind)
{
    return rules[kind].multiplies;
}
