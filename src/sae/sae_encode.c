/* Embeddings to sparse activations.
 *
 * The product is made in tiles of some rows by some features, each in the scratch of a thread,
 * compared with its floors there and thrown away; what is kept is appended to the thread's
 * list. At the end the pieces of a row are put together in feature order. Which thread made a
 * tile does not show in the result.
 *
 * For a selection of the k largest of a row, one task goes through all features of its rows
 * with a list of the k strongest per row; for a rule by row, one task makes whole rows; else
 * every tile is a task. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum {
    BLOCK_ROWS = 64,
    PANEL_FEATURES = 4 * SS__PANEL,
    RULE_ROWS = 16,
    GROUP = 16,                      /* features looked at together */
    MOST_STRONGEST_ENTRIES = 1 << 18 /* of one task's lists */
};

/* What a thread found: entries of its tiles, one tile after the other, each by row, then by
 * feature. */
struct found {
    uint32_t *features;
    float *values;
    size_t n, features_room, values_room;
    struct ss__kept *kept; /* [block_rows, k] */
    struct ss__strongest *strongest;
    uint64_t n_tied_rows, n_borderline;
    uint64_t bad_row; /* the first with a number that is not finite, else SS_NOWHERE */
    bool no_memory;
};

struct piece {
    size_t worker, start;
};

struct job {
    const struct ss_sae *sae;
    ss__selection selection;
    const float *given; /* [N, D] as the caller gave it */
    const float *x;     /* [N, D] to multiply */
    float *prepared;    /* where x is made, or NULL if it is `given` */
    size_t n_rows, block_rows, n_blocks, n_panels;
    uint64_t first_row;            /* of the caller's rows, for messages */
    const struct ss__doubt *doubt; /* of rules by row, or NULL */
    float *tiles;                  /* [threads, block_rows, PANEL_FEATURES] */
    struct found *found;           /* [threads] */
    struct piece *pieces;          /* [n_panels, n_blocks] */
    uint32_t *counts;              /* [n_panels, N] entries of a row in a piece */
    struct ss_sparse *out;
};

/* ---- preparing rows ---- */

static bool is_finite_row(const float *x, size_t width)
{
    float zero = 0;
    for (size_t i = 0; i < width; i++) {
        zero += x[i] * 0.0F; /* NaN for NaN and infinity, and stays so */
    }
    return zero == 0;
}

static void note_bad_row(struct found *found, size_t row)
{
    found->bad_row = row < found->bad_row ? row : found->bad_row;
}

static void prepare_block(void *context, size_t index, size_t worker)
{
    struct job *job = context;
    const struct ss_sae *sae = job->sae;
    const size_t width = sae->width;
    const size_t first = index * job->block_rows;
    const size_t end = ss__min_size(job->n_rows, first + job->block_rows);
    for (size_t r = first; r < end; r++) {
        const float *x = job->given + r * width;
        if (!is_finite_row(x, width)) {
            note_bad_row(&job->found[worker], r);
            continue;
        }
        if (job->prepared == NULL) {
            continue;
        }
        float *out = job->prepared + r * width;
        ss__sae_make_input(sae, x, out);
        if (!is_finite_row(out, width)) {
            note_bad_row(&job->found[worker], r);
        }
    }
}

/* ---- tiles ---- */

/* The tile of a block of rows and a panel of features, in the worker's scratch. */
static const float *make_tile(const struct job *job, size_t block, size_t panel, size_t worker,
                              size_t *n_rows, size_t *n_features)
{
    const struct ss_sae *sae = job->sae;
    const size_t first_row = block * job->block_rows;
    const size_t first = panel * PANEL_FEATURES;
    float *tile = job->tiles + worker * job->block_rows * PANEL_FEATURES;
    *n_rows = ss__min_size(job->block_rows, job->n_rows - first_row);
    *n_features = ss__min_size(PANEL_FEATURES, sae->n_features - first);
    ss__linear_block(&sae->encoder, job->x + first_row * sae->width, *n_rows, first,
                     *n_features, sae->bias == NULL ? NULL : sae->bias + first, tile,
                     PANEL_FEATURES);
    return tile;
}

static bool make_room(struct found *found, size_t n)
{
    void *features = found->features;
    void *values = found->values;
    const bool grown =
        ss__grow(&features, &found->features_room, found->n + n, sizeof *found->features) &&
        ss__grow(&values, &found->values_room, found->n + n, sizeof *found->values);
    found->features = features;
    found->values = values;
    found->no_memory = found->no_memory || !grown;
    return grown;
}

/* Whether one of `GROUP` values reaches its limit: most groups hold nothing. */
static bool any_reaches(const float *values, const float *limits)
{
    unsigned any = 0;
    for (size_t i = 0; i < GROUP; i++) {
        any |= (unsigned)(values[i] >= limits[i]);
    }
    return any != 0;
}

static void take_above(const struct ss_sae *sae, size_t feature, float value,
                       struct found *found)
{
    const float floor = sae->floors[feature];
    const bool has_gain = sae->gains != NULL;
    const float kept = has_gain ? value * sae->gains[feature] + sae->shifts[feature] : value;
    if (value > floor && (kept > 0 || !has_gain)) {
        found->features[found->n] = (uint32_t)feature;
        found->values[found->n++] = kept;
    }
    if (floor != 0 && value >= sae->nearest[feature] &&
        value <= nextafterf(nextafterf(floor, INFINITY), INFINITY)) {
        found->n_borderline++;
    }
}

/* Append what one row of a tile keeps; its features begin at `first`. */
static void scan_above(const struct ss_sae *sae, const float *values, size_t first, size_t n,
                       struct found *found)
{
    const float *limits = sae->nearest + first;
    for (size_t at = 0; at < n; at += GROUP) {
        const size_t end = ss__min_size(n, at + GROUP);
        if (end == at + GROUP && !any_reaches(values + at, limits + at)) {
            continue;
        }
        for (size_t i = at; i < end; i++) {
            if (values[i] >= limits[i]) {
                take_above(sae, first + i, values[i], found);
            }
        }
    }
}

static void encode_tile(void *context, size_t index, size_t worker)
{
    struct job *job = context;
    struct found *found = &job->found[worker];
    /* Neighbouring tasks share a panel, whose weights then stay in cache. */
    const size_t panel = index / job->n_blocks;
    const size_t block = index % job->n_blocks;
    const size_t first_row = block * job->block_rows;
    size_t n_rows = 0;
    size_t n_features = 0;
    const float *tile = make_tile(job, block, panel, worker, &n_rows, &n_features);
    job->pieces[index] = (struct piece){worker, found->n};
    for (size_t r = 0; r < n_rows; r++) {
        const size_t before = found->n;
        if (!make_room(found, n_features)) {
            return;
        }
        scan_above(job->sae, tile + r * PANEL_FEATURES, panel * PANEL_FEATURES, n_features,
                   found);
        job->counts[panel * job->n_rows + first_row + r] = (uint32_t)(found->n - before);
    }
}

/* ---- the k largest of a row ---- */

static void scan_strongest(const struct ss_sae *sae, const float *values, size_t first,
                           size_t n, struct ss__strongest *strongest)
{
    for (size_t i = 0; i < n; i++) {
        if (values[i] > sae->floors[first + i]) {
            ss__strongest_offer(strongest, values[i], first + i);
        }
    }
}

static bool make_strongest(const struct job *job, struct found *found)
{
    const size_t k = ss__min_size(job->sae->top_k, job->sae->n_features);
    if (found->kept == NULL) {
        found->kept = ss__alloc(job->block_rows * k, sizeof *found->kept);
        found->strongest = ss__alloc(job->block_rows, sizeof *found->strongest);
    }
    if (found->kept == NULL || found->strongest == NULL) {
        found->no_memory = true;
        return false;
    }
    for (size_t r = 0; r < job->block_rows; r++) {
        found->strongest[r] = (struct ss__strongest){.kept = found->kept + r * k, .k = k};
    }
    return true;
}

static void append_strongest(struct ss__strongest *strongest, struct found *found)
{
    found->n_tied_rows += ss__strongest_is_tied(strongest);
    ss__strongest_sort_by_id(strongest);
    for (size_t i = 0; i < strongest->n; i++) {
        found->features[found->n] = (uint32_t)strongest->kept[i].id;
        found->values[found->n++] = strongest->kept[i].value;
    }
}

static void encode_row_block(void *context, size_t block, size_t worker)
{
    struct job *job = context;
    struct found *found = &job->found[worker];
    const size_t n_panels = (job->sae->n_features + PANEL_FEATURES - 1) / PANEL_FEATURES;
    const size_t first_row = block * job->block_rows;
    size_t n_rows = 0;
    size_t n_features = 0;
    if (!make_strongest(job, found)) {
        return;
    }
    job->pieces[block] = (struct piece){worker, found->n};
    for (size_t panel = 0; panel < n_panels; panel++) {
        const float *tile = make_tile(job, block, panel, worker, &n_rows, &n_features);
        for (size_t r = 0; r < n_rows; r++) {
            scan_strongest(job->sae, tile + r * PANEL_FEATURES, panel * PANEL_FEATURES,
                           n_features, &found->strongest[r]);
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        if (!make_room(found, found->strongest[r].n)) {
            return;
        }
        job->counts[first_row + r] = (uint32_t)found->strongest[r].n;
        append_strongest(&found->strongest[r], found);
    }
}

/* ---- rules by row ---- */

/* Rows whose products a rule finds made, so that weights are read once for all of them. */
static size_t rule_rows(const struct ss_sae *sae)
{
    return ss__sae_rule_multiplies(sae->kind) ? 1 : RULE_ROWS;
}

/* Floats of a thread: h of those rows, a and the residual of one. */
static size_t row_scratch_floats(const struct ss_sae *sae)
{
    return (rule_rows(sae) + 1) * ss__round_up(sae->n_features, 16) +
           ss__round_up(sae->width, 16);
}

static bool append_row(const float *a, size_t n_features, struct found *found)
{
    for (size_t first = 0; first < n_features; first += PANEL_FEATURES) {
        const size_t end = ss__min_size(n_features, first + PANEL_FEATURES);
        if (!make_room(found, end - first)) {
            return false;
        }
        for (size_t f = first; f < end; f++) {
            if (a[f] > 0) {
                found->features[found->n] = (uint32_t)f;
                found->values[found->n++] = a[f];
            }
        }
    }
    return true;
}

/* h [n_rows, stride] of rows from `first_row` on. */
static void multiply_rows(const struct job *job, size_t first_row, size_t n_rows, float *h,
                          size_t stride)
{
    const struct ss_sae *sae = job->sae;
    const float *x = job->x + first_row * sae->width;
    for (size_t first = 0; first < sae->n_features; first += PANEL_FEATURES) {
        const size_t n = ss__min_size(PANEL_FEATURES, sae->n_features - first);
        ss__linear_block(&sae->encoder, x, n_rows, first, n,
                         sae->bias == NULL ? NULL : sae->bias + first, h + first, stride);
    }
}

static bool apply_rule(const struct ss_sae *sae, struct ss__row *row, struct found *found)
{
    memset(row->a, 0, sae->n_features * sizeof *row->a);
    row->is_tied = row->is_near = false;
    ss__sae_row_rule(sae->kind)(sae, row);
    found->n_tied_rows += row->is_tied && !row->is_near;
    return append_row(row->a, sae->n_features, found);
}

static void encode_rule_block(void *context, size_t block, size_t worker)
{
    struct job *job = context;
    const struct ss_sae *sae = job->sae;
    struct found *found = &job->found[worker];
    const size_t end = ss__min_size(job->n_rows, (block + 1) * job->block_rows);
    const size_t stride = ss__round_up(sae->n_features, 16), n_group = rule_rows(sae);
    float *h = job->tiles + worker * row_scratch_floats(sae);
    struct ss__row row = {.a = h + n_group * stride, .residual = h + (n_group + 1) * stride};
    if (found->kept == NULL) {
        found->kept = ss__alloc(ss__sae_n_candidates(sae), sizeof *found->kept);
    }
    row.kept = found->kept;
    row.lengths = job->doubt == NULL ? NULL : job->doubt->lengths;
    row.size_lengths = job->doubt == NULL ? NULL : job->doubt->size_lengths;
    found->no_memory = found->no_memory || row.kept == NULL;
    job->pieces[block] = (struct piece){worker, found->n};
    for (size_t r = block * job->block_rows; r < end && !found->no_memory; r++) {
        const size_t place = (r - block * job->block_rows) % n_group, before = found->n;
        if (place == 0 && !ss__sae_rule_multiplies(sae->kind)) {
            multiply_rows(job, r, ss__min_size(n_group, end - r), h, stride);
        }
        row.u = job->x + r * sae->width;
        row.h = h + place * stride;
        row.reach = job->doubt == NULL ? 0 : job->doubt->reach[r];
        found->no_memory = !apply_rule(sae, &row, found);
        if (job->doubt != NULL) {
            job->doubt->is_near[r] = row.is_near;
        }
        job->counts[r] = (uint32_t)(found->n - before);
    }
}

/* ---- putting the pieces together ---- */

static void gather_block(void *context, size_t block, size_t worker)
{
    struct job *job = context;
    struct found *mine = &job->found[worker];
    const size_t first = block * job->block_rows;
    const size_t end = ss__min_size(job->n_rows, first + job->block_rows);
    for (size_t panel = 0; panel < job->n_panels; panel++) {
        const struct piece piece = job->pieces[panel * job->n_blocks + block];
        const struct found *found = &job->found[piece.worker];
        size_t from = piece.start;
        for (size_t r = first; r < end; r++) {
            /* The end of what a row has so far moves through offsets[r]; see gather. */
            size_t *to = &job->out->offsets[r];
            const size_t n = job->counts[panel * job->n_rows + r];
            for (size_t i = 0; i < n; i++) {
                if (found->values[from + i] > FLT_MAX) {
                    note_bad_row(mine, r);
                }
                job->out->features[*to + i] = found->features[from + i];
                job->out->values[*to + i] = found->values[from + i];
            }
            from += n;
            *to += n;
        }
    }
}

static ss_status gather(struct job *job, ss_work *work, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sparse *out = job->out;
    size_t room = out->n_values_room;
    size_t n = 0;
    for (size_t r = 0; r < job->n_rows; r++) {
        out->offsets[r] = n;
        for (size_t panel = 0; panel < job->n_panels; panel++) {
            n += job->counts[panel * job->n_rows + r];
        }
    }
    SS_GROW(out->features, room, n);
    room = out->n_values_room;
    SS_GROW(out->values, room, n);
    out->n_values_room = room;
    ss__pool_run(ss__work_pool(work), job->n_blocks, gather_block, job);
    /* Every offset has moved to the end of its row, which is the next one's start. */
    memmove(out->offsets + 1, out->offsets, job->n_rows * sizeof *out->offsets);
    out->offsets[0] = 0;
    out->n_rows = job->n_rows;
out:
    return status;
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

static ss_status check_found(const struct job *job, size_t n_threads, const char *what,
                             ss_err *err)
{
    uint64_t bad_row = SS_NOWHERE;
    for (size_t i = 0; i < n_threads; i++) {
        if (job->found[i].no_memory) {
            return ss__fail_nomem(err, "activations");
        }
        bad_row = job->found[i].bad_row < bad_row ? job->found[i].bad_row : bad_row;
    }
    return bad_row == SS_NOWHERE ? SS_OK : fail_nonfinite(what, job->first_row + bad_row, err);
}

/* Whether a task goes through all features of its rows. */
static bool is_by_row(const struct job *job)
{
    return job->selection == SS__SELECT_ROW_TOPK || job->selection == SS__SELECT_BY_ROW;
}

/* Small blocks for few rows, so that all threads work. */
static size_t choose_block_rows(const struct job *job, size_t n_threads)
{
    size_t n = BLOCK_ROWS;
    if (job->selection == SS__SELECT_ROW_TOPK) {
        const size_t k = ss__min_size(job->sae->top_k, job->sae->n_features);
        n = ss__min_size(n, MOST_STRONGEST_ENTRIES / k);
    }
    if (is_by_row(job)) {
        n = ss__min_size(n, (job->n_rows + 2 * n_threads - 1) / (2 * n_threads));
    }
    return ss__max_size(n, 1);
}

static ss_status job_init(struct job *job, ss_work *work, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae *sae = job->sae;
    const size_t n_threads = ss_work_n_threads(work);
    const bool prepares = sae->input != SS__INPUT_PLAIN || sae->subtracted != NULL;
    const bool by_row = is_by_row(job);
    size_t n_x = 0;
    size_t n_scratch = 0;
    job->block_rows = choose_block_rows(job, n_threads);
    job->n_blocks = (job->n_rows + job->block_rows - 1) / job->block_rows;
    job->n_panels = by_row ? 1 : (sae->n_features + PANEL_FEATURES - 1) / PANEL_FEATURES;
    SS_ALLOC(job->found, n_threads);
    for (size_t i = 0; i < n_threads; i++) {
        job->found[i].bad_row = SS_NOWHERE;
    }
    SS_ALLOC(job->pieces, job->n_panels * job->n_blocks);
    SS_ALLOC(job->counts, job->n_panels * job->n_rows);
    const size_t n_tiles =
        n_threads * (job->selection == SS__SELECT_BY_ROW ? row_scratch_floats(sae)
                                                         : job->block_rows * PANEL_FEATURES);
    if (!ss__mul(prepares ? job->n_rows : 0, sae->width, &n_x) ||
        !ss__add(ss__round_up(n_x, 16), n_tiles, &n_scratch) ||
        !ss__mul(n_scratch, sizeof(float), &n_scratch)) {
        SS_FAIL(SS_E_LIMIT, "%zu rows are too many for one call", job->n_rows);
    }
    float *scratch = ss__work_scratch(work, SS__SLOT_SAE, n_scratch);
    if (scratch == NULL) {
        status = ss__fail_nomem(err, "tiles of activations");
        goto out;
    }
    job->tiles = scratch;
    job->prepared = prepares ? scratch + n_tiles : NULL;
    job->x = prepares ? job->prepared : job->given;
out:
    return status;
}

static void job_release(struct job *job, size_t n_threads)
{
    for (size_t i = 0; job->found != NULL && i < n_threads; i++) {
        ss__free(job->found[i].features);
        ss__free(job->found[i].values);
        ss__free(job->found[i].kept);
        ss__free(job->found[i].strongest);
    }
    ss__free(job->found);
    ss__free(job->pieces);
    ss__free(job->counts);
}

static void add_counts(const struct job *job, size_t n_threads, struct ss__sae_counts *counts)
{
    for (size_t i = 0; counts != NULL && i < n_threads; i++) {
        counts->n_tied_rows += job->found[i].n_tied_rows;
        counts->n_borderline_pairs += job->found[i].n_borderline;
    }
}

ss_status ss__sae_encode_part(const struct ss_sae *sae, ss__selection selection, ss_work *work,
                              const struct ss__rows *rows, struct ss_sparse *out,
                              struct ss__sae_counts *counts, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = rows->n;
    const size_t n_threads = ss_work_n_threads(work);
    struct ss__pool *pool = ss__work_pool(work);
    struct job job = {.sae = sae,
                      .selection = selection,
                      .given = rows->x,
                      .n_rows = n,
                      .first_row = rows->first,
                      .doubt = rows->doubt,
                      .out = out};
    out->n_rows = 0;
    SS_GROW(out->offsets, out->n_rows_room, n + 1);
    out->offsets[0] = 0;
    SS_TRY(job_init(&job, work, err));
    ss__pool_run(pool, job.n_blocks, prepare_block, &job);
    SS_TRY(check_found(&job, n_threads, "the embedding", err));
    if (selection == SS__SELECT_ROW_TOPK) {
        ss__pool_run(pool, job.n_blocks, encode_row_block, &job);
    } else if (selection == SS__SELECT_BY_ROW) {
        ss__pool_run(pool, job.n_blocks, encode_rule_block, &job);
    } else {
        ss__pool_run(pool, job.n_blocks * job.n_panels, encode_tile, &job);
    }
    SS_TRY(check_found(&job, n_threads, "an activation", err));
    SS_TRY(gather(&job, work, err));
    SS_TRY(check_found(&job, n_threads, "an activation", err));
    add_counts(&job, n_threads, counts);
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    job_release(&job, n_threads);
    return status;
}

ss_status ss__sae_encode(const ss_sae *sae, ss_work *work, const float *x, size_t n,
                         struct ss_sparse *out, struct ss__sae_counts *counts, ss_err *err)
{
    const ss_status status = ss__sae_check_rule(sae, err);
    if (status != SS_OK) {
        out->n_rows = 0;
        return status;
    }
    const struct ss__rows rows = {.x = x, .n = n};
    if (sae->selection == SS__SELECT_BATCH_TOPK) {
        return ss__sae_encode_batches(sae, work, &rows, out, err);
    }
    return ss__sae_encode_part(sae, sae->selection, work, &rows, out, counts, err);
}

ss_status ss_sae_encode(const ss_sae *sae, ss_work *work, const float *x, size_t n,
                        struct ss_sparse *out, ss_err *err)
{
    return ss__sae_encode(sae, work, x, n, out, NULL, err);
}
