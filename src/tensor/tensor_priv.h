/* The inside of tensor/: the kernel tables, and what its files share.
 *
 * Tiles. A matmul is cut into tiles of up to `tile_rows` rows and `tile_cols` outputs whose
 * sums stay in registers. Operands are made of words of four bytes, each of one input as a
 * float, two as int16 or four as int8, two as bf16, or two halves of two
 * (tile_bf16x3_amx.c), and stand in the order in which a tile reads them:
 *   A  [ceil(words / 16)][rows][16]  rows of a tile, 16 words side by side
 *   B  [words][tile_cols]            the packed weights of tile_cols outputs, the last padded
 *   C  rows of tile_cols float sums, c_stride apart; kept between blocks of K
 * A sum of floats is c = fma(a[k], b[k], c) for k = 0, 1, 2 … from 0, in every instruction set,
 * of all inputs in attention; matrix products have one for each block of K and add these up;
 * one of bf16 is what the tile unit makes of groups of 32 inputs (tile_ops_amx.h).
 * An integer sum is exact; after each block of inputs it is added as
 * c = fma(float(sum), row's scale * output's scale, c).
 *
 * Rows. Everything elementwise or over a row is written once in rows.inc over 16 lanes and
 * compiled for each instruction set (lanes_*.h). */
#ifndef SS_TENSOR_PRIV_H
#define SS_TENSOR_PRIV_H

#include <stdbool.h>

#include "base/mem.h"
#include "tensor/tensor.h"

enum {
    SS_TENSOR_LANES = 16,
    SS_TENSOR_MAX_TILE_COLS = 32,
    SS_TENSOR_K_BLOCK = 384, /* floats per pass over a tile: fewer passes store and load sums
                          less often, and the L2 cache brings B in time */
    SS_TENSOR_INT8_BLOCK =
        4096 /* bytes that share a scale: whole rows of every encoder so far */
};

/* Epilogue of a block of sums: out = act(sums + bias) * factors + residual, where bias, factors
 * and residual may be NULL. */
struct ss_tensor_block_epilogue {
    size_t n_rows, n_cols;
    const float *sums;
    size_t sums_stride;
    const float *bias;
    const float *factors, *residual; /* rows other_stride apart */
    size_t other_stride;
    float *out;
    size_t out_stride, group_stride; /* between rows, and between groups of 16 outputs */
    bool is_packed;                  /* out is words of an A operand, and its strides theirs */
    ss_tensor_activation activation;
    /* Where sums are integers still (struct ss_tensor_tile): */
    const float *a_scales, *b_scales;
    const int32_t *b_corrections;
};

typedef void ss_tensor_epilogue_fn(const struct ss_tensor_block_epilogue *epilogue);

/* One tile at work: c = (is_first ? 0 : c) + a bᵀ over n_words words of the inputs. */
struct ss_tensor_tile {
    const void *a, *b;
    size_t n_words;
    float *c;
    size_t c_stride;
    bool is_first;
    bool has_own_sum; /* floats: these words are summed separately, and the sum is added to c
                         afterwards */
    const void *prefetch; /* prefetched into the L2 cache: an eighth of each 16 words
                          of the B that follows; or b itself */
    /* Integer formats only, of this block of inputs: */
    const float *a_scales, *b_scales; /* [rows], [tile_cols] */
    const int32_t *b_corrections;     /* [tile_cols] where the sums begin, or NULL: at 0 */
};

/* The number of rows is the function's. */
typedef void ss_tensor_tile_fn(const struct ss_tensor_tile *t);

/* A macro-tile: all tiles of a block of rows with some words of a panel, and beside that the
 * epilogue of an earlier panel of the same rows: for units that have time for it. */
struct ss_tensor_macro_tile {
    size_t n_rows;
    const void *a; /* of the block of K: tiles of rows, row_words words each */
    size_t row_words, word, n_words; /* words word … of the block's */
    const void *b;                   /* at the first of them */
    float *c;                        /* [n_rows, tile_cols] */
    bool is_first;                   /* c is set; else added to */
    /* Others of the same block of K came before. Integers only: until rounded, or for ever where
     * the epilogue does that, c has the sums as integers. */
    bool continues, rounds_sums;
    const float *a_scales, *b_scales;
    const int32_t *b_corrections;
    const void *prefetch; /* prefetch_lines lines for each group of inputs of each tile */
    size_t prefetch_lines;
    /* The epilogue, as of all rows; where it is packed, `out` is of the whole operand. This one
     * does part side_part of n_side_parts of each tile's rows; 0: nothing. */
    struct ss_tensor_block_epilogue side;
    size_t side_part, n_side_parts;
    size_t side_row_words, side_column_words; /* packed: of a row, and of the columns before */
};

/* The part of a macro-tile's epilogue that is of the tile of n rows at a row. */
static inline struct ss_tensor_block_epilogue
ss_tensor_macro_tile_side(const struct ss_tensor_macro_tile *t, size_t row, size_t n)
{
    struct ss_tensor_block_epilogue e = t->side;
    e.n_rows = n;
    e.sums += row * e.sums_stride;
    e.a_scales = e.a_scales == NULL ? NULL : e.a_scales + row;
    e.factors = e.factors == NULL ? NULL : e.factors + row * e.other_stride;
    e.residual = e.residual == NULL ? NULL : e.residual + row * e.other_stride;
    if (e.is_packed) {
        e.out += row * t->side_row_words + n * t->side_column_words;
        e.group_stride = n * SS_TENSOR_LANES;
    } else {
        e.out += row * e.out_stride;
    }
    return e;
}

#define TILE_INLINE static inline __attribute__((always_inline))

/* An ss_tensor_tile_fn from the file's own tile(n_rows, t), and tables of them for 1, 2, …
 * rows. */
#define SS_TENSOR_TILE_OF(n_rows)                                                              \
    static void tile_##n_rows(const struct ss_tensor_tile *t)                                  \
    {                                                                                          \
        tile(n_rows, t);                                                                       \
    }
#define SS_TENSOR_TILE_OF_1_TO_4                                                               \
    SS_TENSOR_TILE_OF(1) SS_TENSOR_TILE_OF(2) SS_TENSOR_TILE_OF(3) SS_TENSOR_TILE_OF(4)
#define SS_TENSOR_TILE_OF_1_TO_12                                                              \
    SS_TENSOR_TILE_OF_1_TO_4 SS_TENSOR_TILE_OF(5) SS_TENSOR_TILE_OF(6) SS_TENSOR_TILE_OF(7)    \
        SS_TENSOR_TILE_OF(8) SS_TENSOR_TILE_OF(9) SS_TENSOR_TILE_OF(10) SS_TENSOR_TILE_OF(11)  \
            SS_TENSOR_TILE_OF(12)
#define SS_TENSOR_TILES_4(table)                                                               \
    SS_TENSOR_TILE_OF_1_TO_4                                                                   \
    ss_tensor_tile_fn *const table[] = {tile_1, tile_2, tile_3, tile_4};
#define SS_TENSOR_TILES_5(table)                                                               \
    SS_TENSOR_TILE_OF_1_TO_4 SS_TENSOR_TILE_OF(5)                                              \
        ss_tensor_tile_fn *const table[] = {tile_1, tile_2, tile_3, tile_4, tile_5};
#define SS_TENSOR_TILES_6(table)                                                               \
    SS_TENSOR_TILE_OF_1_TO_4 SS_TENSOR_TILE_OF(5) SS_TENSOR_TILE_OF(6)                         \
        ss_tensor_tile_fn *const table[] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
#define SS_TENSOR_TILES_12(table)                                                              \
    SS_TENSOR_TILE_OF_1_TO_12                                                                  \
    ss_tensor_tile_fn *const table[] = {tile_1, tile_2, tile_3, tile_4,  tile_5,  tile_6,      \
                                        tile_7, tile_8, tile_9, tile_10, tile_11, tile_12};
#define SS_TENSOR_TILES_14(table)                                                              \
    SS_TENSOR_TILE_OF_1_TO_12 SS_TENSOR_TILE_OF(13) SS_TENSOR_TILE_OF(14)                      \
        ss_tensor_tile_fn *const table[] = {tile_1,  tile_2,  tile_3,  tile_4, tile_5,         \
                                            tile_6,  tile_7,  tile_8,  tile_9, tile_10,        \
                                            tile_11, tile_12, tile_13, tile_14};
/* Integer quantisation: x is represented by round(x / scale), with one scale per row or output
 * and block of inputs, chosen so that the largest magnitude becomes `max_input` or
 * `max_weight`. Where the instruction wants unsigned inputs, the zero point `offset` is added
 * to them; the smallest is then 1. (Errors: docs/numerics.md, "Levels of precision".) */
struct ss_tensor_quant_scheme {
    size_t n_bytes; /* of a number: 1 or 2 */
    float max_input, max_weight;
    int32_t offset;
    int32_t max_quad_sum; /* where products of four weights and inputs are added in 16 bits,
                          most that those of one sign among the weights add up to; else 0 */
};

/* Rows of x, x_stride apart, as an A operand of n_k inputs, the rest of its words 0. */
typedef void ss_tensor_pack_fn(const float *x, size_t x_stride, size_t n_rows, size_t n_k,
                               float *a);

/* The kernels of one number format: how matrix products of it are computed. */
struct ss_tensor_multiplier {
    const char *name; /* "fp32", "int16", "int8", "bf16x3", "bf16" */
    size_t tile_rows, tile_cols;
    size_t word_inputs; /* inputs of a word */
    size_t pad_words;   /* a row's words are filled up to a multiple of this */
    size_t k_block;     /* inputs per pass over a tile, whole words and groups of 16 */
    size_t part_words;  /* words of a block that all rows pass before the next ones; 0: all */
    bool
        has_tiled_panels; /* panels are tiles of 16 words by 16 outputs, two beside each other */
    ss_tensor_tile_fn *const *tile; /* [tile_rows]: for 1, 2, … rows; or NULL */
    void (*macro_kernel)(const struct ss_tensor_macro_tile *t);
    const struct ss_tensor_quant_scheme *scheme; /* of integers; else NULL */
    const struct ss_tensor_quant_scheme
        *scheme_positive;                  /* the same for inputs that are mostly above 0 */
    ss_tensor_pack_fn *pack;               /* of other numbers; else NULL */
    ss_tensor_epilogue_fn *finish_outputs; /* the epilogue of its sums; with tiles NULL */
    bool packs_outputs;     /* it can write words of an A operand, as that of floats can */
    void (*finish)(void);   /* a thread calls it after its last tile of a task; NULL: no need */
    size_t block_bytes;     /* of rows that a task packs, at most; 0: what suits floats */
    double embedding_error; /* at most, relative to what fp32 gives; 0: fp32 itself, or not
                               stated: numbers that no kernels use at `high` */
};

/* Words of n inputs. */
static inline size_t ss_tensor_multiplier_words(const struct ss_tensor_multiplier *m,
                                                size_t n_inputs)
{
    return ss__round_up(ss__divide_up(n_inputs, m->word_inputs), m->pad_words);
}

static inline void ss_tensor_multiplier_finish(const struct ss_tensor_multiplier *m)
{
    if (m->finish != NULL) {
        m->finish();
    }
}

/* One tile of attention scores on its way to the product with the values. */
struct ss_tensor_score_tile {
    size_t n_rows, n_keys;
    const float *scores; /* [n_rows, stride] */
    size_t stride;
    float scale;
    const float *bias; /* of the first row; that of row r begins r places before; NULL: none */
    float *weights;    /* exp(score - row maximum), 0 up to whole groups of 16; may be scores */
    size_t row_step, group_step; /* of weights: between rows, and between groups of 16 keys */
    float *sums;                 /* [n_rows] of the weights */
    const float *next; /* queries of the head that follows, prefetched with its keys and values;
                          NULL: none */
    size_t next_stride, next_part, head_width;
};

/* Rows of context, divided by the sums of their weights on the way out. */
struct ss_tensor_context_block {
    size_t n_rows, width;
    const float *context; /* [n_rows, stride] */
    size_t stride;
    const float *sums; /* [n_rows] */
    float *out;        /* [n_rows, out_stride] */
    size_t out_stride;
};

/* LayerNorm of rows in place. */
struct ss_tensor_norm {
    float *x; /* [n_rows, width] */
    size_t n_rows, width;
    const float *gain, *shift;
    float eps;
};

/* The heads of one token's query or key, rotated in place (struct ss_tensor_rotary). */
struct ss_tensor_rotation {
    float *x; /* [n_heads, head_width] */
    size_t n_heads, head_width, half;
    const float *cosines, *sines; /* [half] */
};

/* Rows of x as integers in the A operand `a`, n_k inputs of one block. */
struct ss_tensor_quantize {
    const struct ss_tensor_quant_scheme *scheme;
    const float *x; /* [n_rows, x_stride] */
    size_t x_stride, n_rows, n_k;
    const float *factors; /* [n_k] that x is multiplied by first; NULL: none */
    float max_quantized;  /* what the largest number of a row becomes, or falls below */
    int32_t offset;       /* added to all; if it is not 0, none falls below 1 */
    void *a;
    float *scales; /* [n_rows] */
};

/* Up to tile_cols columns of x [n_k, x_stride] as 16-bit numbers in a panel: a column's words
 * are of two inputs each, tile_cols apart, the last filled up by 0. */
struct ss_tensor_quantize_columns {
    const float *x;
    size_t x_stride, n_cols, n_k;
    float max_quantized; /* what the largest number of a column becomes */
    float *panel;
    size_t tile_cols;
    float *scales; /* [tile_cols], those past n_cols 0, as their words */
};

struct ss_tensor_rows_kernels {
    ss_tensor_epilogue_fn *apply_epilogue;
    void (*threshold_masks)(const struct ss_tensor_threshold_test *test);
    size_t (*count_at_least)(const float *x, size_t n, float limit);
    void (*quantize)(const struct ss_tensor_quantize *rows);
    void (*quantize_columns)(const struct ss_tensor_quantize_columns *columns);
    void (*layer_norm)(const struct ss_tensor_norm *norm);
    void (*activate)(float *x, size_t n, ss_tensor_activation activation);
    float (*dot)(const float *a, const float *b, size_t n);
    void (*sum_rows)(const struct ss_tensor_row_sum *sum);
    void (*dot_pair)(const float *a, const float *b, size_t n, float out[3]);
    void (*dot_rows)(const struct ss_tensor_row_dots *dots);
    void (*multiply_rows)(const struct ss_tensor_row_dots *dots);
    size_t (*collect_at_least)(const struct ss_tensor_collection *collection);
    struct ss_tensor_adam_squares (*adam)(const struct ss_tensor_adam *adam);
    void (*add_scaled_to)(float *acc, const float *x, float scale, size_t n);
    void (*max_to)(float *acc, const float *x, size_t n);
    void (*scale)(float *x, float scale, size_t n);
    void (*multiply_by)(float *x, const float *factors, size_t n);
    void (*rotate_heads)(const struct ss_tensor_rotation *rotation);
    void (*softmax)(float *x, size_t n);
    void (*softmax_scores)(const struct ss_tensor_score_tile *tile);
    void (*store_context)(const struct ss_tensor_context_block *block);
};

/* One head of one sequence. */
struct ss_tensor_attention_head {
    const float *queries, *keys, *values; /* rows `stride` apart */
    float *out;                           /* rows `out_stride` apart */
    size_t n_tokens, head_width, stride, out_stride;
    float scale;
    const float *bias; /* bias[n_tokens - 1 + j - i] of key j on query i; or NULL */
    size_t window;     /* keys at this distance and beyond have a bias of -infinity; 0: none */
    bool has_next;     /* the head beside it in the rows is the next to come: worth fetching */
};

/* Attention of whole heads by kernels of its own. */
struct ss_tensor_attention_kernel {
    const char *name;
    size_t (*scratch_floats)(const struct ss_tensor_attention_head *head);
    void (*attend)(const struct ss_tensor_attention_head *head, float *scratch);
    void (*finish)(void); /* a thread calls it after its last head of a task */
};

/* A level of the processor: its row kernels, and how it multiplies at each precision. */
struct ss_tensor_kernels {
    const char *name;
    const struct ss_tensor_rows_kernels *rows;
    const struct ss_tensor_multiplier *fp32;
    const struct ss_tensor_multiplier *of[SS_N_PRECISIONS];
    const struct ss_tensor_multiplier *attention[SS_N_PRECISIONS];
    /* where heads have kernels of their own, instead of attention's multiplier; else NULL */
    const struct ss_tensor_attention_kernel *attend[SS_N_PRECISIONS];
    /* names of all its numbers together, where they are not those of `of`; else NULL */
    const char *formats[SS_N_PRECISIONS];
};

extern const struct ss_tensor_rows_kernels ss_tensor_rows_reference, ss_tensor_rows_avx2,
    ss_tensor_rows_avx512;
extern ss_tensor_tile_fn *const ss_tensor_tile_fp32_reference[],
    *const ss_tensor_tile_fp32_avx2[], *const ss_tensor_tile_fp32_avx512[];
extern ss_tensor_tile_fn *const ss_tensor_tile_int16_reference[],
    *const ss_tensor_tile_int16_avx2[], *const ss_tensor_tile_int16_avxvnni[],
                                            *const ss_tensor_tile_int16_avx512[],
                                                *const ss_tensor_tile_int16_avx512vnni[];
extern ss_tensor_tile_fn *const ss_tensor_tile_int8_reference[],
    *const ss_tensor_tile_int8_avx2[], *const ss_tensor_tile_int8_avxvnni[],
                                           *const ss_tensor_tile_int8_avx512[],
                                               *const ss_tensor_tile_int8_avx512vnni[];

extern const struct ss_tensor_quant_scheme ss_tensor_int8_scheme,
    ss_tensor_int8_scheme_positive;
extern const struct ss_tensor_multiplier ss_tensor_bf16x3_amx, ss_tensor_bf16_amx,
    ss_tensor_int8_amx;

extern const struct ss_tensor_attention_kernel ss_tensor_attend_bf16_amx,
    ss_tensor_attend_bf16x3_amx;

enum { SS_TENSOR_TILE_BLOCK_BYTES = 3 << 19 }; /* three quarters of the L2 cache */
/* The calling thread's tile unit: registers 0 … 3 for the sums of n_rows rows, as tile_amx.inc
 * uses them. It stays so until released. */
void ss_tensor_tile_unit_set_up(size_t n_rows);
void ss_tensor_tile_unit_release(void);

/* Bytes of a core's L2 cache; what is usual where the system does not tell. */
size_t ss_tensor_l2_bytes(void);

/* The kernels in use, chosen at the first call. Threads: any. */
const struct ss_tensor_kernels *ss_tensor_kernels(void);

/* Those of this name, whether the machine has them or not; NULL: there are none. */
const struct ss_tensor_kernels *ss_tensor_kernels_find(const char *name);

/* For tests and measurements: use the kernels of this name from now on; false, and nothing
 * changes, where the machine lacks them. Matrices packed before must not be used after. Not
 * while other threads compute. */
bool ss_tensor_kernels_use(const char *name);

/* The same with kernels of the caller's own, borrowed. */
void ss_tensor_kernels_set(const struct ss_tensor_kernels *kernels);

/* Rows of x, x_stride apart, inputs k0 … k0 + n_k - 1, as an A operand. n_k is a multiple of 16
 * but at the end of a row; the rest of its last 16 is left as it was. */
void ss_tensor_pack_rows(const float *x, size_t x_stride, size_t n_rows, size_t n_k, float *a);

/* The block of K that begins with input k of w's product, of n_rows rows. */
struct ss_tensor_rows_block {
    const float *x; /* at that input of the first row, rows x_stride apart */
    size_t x_stride, n_rows, k;
};
/* As an A operand as above, made fit as w wants it; of integers with scales [n_rows]. */
void ss_tensor_matrix_pack(const struct ss_tensor_matrix *w,
                           const struct ss_tensor_rows_block *rows, void *a, float *scales);

/* out[k][j] = w[j][k] for n_j ≤ tile_cols and all n_k; w's rows w_stride apart, out's
 * out_stride. */
void ss_tensor_pack_transposed(const float *w, size_t w_stride, size_t n_j, size_t n_k,
                               float *out, size_t out_stride);

/* Columns 0 … n - 1 of w [n_k], rows w_stride apart, as B panels of tile_cols columns that are
 * n_k * tile_cols floats each; the last padded by 0. */
void ss_tensor_pack_columns(const float *w, size_t w_stride, size_t n, size_t n_k,
                            float *panels);

/* Run tasks in the work's pool, or in the calling thread where `n_flops` in all are so few that
 * waking threads would cost more. */
void ss_tensor_work_run(ss_work *work, size_t n_tasks, double n_flops,
                        void (*task)(void *context, size_t index, size_t worker),
                        void *context);

#endif
