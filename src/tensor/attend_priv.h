/* What attend.c and attend_operands.c share: one head of one sequence at work. All pointers are
 * into the caller's arrays or the thread's scratch; nothing is owned. */
#ifndef SS_TENSOR_ATTEND_PRIV_H
#define SS_TENSOR_ATTEND_PRIV_H

#include "tensor/tensor_priv.h"

/* Keys or values as a B operand: panels of tile_cols columns with all their inputs. */
struct operand {
    float *panels;          /* words */
    float *scales;          /* [blocks of K, n_cols], of integer formats */
    size_t n_cols, n_words; /* columns with padding, words of each */
};

/* Queries, keys and values of a head, its operands, and the scratch of its blocks. */
struct head {
    const struct ss_tensor_multiplier *multiplier;
    const struct ss_tensor_rows_kernels *rows;
    const struct ss_tensor_attention *attention;
    const float *queries, *from_keys, *from_values; /* rows `stride` apart */
    float *out;                                     /* rows `width` apart */
    size_t n_tokens, stride, width;
    bool is_last;               /* of this task's heads: no next head to prefetch */
    struct operand keys;        /* a column for each token, the head's width of inputs */
    struct operand values;      /* a column for each number of the head, an input for
                                   each token */
    float *packed, *row_scales; /* rows of one block of K as an A operand */
    float *scores, *weights;    /* one place where weights are packed afterwards */
    float *context, *sums, *bias;
};

/* Rows of one block of K as an A operand: the tile of n rows at row r begins at
 * words + r * step + n * skip. */
struct packed_rows {
    const float *words;
    size_t step, skip;
};

/* Fill self->keys and self->values from the sequence. */
void ss_tensor_pack_keys(const struct head *self);
void ss_tensor_pack_values(const struct head *self);

/* Inputs k … k + n_k - 1 of rows of n_in inputs. */
struct inputs {
    const float *x; /* [n_rows, x_stride], at input k of the first row */
    size_t x_stride, n_rows, n_in, k, n_k;
};

/* Into self->packed and self->row_scales. */
struct packed_rows ss_tensor_pack_inputs(const struct head *self, const struct inputs *inputs);

#endif
