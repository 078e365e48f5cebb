/* Packing: weights into panels, rows into A operands, and back-to-front copies between them.
 * Plain copies; what changes a number is in rows.inc and bf16.h. */
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { BLOCK = 4 };

#if defined(__SSE__)
#include <xmmintrin.h>

static void transpose_block(const float *w, size_t w_stride, float *out, size_t out_stride)
{
    __m128 r0 = _mm_loadu_ps(w), r1 = _mm_loadu_ps(w + w_stride);
    __m128 r2 = _mm_loadu_ps(w + 2 * w_stride), r3 = _mm_loadu_ps(w + 3 * w_stride);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(out, r0);
    _mm_storeu_ps(out + out_stride, r1);
    _mm_storeu_ps(out + 2 * out_stride, r2);
    _mm_storeu_ps(out + 3 * out_stride, r3);
}
#else
static void transpose_block(const float *w, size_t w_stride, float *out, size_t out_stride)
{
    for (size_t k = 0; k < BLOCK; k++) {
        for (size_t j = 0; j < BLOCK; j++) {
            out[k * out_stride + j] = w[j * w_stride + k];
        }
    }
}
#endif

static void transpose_plain(const float *w, size_t w_stride, size_t n_j, size_t n_k, float *out,
                            size_t out_stride)
{
    for (size_t j = 0; j < n_j; j++) {
        for (size_t k = 0; k < n_k; k++) {
            out[k * out_stride + j] = w[j * w_stride + k];
        }
    }
}

/* Blocks of 4 × 4 in registers, then the two edges one number at a time. */
void ss_tensor_pack_transposed(const float *w, size_t w_stride, size_t n_j, size_t n_k,
                               float *out, size_t out_stride)
{
    const size_t whole_j = n_j / BLOCK * BLOCK, whole_k = n_k / BLOCK * BLOCK;
    for (size_t k = 0; k < whole_k; k += BLOCK) {
        for (size_t j = 0; j < whole_j; j += BLOCK) {
            transpose_block(w + j * w_stride + k, w_stride, out + k * out_stride + j,
                            out_stride);
        }
    }
    transpose_plain(w + whole_k, w_stride, whole_j, n_k - whole_k, out + whole_k * out_stride,
                    out_stride);
    transpose_plain(w + whole_j * w_stride, w_stride, n_j - whole_j, n_k, out + whole_j,
                    out_stride);
}

/* n floats, by 16 where it can be: calls of memcpy cost more than such short copies. */
static void copy_row(float *out, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + SS_TENSOR_LANES <= n; i += SS_TENSOR_LANES) {
        memcpy(out + i, x + i, SS_TENSOR_LANES * sizeof *x);
    }
    for (; i < n; i++) {
        out[i] = x[i];
    }
}

void ss_tensor_pack_columns(const float *w, size_t w_stride, size_t n, size_t n_k,
                            float *panels)
{
    const size_t cols = ss_tensor_kernels()->fp32->tile_cols;
    for (size_t j = 0; j < n; j += cols) {
        const size_t n_j = ss__min_size(cols, n - j);
        float *panel = panels + j * n_k;
        if (n_j < cols) {
            memset(panel, 0, n_k * cols * sizeof *panel);
        }
        for (size_t k = 0; k < n_k; k++) {
            copy_row(panel + k * cols, w + k * w_stride + j, n_j);
        }
    }
}

void ss_tensor_pack_rows(const float *x, size_t x_stride, size_t n_rows, size_t n_k, float *a)
{
    const size_t whole = n_k / SS_TENSOR_LANES * SS_TENSOR_LANES;
    for (size_t r = 0; r < n_rows; r++, x += x_stride, a += SS_TENSOR_LANES) {
        for (size_t k = 0; k < whole; k += SS_TENSOR_LANES) {
            memcpy(a + k * n_rows, x + k, SS_TENSOR_LANES * sizeof *x);
        }
        copy_row(a + whole * n_rows, x + whole, n_k - whole);
    }
}
