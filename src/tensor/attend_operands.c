/* The operands of attention, in floats or in int16.
 *
 * Integers have a scale for each query, key and value column, and for each row of weights in a
 * block of keys. Both operands are of numbers up to √(2^31 / n) for the n inputs of a block, so
 * that no sum leaves 32 bits. Blocks are counted from the first token, so neither this nor a
 * scale depends on what a window passes over. docs/numerics.md, "Levels of precision" (the
 * paragraph on attention), derives the errors. */
#include <math.h>
#include <stdalign.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/attend_priv.h"

enum { MAX_BLOCK_WORDS = 64 };

/* What the largest number becomes in the block of K at k, of n_inputs in all. */
static float max_quantized_at(const struct ss_tensor_multiplier *m, size_t k, size_t n_inputs)
{
    const size_t n = ss__min_size(m->k_block, n_inputs - k);
    return (float)fmin(floor(sqrt((double)INT32_MAX / (double)n)), INT16_MAX);
}

/* Keys stand as rows and are needed as columns: each panel is a transposition. What fills up
 * the last panel is 0, so that its scores are finite, and never read. */
static void pack_float_keys(const struct head *self)
{
    const size_t cols = self->multiplier->tile_cols, width = self->attention->head_width;
    for (size_t j = 0; j < self->n_tokens; j += cols) {
        const size_t n = ss__min_size(cols, self->n_tokens - j);
        float *panel = self->keys.panels + j * width;
        if (n < cols) {
            memset(panel, 0, cols * width * sizeof *panel);
        }
        ss_tensor_pack_transposed(self->from_keys + j * self->stride, self->stride, n, width,
                                  panel, cols);
    }
}

/* n keys from `key` on, n_k of their inputs, at one place of a panel. */
static void pack_int_keys(const struct head *self, size_t key, size_t n, size_t k, size_t n_k)
{
    alignas(64) float rows[SS_TENSOR_MAX_TILE_COLS * MAX_BLOCK_WORDS];
    const struct ss_tensor_multiplier *m = self->multiplier;
    const size_t cols = m->tile_cols, n_words = ss_tensor_multiplier_words(m, n_k);
    float *panel = self->keys.panels + key * self->keys.n_words + k / m->word_inputs * cols;
    float *scales = self->keys.scales + k / m->k_block * self->keys.n_cols + key;
    self->rows->quantize(&(struct ss_tensor_quantize){
        .scheme = m->scheme,
        .x = self->from_keys + key * self->stride + k,
        .x_stride = self->stride,
        .n_rows = n,
        .n_k = n_k,
        .max_quantized = max_quantized_at(m, k, self->attention->head_width),
        .a = rows,
        .scales = scales,
    });
    if (n < cols) {
        memset(panel, 0, cols * n_words * sizeof *panel);
        memset(scales + n, 0, (cols - n) * sizeof *scales);
    }
    for (size_t word = 0; word < n_words; word += SS_TENSOR_LANES) {
        ss_tensor_pack_transposed(rows + word * n, SS_TENSOR_LANES, n, SS_TENSOR_LANES,
                                  panel + word * cols, cols);
    }
}

void ss_tensor_pack_keys(const struct head *self)
{
    const struct ss_tensor_multiplier *m = self->multiplier;
    const size_t width = self->attention->head_width;
    if (m->scheme == NULL) {
        pack_float_keys(self);
        return;
    }
    for (size_t key = 0; key < self->n_tokens; key += m->tile_cols) {
        const size_t n = ss__min_size(m->tile_cols, self->n_tokens - key);
        for (size_t k = 0; k < width; k += m->k_block) {
            pack_int_keys(self, key, n, k, ss__min_size(m->k_block, width - k));
        }
    }
}

/* In the product with the weights tokens are the inputs and a head's values the columns: each
 * column has a scale for each block of tokens. */
void ss_tensor_pack_values(const struct head *self)
{
    const struct ss_tensor_multiplier *m = self->multiplier;
    const struct operand *values = &self->values;
    const size_t width = self->attention->head_width;
    if (m->scheme == NULL) {
        ss_tensor_pack_columns(self->from_values, self->stride, width, self->n_tokens,
                               values->panels);
        return;
    }
    for (size_t j = 0; j < width; j += m->tile_cols) {
        float *panel = values->panels + j * values->n_words;
        for (size_t k = 0; k < self->n_tokens; k += m->k_block) {
            self->rows->quantize_columns(&(struct ss_tensor_quantize_columns){
                .x = self->from_values + k * self->stride + j,
                .x_stride = self->stride,
                .n_cols = ss__min_size(m->tile_cols, width - j),
                .n_k = ss__min_size(m->k_block, self->n_tokens - k),
                .max_quantized = max_quantized_at(m, k, self->n_tokens),
                .panel = panel + k / m->word_inputs * m->tile_cols,
                .tile_cols = m->tile_cols,
                .scales = values->scales + k / m->k_block * values->n_cols + j,
            });
        }
    }
}

struct packed_rows ss_tensor_pack_inputs(const struct head *self, const struct inputs *inputs)
{
    const struct ss_tensor_multiplier *m = self->multiplier;
    const size_t n_k = inputs->n_k;
    const size_t step = ss__round_up(ss_tensor_multiplier_words(m, n_k), SS_TENSOR_LANES);
    for (size_t r = 0; r < inputs->n_rows; r += m->tile_rows) {
        const size_t n = ss__min_size(m->tile_rows, inputs->n_rows - r);
        const float *x = inputs->x + r * inputs->x_stride;
        float *a = self->packed + r * step;
        if (m->scheme == NULL) {
            ss_tensor_pack_rows(x, inputs->x_stride, n, n_k, a);
            continue;
        }
        self->rows->quantize(&(struct ss_tensor_quantize){
            .scheme = m->scheme,
            .x = x,
            .x_stride = inputs->x_stride,
            .n_rows = n,
            .n_k = n_k,
            .max_quantized = max_quantized_at(m, inputs->k, inputs->n_in),
            .a = a,
            .scales = self->row_scales + r});
    }
    return (struct packed_rows){.words = self->packed, .step = step};
}
