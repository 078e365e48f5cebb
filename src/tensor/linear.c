/* y = epilogue(x Wᵀ): rows in blocks that a thread packs once and keeps in its L2 cache; for
 * each panel of outputs, blocks of K whose part of the panel stays near the core; for each of
 * them all tiles of the row block. The epilogue of a panel is applied while its sums are in
 * cache, LayerNorm when the row block is complete. With a per-tile callback
 * (ss_tensor_linear_tiles) the sums go to the caller and are not stored.
 *
 * How the rows are cut and which thread takes a part does not change a sum: every output
 * element is made by one tile, of its row's inputs in ascending order (docs/numerics.md, "One
 * order of sums"). A tile with fewer rows than a whole one has a kernel of its own, so nothing
 * is padded in that direction. */
#include "base/mem.h"
#include "tensor/block_priv.h"

enum {
    BLOCK_ROWS = 224, /* at most this many rows of x are packed at once: fewer read the weights
                        too often, more leave the L2 cache */
    MAX_BLOCK_ROWS = 512 /* where the numbers are smaller */
};

struct linear_job {
    const struct ss_tensor_matrix *w;
    const struct ss_tensor_epilogue *epilogue;
    const float *x;
    float *y;
    size_t n_rows, n_threads;
    struct ss_tensor_partition partition;
    bool is_guided; /* blocks become smaller towards the end */
    float *scratch; /* [threads, ss_tensor_linear_tiles_floats(block_rows)] */
};

/* Rows with the panels of outputs `first` … `end` - 1: all their inputs are packed once. */
static void multiply_rows(const struct ss_tensor_matrix *w, const float *x, size_t n_rows,
                          struct ss_tensor_panels panels, float *scratch)
{
    const struct ss_tensor_block block =
        ss_tensor_block_at(w, n_rows, 0, w->n_in, scratch + ss_tensor_block_sums(w, n_rows));
    panels.sums = scratch;
    ss_tensor_block_pack(&block, x, w->n_in);
    ss_tensor_block_run(&block, &panels);
    ss_tensor_multiplier_finish(w->multiplier);
}

/* Rows of the block that begins where `left` rows are left. Guided ones are half a thread's
 * share of those, between a whole block and a quarter: threads end within a quarter block of
 * each other. */
static size_t next_rows(const struct linear_job *job, size_t left)
{
    const size_t tile_rows = job->w->multiplier->tile_rows, whole = job->partition.block_rows;
    size_t n = whole;
    if (job->is_guided) {
        const size_t least = ss__round_up(whole / 4, tile_rows);
        const size_t share = ss__round_up(left / (2 * job->n_threads), tile_rows);
        n = ss__min_size(ss__max_size(share, least), whole);
    }
    return ss__min_size(n, left);
}

/* The first row of a block. Guided blocks have no formula; there are few of them. */
static size_t row_of(const struct linear_job *job, size_t block)
{
    size_t row = 0;
    for (; block > 0; block--) {
        row += next_rows(job, job->n_rows - row);
    }
    return row;
}

static size_t count_blocks(const struct linear_job *job)
{
    size_t n = 0;
    for (size_t row = 0; row < job->n_rows; n++) {
        row += next_rows(job, job->n_rows - row);
    }
    return n;
}

/* One block of rows with one group of outputs. LayerNorm needs whole rows, so with several
 * groups it comes after all tasks. */
static void linear_task(void *context, size_t index, size_t worker)
{
    const struct linear_job *job = context;
    const struct ss_tensor_partition *partition = &job->partition;
    const size_t n_in = job->w->n_in, n_out = job->w->n_out;
    const size_t row = row_of(job, index / partition->n_groups);
    const size_t from = index % partition->n_groups * partition->group_outputs;
    const size_t n_rows = next_rows(job, job->n_rows - row);
    struct ss_tensor_epilogue epilogue = *job->epilogue;
    epilogue.residual = epilogue.residual == NULL ? NULL : epilogue.residual + row * n_out;
    epilogue.factors = epilogue.factors == NULL ? NULL : epilogue.factors + row * n_out;
    const struct ss_tensor_block_output output = {
        .epilogue = &epilogue, .y = job->y + row * n_out, .y_stride = n_out};
    const struct ss_tensor_panels panels = {
        .first = from,
        .end = ss__min_size(from + partition->group_outputs, n_out),
        .output = &output};
    multiply_rows(job->w, job->x + row * n_in, n_rows, panels,
                  job->scratch +
                      worker * ss_tensor_linear_tiles_floats(job->w, partition->block_rows));
    if (epilogue.norm_gain != NULL && partition->n_groups == 1) {
        ss_tensor_kernels()->rows->layer_norm(
            &(struct ss_tensor_norm){.x = output.y,
                                     .n_rows = n_rows,
                                     .width = n_out,
                                     .gain = epilogue.norm_gain,
                                     .shift = epilogue.norm_shift,
                                     .eps = epilogue.norm_eps});
    }
}

/* Rows of a block, whole tiles: A of one stays in the L2 cache. */
static size_t max_rows(const struct ss_tensor_matrix *w)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    size_t n = BLOCK_ROWS;
    if (m->block_bytes != 0) {
        const size_t row_bytes = ss_tensor_multiplier_words(m, w->n_in) * sizeof(float);
        n = ss__min_size(m->block_bytes / row_bytes, MAX_BLOCK_ROWS);
    }
    return ss__max_size(n / m->tile_rows, 1) * m->tile_rows;
}

/* Tiles per row block: as many as are allowed, fewer where that shares the rows out
 * better; a single block where they fit in one. */
static size_t choose_tiles(size_t n_tiles, size_t max_tiles, size_t n_threads)
{
    size_t best = max_tiles, best_cost = SIZE_MAX;
    if (n_tiles <= max_tiles) {
        return n_tiles;
    }
    for (size_t t = max_tiles; t >= ss__divide_up(max_tiles, 2); t--) {
        const size_t cost = ss__divide_up(ss__divide_up(n_tiles, t), n_threads) * t;
        if (cost < best_cost) {
            best_cost = cost;
            best = t;
        }
    }
    return best;
}

/* Rows are parted first; outputs too, where there are fewer blocks of rows than threads. */
struct ss_tensor_partition ss_tensor_linear_partition(const struct ss_tensor_matrix *w,
                                                      size_t n_rows, size_t n_threads)
{
    const size_t tile_rows = w->multiplier->tile_rows, cols = w->multiplier->tile_cols;
    const size_t n_panels = ss__divide_up(w->n_out, cols);
    const size_t tiles =
        choose_tiles(ss__divide_up(n_rows, tile_rows), max_rows(w) / tile_rows, n_threads);
    struct ss_tensor_partition partition = {.block_rows = ss__max_size(tiles, 1) * tile_rows};
    partition.n_blocks = ss__divide_up(n_rows, partition.block_rows);
    /* as many groups as give each thread two tasks, where there are fewer blocks than
     * threads */
    const size_t wanted =
        partition.n_blocks >= n_threads
            ? 1
            : ss__divide_up(2 * n_threads, ss__max_size(partition.n_blocks, 1));
    const size_t group = ss__divide_up(n_panels, ss__min_size(wanted, n_panels));
    partition.group_outputs = group * cols;
    partition.n_groups = ss__divide_up(n_panels, group);
    return partition;
}

/* A norm needs whole rows: where outputs are parted it runs afterwards. */
ss_status ss_tensor_linear(ss_work *work, const struct ss_tensor_matrix *w, const float *x,
                           size_t n_rows, float *y, const struct ss_tensor_epilogue *epilogue,
                           ss_err *err)
{
    const struct ss_tensor_epilogue no_epilogue = {0};
    const size_t n_threads = ss_work_n_threads(work);
    struct linear_job job = {.w = w,
                             .epilogue = epilogue == NULL ? &no_epilogue : epilogue,
                             .x = x,
                             .y = y,
                             .n_rows = n_rows,
                             .n_threads = n_threads,
                             .partition = ss_tensor_linear_partition(w, n_rows, n_threads)};
    if (n_threads > 1 && job.partition.n_blocks > n_threads) {
        job.is_guided = true;
        job.partition.block_rows = max_rows(w);
    }
    job.scratch = ss_tensor_work_scratch(
        work, SS_TENSOR_SLOT_KERNEL,
        n_threads * ss_tensor_linear_tiles_floats(w, job.partition.block_rows) * sizeof(float));
    if (job.scratch == NULL) {
        return ss__fail_nomem(err, "a block of a matrix product");
    }
    ss_tensor_work_run(work, count_blocks(&job) * job.partition.n_groups,
                       2.0 * (double)n_rows * (double)w->n_in * (double)w->n_out, linear_task,
                       &job);
    if (job.epilogue->norm_gain != NULL && job.partition.n_groups > 1) {
        ss_tensor_layer_norm(work, y, n_rows, w->n_out, job.epilogue->norm_gain,
                             job.epilogue->norm_shift, job.epilogue->norm_eps);
    }
    return SS_OK;
}

/* ---- threshold tests of tiles ---- */

size_t ss_tensor_linear_tiles_floats(const struct ss_tensor_matrix *w, size_t n_rows)
{
    return ss_tensor_block_sums(w, n_rows) + ss_tensor_block_floats(w, n_rows, w->n_in);
}

void ss_tensor_linear_tiles(const struct ss_tensor_tile_callback *callback)
{
    const struct ss_tensor_block_output output = {.callback = callback};
    multiply_rows(callback->w, callback->x, callback->n_rows,
                  (struct ss_tensor_panels){
                      .first = callback->from, .end = callback->end, .output = &output},
                  callback->scratch);
}
