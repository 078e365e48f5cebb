/* The k largest of some numbers; of equal ones the earlier are taken.
 *
 * Where they end is found by halving the range of floats, in the order of their bits, and
 * counting what reaches the middle: at most 32 counts, each by 16 lanes. Against a heap or a
 * partial sort this has no branch that depends on the data, and leaves the numbers in the order
 * in which they came, which is the order of features: the lower feature wins a tie without a
 * comparison of its own (docs/numerics.md, "SAEs"). */
#include <float.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_topk.h"
#include "tensor/tensor.h"

enum { LEAST_SPARE = 64 };

/* Bits in the order of the floats, and back: of negative numbers all bits are turned over, of
 * others the sign alone, so that unsigned integers compare as the floats do. -0 comes right
 * before 0. */
static uint32_t rank_of(float x)
{
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

/* The float of a rank. */
static float of_rank(uint32_t rank)
{
    const uint32_t bits = (rank >> 31) != 0 ? rank & 0x7fffffffU : ~rank;
    float x = 0;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct ss_sae_topk_cutoff ss_sae_topk_find_cutoff(const float *x, size_t n, size_t k,
                                                  float least)
{
    struct ss_sae_topk_cutoff cutoff = {.value = least};
    size_t n_reaching = ss_tensor_count_at_least(x, n, least), n_above = 0;
    uint32_t low = rank_of(least), high = 0xff800001U; /* NaN, which nothing reaches */
    /* More than k reach low, which is the cutoff so far; fewer than k reach high. */
    while (n_reaching > k) {
        if (high - low == 1) {
            cutoff.is_tied = true;
            cutoff.n_equal = k - n_above;
            break;
        }
        const uint32_t middle = low + (high - low) / 2;
        const size_t n_here = ss_tensor_count_at_least(x, n, of_rank(middle));
        if (n_here >= k) {
            low = middle;
            cutoff.value = of_rank(middle);
            n_reaching = n_here;
        } else {
            high = middle;
            n_above = n_here;
        }
    }
    return cutoff;
}

size_t ss_sae_topk_capacity(size_t k)
{
    return k + ss__max_size(k, LEAST_SPARE);
}

/* Compacts in place, without a branch: every value is written, and only those that pass move
 * the end. */
void ss_sae_topk_cut(struct ss_sae_topk *self)
{
    float *values = self->values;
    uint32_t *ids = self->ids;
    if (self->n <= self->k) {
        return;
    }
    struct ss_sae_topk_cutoff cutoff =
        ss_sae_topk_find_cutoff(values, self->n, self->k, self->least);
    size_t n = 0;
    self->least = cutoff.value;
    self->is_tied = cutoff.is_tied;
    for (size_t i = 0; i < self->n; i++) {
        const bool passes = ss_sae_topk_passes(&cutoff, values[i]);
        values[n] = values[i];
        ids[n] = ids[i];
        n += passes;
    }
    self->n = n;
}

/* `least` rises with every cut, so most of what comes late is refused by one comparison. */
void ss_sae_topk_offer(struct ss_sae_topk *self, const float *values, uint32_t bits,
                       uint32_t first)
{
    float *to = self->values, least = self->least;
    uint32_t *ids = self->ids;
    size_t n = self->n;
    for (; bits != 0; bits &= bits - 1) {
        const uint32_t j = (uint32_t)__builtin_ctz(bits);
        if (n == self->capacity) {
            self->n = n;
            ss_sae_topk_cut(self);
            n = self->n;
            least = self->least;
        }
        to[n] = values[j];
        ids[n] = first + j;
        n += values[j] >= least;
    }
    self->n = n;
}

void ss_sae_topk_offer_tile(struct ss_sae_topk *rows, float *least,
                            const struct ss_tensor_tile_sums *sums, const uint32_t *masks)
{
    for (size_t r = 0; r < sums->n_rows; r++) {
        struct ss_sae_topk *topk = &rows[sums->row + r];
        if (masks[r] != 0) {
            ss_sae_topk_offer(topk, sums->at + r * sums->stride, masks[r],
                              (uint32_t)sums->output);
            least[sums->row + r] = topk->least;
        }
    }
}

/* Values that are not above 0 never count (FLT_TRUE_MIN): a batch with fewer than k positive
 * ones keeps these. */
void ss_sae_topk_of_rows(struct ss_sparse *rows, size_t first_row, size_t k)
{
    const size_t start = rows->offsets[first_row];
    size_t n = start, from = start;
    struct ss_sae_topk_cutoff cutoff = ss_sae_topk_find_cutoff(
        rows->values + start, rows->offsets[rows->n_rows] - start, k, FLT_TRUE_MIN);
    for (size_t r = first_row; r < rows->n_rows; r++) {
        for (; from < rows->offsets[r + 1]; from++) {
            if (ss_sae_topk_passes(&cutoff, rows->values[from])) {
                rows->features[n] = rows->features[from];
                rows->values[n++] = rows->values[from];
            }
        }
        rows->offsets[r + 1] = n;
    }
}
