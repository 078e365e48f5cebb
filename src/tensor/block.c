/* One block of K of a block of rows with one panel of outputs, tile by tile: the part of the
 * panel stays near the core while all tiles of rows pass by, and what the epilogue needs is in
 * cache. A multiplier may read a block's part of a panel by smaller parts still.
 *
 * Where a multiplier lets its epilogues run while other products go on, those of a panel do so
 * during the next one, by a few rows after each group of inputs.
 *
 * How the rows are cut does not change a sum: every output element is made of its row's inputs
 * in ascending order (docs/numerics.md, "One order of sums"). A tile with fewer rows than a
 * whole one has a kernel of its own, so nothing is padded in that direction. */
#include "base/mem.h"
#include "tensor/block_priv.h"

size_t ss_tensor_packed_floats(const struct ss_tensor_multiplier *m, size_t n_rows, size_t n_k)
{
    return n_rows * ss__round_up(ss_tensor_multiplier_words(m, n_k), SS_TENSOR_LANES);
}

static size_t scale_floats(const struct ss_tensor_matrix *w, size_t n_rows, size_t n_k)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    const size_t n = ss__divide_up(n_k, m->k_block) * n_rows;
    return m->scheme == NULL ? 0 : ss__round_up(n, SS_TENSOR_LANES);
}

size_t ss_tensor_block_floats(const struct ss_tensor_matrix *w, size_t n_rows, size_t n_k)
{
    return scale_floats(w, n_rows, n_k) + ss_tensor_packed_floats(w->multiplier, n_rows, n_k);
}

struct ss_tensor_block ss_tensor_block_at(const struct ss_tensor_matrix *w, size_t n_rows,
                                          size_t from, size_t to, float *scratch)
{
    return (struct ss_tensor_block){.w = w,
                                    .n_rows = n_rows,
                                    .from = from,
                                    .to = to,
                                    .a = scratch + scale_floats(w, n_rows, to - from),
                                    .scales = w->multiplier->scheme == NULL ? NULL : scratch};
}

/* ---- packing ---- */

/* One block of K: its inputs begin with k. */
struct inputs {
    size_t k, n_k;
    float *a, *scales;
};

static struct inputs inputs_at(const struct ss_tensor_block *block, size_t k)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    const size_t before = k - block->from;
    return (struct inputs){.k = k,
                           .n_k = ss__min_size(m->k_block, block->to - k),
                           .a = block->a + ss_tensor_packed_floats(m, block->n_rows, before),
                           .scales = m->scheme == NULL
                                         ? NULL
                                         : block->scales + before / m->k_block * block->n_rows};
}

/* Prefetch what is packed next of the same rows: the hardware prefetcher does not detect such
 * short runs. */
static void prefetch_inputs(const float *x, size_t x_stride, size_t n_rows, size_t n_k)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n_k; i += SS_TENSOR_LANES) {
            __builtin_prefetch(x + r * x_stride + i, 0, 2);
        }
    }
}

/* x at the inputs of the first row. */
static void pack_inputs(const struct ss_tensor_block *block, const struct inputs *inputs,
                        const float *x, size_t x_stride)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    const size_t n_next = ss__min_size(m->k_block, block->to - inputs->k - inputs->n_k);
    float *a = inputs->a, *scales = inputs->scales;
    for (size_t r = 0; r < block->n_rows; r += m->tile_rows) {
        const size_t n = ss__min_size(m->tile_rows, block->n_rows - r);
        prefetch_inputs(x + r * x_stride + inputs->n_k, x_stride, n, n_next);
        const struct ss_tensor_rows_block rows = {x + r * x_stride, x_stride, n, inputs->k};
        ss_tensor_matrix_pack(block->w, &rows, a, scales == NULL ? NULL : scales + r);
        a += ss_tensor_packed_floats(m, n, inputs->n_k);
    }
}

void ss_tensor_block_pack(const struct ss_tensor_block *block, const float *x, size_t x_stride)
{
    for (size_t k = block->from; k < block->to; k += block->w->multiplier->k_block) {
        const struct inputs inputs = inputs_at(block, k);
        pack_inputs(block, &inputs, x + (k - block->from), x_stride);
    }
}

bool ss_tensor_can_pack_outputs(const struct ss_tensor_multiplier *m)
{
    return m->packs_outputs || m->pack == ss_tensor_pack_rows;
}

/* ---- epilogues ---- */

/* The part of bias, residual, factors and result that belongs to the tile of n rows at row r
 * with the outputs j … */
static struct ss_tensor_block_epilogue tile_epilogue(const struct ss_tensor_matrix *w,
                                                     const struct ss_tensor_block_output *out,
                                                     size_t r, size_t n, size_t j)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    const struct ss_tensor_epilogue *epilogue = out->epilogue;
    const size_t at = r * w->n_out + j, column = j - out->from;
    struct ss_tensor_block_epilogue e = {
        .n_rows = n,
        .n_cols = ss__min_size(m->tile_cols, w->n_out - j),
        .sums_stride = m->tile_cols,
        .bias = epilogue->bias == NULL ? NULL : epilogue->bias + j,
        .factors = epilogue->factors == NULL ? NULL : epilogue->factors + at,
        .residual = epilogue->residual == NULL ? NULL : epilogue->residual + at,
        .other_stride = w->n_out,
        .out = out->y + r * out->y_stride + column,
        .out_stride = out->y_stride,
        .group_stride = SS_TENSOR_LANES,
        .activation = epilogue->activation,
    };
    if (out->n_packed > 0) {
        e.is_packed = true;
        e.out =
            out->y + ss_tensor_packed_floats(m, r, out->n_packed) + column / m->word_inputs * n;
        e.out_stride = SS_TENSOR_LANES;
        e.group_stride = n * SS_TENSOR_LANES;
    }
    return e;
}

/* Prefetch the memory that a tile's epilogue will touch while the tile is computed. */
static void prefetch_epilogue(const struct ss_tensor_block_epilogue *epilogue)
{
    const float *out = epilogue->out, *residual = epilogue->residual;
    for (size_t r = 0; r < epilogue->n_rows; r++, out += epilogue->out_stride) {
        const float *group = out;
        for (size_t j = 0; j < epilogue->n_cols; j += SS_TENSOR_LANES) {
            __builtin_prefetch(group, 1);
            group += epilogue->group_stride;
        }
    }
    for (size_t r = 0; residual != NULL && r < epilogue->n_rows; r++) {
        for (size_t j = 0; j < epilogue->n_cols; j += SS_TENSOR_LANES) {
            __builtin_prefetch(residual + j);
        }
        residual += epilogue->other_stride;
    }
}

/* ---- parts of a panel ---- */

/* The words word … word + n_words - 1 of one block of K, which all rows pass by before the
 * next. */
struct part {
    struct inputs inputs;
    size_t word, n_words, n_all; /* n_all: words of the block of K */
    size_t number, n_parts;      /* of a panel */
};

/* Of outputs j … */
static const float *part_weights(const struct ss_tensor_matrix *w, const struct part *part,
                                 size_t j)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    return (float *)w->panels + j * ss_tensor_multiplier_words(m, w->n_in) +
           (part->inputs.k / m->word_inputs + part->word) * m->tile_cols;
}

/* The weights that follow: of the same panel, or of the next. */
static const float *next_weights(const struct ss_tensor_block *block, const struct part *part,
                                 size_t j)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    if (part->number + 1 < part->n_parts) {
        return part_weights(block->w, part, j) + part->n_words * m->tile_cols;
    }
    const struct part first = {.inputs = {.k = block->from}};
    return part_weights(block->w, &first, j + m->tile_cols);
}

/* Where the scales of a block of K of outputs j … are. */
static size_t scales_at(const struct ss_tensor_matrix *w, size_t k, size_t j)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    return k / m->k_block * ss__round_up(w->n_out, m->tile_cols) + j;
}

static void call_back(const struct ss_tensor_tile_callback *callback,
                      const struct ss_tensor_matrix *w, size_t row, size_t n_rows, size_t j,
                      float *sums)
{
    const size_t cols = w->multiplier->tile_cols;
    callback->on_tile(callback->context, &(struct ss_tensor_tile_sums){
                                             .row = row,
                                             .n_rows = n_rows,
                                             .output = j,
                                             .n_outputs = ss__min_size(cols, callback->end - j),
                                             .at = sums,
                                             .stride = cols});
}

/* ---- tiles, each with its epilogue ---- */

/* The tile with the last inputs, whose sums go on at once. */
static void finish_tile(const struct ss_tensor_matrix *w, const struct ss_tensor_tile *tile,
                        const struct ss_tensor_block_output *out, size_t r, size_t n, size_t j)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    if (out->callback != NULL) {
        m->tile[n - 1](tile);
        call_back(out->callback, w, r, n, j, tile->c);
        return;
    }
    struct ss_tensor_block_epilogue epilogue = tile_epilogue(w, out, r, n, j);
    epilogue.sums = tile->c;
    prefetch_epilogue(&epilogue);
    m->tile[n - 1](tile);
    ss_tensor_kernels()->rows->apply_epilogue(&epilogue);
}

/* All tiles of rows; output: where their sums go, or NULL. */
static void run_tiles(const struct ss_tensor_block *block, const struct part *part, size_t j,
                      float *sums, const struct ss_tensor_block_output *output)
{
    const struct ss_tensor_matrix *w = block->w;
    const struct ss_tensor_multiplier *m = w->multiplier;
    const size_t row_words = ss__round_up(part->n_all, SS_TENSOR_LANES);
    const size_t scales = scales_at(w, part->inputs.k, j);
    const float *next = next_weights(block, part, j);
    struct ss_tensor_tile tile = {
        .b = part_weights(w, part, j),
        .n_words = part->n_words,
        .c_stride = m->tile_cols,
        .is_first = part->inputs.k == 0,
        .has_own_sum = true,
        .b_scales = w->scales == NULL ? NULL : w->scales + scales,
        .b_corrections = w->corrections == NULL ? NULL : w->corrections + scales,
    };
    for (size_t r = 0, i = 0; r < block->n_rows; r += m->tile_rows, i++) {
        const size_t n = ss__min_size(m->tile_rows, block->n_rows - r);
        tile.a = part->inputs.a + r * row_words;
        tile.c = sums + r * m->tile_cols;
        tile.a_scales = part->inputs.scales == NULL ? NULL : part->inputs.scales + r;
        /* each of the first eight tiles fetches an eighth of what follows */
        tile.prefetch = i < 8 ? next + 2 * i * m->tile_cols : tile.b;
        if (output != NULL) {
            finish_tile(w, &tile, output, r, n, j);
        } else {
            m->tile[n - 1](&tile);
        }
    }
}

/* ---- macro-tiles, with the epilogue of the panel before ---- */

/* A panel whose sums are complete and wait for their epilogue. */
struct pending {
    const struct ss_tensor_block_output *output; /* NULL: nothing waits */
    size_t j;
    const float *sums;
};

/* Whether the sums of integers stay so until their epilogue: where they are of one block of
 * K. */
static bool are_integers(const struct ss_tensor_block *block)
{
    return block->w->scales != NULL && block->w->n_in <= block->w->multiplier->k_block;
}

static void add_side(const struct ss_tensor_block *block, const struct pending *pending,
                     struct ss_tensor_macro_tile *macro)
{
    const struct ss_tensor_matrix *w = block->w;
    const struct ss_tensor_multiplier *m = w->multiplier;
    const struct ss_tensor_block_output *out = pending->output;
    const size_t j = pending->j;
    macro->side = tile_epilogue(w, out, 0, block->n_rows, j);
    macro->side.sums = pending->sums;
    if (are_integers(block)) {
        macro->side.a_scales = block->scales;
        macro->side.b_scales = w->scales + j;
        macro->side.b_corrections = w->corrections + j;
    }
    if (out->n_packed > 0) {
        macro->side.out = out->y;
        macro->side_row_words = ss_tensor_packed_floats(m, 1, out->n_packed);
        macro->side_column_words = (j - out->from) / m->word_inputs;
    }
}

static void finish_pending(const struct ss_tensor_block *block, const struct pending *pending)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    struct ss_tensor_macro_tile macro = {0};
    if (pending->output == NULL) {
        return;
    }
    add_side(block, pending, &macro);
    for (size_t r = 0; r < block->n_rows; r += m->tile_rows) {
        const struct ss_tensor_block_epilogue e =
            ss_tensor_macro_tile_side(&macro, r, ss__min_size(m->tile_rows, block->n_rows - r));
        m->finish_outputs(&e);
    }
}

/* Every tile of rows prefetches its share of the weights that follow. */
static void run_macro_tile(const struct ss_tensor_block *block, const struct part *part,
                           size_t j, float *sums, const struct ss_tensor_block_output *output,
                           const struct pending *pending)
{
    const struct ss_tensor_matrix *w = block->w;
    const struct ss_tensor_multiplier *m = w->multiplier;
    const struct inputs *inputs = &part->inputs;
    const size_t scales = scales_at(w, inputs->k, j);
    const bool is_called = output != NULL && output->callback != NULL;
    const size_t n_tiles = ss__divide_up(block->n_rows, m->tile_rows);
    struct ss_tensor_macro_tile macro = {
        .n_rows = block->n_rows,
        .a = inputs->a,
        .row_words = ss__round_up(part->n_all, SS_TENSOR_LANES),
        .word = part->word,
        .n_words = part->n_words,
        .b = part_weights(w, part, j),
        .c = sums,
        .is_first = inputs->k == 0 && part->word == 0,
        .continues = part->word > 0,
        .rounds_sums = w->scales != NULL && (!are_integers(block) || is_called),
        .a_scales = inputs->scales,
        .b_scales = w->scales == NULL ? NULL : w->scales + scales,
        .b_corrections = w->corrections == NULL ? NULL : w->corrections + scales,
        .prefetch = next_weights(block, part, j),
        .prefetch_lines = ss__divide_up(m->pad_words * m->tile_cols / SS_TENSOR_LANES, n_tiles),
        .side_part = part->number,
    };
    if (pending->output != NULL) {
        add_side(block, pending, &macro);
        macro.n_side_parts = part->n_parts;
    }
    m->macro_kernel(&macro);
    for (size_t r = 0; is_called && r < block->n_rows; r += m->tile_rows) {
        call_back(output->callback, w, r, ss__min_size(m->tile_rows, block->n_rows - r), j,
                  sums + r * m->tile_cols);
    }
}

/* ---- panels ---- */

/* Sums of integers cannot be rounded before they are complete: parts of a block of K only where
 * it is the only one. */
static size_t part_words(const struct ss_tensor_matrix *w, size_t n_all)
{
    const struct ss_tensor_multiplier *m = w->multiplier;
    return m->part_words == 0 || w->n_in > m->k_block ? n_all
                                                      : ss__min_size(m->part_words, n_all);
}

static size_t count_parts(const struct ss_tensor_block *block)
{
    size_t n = 0;
    for (size_t k = block->from; k < block->to; k += block->w->multiplier->k_block) {
        const size_t n_all =
            ss_tensor_multiplier_words(block->w->multiplier, inputs_at(block, k).n_k);
        n += ss__divide_up(n_all, part_words(block->w, n_all));
    }
    return n;
}

static void run_panel(const struct ss_tensor_block *block, size_t j, float *sums,
                      const struct ss_tensor_block_output *output,
                      const struct pending *pending)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    struct part part = {.n_parts = count_parts(block)};
    for (size_t k = block->from; k < block->to; k += m->k_block) {
        part.inputs = inputs_at(block, k);
        part.n_all = ss_tensor_multiplier_words(m, part.inputs.n_k);
        const size_t most = part_words(block->w, part.n_all);
        for (part.word = 0; part.word < part.n_all; part.word += most, part.number++) {
            const bool is_last = part.number + 1 == part.n_parts;
            part.n_words = ss__min_size(most, part.n_all - part.word);
            if (m->macro_kernel != NULL) {
                run_macro_tile(block, &part, j, sums, is_last ? output : NULL, pending);
            } else {
                run_tiles(block, &part, j, sums, is_last ? output : NULL);
            }
        }
    }
}

size_t ss_tensor_block_sums(const struct ss_tensor_matrix *w, size_t n_rows)
{
    return (w->multiplier->macro_kernel != NULL ? 2 : 1) * n_rows * w->multiplier->tile_cols;
}

void ss_tensor_block_run(const struct ss_tensor_block *block,
                         const struct ss_tensor_panels *panels)
{
    const struct ss_tensor_multiplier *m = block->w->multiplier;
    const struct ss_tensor_block_output *output = panels->output;
    const size_t n_sums = block->n_rows * m->tile_cols;
    const bool is_deferred =
        m->macro_kernel != NULL && output != NULL && output->callback == NULL;
    struct pending pending = {0};
    float *sums = panels->sums;
    for (size_t j = panels->first; j < panels->end; j += m->tile_cols) {
        run_panel(block, j, sums, is_deferred ? NULL : output, &pending);
        if (is_deferred) {
            pending = (struct pending){output, j, sums};
        }
        if (panels->has_all_sums) {
            sums += n_sums;
        } else if (is_deferred) {
            sums = sums == panels->sums ? sums + n_sums : panels->sums;
        }
    }
    finish_pending(block, &pending);
}
