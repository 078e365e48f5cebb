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
#include "tensor/tensor_priv.h"

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

/* One thread's block: the rows that it packs, and the current panel of sums. */
struct block {
    const struct ss_tensor_matrix *w;
    const float *x; /* [n_rows, K] */
    size_t n_rows;
    float *sums;   /* [n_rows, tile_cols] */
    float *scales; /* [blocks of K, n_rows] */
    float *a;      /* words */
    /* Where the sums go: */
    const struct ss_tensor_tile_callback *callback;
    const struct ss_tensor_epilogue
        *epilogue; /* without a callback; its residual and y are the block's */
    float *y;
};

/* Floats of a block's scratch: sums, scales, and the packed rows. */
struct layout {
    size_t scales, a, total;
};

static struct layout scratch_layout(const struct ss_tensor_matrix *w, size_t n_rows)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    const size_t n_blocks = ss__divide_up(w->n_in, m->k_block);
    struct layout l = {.scales = n_rows * m->tile_cols};
    l.a = l.scales + (m->scheme == NULL ? 0 : ss__round_up(n_blocks * n_rows, SS_TENSOR_LANES));
    l.total =
        l.a + n_rows * ss__round_up(ss_tensor_multiplier_words(m, w->n_in), SS_TENSOR_LANES);
    return l;
}

/* Pointers into the thread's scratch, as scratch_layout counts it. */
static void lay_out(struct block *self, float *scratch)
{
    const struct layout layout = scratch_layout(self->w, self->n_rows);
    self->sums = scratch;
    self->scales = scratch + layout.scales;
    self->a = scratch + layout.a;
}

/* Prefetch what is packed next of the same rows: the hardware prefetcher does not detect such
 * short runs.
 */
static void prefetch_inputs(const float *x, size_t x_stride, size_t n_rows, size_t n_k)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n_k; i += SS_TENSOR_LANES) {
            __builtin_prefetch(x + r * x_stride + i, 0, 2);
        }
    }
}

/* All of K of the rows as A operands: block of K after block of K, tile after tile. */
static void pack_block(const struct block *self)
{
    const struct ss_tensor_multiplier *m = self->w->multiplier;
    const size_t n_in = self->w->n_in;
    float *a = self->a, *scales = self->scales;
    for (size_t k = 0; k < n_in; k += m->k_block) {
        const size_t n_k = ss__min_size(m->k_block, n_in - k);
        for (size_t r = 0; r < self->n_rows; r += m->tile_rows) {
            const size_t n = ss__min_size(m->tile_rows, self->n_rows - r);
            const float *x = self->x + r * n_in;
            const size_t n_next = ss__min_size(m->k_block, n_in - k - n_k);
            prefetch_inputs(x + k + n_k, n_in, n, n_next);
            ss_tensor_matrix_pack(self->w, x, n, k, a, scales);
            a += n * ss__round_up(ss_tensor_multiplier_words(m, n_k), SS_TENSOR_LANES);
            scales += n;
        }
    }
}

/* The part of bias, residual and result that belongs to a tile. */
static struct ss_tensor_block_epilogue tile_epilogue(const struct block *self, size_t r,
                                                     size_t n, size_t j)
{
    const struct ss_tensor_epilogue *epilogue = self->epilogue;
    const size_t cols = self->w->multiplier->tile_cols, n_out = self->w->n_out;
    const size_t at = r * n_out + j;
    return (struct ss_tensor_block_epilogue){
        .n_rows = n,
        .n_cols = ss__min_size(cols, n_out - j),
        .sums = self->sums + r * cols,
        .sums_stride = cols,
        .bias = epilogue->bias == NULL ? NULL : epilogue->bias + j,
        .residual = epilogue->residual == NULL ? NULL : epilogue->residual + at,
        .out = self->y + at,
        .out_stride = n_out,
        .activation = epilogue->activation,
    };
}

/* Prefetch the memory that a tile's epilogue will touch while the tile is computed. */
static void prefetch_epilogue(const struct ss_tensor_block_epilogue *epilogue)
{
    for (size_t r = 0; r < epilogue->n_rows; r++) {
        for (size_t j = 0; j < epilogue->n_cols; j += SS_TENSOR_LANES) {
            __builtin_prefetch(epilogue->out + r * epilogue->out_stride + j, 1);
            if (epilogue->residual != NULL) {
                __builtin_prefetch(epilogue->residual + r * epilogue->out_stride + j);
            }
        }
    }
}

/* The last inputs of a tile, after which the sums are complete. */
static void finish_tile(const struct block *self, const struct ss_tensor_tile *tile, size_t r,
                        size_t n, size_t j)
{
    const struct ss_tensor_multiplier *m = self->w->multiplier;
    const struct ss_tensor_tile_callback *callback = self->callback;
    if (callback != NULL) {
        m->tile[n - 1](tile);
        callback->on_tile(callback->context,
                          &(struct ss_tensor_tile_sums){
                              .row = r,
                              .n_rows = n,
                              .output = j,
                              .n_outputs = ss__min_size(m->tile_cols, callback->end - j),
                              .at = tile->c,
                              .stride = tile->c_stride});
        return;
    }
    const struct ss_tensor_block_epilogue epilogue = tile_epilogue(self, r, n, j);
    prefetch_epilogue(&epilogue);
    m->tile[n - 1](tile);
    ss_tensor_kernels()->rows->apply_epilogue(&epilogue);
}

/* The first tile of a block's rows with a panel's inputs from k on; A and what comes next are
 * left open. */
static struct ss_tensor_tile first_tile(const struct block *self, size_t j, size_t k)
{
    const struct ss_tensor_matrix *w = self->w;
    const struct ss_tensor_multiplier *m = w->multiplier;
    const size_t cols = m->tile_cols, n_words = ss_tensor_multiplier_words(m, w->n_in);
    const size_t scales_at = k / m->k_block * ss__round_up(w->n_out, cols) + j;
    return (struct ss_tensor_tile){
        .b = (float *)w->panels + j * n_words + k / m->word_inputs * cols,
        .n_words = ss_tensor_multiplier_words(m, ss__min_size(m->k_block, w->n_in - k)),
        .c = self->sums,
        .c_stride = cols,
        .is_first = k == 0,
        .has_own_sum = true,
        .a_scales = self->scales + k / m->k_block * self->n_rows,
        .b_scales = w->scales == NULL ? NULL : w->scales + scales_at,
        .b_corrections = w->corrections == NULL ? NULL : w->corrections + scales_at,
    };
}

/* Inputs from k on of all rows of a block, for the outputs j … of one panel; gives the A that
 * follows. */
static const float *multiply_inputs(const struct block *self, size_t j, size_t k,
                                    const float *a)
{
    const struct ss_tensor_multiplier *m = self->w->multiplier;
    const bool is_last = k + m->k_block >= self->w->n_in;
    struct ss_tensor_tile tile = first_tile(self, j, k);
    const float *b = tile.b;
    const size_t row_words = ss__round_up(tile.n_words, SS_TENSOR_LANES);
    for (size_t r = 0, part = 0; r < self->n_rows; r += m->tile_rows, part++) {
        const size_t n = ss__min_size(m->tile_rows, self->n_rows - r);
        tile.a = a;
        /* each of the first eight tiles fetches an eighth of the panel's next part */
        tile.prefetch = part < 8 ? b + (tile.n_words + 2 * part) * m->tile_cols : b;
        if (is_last) {
            finish_tile(self, &tile, r, n, j);
        } else {
            m->tile[n - 1](&tile);
        }
        a += n * row_words;
        tile.c += n * m->tile_cols;
        tile.a_scales += n;
    }
    return a;
}

/* All rows of a block with the panels of outputs `from` … `to` - 1. */
static void multiply_panels(const struct block *self, size_t from, size_t to)
{
    const struct ss_tensor_multiplier *m = self->w->multiplier;
    pack_block(self);
    for (size_t j = from; j < to; j += m->tile_cols) {
        const float *a = self->a;
        for (size_t k = 0; k < self->w->n_in; k += m->k_block) {
            a = multiply_inputs(self, j, k, a);
        }
    }
    ss_tensor_multiplier_finish(m);
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
    struct ss_tensor_epilogue epilogue = *job->epilogue;
    epilogue.residual = epilogue.residual == NULL ? NULL : epilogue.residual + row * n_out;
    struct block block = {.w = job->w,
                          .x = job->x + row * n_in,
                          .n_rows = next_rows(job, job->n_rows - row),
                          .epilogue = &epilogue,
                          .y = job->y + row * n_out};
    lay_out(&block, job->scratch +
                        worker * ss_tensor_linear_tiles_floats(job->w, partition->block_rows));
    multiply_panels(&block, from, ss__min_size(from + partition->group_outputs, n_out));
    if (epilogue.norm_gain != NULL && partition->n_groups == 1) {
        ss_tensor_kernels()->rows->layer_norm(
            &(struct ss_tensor_norm){.x = block.y,
                                     .n_rows = block.n_rows,
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
    return scratch_layout(w, n_rows).total;
}

void ss_tensor_linear_tiles(const struct ss_tensor_tile_callback *callback)
{
    struct block block = {
        .w = callback->w, .x = callback->x, .n_rows = callback->n_rows, .callback = callback};
    lay_out(&block, callback->scratch);
    multiply_panels(&block, callback->from, callback->end);
}
