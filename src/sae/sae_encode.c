/* Embeddings to sparse activations: a call is cut into parts, whose activations
 * (sae_selector.c) are put together row by row. No dense result, and no allocation in a call
 * that is like one before.
 *
 * A part is a block of rows times a group of features, cut as the product is best cut. Tasks
 * run in any order on any thread and write into lists of their own; only then is the size of
 * every row known (a prefix sum over `counts`), and each block copies its entries to where they
 * belong. The result is therefore the same whatever the number of threads, the cut or the
 * batch: a row's entries stand by rising feature, because groups are gathered in that order.
 *
 * Non-finite numbers are found by the tasks, noted as the lowest row per thread and told at the
 * end, so that the message names the same row however the call was cut. */
#include <float.h>
#include <string.h>

#include "sae/sae_selector.h"
#include "sae/sae_topk.h"

enum { PREPARED_ROWS = 16 }; /* of a task that does nothing else */

struct job {
    const struct ss_sae_parameters *parameters;
    const struct ss_sae_rule *rule;
    const struct ss_sae_selector *selector;
    const struct ss_sae_rows *rows;
    struct ss_tensor_partition cut;
    float *prepared;              /* [n, D] where several parts share rows; else [threads,
                                     block_rows, D]; NULL: rows are multiplied as they come */
    struct ss_tensor_list *lists; /* [n_blocks, n_groups] */
    size_t *n_entries;            /* the same */
    uint32_t *counts;             /* [n_groups, n]: entries of a row */
    struct ss_sae_tally *tallies; /* [threads] */
    char *scratch;                /* [threads, scratch_bytes] */
    size_t scratch_bytes;
    struct ss_sparse *out;
};

/* With several groups the same rows are multiplied by several tasks: they are normalised once,
 * before, instead of by each. */
static bool shares_rows(const struct job *job)
{
    return job->cut.n_groups > 1;
}

static size_t n_rows_of(const struct job *job, size_t block)
{
    return ss__min_size(job->cut.block_rows, job->rows->n - block * job->cut.block_rows);
}

/* Minimum; SS_NOWHERE, the largest number, is none. */
static void lower_row(uint64_t *first, uint64_t row)
{
    *first = row < *first ? row : *first;
}

/* ---- selecting ---- */

/* Rows as they are multiplied, made in `out` if they change. */
static const float *prepare_rows(const struct job *job, size_t first, size_t n, float *out,
                                 struct ss_sae_tally *tally)
{
    const float *x = job->rows->x + first * job->parameters->width;
    const size_t n_good = ss_sae_prepare_rows(job->parameters, x, n, out);
    if (n_good < n) {
        lower_row(&tally->bad_input, first + n_good);
    }
    return out == NULL ? x : out;
}

static void prepare_some(void *context, size_t index, size_t worker)
{
    const struct job *job = context;
    const size_t first = index * PREPARED_ROWS;
    const size_t n = ss__min_size(PREPARED_ROWS, job->rows->n - first);
    float *out = job->prepared == NULL ? NULL : job->prepared + first * job->parameters->width;
    (void)prepare_rows(job, first, n, out, &job->tallies[worker]);
}

/* A block's rows as they are multiplied. */
static const float *rows_at(const struct job *job, size_t block, size_t worker)
{
    const size_t block_floats = job->cut.block_rows * job->parameters->width;
    if (shares_rows(job)) {
        return (job->prepared == NULL ? job->rows->x : job->prepared) + block * block_floats;
    }
    return prepare_rows(job, block * job->cut.block_rows, n_rows_of(job, block),
                        job->prepared == NULL ? NULL : job->prepared + worker * block_floats,
                        &job->tallies[worker]);
}

static void select_part(void *context, size_t index, size_t worker)
{
    const struct job *job = context;
    const struct ss_tensor_partition *cut = &job->cut;
    const size_t block = index / cut->n_groups, group = index % cut->n_groups;
    const size_t from = group * cut->group_outputs;
    struct ss_sae_part part = {
        .parameters = job->parameters,
        .rule = job->rule,
        .x = rows_at(job, block, worker),
        .first_row = block * cut->block_rows,
        .n_rows = n_rows_of(job, block),
        .bounds = job->rows->bounds,
        .from = from,
        .end = ss__min_size(from + cut->group_outputs, job->parameters->n_features),
        .list = &job->lists[index],
        .counts = job->counts + group * job->rows->n + block * cut->block_rows,
        .scratch = job->scratch + worker * job->scratch_bytes,
        .tally = &job->tallies[worker]};
    memset(part.counts, 0, part.n_rows * sizeof *part.counts);
    if (job->tallies[worker].bad_input == SS_NOWHERE) { /* else there will be no result */
        job->selector->select(&part);
    }
    job->n_entries[index] = part.n_entries;
}

static void select_all(struct job *job, ss_work *work)
{
    struct ss__pool *pool = ss_tensor_work_pool(work);
    if (shares_rows(job)) {
        ss__pool_run(pool, ss__divide_up(job->rows->n, PREPARED_ROWS), prepare_some, job);
    }
    ss__pool_run(pool, job->cut.n_blocks * job->cut.n_groups, select_part, job);
}

/* ---- putting the entries together ---- */

/* Where the next entry of a row goes moves through offsets[row]; see gather. Blocks own
 * disjoint rows, so no two threads write the same offset. */
static void gather_block(void *context, size_t block, size_t worker)
{
    const struct job *job = context;
    const struct ss_sparse *out = job->out;
    const size_t n_groups = job->cut.n_groups, first = block * job->cut.block_rows;
    size_t *offsets = out->offsets + out->n_rows + first;
    for (size_t part = block * n_groups; part < (block + 1) * n_groups; part++) {
        const struct ss_sae_entry *entries = job->lists[part].items;
        for (size_t i = 0; i < job->n_entries[part]; i++) {
            const size_t at = offsets[entries[i].row]++;
            out->features[at] = entries[i].feature;
            out->values[at] = entries[i].value;
            if (entries[i].value > FLT_MAX) {
                lower_row(&job->tallies[worker].bad_activation, first + entries[i].row);
            }
        }
    }
}

/* Append the rows of all parts to the result: offsets by a prefix sum of the counts, then the
 * entries, block by block. `room` stands for the capacity of two arrays that grow together, so
 * it is taken over only after both have. */
static ss_status gather(struct job *job, ss_work *work, ss_err *err)
{
    struct ss_sparse *out = job->out;
    const size_t n_rows = job->rows->n, start = out->offsets[out->n_rows];
    size_t *offsets = out->offsets + out->n_rows;
    size_t room = out->n_values_room, n = start;
    for (size_t r = 0; r < n_rows; r++) {
        offsets[r] = n;
        for (size_t group = 0; group < job->cut.n_groups; group++) {
            n += job->counts[group * n_rows + r];
        }
    }
    SS_GROW_OR_RETURN(out->features, room, n);
    room = out->n_values_room;
    SS_GROW_OR_RETURN(out->values, room, n);
    out->n_values_room = room;
    ss__pool_run(ss_tensor_work_pool(work), job->cut.n_blocks, gather_block, job);
    /* Every offset has moved to the end of its row, which is the next one's start. */
    memmove(offsets + 1, offsets, n_rows * sizeof *offsets);
    offsets[0] = start;
    out->n_rows += n_rows;
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status fail_nonfinite(const char *what, uint64_t row, ss_err *err)
{
    const ss_status status =
        ss__fail(err, SS_E_NONFINITE, "%s of row %llu holds a number that is not finite", what,
                 (unsigned long long)row);
    ss__err_at_row(err, row);
    return status;
}

/* A row of finite numbers may leave the range of float32 on its way to the product. */
static ss_status fail_input(const struct job *job, uint64_t index, ss_err *err)
{
    const struct ss_sae_parameters *p = job->parameters;
    const uint64_t row = job->rows->first + index;
    if (!ss_sae_is_finite_row(p, job->rows->x + index * p->width)) {
        return fail_nonfinite("the embedding", row, err);
    }
    const ss_status status = ss__fail(
        err, SS_E_NONFINITE,
        "the embedding of row %llu is finite, but %s takes it out of the range of "
        "float32",
        (unsigned long long)row,
        p->input == SS_SAE_INPUT_PLAIN ? "what this SAE subtracts"
                                       : "the scaling of inputs that this SAE asks for");
    ss__err_at_row(err, row);
    return status;
}

/* What the threads noted, together; or the error among it. A bad embedding comes before a lack
 * of memory, and both before a bad activation, so that the same input gives the same error on
 * every machine. */
static ss_status check_tallies(const struct job *job, size_t n_threads,
                               struct ss_sae_tally *all, ss_err *err)
{
    *all = (struct ss_sae_tally){.bad_input = SS_NOWHERE, .bad_activation = SS_NOWHERE};
    for (size_t i = 0; i < n_threads; i++) {
        const struct ss_sae_tally *tally = &job->tallies[i];
        lower_row(&all->bad_input, tally->bad_input);
        lower_row(&all->bad_activation, tally->bad_activation);
        all->n_tied_rows += tally->n_tied_rows;
        all->n_borderline += tally->n_borderline;
        all->no_memory = all->no_memory || tally->no_memory;
    }
    if (all->bad_input != SS_NOWHERE) {
        return fail_input(job, all->bad_input, err);
    }
    if (all->no_memory) {
        return ss__fail_nomem(err, "activations");
    }
    if (all->bad_activation != SS_NOWHERE) {
        return fail_nonfinite("an activation", job->rows->first + all->bad_activation, err);
    }
    return SS_OK;
}

/* As a product is best cut; or, for selections that need all features of a row, in blocks of
 * whole rows: no more than the selector has scratch for, and about one for each thread. */
static struct ss_tensor_partition choose_cut(const struct job *job, size_t n_threads)
{
    const struct ss_sae_parameters *p = job->parameters;
    const size_t n = job->rows->n;
    const struct ss_tensor_matrix *w =
        ss_sae_filter_serves(p, job->rule) ? &p->filter->rough : &p->encoder;
    struct ss_tensor_partition cut = ss_tensor_linear_partition(w, n, n_threads);
    if (job->selector->max_rows != NULL) {
        const size_t most = ss__min_size(job->selector->max_rows(p, job->rule), cut.block_rows);
        const size_t share = ss__max_size(ss__divide_up(n, n_threads), 1);
        cut.block_rows = ss__min_size(most, share);
        cut.n_blocks = ss__divide_up(n, cut.block_rows);
        cut.group_outputs = p->n_features;
        cut.n_groups = 1;
    }
    return cut;
}

/* Cut the job and lay out its memory, one block of the work's that is used again by the next
 * call like this one: nothing here has to be freed. */
static ss_status job_init(struct job *job, ss_work *work, ss_err *err)
{
    const size_t n_threads = ss_work_n_threads(work);
    const struct ss_tensor_partition cut = job->cut = choose_cut(job, n_threads);
    const size_t n_parts = cut.n_blocks * cut.n_groups;
    const size_t width = job->parameters->width;
    const size_t n_prepared = !ss_sae_changes_input(job->parameters) ? 0
                              : shares_rows(job)                     ? job->rows->n
                                                 : n_threads * cut.block_rows;
    size_t end = 0;
    job->scratch_bytes = ss__round_up(
        job->selector->scratch_bytes(job->parameters, job->rule, cut.block_rows), 64);
    const size_t tallies = ss_sae_add_array(&end, n_threads, sizeof *job->tallies);
    const size_t n_entries = ss_sae_add_array(&end, n_parts, sizeof *job->n_entries);
    const size_t counts =
        ss_sae_add_array(&end, cut.n_groups * job->rows->n, sizeof *job->counts);
    const size_t prepared = ss_sae_add_array(&end, n_prepared * width, sizeof *job->prepared);
    const size_t scratch = ss_sae_add_array(&end, n_threads, job->scratch_bytes);
    char *block = ss_tensor_work_scratch(work, SS_TENSOR_SLOT_SAE, end);
    job->lists = ss_tensor_work_lists(work, n_parts);
    if (block == NULL || job->lists == NULL) {
        return ss__fail_nomem(err, "parts of activations");
    }
    job->tallies = (void *)(block + tallies);
    job->n_entries = (void *)(block + n_entries);
    job->counts = (void *)(block + counts);
    job->prepared = n_prepared == 0 ? NULL : (void *)(block + prepared);
    job->scratch = block + scratch;
    for (size_t i = 0; i < n_threads; i++) {
        job->tallies[i] =
            (struct ss_sae_tally){.bad_input = SS_NOWHERE, .bad_activation = SS_NOWHERE};
    }
    return SS_OK;
}

ss_status ss_sae_encode_part(const struct ss_sae_parameters *parameters,
                             const struct ss_sae_rule *rule, ss_work *work,
                             const struct ss_sae_rows *rows, struct ss_sparse *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_tally all;
    struct job job = {.parameters = parameters,
                      .rule = rule,
                      .selector = ss_sae_selector_of(rule->selection),
                      .rows = rows,
                      .out = out};
    const size_t n_threads = ss_work_n_threads(work);
    SS_GROW(out->offsets, out->n_rows_room, out->n_rows + rows->n + 1);
    SS_TRY(job_init(&job, work, err));
    select_all(&job, work);
    /* A task that was stopped, or could not start, left its part undone. */
    SS_TRY(ss_tensor_work_check(work, err));
    SS_TRY(check_tallies(&job, n_threads, &all, err));
    SS_TRY(gather(&job, work, err));
    SS_TRY(ss_tensor_work_check(work, err));
    SS_TRY(check_tallies(&job, n_threads, &all, err));
    if (rows->counts != NULL) {
        rows->counts->n_tied_rows += all.n_tied_rows;
        rows->counts->n_borderline_pairs += all.n_borderline;
    }
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}

ss_status ss_sae_sparse_start(struct ss_sparse *out, size_t n, ss_err *err)
{
    out->n_rows = 0;
    SS_GROW_OR_RETURN(out->offsets, out->n_rows_room, n + 1);
    out->offsets[0] = 0;
    return SS_OK;
}

/* Of every batch of B rows in order the k B largest activations stay, as in training. */
static ss_status encode_batches(const struct ss_sae_parameters *p,
                                const struct ss_sae_rule *rule, ss_work *work,
                                const struct ss_sae_rows *rows, struct ss_sparse *out,
                                ss_err *err)
{
    struct ss_sae_rule above = *rule;
    above.selection = SS_SAE_SELECT_ABOVE;
    for (size_t at = 0; at < rows->n; at += rule->batch_rows) {
        const struct ss_sae_rows batch = {.x = rows->x + at * p->width,
                                          .n = ss__min_size(rule->batch_rows, rows->n - at),
                                          .first = rows->first + at};
        const size_t first_row = out->n_rows;
        size_t n_kept = 0;
        SS_RETURN_IF_ERROR(ss_sae_encode_part(p, &above, work, &batch, out, err));
        if (ss__mul(rule->top_k, batch.n, &n_kept)) {
            ss_sae_topk_of_rows(out, first_row, n_kept);
        }
    }
    return SS_OK;
}

ss_status ss_sae_encode_rows(const struct ss_sae_parameters *parameters,
                             const struct ss_sae_rule *rule, ss_work *work,
                             const struct ss_sae_rows *rows, struct ss_sparse *out, ss_err *err)
{
    return rule->selection == SS_SAE_SELECT_BATCH_TOPK
               ? encode_batches(parameters, rule, work, rows, out, err)
               : ss_sae_encode_part(parameters, rule, work, rows, out, err);
}

ss_status ss_sae_encode_batch(const ss_sae *sae, const struct ss_sae_activation *activation,
                              ss_work *work, const struct ss_sae_batch *batch,
                              struct ss_sparse *out, ss_err *err)
{
    const struct ss_sae_rows rows = {.x = batch->x, .n = batch->n, .counts = batch->counts};
    const struct ss_sae_rule *rule =
        activation == NULL ? &sae->activation.rule : &activation->rule;
    SS_RETURN_IF_ERROR(ss_sae_sparse_start(out, batch->n, err));
    SS_RETURN_IF_ERROR(ss_sae_check_rule(sae, rule, err));
    return ss_sae_encode_rows(&sae->parameters, rule, work, &rows, out, err);
}

ss_status ss_sae_encode(const ss_sae *sae, ss_work *work, const float *x, size_t n,
                        struct ss_sparse *out, ss_err *err)
{
    const struct ss_sae_batch batch = {.x = x, .n = n};
    return ss_sae_encode_batch(sae, NULL, work, &batch, out, err);
}
