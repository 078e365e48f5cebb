/* The k largest of some numbers; of equal ones the earlier are taken.
 *
 * Where they end is found by halving the range of floats, in the order of their bits, and
 * counting what reaches the middle: at most 32 counts, each by 16 lanes. A stream is gathered
 * until there is room for no more, then all but the k largest are let go. */
#include <float.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { LEAST_SPARE = 64 };

/* Bits in the order of the floats, and back. */
static uint32_t rank_of(float x)
{
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

static float of_rank(uint32_t rank)
{
    const uint32_t bits = (rank >> 31) != 0 ? rank & 0x7fffffffU : ~rank;
    float x = 0;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct ss_sae_border ss_sae_find_border(const float *x, size_t n, size_t k, float least)
{
    struct ss_sae_border border = {.value = least};
    size_t n_reaching = ss_tensor_count_reaching(x, n, least), n_above = 0;
    uint32_t low = rank_of(least), high = 0xff800001U; /* NaN, which nothing reaches */
    /* More than k reach low, which is the border so far; fewer than k reach high. */
    while (n_reaching > k) {
        if (high - low == 1) {
            border.is_tied = true;
            border.n_equal = k - n_above;
            break;
        }
        const uint32_t middle = low + (high - low) / 2;
        const size_t n_here = ss_tensor_count_reaching(x, n, of_rank(middle));
        if (n_here >= k) {
            low = middle;
            border.value = of_rank(middle);
            n_reaching = n_here;
        } else {
            high = middle;
            n_above = n_here;
        }
    }
    return border;
}

size_t ss_sae_strongest_room(size_t k)
{
    return k + ss__max_size(k, LEAST_SPARE);
}

void ss_sae_strongest_cut(struct ss_sae_strongest *self)
{
    float *values = self->values;
    uint32_t *ids = self->ids;
    if (self->n <= self->k) {
        return;
    }
    struct ss_sae_border border = ss_sae_find_border(values, self->n, self->k, self->least);
    size_t n = 0;
    self->least = border.value;
    self->is_tied = border.is_tied;
    for (size_t i = 0; i < self->n; i++) {
        const bool takes = ss_sae_border_takes(&border, values[i]);
        values[n] = values[i];
        ids[n] = ids[i];
        n += takes;
    }
    self->n = n;
}

void ss_sae_strongest_offer(struct ss_sae_strongest *self, const float *values, uint32_t bits,
                            uint32_t first)
{
    float *to = self->values, least = self->least;
    uint32_t *ids = self->ids;
    size_t n = self->n;
    for (; bits != 0; bits &= bits - 1) {
        const uint32_t j = (uint32_t)__builtin_ctz(bits);
        if (n == self->room) {
            self->n = n;
            ss_sae_strongest_cut(self);
            n = self->n;
            least = self->least;
        }
        to[n] = values[j];
        ids[n] = first + j;
        n += values[j] >= least;
    }
    self->n = n;
}

void ss_sae_sparse_keep_strongest(struct ss_sparse *rows, size_t first_row, size_t k)
{
    const size_t start = rows->offsets[first_row];
    size_t n = start, from = start;
    struct ss_sae_border border = ss_sae_find_border(
        rows->values + start, rows->offsets[rows->n_rows] - start, k, FLT_TRUE_MIN);
    for (size_t r = first_row; r < rows->n_rows; r++) {
        for (; from < rows->offsets[r + 1]; from++) {
            if (ss_sae_border_takes(&border, rows->values[from])) {
                rows->features[n] = rows->features[from];
                rows->values[n++] = rows->values[from];
            }
        }
        rows->offsets[r + 1] = n;
    }
}
