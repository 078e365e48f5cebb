/* Rotary positions: queries and keys are rotated by angles that grow with the token's position,
 * so that their dot products depend on distances only. A task is one sequence. How the
 * reference rounds its angles, and how near the tables come: docs/numerics.md, "Encoders". */
#include "tensor/tensor_priv.h"

struct rotate_job {
    const struct ss_tensor_rotary *rotary;
    float *qkv; /* [S, 3 D] */
    const size_t *offsets;
};

/* One sequence; positions count from 0 in each. */
static void rotate_task(void *context, size_t index, size_t worker)
{
    const struct rotate_job *job = context;
    const struct ss_tensor_rotary *rotary = job->rotary;
    const struct ss_tensor_rows_kernels *rows = ss_tensor_kernels()->rows;
    const size_t width = rotary->n_heads * rotary->head_width;
    const size_t first = job->offsets[index], end = job->offsets[index + 1];
    struct ss_tensor_rotation rotation = {
        .n_heads = 2 * rotary->n_heads, /* keys stand behind the queries */
        .head_width = rotary->head_width,
        .half = rotary->half};
    (void)worker;
    for (size_t i = first; i < end; i++) {
        rotation.x = job->qkv + i * 3 * width;
        rotation.cosines = rotary->cosines + (i - first) * rotary->half;
        rotation.sines = rotary->sines + (i - first) * rotary->half;
        rows->rotate_heads(&rotation);
    }
}

void ss_tensor_rotate(ss_work *work, const struct ss_tensor_rotary *rotary, float *qkv,
                      const size_t *offsets, size_t n_sequences)
{
    struct rotate_job job = {.rotary = rotary, .qkv = qkv, .offsets = offsets};
    const size_t n_numbers = n_sequences == 0 ? 0
                                              : (offsets[n_sequences] - offsets[0]) * 4 *
                                                    rotary->n_heads * rotary->half;
    ss_tensor_work_run(work, n_sequences, 3.0 * (double)n_numbers, rotate_task, &job);
}
