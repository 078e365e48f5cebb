/* Numbers: packed matrices, matmul with fused epilogues, attention, LayerNorm. The kernels are
 * chosen once by what the processor has; all of them give the same bytes for the same kind of
 * numbers, because every output element is one sum in one fixed order, and sums over a row go
 * through 16 fixed lanes. Nothing depends on the number of rows, on threads or on what else is
 * in a call. docs/numerics.md says what the orders, formats and errors are, and which test
 * holds each.
 *
 * Arrays are row-major f32, the caller's, and borrowed for the call; none has to be aligned but
 * where it says so. Numbers that are not finite pass through and give others that are not.
 * Functions with a workspace use its threads, and one call at a time may use it; all others run
 * in the calling thread, any number at the same time. Calls that allocate say SS_E_NOMEM; a
 * workspace that was stopped shows in ss_tensor_work_check.
 *
 * Legend: M rows, K input width, N output width, S tokens, D width, H heads. */
#ifndef SS_TENSOR_H
#define SS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

/* ---- the processor ---- */

/* Name of the kernels in use: "amx", "avx512", "avx2", "reference", … SAESCOPE_CPU, read once,
 * asks for a lower level; a level that the machine lacks is ignored. Static. Threads: any. */
const char *ss_tensor_kernels_name(void);

/* ---- workspaces: the inside of ss_work ---- */

/* Scratch buffers by purpose; each grows to its largest request and is reused. */
typedef enum ss_tensor_slot {
    SS_TENSOR_SLOT_HIDDEN,
    SS_TENSOR_SLOT_CONTEXT,
    SS_TENSOR_SLOT_LAYER, /* intermediates of a layer */
    SS_TENSOR_SLOT_POOLED,
    SS_TENSOR_SLOT_POOLED_NEXT,
    SS_TENSOR_SLOT_SAE,
    SS_TENSOR_SLOT_OTHER,
    SS_TENSOR_SLOT_KERNEL, /* for the kernels themselves: per-thread parts */
    SS_TENSOR_N_SLOTS
} ss_tensor_slot;

/* The workspace's threads (borrowed), for tasks that are no operation of this room. */
struct ss__pool *ss_tensor_work_pool(ss_work *work);
/* SS_E_STOPPED once ss_work_set_progress's question was answered so: then what was computed
 * since is not to be used. */
SS_MUST_USE ss_status ss_tensor_work_check(const ss_work *work, ss_err *err);
/* Warn if there are fewer threads than were asked for. */
void ss_tensor_work_warn_threads(const ss_work *work, const struct ss_log *log);
/* n_bytes of 64-byte aligned memory that stays valid until the slot is asked for again; NULL
 * when memory ran out. Content is kept while the slot does not grow. Two users that are active
 * at the same time need two slots. */
void *ss_tensor_work_scratch(ss_work *work, ss_tensor_slot slot, size_t n_bytes);

/* Lists for what tasks find, kept with their memory between calls: at least `n`, in which every
 * task grows its own (ss__grow). NULL when memory ran out. */
struct ss_tensor_list {
    void *items;
    size_t capacity; /* of items; all users have items of one size */
};
struct ss_tensor_list *ss_tensor_work_lists(ss_work *work, size_t n);

/* An object of another room that lives between calls in the workspace, such as the scratch of a
 * tokenizer; NULL where there is none. What is set is released with the workspace, or when
 * another one (nullable) takes its place. */
void *ss_tensor_work_object(const ss_work *work);
void ss_tensor_work_set_object(ss_work *work, void *object, void (*release)(void *object));

/* Ask another callback from now on; returns the one before. */
struct ss_progress_callback ss_tensor_work_swap_progress(ss_work *work,
                                                         struct ss_progress_callback progress);

/* ---- matrices ---- */

struct ss_tensor_multiplier;
struct ss_tensor_quant_scheme;

/* A weight matrix [N, K], packed for the kernels in use. */
struct ss_tensor_matrix {
    size_t n_out, n_in;
    const struct ss_tensor_multiplier *multiplier; /* how its products are made */
    void *panels;                                  /* layout known to the kernels only */
    /* Of integer formats; else NULL: */
    const struct ss_tensor_quant_scheme *scheme;
    float *scales; /* of outputs by block of inputs */
    int32_t
        *corrections; /* the same: -zero point · sum of weights; NULL where inputs are signed */
    float *factors;   /* [2, K] that inputs and weights are multiplied by; NULL: not smoothed */
};

/* Name of the number format of a precision's products on this machine: "fp32", "int16", "int8",
 * "bf16x3", "bf16"; "int8+bf16", where attention is of others than the layers. */
const char *ss_tensor_precision_format(ss_precision precision);

/* How far an embedding at SS_PRECISION_HIGH may be from that at SS_PRECISION_HIGHEST, relative
 * to its L2 norm; 0 where the two are the same. 0 for other precisions, which state no bound.
 * */
double ss_tensor_precision_error(ss_precision precision);

/* Pack w, which stands as [N, K] row-major (`SS_TENSOR_OUT_BY_IN`, the layout of linear layers)
 * or as [K, N] row-major (`SS_TENSOR_IN_BY_OUT`). Rows n0 … of a taller matrix can be filled by
 * several calls, each with all K inputs of its outputs: ss_tensor_matrix_new makes an empty
 * one, ss_tensor_matrix_fill puts `n` outputs at output `at`. */
typedef enum ss_tensor_layout { SS_TENSOR_OUT_BY_IN, SS_TENSOR_IN_BY_OUT } ss_tensor_layout;
/* precision chooses the number format of the kernels in use, for which alone the matrix is
 * packed. Gives *out (ss_tensor_matrix_release), a zeroed one on error. Errors: SS_E_SHAPE (a
 * side of 0, or sizes that overflow), SS_E_NOMEM. Filling cannot fail; weights that are not
 * finite give outputs that are NaN. */
SS_MUST_USE ss_status ss_tensor_matrix_new(size_t n_out, size_t n_in, ss_precision precision,
                                           struct ss_tensor_matrix *out, ss_err *err);
void ss_tensor_matrix_fill(struct ss_tensor_matrix *matrix, size_t at, size_t n, const float *w,
                           ss_tensor_layout layout);
void ss_tensor_matrix_release(struct ss_tensor_matrix *matrix);
/* Row L2 norms: |w| of every output, summed in double, of a matrix of SS_PRECISION_HIGHEST:
 * norms [N]. */
void ss_tensor_matrix_row_norms(const struct ss_tensor_matrix *matrix, float *norms);

/* Rows first … first + n - 1 of the weights [N, K] as they were, of a matrix of
 * SS_PRECISION_HIGHEST: out [n, K]. */
void ss_tensor_matrix_unpack(const struct ss_tensor_matrix *matrix, size_t first, size_t n,
                             float *out);

/* ---- rough products (rough.c) ---- */

/* Whether matrices of SS_PRECISION_MEDIUM are bf16 and multiplied by the tile unit: several
 * times as fast as floats, so that it pays to find by them which sums are worth making of
 * floats. */
bool ss_tensor_has_rough(void);
/* |x| and |x - r(x)| of n numbers, r rounding each to bf16, as those products do. */
struct ss_tensor_rounding {
    double norm, error;
};
struct ss_tensor_rounding ss_tensor_round_bf16(const float *x, size_t n);
/* How far a sum of n products of rounded numbers and one of floats may be off by their own
 * roundings, over the product of the norms. */
double ss_tensor_sum_error(size_t n);

/* Hints about a product's inputs, given between ss_tensor_matrix_new and the first fill. They
 * make integer products more accurate and change no others. */
/* Inputs are mostly positive and negative ones are small, as after GELU: an asymmetric range is
 * used. */
void ss_tensor_matrix_expect_positive(struct ss_tensor_matrix *matrix);
/* Activation-aware smoothing: input k has a root mean square of about sizes[k] [K], up to a
 * common factor, and squares[k] [K] is the sum of its squared weights, at least over the
 * outputs that matter. Large inputs with small weights are scaled down and their weights up, so
 * that both operands use their integer range. Any numbers are accepted. */
SS_MUST_USE ss_status ss_tensor_matrix_smooth(struct ss_tensor_matrix *matrix,
                                              const float *sizes, const float *squares,
                                              ss_err *err);
/* sums[k] += w[j][k]² over the n rows of w [n, K]. */
void ss_tensor_add_squares_to(float *sums, const float *w, size_t n, size_t n_in);
/* Whether products of this precision use a format that smoothing helps (int8). */
bool ss_tensor_precision_uses_smoothing(ss_precision precision);

typedef enum ss_tensor_activation {
    SS_TENSOR_ACT_NONE,
    SS_TENSOR_ACT_GELU, /* x/2 (1 + erf(x/√2)), within 1e-6 of exact */
    SS_TENSOR_ACT_GELU_TANH,
    SS_TENSOR_ACT_RELU,
    SS_TENSOR_ACT_SILU,
    SS_TENSOR_ACT_TANH,
    SS_TENSOR_ACT_SIGMOID,
    SS_TENSOR_N_ACTIVATIONS
} ss_tensor_activation;

/* The epilogue of a product: what is applied to y = x Wᵀ before it is stored, in this order;
 * absent steps are NULL or NONE.
 */
struct ss_tensor_epilogue {
    const float *bias; /* [N] */
    ss_tensor_activation activation;
    const float *factors;    /* [M, N], multiplied with: the other half of a gate */
    const float *residual;   /* [M, N], added; may be `y` itself */
    const float *norm_gain;  /* [N]: LayerNorm over the row, with norm_shift and norm_eps */
    const float *norm_shift; /* [N] */
    float norm_eps;
};

/* y[M, N] = epilogue(x[M, K] Wᵀ). x and y do not overlap. Uses the work's threads. epilogue may
 * be NULL. Errors: SS_E_NOMEM. Cost: 2 M N K flop, no allocation in a call like one before. */
SS_MUST_USE ss_status ss_tensor_linear(ss_work *work, const struct ss_tensor_matrix *w,
                                       const float *x, size_t n_rows, float *y,
                                       const struct ss_tensor_epilogue *epilogue, ss_err *err);

/* ---- products one after the other ---- */

/* One of several products that rows go through one after the other (ss_tensor_linear_steps). */
struct ss_tensor_linear_step {
    const struct ss_tensor_matrix *w;
    struct ss_tensor_epilogue epilogue;
    const float *x; /* [M, K]: the caller's, or y of any step before */
    float *y;       /* [M, N] */
    bool is_inner; /* y is the x of the next step and of no other use: it need not be written */
    /* x is normalised first, into normed [M, K]; NULL: it is not */
    const float *input_gain, *input_shift;
    float input_eps;
    float *normed;
};

/* The products of all steps, each as ss_tensor_linear computes it, to the byte. Rows go through
 * all steps by blocks, so that what is between two steps stays in a core's L2 cache: so no step
 * may write what another step of other rows reads. Uses the work's threads.
 * Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_tensor_linear_steps(ss_work *work,
                                             const struct ss_tensor_linear_step *steps,
                                             size_t n_steps, size_t n_rows, ss_err *err);

/* ---- products with a per-tile callback ---- */

/* Sums of one tile, x[row + r] · w[output + j] at at[r * stride + j]; they may be written over.
 */
enum { SS_TENSOR_MAX_TILE_ROWS = 32, SS_TENSOR_MAX_TILE_OUTPUTS = 32 }; /* at most */
struct ss_tensor_tile_sums {
    size_t row, n_rows, output, n_outputs;
    float *at;
    size_t stride;
};

/* GEMM with a per-tile callback: x Wᵀ, whose tiles are passed to `on_tile` while they are in
 * the L1 cache; the product is never stored. Runs in the calling thread. The rows are packed
 * once; then come all tiles of the first outputs, by ascending row, then those of the next
 * outputs. */
struct ss_tensor_tile_callback {
    const struct ss_tensor_matrix *w;
    const float *x; /* [n_rows, K] */
    size_t n_rows;
    size_t from,
        end; /* outputs from … end - 1; `from` is a multiple of the partition's group_outputs */
    float *scratch; /* ss_tensor_linear_tiles_floats, 64-byte aligned */
    void (*on_tile)(void *context, const struct ss_tensor_tile_sums *sums);
    void *context;
};
/* Cannot fail; the scratch, in floats, is as much as this says for so many rows. */
void ss_tensor_linear_tiles(const struct ss_tensor_tile_callback *callback);
size_t ss_tensor_linear_tiles_floats(const struct ss_tensor_matrix *w, size_t n_rows);

/* How a product is partitioned over threads: blocks of rows that fit a core's L2 cache, and
 * groups of outputs where there are fewer blocks than threads. The last of each may be smaller.
 * */
struct ss_tensor_partition {
    size_t block_rows, n_blocks;
    size_t group_outputs, n_groups;
};
struct ss_tensor_partition ss_tensor_linear_partition(const struct ss_tensor_matrix *w,
                                                      size_t n_rows, size_t n_threads);

/* Compare a tile's sums with thresholds. The bias is added to the sums in place; bit j of
 * masks[r] is set if at[r * stride + j] ≥ thresholds[j], and ≥ row_thresholds[r] where that is
 * given. */
struct ss_tensor_threshold_test {
    const struct ss_tensor_tile_sums *sums;
    const float *bias;           /* [n_outputs] or NULL */
    const float *thresholds;     /* [n_outputs] */
    const float *row_thresholds; /* [n_rows] or NULL */
    uint32_t *masks;             /* [n_rows] */
};
void ss_tensor_threshold_masks(const struct ss_tensor_threshold_test *test);
/* How many of x [n] are at least `threshold`; NaN is not. */
size_t ss_tensor_count_at_least(const float *x, size_t n, float threshold);

/* ---- attention ---- */

struct ss_tensor_attention {
    size_t n_heads, head_width;
    float scale;                /* of the scores: 1/√head_width */
    const float *distance_bias; /* [H, 2 * max_distance + 1] or NULL: bias of key j on query i
                                   at index clamp(j - i, ±max_distance) + max_distance */
    size_t max_distance;
    size_t window; /* keys at this distance from a query and beyond do not count; 0: all do */
    ss_precision precision; /* of its two products */
};

/* Softmax attention within each sequence.
 *
 * qkv      [S, 3 D] row-major: queries, keys, values side by side, D = n_heads * head_width
 * offsets  [n_sequences + 1]: sequence s has tokens offsets[s] … offsets[s + 1] - 1 out
 * [S, D], written; it does not overlap qkv
 * Errors   SS_E_NOMEM
 * Cost     4 n² D flop for a sequence of n tokens; scratch of a few rows of scores for each thread
 */
SS_MUST_USE ss_status ss_tensor_attend(ss_work *work,
                                       const struct ss_tensor_attention *attention,
                                       const float *qkv, const size_t *offsets,
                                       size_t n_sequences, float *out, ss_err *err);

/* ---- rotary positions ---- */

/* Rotary position embedding: in every head the pair (x[i], x[half + i]), i < half, is rotated
 * by the angle of its token's position; values from 2 * half on stay. */
struct ss_tensor_rotary {
    size_t n_heads, head_width, half;
    const float *cosines, *sines; /* [n_positions, half], for all positions of a sequence */
};

/* Rotate the queries and keys of qkv (see ss_tensor_attend) in place. */
void ss_tensor_rotate(ss_work *work, const struct ss_tensor_rotary *rotary, float *qkv,
                      const size_t *offsets, size_t n_sequences);

/* ---- rows ---- */

/* In place: x[r] = (x[r] - mean) / sqrt(variance + eps) * gain + shift, biased variance. */
void ss_tensor_layer_norm(ss_work *work, float *x, size_t n_rows, size_t width,
                          const float *gain, const float *shift, float eps);
/* The same from x to out, both [n_rows, width]. */
struct ss_tensor_norm_rows {
    const float *x;
    float *out;
    size_t n_rows, width;
    const float *gain, *shift;
    float eps;
};
void ss_tensor_layer_norm_to(ss_work *work, const struct ss_tensor_norm_rows *norm);
/* x *= factors, elementwise over n numbers, in the work's threads. */
void ss_tensor_multiply_by(ss_work *work, float *x, const float *factors, size_t n);
/* out[r] = act(x[r]) elementwise, may be in place. */
void ss_tensor_activate(float *x, size_t n, ss_tensor_activation activation);
/* Through 16 lanes and their tree, as every sum over a row. */
float ss_tensor_dot(const float *a, const float *b, size_t n);
float ss_tensor_sum_squares(const float *a, size_t n);
/* acc += x, acc += s x, acc = max(acc, x), x *= s. */
void ss_tensor_add_to(float *acc, const float *x, size_t n);
void ss_tensor_add_scaled_to(float *acc, const float *x, float scale, size_t n);
void ss_tensor_max_to(float *acc, const float *x, size_t n);
void ss_tensor_scale(float *x, float scale, size_t n);

/* ---- rows chosen by number, and an optimiser's step ---- */

/* out [width] += weights[i] · rows[ids[i]], i ascending: one chain of fma for each element. */
struct ss_tensor_row_sum {
    float *out;
    const float *rows; /* [any, width] */
    size_t width;
    const uint32_t *ids; /* [n] */
    const float *weights;
    size_t n;
};
void ss_tensor_sum_rows(const struct ss_tensor_row_sum *sum);

/* out[i] = vector · rows[ids[i]], each as ss_tensor_dot. */
struct ss_tensor_row_dots {
    float *out; /* [n] */
    const float *vector;
    const float *rows; /* [any, width] */
    size_t width;
    const uint32_t *ids; /* [n] */
    size_t n;
};
void ss_tensor_dot_rows(const struct ss_tensor_row_dots *dots);
/* The same, but each the element that ss_tensor_linear makes of floats, bit for bit. */
void ss_tensor_multiply_rows(const struct ss_tensor_row_dots *dots);

/* The numbers of x [n] that are at least their threshold, ascending by position: returns how
 * many. NaN is not. */
struct ss_tensor_collection {
    const float *x;
    size_t n;
    const float *thresholds; /* [n]; NULL: `threshold` */
    float threshold;
    uint32_t *ids; /* [n] */
    float *values; /* [n] */
};
size_t ss_tensor_collect_at_least(const struct ss_tensor_collection *collection);

/* a·a, a·b and b·b, each as ss_tensor_dot. */
void ss_tensor_dot_pair(const float *a, const float *b, size_t n, float out[3]);

/* One step of Adam over n numbers, in place, and the squares of x after it and of the gradient:
 *   x *= x_scale; gradient = gradient_scale gradient + along_x x (it is not written)
 *   mean += new_mean (gradient - mean); square = old_square square + new_square gradient²
 *   x -= rate · mean / (root_scale √square + eps) */
struct ss_tensor_adam {
    float *x, *mean, *square; /* [n] */
    const float *gradient;
    size_t n;
    float x_scale, gradient_scale, along_x;
    float new_mean, old_square, new_square, root_scale, eps, rate;
};
struct ss_tensor_adam_squares {
    float x, gradient;
};
struct ss_tensor_adam_squares ss_tensor_adam_step(const struct ss_tensor_adam *adam);

/* In place softmax of one row. */
void ss_tensor_softmax(float *x, size_t n);

#endif
