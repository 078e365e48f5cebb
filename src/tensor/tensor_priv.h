/* The inside of tensor/: the kernel table, and what its files share.
 *
 * Tiles. A matmul is cut into tiles of up to `tile_rows` rows and `tile_cols` outputs whose
 * sums stay in registers. Both operands stand in the order in which a tile reads them:
 *   A  [ceil(K / 16)][rows][16]  rows of a tile, 16 inputs side by side (ss__pack_rows)
 *   B  [K][tile_cols]            the packed weights of tile_cols outputs, the last padded by 0
 *   C  rows of tile_cols sums, c_stride apart; kept between blocks of K
 * A sum is c = fma(a[k], b[k], c) for k = 0, 1, 2 … from 0, in every instruction set.
 *
 * Rows. Everything elementwise or over a row is written once in rows.inc over 16 lanes and
 * compiled for each instruction set (lanes_*.h). */
#ifndef SS_TENSOR_PRIV_H
#define SS_TENSOR_PRIV_H

#include <stdbool.h>

#include "tensor/tensor.h"

enum {
    SS__LANES = 16,
    SS__MAX_TILE_ROWS = 14,
    SS__MAX_TILE_COLS = 32,
    SS__K_BLOCK = 192 /* inputs per visit of a tile: B's part stays in the first cache */
};

/* One tile at work: c = (is_first ? 0 : c) + a bᵀ over n_k inputs. */
struct ss__tile {
    const float *a, *b;
    size_t n_k;
    float *c;
    size_t c_stride;
    bool is_first;
    const float *ahead; /* fetched into the second cache meanwhile: an eighth of each 16 inputs
                           of the B that follows; or b itself */
};

/* The number of rows is the function's. */
typedef void ss__tile_fn(const struct ss__tile *t);

/* An ss__tile_fn from the file's own tile(n_rows, t). */
#define SS__TILE_OF(n_rows)                                                                    \
    static void tile_##n_rows(const struct ss__tile *t)                                        \
    {                                                                                          \
        tile(n_rows, t);                                                                       \
    }

/* The end of a block of sums: out = act(sums + bias) + residual, where bias and residual may be
 * NULL. The residual has the stride of out. */
struct ss__block_end {
    size_t n_rows, n_cols;
    const float *sums;
    size_t sums_stride;
    const float *bias;
    const float *residual;
    float *out;
    size_t out_stride;
    ss__activation activation;
};

/* One tile of attention scores on its way to the product with the values. */
struct ss__score_tile {
    size_t n_rows, n_keys;
    const float *scores; /* [n_rows, stride] */
    size_t stride;
    float scale;
    const float *bias; /* of the first row; that of row r begins r places before; NULL: none */
    float *weights;    /* A operand: exp(score - row maximum) */
    float *sums;       /* [n_rows] of the weights */
    const float *next; /* queries of the head that follows, asked for meanwhile with its keys
                          and values; NULL: none */
    size_t next_stride, next_part, head_width;
};

/* Rows of context, divided by the sums of their weights on the way out. */
struct ss__context_block {
    size_t n_rows, width;
    const float *context; /* [n_rows, stride] */
    size_t stride;
    const float *sums; /* [n_rows] */
    float *out;        /* [n_rows, out_stride] */
    size_t out_stride;
};

/* LayerNorm of rows in place. */
struct ss__norm {
    float *x; /* [n_rows, width] */
    size_t n_rows, width;
    const float *gain, *shift;
    float eps;
};

/* The heads of one token's query or key, turned in place (struct ss__rotary). */
struct ss__turn {
    float *x; /* [n_heads, head_width] */
    size_t n_heads, head_width, half;
    const float *cosines, *sines; /* [half] */
};

struct ss__rows_kernels {
    void (*end_block)(const struct ss__block_end *end);
    void (*layer_norm)(const struct ss__norm *norm);
    void (*activate)(float *x, size_t n, ss__activation activation);
    float (*dot)(const float *a, const float *b, size_t n);
    void (*add_scaled_to)(float *acc, const float *x, float scale, size_t n);
    void (*max_to)(float *acc, const float *x, size_t n);
    void (*scale)(float *x, float scale, size_t n);
    void (*multiply_by)(float *x, const float *factors, size_t n);
    void (*turn_heads)(const struct ss__turn *turn);
    void (*softmax)(float *x, size_t n);
    void (*weigh_scores)(const struct ss__score_tile *tile);
    void (*put_context)(const struct ss__context_block *block);
};

struct ss__kernels {
    const char *name;
    size_t tile_rows, tile_cols;
    ss__tile_fn *const *tile; /* [tile_rows]: for 1, 2, … rows */
    const struct ss__rows_kernels *rows;
};

extern ss__tile_fn *const ss__tile_reference[];
extern const struct ss__rows_kernels ss__rows_reference;
extern ss__tile_fn *const ss__tile_avx2[];
extern ss__tile_fn *const ss__tile_avx512[];
extern const struct ss__rows_kernels ss__rows_avx2;
extern const struct ss__rows_kernels ss__rows_avx512;

/* The kernels in use. */
const struct ss__kernels *ss__kernels(void);

/* For tests and measurements: use the kernels of this name from now on; false, and nothing
 * changes, where the machine lacks them. Matrices packed before must not be used after. Not
 * while other threads compute. */
bool ss__kernels_use(const char *name);

/* Rows of x, x_stride apart, inputs k0 … k0 + n_k - 1, as an A operand. n_k is a multiple of 16
 * but at the end of a row; the rest of its last 16 is left as it was. */
void ss__pack_rows(const float *x, size_t x_stride, size_t n_rows, size_t n_k, float *a);

/* out[k][j] = w[j][k] for n_j ≤ tile_cols and all n_k; w's rows w_stride apart, out's
 * out_stride. */
void ss__pack_transposed(const float *w, size_t w_stride, size_t n_j, size_t n_k, float *out,
                         size_t out_stride);

/* Columns 0 … n - 1 of w [n_k], rows w_stride apart, as B panels of tile_cols columns that are
 * n_k * tile_cols floats each; the last padded by 0. */
void ss__pack_columns(const float *w, size_t w_stride, size_t n, size_t n_k, float *panels);

/* Run tasks in the work's pool, or in the calling thread where `n_flops` in all are so few that
 * waking threads would cost more. */
void ss__work_run(ss_work *work, size_t n_tasks, double n_flops,
                  void (*task)(void *context, size_t index, size_t worker), void *context);

#endif
