/* The epilogue of tiles of 32 outputs, by rows, so that it can be done beside the products of
 * other tiles; the operations are those of rows.inc. Included after PLANES, PACKS and
 * INTEGER_SUMS are defined (tile_amx.inc). */
#ifndef SS_TENSOR_OUTPUTS_AMX_H
#define SS_TENSOR_OUTPUTS_AMX_H

#include "tensor/bf16.h"
#include "tensor/lanes_avx512.h"
#include "tensor/lanes_math.h"

enum { ALL_LANES = 0xffff, NEXT_TILE = 32 };

/* 16 sums of a row; integers get the roundings of every other tile of integers. */
TILE_INLINE __m512 load_outputs(const struct ss_tensor_block_epilogue *e, size_t r, size_t j)
{
    const float *at = e->sums + r * e->sums_stride + j;
    if (!INTEGER_SUMS || e->b_corrections == NULL) {
        return _mm512_loadu_ps(at);
    }
    const __m512i sum =
        _mm512_add_epi32(_mm512_loadu_si512(at), _mm512_loadu_si512(e->b_corrections + j));
    const __m512 scale =
        _mm512_mul_ps(_mm512_set1_ps(e->a_scales[r]), _mm512_loadu_ps(e->b_scales + j));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_setzero_ps());
}

/* 16 outputs of a row from j on, `there` of them; the others are of no use. */
TILE_INLINE __m512 make_outputs(const struct ss_tensor_block_epilogue *e, size_t r, size_t j,
                                __mmask16 there, ss_tensor_activation activation)
{
    const __m512 bias =
        e->bias == NULL ? lanes_set(0.0F) : _mm512_maskz_loadu_ps(there, e->bias + j);
    __m512 sum = lanes_activate(lanes_add(load_outputs(e, r, j), bias), activation);
    const size_t other = r * e->other_stride + j;
    if (e->factors != NULL) {
        sum = lanes_mul(sum, _mm512_maskz_loadu_ps(there, e->factors + other));
    }
    if (e->residual != NULL) {
        sum = lanes_add(sum, _mm512_maskz_loadu_ps(there, e->residual + other));
    }
    return sum;
}

/* A group of 32 inputs of the next product. */
TILE_INLINE void store_packed(const struct ss_tensor_block_epilogue *e, size_t r,
                              const struct bf16_group *group)
{
    float *out = e->out + r * e->out_stride;
    const __m512i high = bf16_round(group);
    _mm512_storeu_si512(out, high);
    if (PLANES == 2) {
        const struct bf16_group rest = bf16_rest(group, high);
        _mm512_storeu_si512(out + e->group_stride, bf16_round(&rest));
    }
}

/* What row r will read and write in memory. */
TILE_INLINE void prefetch_row(const struct ss_tensor_block_epilogue *e, size_t r)
{
    const float *out = e->out + r * e->out_stride;
    __builtin_prefetch(out, 1);
    __builtin_prefetch(out + SS_TENSOR_LANES, 1);
    if (e->residual != NULL) {
        const float *residual = e->residual + r * e->other_stride;
        __builtin_prefetch(residual);
        __builtin_prefetch(residual + SS_TENSOR_LANES);
    }
}

/* A row of all 32 outputs, without factors. With GELU it is packed for the next product, where
 * the file's numbers allow; else it is floats in memory. */
TILE_INLINE void finish_row(const struct ss_tensor_block_epilogue *e, size_t r,
                            ss_tensor_activation activation)
{
    const struct bf16_group group = {
        make_outputs(e, r, 0, ALL_LANES, activation),
        make_outputs(e, r, SS_TENSOR_LANES, ALL_LANES, activation)};
    if (PACKS && activation == SS_TENSOR_ACT_GELU) {
        store_packed(e, r, &group);
        return;
    }
    float *out = e->out + r * e->out_stride;
    prefetch_row(e, r + NEXT_TILE);
    _mm512_storeu_ps(out, group.first);
    _mm512_storeu_ps(out + SS_TENSOR_LANES, group.second);
}

/* Rows of any kind; packed outputs that are not there are 0. */
TILE_INLINE void finish_rows(const struct ss_tensor_block_epilogue *e,
                             ss_tensor_activation activation)
{
    const size_t n = e->n_cols > SS_TENSOR_LANES ? e->n_cols - SS_TENSOR_LANES : 0;
    const __mmask16 first = mask_first(e->n_cols - n), second = mask_first(n);
    for (size_t r = 0; r < e->n_rows; r++) {
        const struct bf16_group group = {
            _mm512_maskz_mov_ps(first, make_outputs(e, r, 0, first, activation)),
            _mm512_maskz_mov_ps(second,
                                make_outputs(e, r, SS_TENSOR_LANES, second, activation))};
        if (e->is_packed) {
            store_packed(e, r, &group);
            continue;
        }
        float *out = e->out + r * e->out_stride;
        _mm512_mask_storeu_ps(out, first, group.first);
        _mm512_mask_storeu_ps(out + SS_TENSOR_LANES, second, group.second);
    }
}

/* With a constant activation, so that the switch is outside of the loops. */
static void finish_outputs(const struct ss_tensor_block_epilogue *e)
{
#define CALL(constant) finish_rows(e, constant)
    LANES_WITH_ACTIVATION(e->activation, CALL)
#undef CALL
}

#endif
