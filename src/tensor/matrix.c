/* Weight matrices: panels of tile_cols outputs, in the numbers of the multiplier at hand.
 *
 * Whole numbers stand by blocks of k_block inputs, each with a scale per output, so that a
 * strong input or weight costs precision in its own block only. Why sums fit in 32 bits:
 *   int8   |input| ≤ 255, |weight| ≤ 127: a block of 128 gives at most 4.2e6
 *   int16  |input| ≤ 4095: an output's weights are scaled down, where need be, until the sum of
 *          their magnitudes times 4095 is below 2^31; that bounds every partial sum as well */
#include <stdalign.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { MAX_BLOCK_INPUTS = 384, MAX_BLOCK_WORDS = 192 };

ss_status ss__matrix_new(size_t n_out, size_t n_in, ss_precision precision,
                         struct ss__matrix *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__multiplier *m = ss__kernels()->of[precision];
    const size_t cols = m->tile_cols;
    size_t n_panel = 0, n = 0;
    *out = (struct ss__matrix){0};
    if (n_out == 0 || n_in == 0 || n_out > SIZE_MAX - cols || n_in > SIZE_MAX / 2 ||
        !ss__mul(ss__multiplier_words(m, n_in), cols, &n_panel) ||
        !ss__mul((n_out + cols - 1) / cols, n_panel, &n)) {
        SS_FAIL(SS_E_SHAPE, "a matrix of %zu outputs and %zu inputs cannot be packed", n_out,
                n_in);
    }
    float *panels = NULL;
    SS_ALLOC_ALIGNED(panels, n);
    out->panels = panels;
    memset(panels + (n - n_panel), 0, n_panel * sizeof *panels);
    if (m->grid != NULL) {
        const size_t n_blocks = (n_in + m->k_block - 1) / m->k_block;
        const size_t n_scales = n_blocks * ss__round_up(n_out, cols);
        SS_ALLOC(out->scales, n_scales);
        if (m->grid->offset != 0) {
            SS_ALLOC(out->offsets, n_scales);
        }
    }
    out->multiplier = m;
    out->n_out = n_out;
    out->n_in = n_in;
out:
    if (status != SS_OK) {
        ss__matrix_release(out);
    }
    return status;
}

void ss__matrix_release(struct ss__matrix *matrix)
{
    ss__free(matrix->panels);
    ss__free(matrix->scales);
    ss__free(matrix->offsets);
    *matrix = (struct ss__matrix){0};
}

/* Whether the words of a panel are the weights themselves. */
static bool are_floats(const struct ss__multiplier *m)
{
    return m->pack == ss__pack_rows;
}

/* n outputs at place `lane` of one panel. */
struct part {
    const struct ss__matrix *matrix;
    float *panel;
    size_t lane, n;
    const float *w;
    size_t w_stride;
    ss__layout layout;
    size_t first; /* output */
};

static void fill_floats(const struct part *part)
{
    const size_t cols = part->matrix->multiplier->tile_cols, n_in = part->matrix->n_in;
    if (part->layout == SS__OUT_BY_IN) {
        ss__pack_transposed(part->w, part->w_stride, part->n, n_in, part->panel + part->lane,
                            cols);
        return;
    }
    for (size_t k = 0; k < n_in; k++) {
        memcpy(part->panel + k * cols + part->lane, part->w + k * part->w_stride,
               part->n * sizeof *part->w);
    }
}

/* Inputs k … k + n_k - 1 of an output's weights; `room` where they do not stand in a row. */
static const float *weights_of(const struct part *part, size_t j, size_t k, size_t n_k,
                               float *room)
{
    if (part->layout == SS__OUT_BY_IN) {
        return part->w + j * part->w_stride + k;
    }
    for (size_t i = 0; i < n_k; i++) {
        room[i] = part->w[(k + i) * part->w_stride + j];
    }
    return room;
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

/* The weights of one output in one block as whole numbers; gives their scale and their sum. */
static float quantize_weights(const struct ss__grid *grid, const float *w, size_t n_k,
                              float *words, int64_t *sum)
{
    float scale = 0;
    struct total total = {0};
    struct ss__quantize rows = {.grid = grid,
                                .x = w,
                                .n_rows = 1,
                                .n_k = n_k,
                                .most = grid->most_weight,
                                .a = words,
                                .scales = &scale};
    for (;;) {
        ss__kernels()->rows->quantize(&rows);
        total = total_of(words, n_k, grid->n_bytes);
        const int64_t largest_input = (int64_t)grid->most_input + grid->offset;
        const double largest_sum = (double)(total.magnitude * largest_input);
        if (largest_sum <= INT32_MAX) {
            break;
        }
        rows.most *= (float)(0.999 * INT32_MAX / largest_sum);
    }
    *sum = total.sum;
    return scale;
}

static void fill_block(const struct part *part, size_t block)
{
    alignas(64) float words[SS__MAX_TILE_COLS * MAX_BLOCK_WORDS];
    float room[MAX_BLOCK_INPUTS];
    const struct ss__matrix *matrix = part->matrix;
    const struct ss__multiplier *m = matrix->multiplier;
    const size_t k = block * m->k_block, n_k = ss__min_size(m->k_block, matrix->n_in - k);
    const size_t n_words = ss__multiplier_words(m, n_k);
    const size_t at = block * ss__round_up(matrix->n_out, m->tile_cols) + part->first;
    for (size_t j = 0; j < part->n; j++) {
        int64_t sum = 0;
        const float *w = weights_of(part, j, k, n_k, room);
        if (m->grid == NULL) {
            m->pack(w, 0, 1, n_k, words + j * n_words);
            continue;
        }
        matrix->scales[at + j] = quantize_weights(m->grid, w, n_k, words + j * n_words, &sum);
        if (matrix->offsets != NULL) {
            matrix->offsets[at + j] = (int32_t)(-sum * m->grid->offset);
        }
    }
    ss__pack_transposed(words, n_words, part->n, n_words,
                        part->panel + k / m->word_inputs * m->tile_cols + part->lane,
                        m->tile_cols);
}

void ss__matrix_fill(struct ss__matrix *matrix, size_t at, size_t n, const float *w,
                     ss__layout layout)
{
    const struct ss__multiplier *m = matrix->multiplier;
    const size_t n_in = matrix->n_in, n_words = ss__multiplier_words(m, n_in);
    for (size_t done = 0; done < n;) {
        const size_t lane = (at + done) % m->tile_cols;
        const struct part part = {
            .matrix = matrix,
            .panel = (float *)matrix->panels + (at + done - lane) * n_words,
            .lane = lane,
            .n = ss__min_size(m->tile_cols - lane, n - done),
            .w = layout == SS__OUT_BY_IN ? w + done * n_in : w + done,
            .w_stride = layout == SS__OUT_BY_IN ? n_in : n,
            .layout = layout,
            .first = at + done,
        };
        if (are_floats(m)) {
            fill_floats(&part);
        }
        for (size_t k = 0; !are_floats(m) && k < n_in; k += m->k_block) {
            fill_block(&part, k / m->k_block);
        }
        done += part.n;
    }
}
