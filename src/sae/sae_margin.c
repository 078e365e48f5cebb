/* Rows whose features depend on how exact their embedding is.
 *
 * An embedding that is off by dx moves h of feature f by w_f · du, where |du| is at most
 * ss_sae_input_reach times |dx| / |x|. That is |w_f| |du| at worst, where du lies along w_f.
 * It does not: what roundings leave is spread over all D directions, and along any one of them
 * lies a share of 1/sqrt(D) of it, in the root mean square. SPREAD times that is taken as the
 * margin of f (docs/numerics.md has the measurement), and never more than |w_f| |du|.
 *
 * Rows are encoded once, by a copy of the SAE whose floors are lower by the margins and which
 * keeps a few values more than k: its floors are passed by all that is kept, and by what stands
 * near. That is then looked at pair by pair, and what does not belong to the result is taken
 * out. Rules by row look for themselves (sae_rows.c). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_margin.h"

enum { MORE_THAN_K = 8, ROWS_AT_ONCE = 64 };

static const double SPREAD = 6;

/* ---- making margins ---- */

static ss_status measure(struct ss_sae_margins *m, ss_err *err)
{
    const ss_sae *sae = m->sae;
    const double spread = fmin(1, SPREAD / sqrt((double)sae->width));
    SS_ALLOC_OR_RETURN(m->lengths, sae->n_features);
    SS_ALLOC_OR_RETURN(m->floors, sae->n_features);
    ss_tensor_matrix_lengths(&sae->encoder, m->lengths);
    if (sae->magnitudes != NULL) {
        SS_ALLOC_OR_RETURN(m->size_lengths, sae->n_features);
    }
    for (size_t f = 0; f < sae->n_features; f++) {
        m->lengths[f] *= (float)spread;
        m->most_length = fmax(m->most_length, (double)m->lengths[f]);
        if (m->size_lengths != NULL) {
            const float *w = sae->magnitudes + f * sae->width;
            m->size_lengths[f] =
                (float)(spread * sqrt((double)ss_tensor_sum_squares(w, sae->width)));
        }
    }
    return SS_OK;
}

ss_status ss_sae_margins_new(const ss_sae *sae, double error, struct ss_sae_margins **out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_margins *m = NULL;
    *out = NULL;
    SS_ALLOC(m, 1);
    m->sae = sae;
    m->error = error;
    SS_TRY(measure(m, err));
    *out = m;
    m = NULL;
out:
    ss_sae_margins_free(m);
    return status;
}

void ss_sae_margins_free(struct ss_sae_margins *margins)
{
    if (margins == NULL) {
        return;
    }
    ss__free(margins->lengths);
    ss__free(margins->size_lengths);
    ss__free(margins->floors);
    ss__free(margins->reach);
    ss__free(margins->sorted);
    ss_sparse_release(&margins->part);
    ss_sparse_release(&margins->merged);
    ss__free(margins);
}

bool ss_sae_margins_decide(const struct ss_sae_margins *margins)
{
    return margins->sae->kind != SS_SAE_LISTA;
}

/* ---- the lowered floors ---- */

/* Margins of the row with the longest reach, on all floors; pairs that are counted as
 * borderline pass as well. */
static void lower_floors(struct ss_sae_margins *m, double most_reach)
{
    for (size_t f = 0; f < m->sae->n_features; f++) {
        const double floor = (double)m->sae->floors[f];
        const double lowered = floor - most_reach * (double)m->lengths[f];
        m->floors[f] = nextafterf((float)fmin(lowered, (double)m->sae->nearest[f]), -INFINITY);
    }
}

/* Reaches of rows x [n, D], and the SAE with lowered floors. */
static ss_status widen(struct ss_sae_margins *m, const float *x, size_t n, ss_sae *wide,
                       ss_err *err)
{
    double most = 0;
    SS_GROW_OR_RETURN(m->reach, m->n_reach_room, n);
    for (size_t r = 0; r < n; r++) {
        m->reach[r] = m->error * ss_sae_input_reach(m->sae, x + r * m->sae->width);
        most = fmax(most, m->reach[r]);
    }
    lower_floors(m, most);
    *wide = *m->sae;
    wide->floors = wide->nearest = m->floors;
    wide->gains = NULL;
    wide->top_k += MORE_THAN_K;
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status encode_wide(struct ss_sae_margins *m, ss_work *work,
                             const struct ss_sae_near_rows *rows, struct ss_sparse *out,
                             ss_err *err)
{
    ss_sae wide;
    const ss_sae *sae = m->sae;
    const bool is_row = sae->selection == SS_SAE_SELECT_ROW_TOPK;
    const struct ss_sae_rows all = {.x = rows->x, .n = rows->n};
    struct ss_sae_sifting s = {
        .margins = m, .rows = out, .is_near = rows->is_near, .counts = rows->counts};
    SS_RETURN_IF_ERROR(widen(m, rows->x, rows->n, &wide, err));
    SS_RETURN_IF_ERROR(ss_sae_encode_part(&wide,
                                          is_row ? SS_SAE_SELECT_ROW_TOPK : SS_SAE_SELECT_ABOVE,
                                          work, &all, out, NULL, err));
    if (sae->selection == SS_SAE_SELECT_ABOVE) {
        ss_sae_sift_above(&s);
    } else if (is_row) {
        SS_RETURN_IF_ERROR(ss_sae_sift_largest(&s, 1, wide.top_k, err));
    } else {
        SS_RETURN_IF_ERROR(ss_sae_sift_largest(&s, sae->options.batch_rows, SIZE_MAX, err));
    }
    return SS_OK;
}

/* Rules by row look for themselves. */
static ss_status encode_by_row(struct ss_sae_margins *m, ss_work *work,
                               const struct ss_sae_near_rows *rows, struct ss_sparse *out,
                               ss_err *err)
{
    ss_sae unused;
    SS_RETURN_IF_ERROR(widen(m, rows->x, rows->n, &unused, err));
    const struct ss_sae_doubt doubt = {.reach = m->reach,
                                       .lengths = m->lengths,
                                       .size_lengths = m->size_lengths,
                                       .is_near = rows->is_near};
    const struct ss_sae_rows all = {.x = rows->x, .n = rows->n, .doubt = &doubt};
    return ss_sae_encode_part(m->sae, SS_SAE_SELECT_BY_ROW, work, &all, out, rows->counts, err);
}

ss_status ss_sae_encode_near(struct ss_sae_margins *margins, ss_work *work,
                             const struct ss_sae_near_rows *rows, struct ss_sparse *out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss_sae_sparse_start(out, rows->n, err));
    SS_TRY(ss_sae_check_rule(margins->sae, err));
    SS_TRY(margins->sae->selection == SS_SAE_SELECT_BY_ROW
               ? encode_by_row(margins, work, rows, out, err)
               : encode_wide(margins, work, rows, out, err));
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}

/* ---- the rows that a threshold comes from ---- */

/* Values of all features above 0, or a little below, of up to ROWS_AT_ONCE rows. */
static ss_status encode_positive(struct ss_sae_margins *m, ss_work *work,
                                 const struct ss_sae_rows *rows, ss_err *err)
{
    ss_sae wide;
    SS_RETURN_IF_ERROR(widen(m, rows->x, rows->n, &wide, err));
    SS_RETURN_IF_ERROR(ss_sae_sparse_start(&m->part, rows->n, err));
    return ss_sae_encode_part(&wide, SS_SAE_SELECT_ABOVE, work, rows, &m->part, NULL, err);
}

/* The values beside a threshold, which decide it. */
struct brink {
    double threshold, above, below;
    double most_margin;
};

static void find_brink(const struct ss_sae_margins *m, const struct ss_sae_rows *rows,
                       bool *is_near, struct brink *brink)
{
    (void)is_near;
    for (size_t r = 0; r < rows->n; r++) {
        brink->most_margin = fmax(brink->most_margin, m->reach[r] * m->most_length);
        for (size_t i = m->part.offsets[r]; i < m->part.offsets[r + 1]; i++) {
            const double h = (double)m->part.values[i];
            if (h > brink->threshold) {
                brink->above = fmin(brink->above, h);
            } else {
                brink->below = fmax(brink->below, h);
            }
        }
    }
}

/* A row that has a value which might be one of the two. */
static void mark_at_brink(const struct ss_sae_margins *m, const struct ss_sae_rows *rows,
                          bool *is_near, struct brink *brink)
{
    for (size_t r = 0; r < rows->n; r++) {
        bool *near = &is_near[rows->first + r];
        *near = false;
        for (size_t i = m->part.offsets[r]; i < m->part.offsets[r + 1]; i++) {
            const double h = (double)m->part.values[i];
            const double margin =
                m->reach[r] * (double)m->lengths[m->part.features[i]] + brink->most_margin;
            *near |= h + margin >= brink->below && h - margin <= brink->above;
        }
    }
}

ss_status ss_sae_calibrate_near(struct ss_sae_margins *margins, ss_sae *sae, ss_work *work,
                                const struct ss_sae_near_rows *rows, ss_err *err)
{
    static void (*const passes[])(const struct ss_sae_margins *, const struct ss_sae_rows *,
                                  bool *, struct brink *) = {find_brink, mark_at_brink};
    const uint64_t n_wanted = sae->options.calibration_rows;
    struct brink brink = {.above = INFINITY};
    SS_RETURN_IF_ERROR(ss_sae_calibrate(sae, work, rows->x, rows->n, err));
    brink.threshold = sae->options.batchtopk_threshold;
    sae->options.batchtopk_threshold = NAN; /* to be found again */
    sae->options.calibration_rows = n_wanted;
    sae->calibrated = false;
    SS_RETURN_IF_ERROR(ss_sae_set_rule(sae, err));
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < rows->n; at += ROWS_AT_ONCE) {
            const struct ss_sae_rows part = {.x = rows->x + at * sae->width,
                                             .n = ss__min_size(ROWS_AT_ONCE, rows->n - at),
                                             .first = at};
            SS_RETURN_IF_ERROR(encode_positive(margins, work, &part, err));
            passes[pass](margins, &part, rows->is_near, &brink);
        }
    }
    return SS_OK;
}

/* ---- once more ---- */

static ss_status append_rows(struct ss_sparse *out, const struct ss_sparse *from, size_t first,
                             size_t n, ss_err *err)
{
    const size_t start = from->offsets[first], n_more = from->offsets[first + n] - start;
    const size_t n_before = out->offsets[out->n_rows];
    size_t room = out->n_values_room;
    SS_GROW_OR_RETURN(out->features, room, n_before + n_more);
    room = out->n_values_room;
    SS_GROW_OR_RETURN(out->values, room, n_before + n_more);
    out->n_values_room = room;
    if (n_more > 0) {
        memcpy(out->features + n_before, from->features + start,
               n_more * sizeof *out->features);
        memcpy(out->values + n_before, from->values + start, n_more * sizeof *out->values);
    }
    for (size_t r = 0; r < n; r++) {
        out->offsets[++out->n_rows] = n_before + from->offsets[first + r + 1] - start;
    }
    return SS_OK;
}

/* How many rows from `first` on are near, or not, as it is. */
static size_t run_from(const struct ss_sae_near_rows *rows, size_t first)
{
    size_t end = first + 1;
    while (end < rows->n && rows->is_near[end] == rows->is_near[first]) {
        end++;
    }
    return end - first;
}

static ss_status encode_near_rows(struct ss_sae_margins *m, ss_work *work,
                                  const struct ss_sae_near_rows *rows,
                                  const struct ss_sparse *old, ss_err *err)
{
    const ss_sae *sae = m->sae;
    SS_RETURN_IF_ERROR(ss_sae_sparse_start(&m->merged, rows->n, err));
    for (size_t r = 0, n = 0; r < rows->n; r += n) {
        n = run_from(rows, r);
        if (!rows->is_near[r]) {
            SS_RETURN_IF_ERROR(append_rows(&m->merged, old, r, n, err));
            continue;
        }
        const struct ss_sae_rows run = {.x = rows->x + r * sae->width, .n = n, .first = r};
        SS_RETURN_IF_ERROR(
            ss_sae_encode_part(sae, sae->selection, work, &run, &m->merged, rows->counts, err));
    }
    return SS_OK;
}

ss_status ss_sae_encode_again(struct ss_sae_margins *margins, ss_work *work,
                              const struct ss_sae_near_rows *rows, struct ss_sparse *out,
                              ss_err *err)
{
    ss_status status = SS_OK;
    if (margins->sae->selection == SS_SAE_SELECT_BATCH_TOPK) { /* all rows have a part in it */
        SS_TRY(ss_sae_encode_counted(margins->sae, work, rows->x, rows->n, out, rows->counts,
                                     err));
        goto out;
    }
    SS_TRY(encode_near_rows(margins, work, rows, out, err));
    const struct ss_sparse old = *out;
    *out = margins->merged;
    margins->merged = old;
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}
