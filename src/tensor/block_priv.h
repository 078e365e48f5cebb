/* A block of rows at work with one matrix, in one thread: what linear.c and linear_steps.c are
 * made of. All pointers are borrowed, or into the thread's scratch.
 *
 * Packed inputs (an A operand) stand by blocks of K; within one, tile after tile; within a tile
 * as tensor_priv.h says. Sums of a panel stand in rows of tile_cols floats. */
#ifndef SS_TENSOR_BLOCK_PRIV_H
#define SS_TENSOR_BLOCK_PRIV_H

#include "tensor/tensor_priv.h"

/* Inputs from … to - 1 of n_rows rows, packed: whole blocks of K, the last as long as it is. */
struct ss_tensor_block {
    const struct ss_tensor_matrix *w;
    size_t n_rows, from, to;
    float *a;
    float *scales; /* [blocks of K, n_rows], of integers; else NULL */
};

/* Where the complete sums of tiles go: to a callback alone, or through the epilogue to rows of
 * floats or to the packed inputs of the product that follows. */
struct ss_tensor_block_output {
    const struct ss_tensor_tile_callback *callback; /* NULL: the epilogue */
    const struct ss_tensor_epilogue *epilogue; /* its residual and factors are of these rows */
    float *y;                                  /* of output `from` of the first row */
    size_t y_stride;                           /* between rows of floats */
    size_t from;
    size_t n_packed; /* inputs of the block of K that y is, packed for the same multiplier; 0: y
                        is rows of floats */
};

/* Floats that n_k inputs of n_rows take packed. */
size_t ss_tensor_packed_floats(const struct ss_tensor_multiplier *m, size_t n_rows, size_t n_k);

/* Floats of the scratch memory that a block with n_k inputs is packed in. */
size_t ss_tensor_block_floats(const struct ss_tensor_matrix *w, size_t n_rows, size_t n_k);

/* A block with inputs from … to - 1 in scratch memory that is 64-byte aligned; nothing is packed
 * yet. */
struct ss_tensor_block ss_tensor_block_at(const struct ss_tensor_matrix *w, size_t n_rows,
                                          size_t from, size_t to, float *scratch);

/* Pack x, rows x_stride apart, at the block's first input of the first row. */
void ss_tensor_block_pack(const struct ss_tensor_block *block, const float *x, size_t x_stride);

/* Floats of the scratch memory of sums, where those of a panel go on before those of the next
 * begin. */
size_t ss_tensor_block_sums(const struct ss_tensor_matrix *w, size_t n_rows);

/* The panels of outputs first … end - 1 with the block's inputs: sums are set where the block
 * begins with the first of K, else added to. output: where they go, since the block ends with
 * the last; NULL: more follow, and then, and before, every panel has sums of its own,
 * n_rows * tile_cols floats after those of the one before. */
struct ss_tensor_panels {
    size_t first, end;
    float *sums;
    bool has_all_sums;
    const struct ss_tensor_block_output *output;
};
void ss_tensor_block_run(const struct ss_tensor_block *block,
                         const struct ss_tensor_panels *panels);

/* Whether the epilogue can write packed inputs of this multiplier. */
bool ss_tensor_can_pack_outputs(const struct ss_tensor_multiplier *m);

#endif
