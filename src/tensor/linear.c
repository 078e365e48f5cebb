/* y = end(x Wᵀ): rows in blocks that a thread packs once and keeps in its second-level cache;
 * for each panel of outputs, blocks of K whose part of the panel stays in the first level; for
 * each of them all tiles of the row block. The end of a panel is done while its sums are in
 * cache, LayerNorm when the row block is complete. */
#include <stdalign.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum {
    BLOCK_ROWS = 224, /* at most this many rows of x are packed at once: fewer read the weights
                         too often, more leave the second cache */
    STACK_TILES = 4   /* tiles that ss__linear_block packs at once, on the stack */
};

struct linear_job {
    const struct ss__kernels *kernels;
    const struct ss__multiplier *multiplier;
    const struct ss__matrix *w;
    const struct ss__end *end;
    const float *x;
    float *y;
    size_t n_rows, block_rows;
    size_t n_groups, panels_per_group; /* columns are shared out too where rows are few */
    float *scratch;
};

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* What one thread works on: a packed block of rows. */
struct block {
    const struct linear_job *job;
    float *a;      /* words */
    float *scales; /* [blocks of K, n_rows] */
    float *sums;   /* [n_rows, tile_cols] of the panel at hand */
    size_t row, n_rows;
};

/* All of K of the rows as A operands: block of K after block of K, tile after tile. */
static void pack_block(const struct block *self)
{
    const struct ss__multiplier *m = self->job->multiplier;
    const size_t n_in = self->job->w->n_in;
    const float *x = self->job->x + self->row * n_in;
    float *a = self->a, *scales = self->scales;
    for (size_t k = 0; k < n_in; k += m->k_block) {
        const size_t n_k = ss__min_size(m->k_block, n_in - k);
        for (size_t r = 0; r < self->n_rows; r += m->tile_rows) {
            const size_t n = ss__min_size(m->tile_rows, self->n_rows - r);
            ss__multiplier_pack(m, x + r * n_in + k, n_in, n, n_k, a, scales);
            a += n * ss__round_up(ss__multiplier_words(m, n_k), SS__LANES);
            scales += n;
        }
    }
}

static struct ss__block_end tile_end(const struct block *self, size_t r, size_t n, size_t j)
{
    const struct linear_job *job = self->job;
    const size_t cols = job->multiplier->tile_cols, n_out = job->w->n_out;
    const size_t at = (self->row + r) * n_out + j;
    return (struct ss__block_end){
        .n_rows = n,
        .n_cols = ss__min_size(cols, n_out - j),
        .sums = self->sums + r * cols,
        .sums_stride = cols,
        .bias = job->end->bias == NULL ? NULL : job->end->bias + j,
        .residual = job->end->residual == NULL ? NULL : job->end->residual + at,
        .out = job->y + at,
        .out_stride = n_out,
        .activation = job->end->activation,
    };
}

/* Ask for the memory that a tile's end will touch while the tile is computed. */
static void fetch_end(const struct ss__block_end *end)
{
    for (size_t r = 0; r < end->n_rows; r++) {
        for (size_t j = 0; j < end->n_cols; j += SS__LANES) {
            __builtin_prefetch(end->out + r * end->out_stride + j, 1);
            if (end->residual != NULL) {
                __builtin_prefetch(end->residual + r * end->out_stride + j);
            }
        }
    }
}

/* The first tile of a block's rows with a panel's inputs from k on; A and what comes next are
 * left open. */
static struct ss__tile first_tile(const struct block *self, size_t j, size_t k)
{
    const struct ss__matrix *w = self->job->w;
    const struct ss__multiplier *m = self->job->multiplier;
    const size_t cols = m->tile_cols, n_words = ss__multiplier_words(m, w->n_in);
    const size_t scales_at = k / m->k_block * ss__round_up(w->n_out, cols) + j;
    return (struct ss__tile){
        .b = (float *)w->panels + j * n_words + k / m->word_inputs * cols,
        .n_words = ss__multiplier_words(m, ss__min_size(m->k_block, w->n_in - k)),
        .c = self->sums,
        .c_stride = cols,
        .is_first = k == 0,
        .a_scales = self->scales + k / m->k_block * self->n_rows,
        .b_scales = w->scales == NULL ? NULL : w->scales + scales_at,
        .b_offsets = w->offsets == NULL ? NULL : w->offsets + scales_at,
    };
}

/* Inputs from k on of all rows of a block, for the outputs j … of one panel; gives the A that
 * follows. */
static const float *multiply_inputs(const struct block *self, size_t j, size_t k,
                                    const float *a)
{
    const struct ss__multiplier *m = self->job->multiplier;
    const bool is_last = k + m->k_block >= self->job->w->n_in;
    struct ss__tile tile = first_tile(self, j, k);
    const float *b = tile.b;
    const size_t row_words = ss__round_up(tile.n_words, SS__LANES);
    for (size_t r = 0, part = 0; r < self->n_rows; r += m->tile_rows, part++) {
        const size_t n = ss__min_size(m->tile_rows, self->n_rows - r);
        tile.a = a;
        tile.ahead = part < 8 ? b + (tile.n_words + 2 * part) * m->tile_cols : b;
        if (is_last) {
            const struct ss__block_end end = tile_end(self, r, n, j);
            fetch_end(&end);
            m->tile[n - 1](&tile);
            self->job->kernels->rows->end_block(&end);
        } else {
            m->tile[n - 1](&tile);
        }
        a += n * row_words;
        tile.c += n * m->tile_cols;
        tile.a_scales += n;
    }
    return a;
}

/* All rows of a block with the outputs j … of one panel. */
static void multiply_panel(const struct block *self, size_t j)
{
    const float *a = self->a;
    for (size_t k = 0; k < self->job->w->n_in; k += self->job->multiplier->k_block) {
        a = multiply_inputs(self, j, k, a);
    }
}

/* Floats of a worker's scratch: sums, scales, and the packed rows. */
struct layout {
    size_t scales, a, total;
};

static struct layout scratch_layout(const struct linear_job *job)
{
    const struct ss__multiplier *m = job->multiplier;
    const size_t n_in = job->w->n_in, n_blocks = divide_up(n_in, m->k_block);
    struct layout l = {.scales = BLOCK_ROWS * SS__MAX_TILE_COLS};
    l.a = l.scales + (m->grid == NULL ? 0 : ss__round_up(n_blocks * job->block_rows, 16));
    l.total = l.a + job->block_rows * ss__round_up(ss__multiplier_words(m, n_in), SS__LANES);
    return l;
}

static void linear_task(void *context, size_t index, size_t worker)
{
    const struct linear_job *job = context;
    const struct ss__end *end = job->end;
    const size_t cols = job->multiplier->tile_cols, n_out = job->w->n_out;
    const size_t row = index / job->n_groups * job->block_rows;
    const size_t n_rows = ss__min_size(job->block_rows, job->n_rows - row);
    const size_t from = index % job->n_groups * job->panels_per_group * cols;
    const size_t to = ss__min_size(from + job->panels_per_group * cols, n_out);
    const struct layout layout = scratch_layout(job);
    float *scratch = job->scratch + worker * layout.total;
    const struct block block = {.job = job,
                                .a = scratch + layout.a,
                                .scales = scratch + layout.scales,
                                .sums = scratch,
                                .row = row,
                                .n_rows = n_rows};
    pack_block(&block);
    for (size_t j = from; j < to; j += cols) {
        multiply_panel(&block, j);
    }
    if (end->norm_gain != NULL && job->n_groups == 1) {
        job->kernels->rows->layer_norm(&(struct ss__norm){.x = job->y + row * n_out,
                                                          .n_rows = n_rows,
                                                          .width = n_out,
                                                          .gain = end->norm_gain,
                                                          .shift = end->norm_shift,
                                                          .eps = end->norm_eps});
    }
}

/* Tiles per row block: as many as BLOCK_ROWS allows, fewer where that shares the rows out
 * better; a single block where they fit in one. */
static size_t choose_tiles(size_t n_tiles, size_t most, size_t n_threads)
{
    size_t best = most, best_cost = SIZE_MAX;
    if (n_tiles <= most) {
        return n_tiles;
    }
    for (size_t t = most; t >= divide_up(most, 2); t--) {
        const size_t cost = divide_up(divide_up(n_tiles, t), n_threads) * t;
        if (cost < best_cost) {
            best_cost = cost;
            best = t;
        }
    }
    return best;
}

/* Fill in the cutting of the job; returns the number of tasks. */
static size_t plan(struct linear_job *job, size_t n_threads)
{
    const size_t tile_rows = job->multiplier->tile_rows;
    const size_t n_panels = divide_up(job->w->n_out, job->multiplier->tile_cols);
    const size_t tiles =
        choose_tiles(divide_up(job->n_rows, tile_rows), BLOCK_ROWS / tile_rows, n_threads);
    job->block_rows = tiles * tile_rows;
    const size_t n_blocks = divide_up(job->n_rows, job->block_rows);
    const size_t wanted = n_blocks >= n_threads ? 1 : divide_up(2 * n_threads, n_blocks);
    job->panels_per_group = divide_up(n_panels, ss__min_size(wanted, n_panels));
    job->n_groups = divide_up(n_panels, job->panels_per_group);
    return n_blocks * job->n_groups;
}

ss_status ss__linear(ss_work *work, const struct ss__matrix *w, const float *x, size_t n_rows,
                     float *y, const struct ss__end *end, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__end no_end = {0};
    struct linear_job job = {.kernels = ss__kernels(),
                             .multiplier = w->multiplier,
                             .w = w,
                             .end = end == NULL ? &no_end : end,
                             .x = x,
                             .y = y,
                             .n_rows = n_rows};
    if (n_rows == 0) {
        goto out;
    }
    const size_t n_threads = ss_work_n_threads(work);
    const size_t n_tasks = plan(&job, n_threads);
    job.scratch = ss__work_scratch(work, SS__SLOT_KERNEL,
                                   n_threads * scratch_layout(&job).total * sizeof(float));
    if (job.scratch == NULL) {
        status = ss__fail_nomem(err, "a block of a matrix product");
        goto out;
    }
    ss__work_run(work, n_tasks, 2.0 * (double)n_rows * (double)w->n_in * (double)w->n_out,
                 linear_task, &job);
    if (job.end->norm_gain != NULL && job.n_groups > 1) {
        ss__layer_norm(work, y, n_rows, w->n_out, job.end->norm_gain, job.end->norm_shift,
                       job.end->norm_eps);
    }
out:
    return status;
}

/* ---- blocks for callers that throw them away ---- */

struct small_block {
    const struct ss__kernels *kernels;
    const struct ss__multiplier *multiplier;
    const float *x;
    size_t n_rows, n_in;
    const float *panels;
    size_t n_out;
    float *out;
    size_t out_stride;
};

/* Add the inputs k … k + n_k - 1 to the sums of one panel. */
static void add_to_panel(const struct small_block *self, const float *a, size_t k, size_t n_k,
                         size_t j)
{
    const size_t cols = self->multiplier->tile_cols, tile_rows = self->multiplier->tile_rows;
    const float *b = self->panels + j * self->n_in + k * cols;
    for (size_t r = 0; r < self->n_rows; r += tile_rows) {
        const size_t n = ss__min_size(tile_rows, self->n_rows - r);
        self->multiplier->tile[n - 1](&(struct ss__tile){
            .a = a,
            .b = b,
            .n_words = n_k,
            .c = self->out + r * self->out_stride + j,
            .c_stride = self->out_stride,
            .is_first = k == 0,
            .ahead = b,
        });
        a += n * ss__round_up(n_k, SS__LANES);
    }
}

/* The panels of `self`, all whole. */
static void multiply_whole(const struct small_block *self)
{
    alignas(64) float a[STACK_TILES * SS__MAX_FP32_ROWS * SS__K_BLOCK];
    const size_t tile_rows = self->multiplier->tile_rows;
    for (size_t k = 0; k < self->n_in; k += SS__K_BLOCK) {
        const size_t n_k = ss__min_size(SS__K_BLOCK, self->n_in - k);
        float *at = a;
        for (size_t r = 0; r < self->n_rows; r += tile_rows) {
            const size_t n = ss__min_size(tile_rows, self->n_rows - r);
            ss__pack_rows(self->x + r * self->n_in + k, self->n_in, n, n_k, at);
            at += n * ss__round_up(n_k, SS__LANES);
        }
        for (size_t j = 0; j < self->n_out; j += self->multiplier->tile_cols) {
            add_to_panel(self, a, k, n_k, j);
        }
    }
}

/* The last panel, of which only n outputs are wanted, by way of a whole one. */
static void multiply_part(struct small_block self, size_t n)
{
    alignas(64) float sums[STACK_TILES * SS__MAX_FP32_ROWS * SS__MAX_TILE_COLS];
    float *out = self.out;
    const size_t out_stride = self.out_stride, cols = self.multiplier->tile_cols;
    self.n_out = cols;
    self.out = sums;
    self.out_stride = cols;
    multiply_whole(&self);
    self.kernels->rows->end_block(&(struct ss__block_end){.n_rows = self.n_rows,
                                                          .n_cols = n,
                                                          .sums = sums,
                                                          .sums_stride = cols,
                                                          .out = out,
                                                          .out_stride = out_stride});
}

void ss__linear_block(const struct ss__matrix *w, const float *x, size_t n_rows, size_t n0,
                      size_t n, const float *bias, float *out, size_t out_stride)
{
    const struct ss__kernels *kernels = ss__kernels();
    const struct ss__multiplier *m = w->multiplier;
    const float *panels = w->panels;
    const size_t whole = n / m->tile_cols * m->tile_cols;
    const size_t step = STACK_TILES * m->tile_rows;
    for (size_t r = 0; r < n_rows; r += step) {
        struct small_block block = {.kernels = kernels,
                                    .multiplier = m,
                                    .x = x + r * w->n_in,
                                    .n_rows = ss__min_size(step, n_rows - r),
                                    .n_in = w->n_in,
                                    .panels = panels + n0 * w->n_in,
                                    .n_out = whole,
                                    .out = out + r * out_stride,
                                    .out_stride = out_stride};
        multiply_whole(&block);
        if (whole < n) {
            block.panels += whole * w->n_in;
            block.out += whole;
            multiply_part(block, n - whole);
        }
    }
    if (bias != NULL) {
        kernels->rows->end_block(&(struct ss__block_end){.n_rows = n_rows,
                                                         .n_cols = n,
                                                         .sums = out,
                                                         .sums_stride = out_stride,
                                                         .bias = bias,
                                                         .out = out,
                                                         .out_stride = out_stride});
    }
}
