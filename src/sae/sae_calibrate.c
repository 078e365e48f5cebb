/* A threshold for a batch-top-k SAE: between the (k N)-th largest activation of the first N
 * rows and the next, so that these rows fire k features each on average. */
#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sae/sae_priv.h"

enum { ROWS_AT_ONCE = 64 };

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

/* A float t with last > t >= next where there is one. */
static float between(float last, float next)
{
    const float middle = (float)(((double)last + (double)next) / 2);
    return middle < last ? middle : next;
}

/* Of more than k values the k largest fire, of k or fewer all that are positive; `strongest`
 * has room for k + 1. */
static float find_threshold(struct ss_sae_strongest *strongest)
{
    ss_sae_strongest_cut(strongest);
    const struct lowest lowest = find_lowest(strongest->values, strongest->n);
    if (strongest->n == strongest->k) {
        return between(lowest.second, lowest.first);
    }
    return strongest->n + 1 == strongest->k ? between(lowest.first, 0) : 0;
}

ss_status ss_sae_calibrate(ss_sae *sae, ss_work *work, const float *x, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_strongest strongest = {0};
    struct ss_sparse rows = {0};
    if (ss_sae_calibration_rows(sae) == 0) {
        SS_FAIL(SS_E_USAGE, "this SAE has nothing to calibrate");
    }
    if (n == 0) {
        SS_FAIL(SS_E_DATA, "a batchtopk SAE cannot be calibrated on a dataset without texts");
    }
    if (!ss__mul(n, sae->top_k, &strongest.k) || strongest.k >= UINT32_MAX) {
        SS_FAIL(SS_E_LIMIT, "%zu features of %zu rows are too many to calibrate on", sae->top_k,
                n);
    }
    strongest.k++;
    strongest.least = -INFINITY;
    strongest.room = ss_sae_strongest_room(strongest.k);
    SS_ALLOC(strongest.values, strongest.room);
    SS_ALLOC(strongest.ids, strongest.room);
    SS_GROW(rows.offsets, rows.n_rows_room, 1);
    for (size_t at = 0; at < n; at += ROWS_AT_ONCE) {
        const struct ss_sae_rows part = {
            .x = x + at * sae->width, .n = ss__min_size(ROWS_AT_ONCE, n - at), .first = at};
        rows.n_rows = rows.offsets[0] = 0;
        SS_TRY(ss_sae_encode_part(sae, SS_SAE_SELECT_ABOVE, work, &part, &rows, NULL, err));
        for (size_t i = 0; i < rows.offsets[rows.n_rows]; i++) {
            ss_sae_strongest_offer(&strongest, rows.values + i, 1, 0);
        }
    }
    SS_TRY(hash_rows(x, n * sae->width, sae->calibration_hash, err));
    sae->options.batchtopk_threshold = (double)find_threshold(&strongest);
    sae->options.calibration_rows = n;
    sae->calibrated = true;
    SS_TRY(ss_sae_set_rule(sae, err));
out:
    ss_sparse_release(&rows);
    ss__free(strongest.values);
    ss__free(strongest.ids);
    return status;
}
