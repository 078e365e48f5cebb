/* Activation rules that need a whole row of the product, or make several:
 *
 *   groupmax         the largest of each of k equal groups of neighbouring features
 *   gated top-k      the k largest gates g choose; a = relu(exp(r) (u M) sigmoid(g))
 *   pursuit          matching pursuit: the feature nearest to what is left, again and again
 *   lista            the 4 k largest inhibit each other by their decoders' products, then the k
 *                    largest stay
 *
 * Sums over a row are made in double, so that they need no order of their own. Where embeddings
 * are not exact (row->du), each rule also finds whether an error within the bound could have
 * led it elsewhere: it compares its own choice with the best that it did not choose, both
 * sides' margins counted. What that means for each rule: docs/numerics.md, "Fire sets at high"
 * (ambiguous). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"
#include "sae/sae_topk.h"

enum { CANDIDATES_PER_K = 4 };

size_t ss_sae_n_candidates(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule)
{
    const size_t n = rule->kind == SS_SAE_LISTA && rule->top_k <= p->n_features
                         ? CANDIDATES_PER_K * rule->top_k
                         : rule->top_k;
    return ss__min_size(n, p->n_features);
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* The k largest h of a row that are not below `least`, by feature; equal ones by lower feature.
 * They are put into row->kept; gives their number. */
static size_t find_candidates(const struct ss_sae_parameters *p, struct ss_sae_row *row,
                              size_t k, float least)
{
    struct ss_sae_topk_cutoff cutoff = ss_sae_topk_find_cutoff(row->h, p->n_features, k, least);
    size_t n = 0;
    for (size_t f = 0; f < p->n_features; f++) {
        if (ss_sae_topk_passes(&cutoff, row->h[f])) {
            row->kept[n++] = (struct ss_sae_kept){.value = row->h[f], .id = f};
        }
    }
    row->is_tied = row->is_tied || cutoff.is_tied;
    return n;
}

/* ---- ambiguity ---- */

/* Whether u may be off: then rules find out how near they come to other results. */
static bool is_uncertain(const struct ss_sae_row *row)
{
    return row->du > 0;
}

static double margin_of(const struct ss_sae_row *row, size_t f)
{
    return row->du * (double)row->h_per_du[f];
}

/* Whether one of h that is not among the n chosen, in rising order, might be larger than one of
 * them; of h from `start` to `end`. The lowest that a chosen one can be is compared with the
 * highest that another can be, which is enough: the pair need not be found. */
static bool may_change_places(const struct ss_sae_row *row, const struct ss_sae_kept *chosen,
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

/* Whether the sign is in doubt. A margin of 0 is that of weights of 0, for which nothing is. */
static bool may_be_0(double h, double margin)
{
    return margin > 0 && fabs(h) <= margin;
}

/* The largest of a group fires if it is above 0. */
static bool is_ambiguous_group(const struct ss_sae_row *row, size_t best, size_t start,
                               size_t end)
{
    const struct ss_sae_kept chosen = {row->h[best], best};
    double high = -INFINITY;
    for (size_t f = start; f < end; f++) {
        high = fmax(high, (double)row->h[f] + margin_of(row, f));
    }
    return high > 0 && (may_be_0((double)row->h[best], margin_of(row, best)) ||
                        may_change_places(row, &chosen, 1, start, end));
}

/* ---- products ---- */

/* A tile's sums, with bias, to their places in whole rows. */
static void copy_sums(void *context, const struct ss_tensor_tile_sums *sums)
{
    const struct ss_sae_product *product = context;
    for (size_t r = 0; r < sums->n_rows; r++) {
        const float *from = sums->at + r * sums->stride;
        float *to = product->h + (sums->row + r) * product->stride + sums->output;
        for (size_t j = 0; j < sums->n_outputs; j++) {
            to[j] = product->bias == NULL ? from[j] : from[j] + product->bias[sums->output + j];
        }
    }
}

void ss_sae_multiply(const struct ss_sae_parameters *p, const struct ss_sae_product *product)
{
    struct ss_sae_product context = *product;
    ss_tensor_linear_tiles(&(struct ss_tensor_tile_callback){.w = &p->encoder,
                                                             .x = product->x,
                                                             .n_rows = product->n_rows,
                                                             .end = p->n_features,
                                                             .scratch = product->scratch,
                                                             .on_tile = copy_sums,
                                                             .context = &context});
}

/* ---- the rules ---- */

/* A group of which no h is above 0 fires nothing: what is not positive is left out at the end
 * (append_positive). Equal values: the lower feature, by the strict comparison. */
static void encode_groupmax(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                            struct ss_sae_row *row)
{
    const size_t n_group = p->n_features / rule->top_k;
    for (size_t start = 0; start < p->n_features; start += n_group) {
        size_t best = start;
        for (size_t f = start + 1; f < start + n_group; f++) {
            best = row->h[f] > row->h[best] ? f : best;
        }
        row->a[best] = row->h[best];
        row->is_ambiguous |=
            is_uncertain(row) && is_ambiguous_group(row, best, start, start + n_group);
    }
}

/* Candidates are chosen by gates of either sign, so `least` is the lowest float; only for these
 * few the second product is made. */
static void encode_gated_topk(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                              struct ss_sae_row *row)
{
    const size_t n = find_candidates(p, row, rule->top_k, -FLT_MAX);
    for (size_t i = 0; i < n; i++) {
        const size_t f = row->kept[i].id;
        const double gate = 1 / (1 + exp(-(double)row->kept[i].value));
        const double size = dot(row->u, p->magnitudes + f * p->width, p->width);
        row->a[f] = (float)(size * (double)rule->gains[f] * gate);
        row->is_ambiguous |=
            is_uncertain(row) && may_be_0(size, row->du * (double)row->magnitude_per_du[f]);
    }
    row->is_ambiguous |=
        is_uncertain(row) && may_change_places(row, row->kept, n, 0, p->n_features);
}

/* The feature whose decoder lies nearest to what is left of the row; h becomes all products.
 * The encoder of such an SAE is its decoder. */
static size_t find_nearest(const struct ss_sae_parameters *p, struct ss_sae_row *row)
{
    size_t best = 0;
    ss_sae_multiply(p,
                    &(struct ss_sae_product){
                        .x = row->residual, .n_rows = 1, .h = row->h, .scratch = row->product});
    for (size_t f = 1; f < p->n_features; f++) {
        best = row->h[f] > row->h[best] ? f : best;
    }
    return best;
}

/* Whether the choice of a step, or its end, might be another. */
static bool is_ambiguous_step(const struct ss_sae_parameters *p, const struct ss_sae_row *row,
                              size_t best)
{
    const struct ss_sae_kept chosen = {row->h[best], best};
    return may_be_0((double)row->h[best], margin_of(row, best)) ||
           may_change_places(row, &chosen, 1, 0, p->n_features);
}

/* What is off in r goes on as (I - d dᵀ) of it, which does not grow where |d| is 1, and by |1 -
 * |d|²| where a decoder's row is longer than √2. */
static double growth_of(const struct ss_sae_parameters *p, size_t feature)
{
    const float *d = p->decoder + feature * p->width;
    return fmax(1, fabs(1 - dot(d, d, p->width)));
}

/* A feature that is chosen again adds to its activation. All ends may be ambiguous: which
 * feature is nearest, whether its product is above 0, and whether what is left is below the
 * threshold. */
static void encode_pursuit(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                           struct ss_sae_row *row)
{
    const bool is_exact = !is_uncertain(row);
    memcpy(row->residual, row->u, p->width * sizeof *row->residual);
    for (size_t step = 0; step < rule->n_steps; step++) {
        const size_t best = find_nearest(p, row);
        const float size = row->h[best];
        const bool is_new = row->a[best] == 0;
        row->is_ambiguous |= !is_exact && is_ambiguous_step(p, row, best);
        if (!(size > 0)) {
            return;
        }
        row->a[best] += size;
        for (size_t i = 0; i < p->width; i++) {
            row->residual[i] -= size * p->decoder[best * p->width + i];
        }
        const double left = sqrt(dot(row->residual, row->residual, p->width));
        row->du *= is_exact ? 1 : growth_of(p, best);
        row->is_ambiguous |= !is_exact && rule->residual_threshold > 0 &&
                             fabs(left - rule->residual_threshold) <= row->du;
        if ((!is_new && rule->stops_on_same_support) ||
            (rule->residual_threshold > 0 && left < rule->residual_threshold)) {
            return;
        }
    }
}

/* One round among the candidates: the sum of the others' products is that of all less one's
 * own, so a round costs as many products as there are candidates. */
static void inhibit(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                    struct ss_sae_kept *kept, size_t n, float *all)
{
    const size_t width = p->width;
    memset(all, 0, width * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const float *decoder = p->decoder + kept[i].id * width;
        for (size_t j = 0; j < width; j++) {
            all[j] += kept[i].value * decoder[j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        const float *decoder = p->decoder + kept[i].id * width;
        const double own = dot(decoder, decoder, width) * (double)kept[i].value;
        const double inhibition = dot(decoder, all, width) - own;
        kept[i].value = fmaxf((float)((double)kept[i].value - rule->eta * inhibition), 0);
    }
}

static void put_kept(float *to, const struct ss_sae_kept *kept, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[kept[i].id] = kept[i].value;
    }
}

/* Rounds of inhibition among the 4 k largest, which are found anew each round, since the last
 * one may have changed who they are; at the end the k largest that are above 0. */
static void encode_lista(const struct ss_sae_parameters *p, const struct ss_sae_rule *rule,
                         struct ss_sae_row *row)
{
    size_t n = 0;
    row->is_ambiguous = is_uncertain(row); /* rounds that feed each other: nothing is certain */
    for (size_t f = 0; f < p->n_features; f++) {
        row->h[f] = fmaxf(row->h[f], 0);
    }
    for (size_t step = 0; step < rule->n_steps; step++) {
        n = find_candidates(p, row, ss_sae_n_candidates(p, rule), -FLT_MAX);
        inhibit(p, rule, row->kept, n, row->residual);
        put_kept(row->h, row->kept, n);
    }
    /* Only candidates of the last round may stay. */
    memset(row->h, 0, p->n_features * sizeof *row->h);
    put_kept(row->h, row->kept, n);
    n = find_candidates(p, row, rule->top_k, FLT_TRUE_MIN);
    put_kept(row->a, row->kept, n);
}

static const struct {
    ss_sae_row_rule_fn *apply;
    bool multiplies;
} rules[SS_SAE_N_SAE_KINDS] = {
    [SS_SAE_GROUPMAX] = {.apply = encode_groupmax},
    [SS_SAE_GATED_TOPK] = {.apply = encode_gated_topk},
    [SS_SAE_PURSUIT] = {.apply = encode_pursuit, .multiplies = true},
    [SS_SAE_LISTA] = {.apply = encode_lista},
};

ss_sae_row_rule_fn *ss_sae_row_rule(ss_sae_kind kind)
{
    return rules[kind].apply;
}

bool ss_sae_row_rule_multiplies(ss_sae_kind kind)
{
    return rules[kind].multiplies;
}
