/* The k largest of some numbers: of an array, of a stream, of the rows of a batch. Of equal
 * ones the earlier are taken, which in rows of features means the lower feature. Nothing here
 * allocates; threads: any, for different objects. */
#ifndef SS_SAE_TOPK_H
#define SS_SAE_TOPK_H

#include "base/error.h"
#include "tensor/tensor.h"

/* Where the k largest of some numbers end: at `value`. is_tied: more equal it than may be kept;
 * the first n_equal of them are. The struct is used up by asking (ss_sae_topk_passes counts
 * n_equal down). */
struct ss_sae_topk_cutoff {
    float value;
    bool is_tied;
    size_t n_equal;
};
/* Of those of x [n] that are not below `least`; if they are no more than k, all. NaN is none.
 */
struct ss_sae_topk_cutoff ss_sae_topk_find_cutoff(const float *x, size_t n, size_t k,
                                                  float least);
/* Whether the next number is one of the k; asked in their order. */
static inline bool ss_sae_topk_passes(struct ss_sae_topk_cutoff *cutoff, float x)
{
    if (cutoff->is_tied && x == cutoff->value) {
        const bool passes = cutoff->n_equal > 0;
        cutoff->n_equal -= passes;
        return passes;
    }
    return x >= cutoff->value;
}

/* Top-k of a stream. In place of a heap it is a buffer that is cut to the k largest whenever it
 * is full, which leaves them in the order in which they came. Its memory is the caller's. */
struct ss_sae_topk {
    float *values; /* [capacity] */
    uint32_t *ids; /* the same */
    size_t n, k;
    size_t capacity; /* ss_sae_topk_capacity(k) */
    float least;     /* lower values need not be offered; -INFINITY at first */
    bool is_tied;    /* of equal values some are kept and some are not, after a cut */
};
/* Length of both arrays for a k: k and as many again (at least 64), so that a cut, whose cost
 * is that of the whole buffer, is paid by at least k offers. */
size_t ss_sae_topk_capacity(size_t k);
/* Offer values[j] with the id first + j for every bit j of `bits`. */
void ss_sae_topk_offer(struct ss_sae_topk *self, const float *values, uint32_t bits,
                       uint32_t first);
/* The same of a tile's rows, each to its top-k with its mask; least [n_rows] follows theirs. Both
 * are of the block that the tile's rows count in. */
void ss_sae_topk_offer_tile(struct ss_sae_topk *rows, float *least,
                            const struct ss_tensor_tile_sums *sums, const uint32_t *masks);

/* Drop all but the k largest, in the order in which they came. To be called once more after the
 * last offer. */
void ss_sae_topk_cut(struct ss_sae_topk *self);

/* Keep only the `k` largest of all values of rows from `first_row` on, which are the last;
 * equal values: lower row, then lower feature. */
void ss_sae_topk_of_rows(struct ss_sparse *rows, size_t first_row, size_t k);

#endif
