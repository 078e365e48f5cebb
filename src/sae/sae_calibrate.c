/* A threshold for a batch-top-k SAE: between the (k N)-th largest activation of the first N
 * rows and the next, so that these rows fire k features each on average. The SAE is not
 * changed: the result is an activation rule beside its own, for whoever calibrated.
 *
 * The k N + 1 largest values of all rows are kept in one top-k buffer while rows are encoded
 * in small parts, so memory is that of the buffer and not of N L activations. Which rows
 * came together does not show: the values are those of each row alone, and the largest of a
 * set have no order. Derivation of the midpoint and its rounding: docs/numerics.md, "SAEs".
 * Where embeddings are not exact, sae_margin.c finds the rows that have to be embedded again
 * first. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sae/sae_priv.h"
#include "sae/sae_topk.h"

enum { ROWS_AT_ONCE = 64 };

/* Tells in the manifest which rows a threshold comes from: two runs with the same hash had the
 * same embeddings, bit for bit. */
static ss_status hash_rows(const float *x, size_t n, char hex[SS__SHA256_HEX_BYTES],
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__hash *hash = NULL;
    SS_TRY(ss__hash_new(SS__HASH_SHA256, &hash, err));
    ss__hash_add(hash, x, n * sizeof *x);
    ss__hash_finish(hash, hex);
out:
    ss__hash_free(hash);
    return status;
}

/* The lowest of some values and the one above it, which may be equal. */
struct lowest {
    float first, second;
};

static struct lowest find_lowest(const float *values, size_t n)
{
    struct lowest lowest = {INFINITY, INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (values[i] < lowest.first) {
            lowest = (struct lowest){values[i], lowest.first};
        } else if (values[i] < lowest.second) {
            lowest.second = values[i];
        }
    }
    return lowest;
}

/* The middle, or `next` where rounding would reach `last`: a float t with last > t >= next
 * where there is one, so that `last` still fires by the strict comparison and `next` does
 * not. */
static float between(float last, float next)
{
    const float middle = (float)(((double)last + (double)next) / 2);
    return middle < last ? middle : next;
}

/* The buffer was given k N + 1: if it is full, its least value is the first that does not fire.
 * With exactly k N positive values all of them fire, and the next is 0; with fewer, the
 * threshold is 0, because nothing else could be reached. */
static float threshold_below(struct ss_sae_topk *topk)
{
    ss_sae_topk_cut(topk);
    const struct lowest lowest = find_lowest(topk->values, topk->n);
    if (topk->n == topk->k) {
        return between(lowest.second, lowest.first);
    }
    return topk->n + 1 == topk->k ? between(lowest.first, 0) : 0;
}

ss_status ss_sae_find_batchtopk_threshold(const struct ss_sae *sae, ss_work *work,
                                          const float *x, size_t n, double *threshold,
                                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_topk topk = {.least = -INFINITY};
    struct ss_sparse rows = {0};
    const struct ss_sae_parameters *p = &sae->parameters;
    const struct ss_sae_rule *rule = &sae->activation.rule;
    if (ss_sae_rule_calibration_rows(rule) == 0) {
        SS_FAIL(SS_E_USAGE, "this SAE has nothing to calibrate");
    }
    if (n == 0) {
        SS_FAIL(SS_E_DATA, "a batchtopk SAE cannot be calibrated on a dataset without texts");
    }
    if (!ss__mul(n, rule->top_k, &topk.k) || topk.k >= UINT32_MAX) {
        SS_FAIL(SS_E_LIMIT, "%zu features of %zu rows are too many to calibrate on",
                rule->top_k, n);
    }
    /* one more than fire, for the value on the other side of the threshold */
    topk.k++;
    topk.capacity = ss_sae_topk_capacity(topk.k);
    SS_ALLOC(topk.values, topk.capacity);
    SS_ALLOC(topk.ids, topk.capacity);
    for (size_t at = 0; at < n; at += ROWS_AT_ONCE) {
        const struct ss_sae_rows part = {
            .x = x + at * p->width, .n = ss__min_size(ROWS_AT_ONCE, n - at), .first = at};
        SS_TRY(ss_sae_sparse_start(&rows, part.n, err));
        SS_TRY(ss_sae_encode_part(p, rule, work, &part, &rows, err));
        for (size_t i = 0; i < rows.offsets[rows.n_rows]; i++) {
            /* only values matter, so every id is 0 */
            ss_sae_topk_offer(&topk, rows.values + i, 1, 0);
        }
    }
    *threshold = (double)threshold_below(&topk);
out:
    ss_sparse_release(&rows);
    ss__free(topk.values);
    ss__free(topk.ids);
    return status;
}

ss_status ss_sae_calibrate(const ss_sae *sae, ss_work *work, const float *x, size_t n,
                           struct ss_sae_activation **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_activation *activation = NULL;
    struct ss_sae_rule rule = sae->activation.rule;
    *out = NULL;
    SS_TRY(ss_sae_find_batchtopk_threshold(sae, work, x, n, &rule.batchtopk_threshold, err));
    SS_TRY(hash_rows(x, n * sae->parameters.width, rule.calibration_hash, err));
    rule.calibration_rows = n;
    SS_ALLOC(activation, 1);
    SS_TRY(ss_sae_activation_init(activation, &sae->parameters, &rule, &sae->provenance, err));
    *out = activation;
    activation = NULL;
out:
    ss_sae_activation_free(activation);
    return status;
}
