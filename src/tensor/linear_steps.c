/* Several products that rows go through one after the other: the rows are cut into blocks, and a
 * thread takes a block through all of them, so that what is between two products stays in its
 * L2 cache. Weights are read once for each block.
 *
 * A step whose result is only the next one's input is joined with it: the inner product makes
 * one block of K of the next product at a time, packed by the epilogue where the numbers allow,
 * and that is multiplied with all panels before the next block of K is made. The sums of the
 * outer product are in the scratch memory meanwhile. Every output is still one sum in one order
 * (block.c), so neither blocks nor joining show in the bytes. */
#include <string.h>

#include "base/mem.h"
#include "tensor/block_priv.h"

enum { MAX_ROWS = 256, MIN_ROWS = 64 };

/* Offsets, in floats, of the parts of a worker's scratch. */
struct layout {
    size_t packed, sums, slice, slice_rows, total;
};

struct steps_job {
    const struct ss_tensor_linear_step *steps;
    size_t n_steps, n_rows, block_rows, n_threads;
    float *scratch;
    struct layout layout;
};

static size_t panels_of(const struct ss_tensor_matrix *w)
{
    return ss__divide_up(w->n_out, w->multiplier->tile_cols);
}

/* Inputs of a product that are made at a time where it is joined with the one before. */
static size_t slice_inputs(const struct ss_tensor_matrix *w)
{
    return ss__min_size(w->multiplier->k_block, w->n_in);
}

/* Whether the inner product's epilogue writes what the outer one reads. */
static bool packs_slices(const struct ss_tensor_linear_step *inner,
                         const struct ss_tensor_linear_step *outer)
{
    const struct ss_tensor_multiplier *m = inner->w->multiplier;
    return m == outer->w->multiplier && ss_tensor_can_pack_outputs(m);
}

/* What the parts of a block of rows need. Sums of a product that is not joined are those of one
 * panel. */
static struct layout layout_of(const struct ss_tensor_linear_step *steps, size_t n_steps,
                               size_t n_rows)
{
    struct layout most = {0};
    for (size_t i = 0; i < n_steps; i++) {
        const struct ss_tensor_matrix *w = steps[i].w;
        const struct ss_tensor_multiplier *m = w->multiplier;
        const bool is_outer = i > 0 && steps[i - 1].is_inner;
        const size_t n_k = slice_inputs(w);
        if (is_outer) {
            const size_t inner = ss_tensor_block_sums(steps[i - 1].w, n_rows);
            const size_t outer = n_k < w->n_in ? n_rows * m->tile_cols * panels_of(w)
                                               : ss_tensor_block_sums(w, n_rows);
            most.sums = ss__max_size(most.sums, inner + outer);
            most.slice = ss__max_size(most.slice, ss_tensor_block_floats(w, n_rows, n_k));
            most.slice_rows = ss__max_size(
                most.slice_rows, packs_slices(&steps[i - 1], &steps[i]) ? 0 : n_rows * n_k);
        } else {
            most.sums = ss__max_size(most.sums, ss_tensor_block_sums(w, n_rows));
            most.packed = ss__max_size(most.packed, ss_tensor_block_floats(w, n_rows, w->n_in));
        }
    }
    struct layout l = {.sums = ss__round_up(most.packed, SS_TENSOR_LANES)};
    l.slice = l.sums + ss__round_up(most.sums, SS_TENSOR_LANES);
    l.slice_rows = l.slice + ss__round_up(most.slice, SS_TENSOR_LANES);
    l.total = l.slice_rows + ss__round_up(most.slice_rows, SS_TENSOR_LANES);
    return l;
}

/* Rows row … row + n_rows - 1 of a step. */
struct part {
    const struct steps_job *job;
    size_t row, n_rows;
    float *scratch;
};

static const float *rows_or_null(const float *x, size_t row, size_t width)
{
    return x == NULL ? NULL : x + row * width;
}

static struct ss_tensor_epilogue epilogue_of(const struct part *part,
                                             const struct ss_tensor_linear_step *step)
{
    struct ss_tensor_epilogue epilogue = step->epilogue;
    epilogue.factors = rows_or_null(epilogue.factors, part->row, step->w->n_out);
    epilogue.residual = rows_or_null(epilogue.residual, part->row, step->w->n_out);
    return epilogue;
}

static struct ss_tensor_norm input_norm(const struct ss_tensor_linear_step *step, float *x,
                                        size_t n_rows)
{
    return (struct ss_tensor_norm){.x = x,
                                   .n_rows = n_rows,
                                   .width = step->w->n_in,
                                   .gain = step->input_gain,
                                   .shift = step->input_shift,
                                   .eps = step->input_eps};
}

static struct ss_tensor_block pack_input(const struct part *part,
                                         const struct ss_tensor_linear_step *step)
{
    const size_t width = step->w->n_in, at = part->row * width;
    const float *x = step->x + at;
    if (step->input_gain != NULL) {
        const struct ss_tensor_norm norm = input_norm(step, step->normed + at, part->n_rows);
        memcpy(norm.x, x, part->n_rows * width * sizeof *x);
        ss_tensor_kernels()->rows->layer_norm(&norm);
        x = norm.x;
    }
    const struct ss_tensor_block block = ss_tensor_block_at(
        step->w, part->n_rows, 0, width, part->scratch + part->job->layout.packed);
    ss_tensor_block_pack(&block, x, width);
    return block;
}

/* LayerNorm of the step's rows, once they are whole. */
static void finish_rows(const struct part *part, const struct ss_tensor_linear_step *step)
{
    const struct ss_tensor_epilogue *epilogue = &step->epilogue;
    if (epilogue->norm_gain != NULL) {
        ss_tensor_kernels()->rows->layer_norm(
            &(struct ss_tensor_norm){.x = step->y + part->row * step->w->n_out,
                                     .n_rows = part->n_rows,
                                     .width = step->w->n_out,
                                     .gain = epilogue->norm_gain,
                                     .shift = epilogue->norm_shift,
                                     .eps = epilogue->norm_eps});
    }
}

static struct ss_tensor_block_output rows_output(const struct part *part,
                                                 const struct ss_tensor_linear_step *step,
                                                 const struct ss_tensor_epilogue *epilogue)
{
    return (struct ss_tensor_block_output){.epilogue = epilogue,
                                           .y = step->y + part->row * step->w->n_out,
                                           .y_stride = step->w->n_out};
}

static void run_single(const struct part *part, const struct ss_tensor_linear_step *step)
{
    const struct ss_tensor_epilogue epilogue = epilogue_of(part, step);
    const struct ss_tensor_block_output output = rows_output(part, step, &epilogue);
    const struct ss_tensor_block block = pack_input(part, step);
    ss_tensor_block_run(
        &block, &(struct ss_tensor_panels){.end = step->w->n_out,
                                           .sums = part->scratch + part->job->layout.sums,
                                           .output = &output});
    finish_rows(part, step);
}

/* Outputs of the inner step as the slice of the outer one's inputs that they are. */
static void make_slice(const struct part *part, const struct ss_tensor_linear_step *inner,
                       const struct ss_tensor_block *block, const struct ss_tensor_block *slice)
{
    const struct layout *l = &part->job->layout;
    const bool is_packed = packs_slices(inner, inner + 1);
    const struct ss_tensor_epilogue epilogue = epilogue_of(part, inner);
    const size_t n_k = slice->to - slice->from;
    float *rows = part->scratch + l->slice_rows;
    const struct ss_tensor_block_output output = {.epilogue = &epilogue,
                                                  .y = is_packed ? slice->a : rows,
                                                  .y_stride = n_k,
                                                  .from = slice->from,
                                                  .n_packed = is_packed ? n_k : 0};
    ss_tensor_block_run(block, &(struct ss_tensor_panels){.first = slice->from,
                                                          .end = slice->to,
                                                          .sums = part->scratch + l->sums,
                                                          .output = &output});
    if (!is_packed) {
        ss_tensor_block_pack(slice, rows, n_k);
    }
}

/* The sums of the inner product's panels stand before those of the outer one. */
static void run_joined(const struct part *part, const struct ss_tensor_linear_step *inner,
                       const struct ss_tensor_linear_step *outer)
{
    const struct layout *l = &part->job->layout;
    const struct ss_tensor_matrix *w = outer->w;
    const size_t n_slice = slice_inputs(w);
    const struct ss_tensor_epilogue epilogue = epilogue_of(part, outer);
    const struct ss_tensor_block_output output = rows_output(part, outer, &epilogue);
    const struct ss_tensor_block block = pack_input(part, inner);
    struct ss_tensor_panels panels = {.end = w->n_out,
                                      .sums = part->scratch + l->sums +
                                              ss_tensor_block_sums(inner->w, part->n_rows),
                                      .has_all_sums = n_slice < w->n_in};
    for (size_t k = 0; k < w->n_in; k += n_slice) {
        const struct ss_tensor_block slice = ss_tensor_block_at(
            w, part->n_rows, k, ss__min_size(k + n_slice, w->n_in), part->scratch + l->slice);
        make_slice(part, inner, &block, &slice);
        panels.output = slice.to == w->n_in ? &output : NULL;
        ss_tensor_block_run(&slice, &panels);
    }
    finish_rows(part, outer);
}

static void run_part(const struct part *part)
{
    const struct steps_job *job = part->job;
    for (size_t i = 0; i < job->n_steps; i++) {
        const struct ss_tensor_linear_step *step = &job->steps[i];
        if (step->is_inner) {
            run_joined(part, step, step + 1);
            i++;
        } else {
            run_single(part, step);
        }
    }
    for (size_t i = 0; i < job->n_steps; i++) {
        ss_tensor_multiplier_finish(job->steps[i].w->multiplier);
    }
}

/* ---- cutting the rows ---- */

/* Rows of the block that begins where `left` rows are left: half a thread's share of those, so
 * that threads end within a small block of each other. */
static size_t next_rows(const struct steps_job *job, size_t left)
{
    const size_t tile_rows = job->steps[0].w->multiplier->tile_rows;
    const size_t share = ss__round_up(ss__divide_up(left, 2 * job->n_threads), tile_rows);
    const size_t least = ss__min_size(ss__round_up(MIN_ROWS, tile_rows), job->block_rows);
    const size_t n = job->n_threads == 1
                         ? job->block_rows
                         : ss__min_size(ss__max_size(share, least), job->block_rows);
    return ss__min_size(n, left);
}

static void steps_task(void *context, size_t index, size_t worker)
{
    const struct steps_job *job = context;
    struct part part = {.job = job, .scratch = job->scratch + worker * job->layout.total};
    for (; index > 0; index--) {
        part.row += next_rows(job, job->n_rows - part.row);
    }
    part.n_rows = next_rows(job, job->n_rows - part.row);
    run_part(&part);
}

static size_t count_parts(const struct steps_job *job)
{
    size_t n = 0;
    for (size_t row = 0; row < job->n_rows; n++) {
        row += next_rows(job, job->n_rows - row);
    }
    return n;
}

/* As many rows as the L2 cache holds what is between their products, with room for the weights
 * that pass. On the unit, which needs many rows for each part of the weights, rows of floats on
 * their way to be packed are left out: they are read once. */
static size_t choose_rows(const struct ss_tensor_linear_step *steps, size_t n_steps)
{
    const struct ss_tensor_multiplier *m = steps[0].w->multiplier;
    const struct layout l = layout_of(steps, n_steps, m->tile_rows);
    const size_t n_floats = m->macro_kernel != NULL ? l.slice_rows : l.total;
    const size_t row_bytes = n_floats * sizeof(float) / m->tile_rows;
    const size_t n = ss__min_size(ss_tensor_l2_bytes() / 4 * 3 / row_bytes, MAX_ROWS);
    return ss__max_size(ss__max_size(n, MIN_ROWS) / m->tile_rows, 1) * m->tile_rows;
}

static double flops_of(const struct ss_tensor_linear_step *steps, size_t n_steps, size_t n_rows)
{
    double n = 0;
    for (size_t i = 0; i < n_steps; i++) {
        n += 2.0 * (double)n_rows * (double)steps[i].w->n_in * (double)steps[i].w->n_out;
    }
    return n;
}

/* Rows that are too few for all threads: products one by one, their outputs parted. */
static ss_status run_separately(ss_work *work, const struct ss_tensor_linear_step *steps,
                                size_t n_steps, size_t n_rows, ss_err *err)
{
    for (size_t i = 0; i < n_steps; i++) {
        const struct ss_tensor_linear_step *step = &steps[i];
        const float *x = step->x;
        if (step->input_gain != NULL) {
            ss_tensor_layer_norm_to(work,
                                    &(struct ss_tensor_norm_rows){.x = x,
                                                                  .out = step->normed,
                                                                  .n_rows = n_rows,
                                                                  .width = step->w->n_in,
                                                                  .gain = step->input_gain,
                                                                  .shift = step->input_shift,
                                                                  .eps = step->input_eps});
            x = step->normed;
        }
        SS_RETURN_IF_ERROR(
            ss_tensor_linear(work, step->w, x, n_rows, step->y, &step->epilogue, err));
    }
    return SS_OK;
}

ss_status ss_tensor_linear_steps(ss_work *work, const struct ss_tensor_linear_step *steps,
                                 size_t n_steps, size_t n_rows, ss_err *err)
{
    if (n_steps == 0 || n_rows == 0) {
        return SS_OK;
    }
    struct steps_job job = {.steps = steps,
                            .n_steps = n_steps,
                            .n_rows = n_rows,
                            .block_rows = choose_rows(steps, n_steps),
                            .n_threads = ss_work_n_threads(work)};
    if (job.n_threads > 1 && n_rows < job.n_threads * MIN_ROWS) {
        return run_separately(work, steps, n_steps, n_rows, err);
    }
    job.layout = layout_of(steps, n_steps, ss__min_size(job.block_rows, n_rows));
    job.scratch = ss_tensor_work_scratch(work, SS_TENSOR_SLOT_KERNEL,
                                         job.n_threads * job.layout.total * sizeof(float));
    if (job.scratch == NULL) {
        return ss__fail_nomem(err, "a block of matrix products");
    }
    ss_tensor_work_run(work, count_parts(&job), flops_of(steps, n_steps, n_rows), steps_task,
                       &job);
    return SS_OK;
}
