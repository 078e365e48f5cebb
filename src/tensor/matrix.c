/* Weight matrices: panels of tile_cols outputs, in the format of the kernels in use.
 *
 * Integers stand by blocks of k_block inputs, each with a scale per output. Why sums fit in 32
 * bits:
 *   int8   |input| ≤ 255, |weight| ≤ 127: a block of 4096 gives at most 1.4e8
 *   int16  |input| ≤ 4095: an output's weights are scaled down, where need be, until the sum of
 *          their magnitudes times 4095 is below 2^31; that bounds every partial sum as well
 * and in 16 bits, where four products of int8 are added in those (tile_int8_avx2.c): |input| ≤
 * 181, and an output's weights are scaled down, where need be, until neither the positive nor
 * the negative ones of any four add up to more than 181: 181 · 181 < 2^15.
 *
 * Blocks of 16-bit numbers are short, so that a large input costs precision in its own block
 * only. Those of int8 are whole rows; large inputs are smoothed instead: input k is multiplied
 * by f and its weights by 1 / f, where f = √(w / s), w and s the root mean squares of its
 * weights and of itself, so that both operands are left with the same spread, √(w s). What this
 * costs and gains, measured: docs/numerics.md, "Levels of precision". */
#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum {
    MAX_BLOCK_INPUTS = SS_TENSOR_INT8_BLOCK,
    MAX_BLOCK_WORDS = SS_TENSOR_INT8_BLOCK / 4,
    FILL_OUTPUTS = 4 /* that are packed at once */
};

ss_status ss_tensor_matrix_new(size_t n_out, size_t n_in, ss_precision precision,
                               struct ss_tensor_matrix *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_tensor_multiplier *m = ss_tensor_kernels()->of[precision];
    const size_t cols = m->tile_cols;
    size_t n_panel = 0, n = 0;
    *out = (struct ss_tensor_matrix){0};
    if (n_out == 0 || n_in == 0 || n_out > SIZE_MAX - cols || n_in > SIZE_MAX / 2 ||
        !ss__mul(ss_tensor_multiplier_words(m, n_in), cols, &n_panel) ||
        !ss__mul(ss__divide_up(n_out, cols), n_panel, &n)) {
        SS_FAIL(SS_E_SHAPE, "a matrix of %zu outputs and %zu inputs cannot be packed", n_out,
                n_in);
    }
    float *panels = NULL;
    SS_ALLOC_ALIGNED(panels, n);
    out->panels = panels;
    /* the last panel's unused columns; all others are written by filling */
    memset(panels + (n - n_panel), 0, n_panel * sizeof *panels);
    if (m->scheme != NULL) {
        const size_t n_blocks = ss__divide_up(n_in, m->k_block);
        const size_t n_scales = n_blocks * ss__round_up(n_out, cols);
        SS_ALLOC(out->scales, n_scales);
        if (m->scheme->offset != 0) {
            SS_ALLOC(out->corrections, n_scales);
        }
    }
    out->multiplier = m;
    out->scheme = m->scheme;
    out->n_out = n_out;
    out->n_in = n_in;
out:
    if (status != SS_OK) {
        ss_tensor_matrix_release(out);
    }
    return status;
}

void ss_tensor_matrix_release(struct ss_tensor_matrix *matrix)
{
    ss__free(matrix->panels);
    ss__free(matrix->scales);
    ss__free(matrix->corrections);
    ss__free(matrix->factors);
    *matrix = (struct ss_tensor_matrix){0};
}

/* ---- hints about inputs ---- */

/* A scheme with most of its numbers above 0; formats without one stay as they are. */
void ss_tensor_matrix_expect_positive(struct ss_tensor_matrix *matrix)
{
    if (matrix->multiplier->scheme_positive != NULL) {
        matrix->scheme = matrix->multiplier->scheme_positive;
    }
}

bool ss_tensor_precision_uses_smoothing(ss_precision precision)
{
    const struct ss_tensor_quant_scheme *scheme = ss_tensor_kernels()->of[precision]->scheme;
    return scheme != NULL && scheme->n_bytes == 1;
}

void ss_tensor_add_squares_to(float *sums, const float *w, size_t n, size_t n_in)
{
    for (size_t j = 0; j < n; j++, w += n_in) {
        for (size_t k = 0; k < n_in; k++) {
            sums[k] += w[k] * w[k];
        }
    }
}

/* x relative to the usual value, at least 1/20; 1 where it is not known. */
static float share_of(double x, double usual)
{
    const double share = x / usual;
    return isfinite(share) ? (float)fmax(share, 0.05) : 1.0F;
}

/* Both are taken relative to their own root mean square, so the common factor of either does
 * not matter, and a channel that is silent does not divide by 0. */
ss_status ss_tensor_matrix_smooth(struct ss_tensor_matrix *matrix, const float *sizes,
                                  const float *squares, ss_err *err)
{
    const size_t n = matrix->n_in;
    double all_sizes = 0, all_squares = 0;
    if (matrix->scheme == NULL || matrix->scheme->n_bytes != 1) {
        return SS_OK;
    }
    SS_ALLOC_ALIGNED_OR_RETURN(matrix->factors, 2 * n);
    for (size_t k = 0; k < n; k++) {
        all_sizes += (double)sizes[k] * (double)sizes[k];
        all_squares += (double)squares[k];
    }
    for (size_t k = 0; k < n; k++) {
        const float weight = share_of(sqrt((double)squares[k]), sqrt(all_squares / (double)n));
        const float size = share_of((double)sizes[k], sqrt(all_sizes / (double)n));
        matrix->factors[k] = sqrtf(weight / size);
        matrix->factors[n + k] = 1 / matrix->factors[k];
    }
    return SS_OK;
}

void ss_tensor_matrix_pack(const struct ss_tensor_matrix *w,
                           const struct ss_tensor_rows_block *rows, void *a, float *scales)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    const size_t n_k = ss__min_size(m->k_block, w->n_in - rows->k);
    if (w->scheme == NULL) {
        m->pack(rows->x, rows->x_stride, rows->n_rows, n_k, a);
        return;
    }
    ss_tensor_kernels()->rows->quantize(&(struct ss_tensor_quantize){
        .scheme = w->scheme,
        .x = rows->x,
        .x_stride = rows->x_stride,
        .n_rows = rows->n_rows,
        .n_k = n_k,
        .factors = w->factors == NULL ? NULL : w->factors + rows->k,
        .max_quantized = w->scheme->max_input,
        .offset = w->scheme->offset,
        .a = a,
        .scales = scales});
}

/* ---- packing ---- */

/* Whether the words of a panel are the weights themselves. */
static bool are_floats(const struct ss_tensor_multiplier *m)
{
    return m->pack == ss_tensor_pack_rows;
}

/* n outputs at place `lane` of one panel. */
struct slice {
    const struct ss_tensor_matrix *matrix;
    float *panel;
    size_t lane, n;
    const float *w;
    size_t w_stride;
    ss_tensor_layout layout;
    size_t first; /* output */
};

/* Floats need no scale: a transposition, or rows that lie right already. */
static void fill_floats(const struct slice *slice)
{
    const size_t cols = slice->matrix->multiplier->tile_cols, n_in = slice->matrix->n_in;
    if (slice->layout == SS_TENSOR_OUT_BY_IN) {
        ss_tensor_pack_transposed(slice->w, slice->w_stride, slice->n, n_in,
                                  slice->panel + slice->lane, cols);
        return;
    }
    for (size_t k = 0; k < n_in; k++) {
        memcpy(slice->panel + k * cols + slice->lane, slice->w + k * slice->w_stride,
               slice->n * sizeof *slice->w);
    }
}

/* One output's in one block. */
struct weights {
    const float *at;
    size_t n;
    const float *factors; /* [n] or NULL */
};

/* Inputs k … k + n_k - 1 of an output's weights; copied to `row` where they are not contiguous.
 */
static const float *weights_of(const struct slice *slice, size_t j, size_t k, size_t n_k,
                               float *row)
{
    if (slice->layout == SS_TENSOR_OUT_BY_IN) {
        return slice->w + j * slice->w_stride + k;
    }
    for (size_t i = 0; i < n_k; i++) {
        row[i] = slice->w[(k + i) * slice->w_stride + j];
    }
    return row;
}

struct total {
    int64_t sum, magnitude;
};

static struct total total_of(const void *numbers, size_t n, size_t n_bytes)
{
    struct total total = {0};
    for (size_t i = 0; i < n; i++) {
        int16_t x = 0;
        if (n_bytes == 1) {
            x = ((const int8_t *)numbers)[i];
        } else {
            memcpy(&x, (const char *)numbers + 2 * i, sizeof x);
        }
        total.sum += x;
        total.magnitude += x < 0 ? -x : x;
    }
    return total;
}

/* The largest sum of the weights of one sign among the four that vpmaddubsw and the 16-bit
 * addition after it combine: neighbouring pairs of two words. n is a multiple of 8. */
static int32_t largest_quad_sum(const int8_t *numbers, size_t n)
{
    int32_t largest = 0;
    for (size_t i = 0; i < n; i += 8) {
        for (size_t pair = 0; pair < 4; pair += 2) {
            const int8_t *a = numbers + i + pair, *b = a + 4;
            const int32_t sum = a[0] + a[1] + b[0] + b[1];
            const int32_t magnitude = abs(a[0]) + abs(a[1]) + abs(b[0]) + abs(b[1]);
            const int32_t of_one_sign = (magnitude + abs(sum)) / 2;
            largest = of_one_sign > largest ? of_one_sign : largest;
        }
    }
    return largest;
}

/* Factor by which n quantised weights exceed what keeps every sum of products in range; ≤ 1: no
 * overflow is possible. */
static double overflow_ratio(const struct ss_tensor_quant_scheme *scheme, const float *words,
                             size_t n, const struct total *total)
{
    const double largest_input = (double)scheme->max_input + scheme->offset;
    double ratio = (double)total->magnitude * largest_input / INT32_MAX;
    if (scheme->max_quad_sum != 0) {
        const int32_t four = largest_quad_sum((const int8_t *)words, ss__round_up(n, 8));
        ratio = fmax(ratio, four / (double)scheme->max_quad_sum);
    }
    return ratio;
}

/* Whether all are: 0 times NaN or infinity is NaN, and stays so in a sum. */
static bool are_finite(const struct weights *w)
{
    float sum = 0;
    for (size_t k = 0; k < w->n; k++) {
        sum += 0.0F * (w->factors == NULL ? w->at[k] : w->at[k] * w->factors[k]);
    }
    return sum == 0;
}

/* The weights of one output in one block as integers; gives their scale and their sum. If
 * one of them is not finite, so is no output. */
static float quantize_weights(const struct ss_tensor_quant_scheme *scheme,
                              const struct weights *w, float *words, int64_t *sum)
{
    float scale = NAN;
    struct ss_tensor_quantize rows = {.scheme = scheme,
                                      .x = w->at,
                                      .n_rows = 1,
                                      .n_k = w->n,
                                      .factors = w->factors,
                                      .max_quantized = scheme->max_weight,
                                      .a = words,
                                      .scales = &scale};
    *sum = 0;
    if (!are_finite(w)) {
        memset(words, 0, ss__round_up(w->n * scheme->n_bytes, 64));
        return scale;
    }
    /* one turn nearly always; scaled down by what is too much, a second one is enough but for
     * roundings */
    for (;;) {
        ss_tensor_kernels()->rows->quantize(&rows);
        const struct total total = total_of(words, w->n, scheme->n_bytes);
        const double ratio = overflow_ratio(scheme, words, w->n, &total);
        if (ratio <= 1) {
            *sum = total.sum;
            return scale;
        }
        rows.max_quantized *= (float)(0.999 / ratio);
    }
}

/* The words of n outputs as columns lane … of a panel's block. Tiles of 16 words by 16 outputs
 * have rows of 64 bytes. */
static void store_words(const struct ss_tensor_multiplier *m, const float *words,
                        size_t n_words, size_t n, float *panel, size_t lane)
{
    enum { TILE = SS_TENSOR_LANES * SS_TENSOR_LANES };
    if (!m->has_tiled_panels) {
        ss_tensor_pack_transposed(words, n_words, n, n_words, panel + lane, m->tile_cols);
        return;
    }
    for (size_t word = 0; word < n_words; word += SS_TENSOR_LANES) {
        for (size_t j = 0; j < n; j++) {
            const size_t column = lane + j;
            ss_tensor_pack_transposed(words + j * n_words + word, n_words, 1, SS_TENSOR_LANES,
                                      panel + word * m->tile_cols +
                                          column / SS_TENSOR_LANES * TILE +
                                          column % SS_TENSOR_LANES,
                                      SS_TENSOR_LANES);
        }
    }
}

/* A few outputs of one block. */
static void fill_some(const struct slice *slice, size_t block, size_t first, size_t n)
{
    alignas(64) float words[FILL_OUTPUTS * MAX_BLOCK_WORDS];
    float row[MAX_BLOCK_INPUTS];
    const struct ss_tensor_matrix *matrix = slice->matrix;
    const struct ss_tensor_multiplier *m = matrix->multiplier;
    const size_t k = block * m->k_block, n_k = ss__min_size(m->k_block, matrix->n_in - k);
    const size_t n_words = ss_tensor_multiplier_words(m, n_k);
    const size_t at = block * ss__round_up(matrix->n_out, m->tile_cols) + slice->first + first;
    for (size_t j = 0; j < n; j++) {
        int64_t sum = 0;
        const struct weights w = {
            .at = weights_of(slice, first + j, k, n_k, row),
            .n = n_k,
            .factors = matrix->factors == NULL ? NULL : matrix->factors + matrix->n_in + k};
        if (matrix->scheme == NULL) {
            m->pack(w.at, 0, 1, n_k, words + j * n_words);
            continue;
        }
        matrix->scales[at + j] =
            quantize_weights(matrix->scheme, &w, words + j * n_words, &sum);
        if (matrix->corrections != NULL) {
            matrix->corrections[at + j] = (int32_t)(-sum * matrix->scheme->offset);
        }
    }
    store_words(m, words, n_words, n, slice->panel + k / m->word_inputs * m->tile_cols,
                slice->lane + first);
}

static void fill_block(const struct slice *slice, size_t block)
{
    for (size_t j = 0; j < slice->n; j += FILL_OUTPUTS) {
        fill_some(slice, block, j, ss__min_size(FILL_OUTPUTS, slice->n - j));
    }
}

/* Panel by panel: outputs of one call may end one panel and begin another. */
void ss_tensor_matrix_fill(struct ss_tensor_matrix *matrix, size_t at, size_t n, const float *w,
                           ss_tensor_layout layout)
{
    const struct ss_tensor_multiplier *m = matrix->multiplier;
    const size_t n_in = matrix->n_in, n_words = ss_tensor_multiplier_words(m, n_in);
    for (size_t done = 0; done < n;) {
        const size_t lane = (at + done) % m->tile_cols;
        const struct slice slice = {
            .matrix = matrix,
            .panel = (float *)matrix->panels + (at + done - lane) * n_words,
            .lane = lane,
            .n = ss__min_size(m->tile_cols - lane, n - done),
            .w = layout == SS_TENSOR_OUT_BY_IN ? w + done * n_in : w + done,
            .w_stride = layout == SS_TENSOR_OUT_BY_IN ? n_in : n,
            .layout = layout,
            .first = at + done,
        };
        if (are_floats(m)) {
            fill_floats(&slice);
        }
        for (size_t k = 0; !are_floats(m) && k < n_in; k += m->k_block) {
            fill_block(&slice, k / m->k_block);
        }
        done += slice.n;
    }
}
