/* Rows whose features depend on how exact their embedding is.
 *
 * An embedding that is off by dx moves h of feature f by w_f · du, where |du| is at most
 * ss_sae_input_sensitivity times |dx| / |x|. That is |w_f| |du| at worst, where du lies along
 * w_f. It does not: what roundings leave is spread over all D directions, and along any one of
 * them lies a share of 1/sqrt(D) of it, in the root mean square. SPREAD times that is taken as
 * the margin of f, and never more than |w_f| |du|. The derivation, its measurement and what is
 * ambiguous for each rule: docs/numerics.md, "Fire sets at high".
 *
 * Rows are encoded once, by a rule whose thresholds are lower by the margins and which keeps a
 * few values more than k: what is kept passes, and so does what could be. The result is then
 * filtered pair by pair (sae_margin_filter.c): what does not belong to it is taken out, and
 * rows with a pair that an embedding within the error would decide otherwise are marked. Rules
 * by row mark rows themselves (sae_row_rules.c). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_margin.h"

enum { MORE_THAN_K = 8, ROWS_AT_ONCE = 64 };

static const double SPREAD = 6;

/* ---- making margins ---- */

/* The margin per |du| of every feature: the norm of its weights times the share of du that can
 * lie along them (the head of this file); the largest of all bounds what a feature that was not
 * kept could have been. */
static ss_status measure(struct ss_sae_margins *m, ss_err *err)
{
    const struct ss_sae_parameters *p = &m->sae->parameters;
    const double spread = fmin(1, SPREAD / sqrt((double)p->width));
    SS_ALLOC_OR_RETURN(m->h_per_du, p->n_features);
    SS_ALLOC_OR_RETURN(m->lowered, p->n_features);
    ss_tensor_matrix_row_norms(&p->encoder, m->h_per_du);
    if (p->magnitudes != NULL) {
        SS_ALLOC_OR_RETURN(m->magnitude_per_du, p->n_features);
    }
    for (size_t f = 0; f < p->n_features; f++) {
        m->h_per_du[f] *= (float)spread;
        m->max_h_per_du = fmax(m->max_h_per_du, (double)m->h_per_du[f]);
        if (m->magnitude_per_du != NULL) {
            const float *w = p->magnitudes + f * p->width;
            m->magnitude_per_du[f] =
                (float)(spread * sqrt((double)ss_tensor_sum_squares(w, p->width)));
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
    ss__free(margins->h_per_du);
    ss__free(margins->magnitude_per_du);
    ss__free(margins->lowered);
    ss__free(margins->du);
    ss__free(margins->sorted);
    ss_sparse_release(&margins->part);
    ss_sparse_release(&margins->merged);
    ss__free(margins);
}

bool ss_sae_margins_decide(const struct ss_sae_margins *margins)
{
    return margins->sae->activation.rule.kind != SS_SAE_LISTA;
}

static const struct ss_sae_rule *rule_of(const struct ss_sae_margins *m,
                                         const struct ss_sae_activation *activation)
{
    return activation == NULL ? &m->sae->activation.rule : &activation->rule;
}

/* ---- lowered thresholds ---- */

/* The |du| of rows x [n, D], and the largest of them. */
static ss_status bound_errors(struct ss_sae_margins *m, const float *x, size_t n,
                              double *max_du, ss_err *err)
{
    const struct ss_sae_parameters *p = &m->sae->parameters;
    *max_du = 0;
    SS_GROW_OR_RETURN(m->du, m->du_capacity, n);
    for (size_t r = 0; r < n; r++) {
        m->du[r] = m->error * ss_sae_input_sensitivity(p, x + r * p->width);
        *max_du = fmax(*max_du, m->du[r]);
    }
    return SS_OK;
}

/* A rule that keeps whatever `rule` could keep of rows that are off by up to max_du: it borrows
 * the margins' thresholds. Pairs that are counted as borderline pass as well. Gains are left
 * out, so that values are h and can be compared with thresholds; the filter applies them. The
 * thresholds are those for the worst row of the call: one row's need not be found again for
 * every tile. */
static struct ss_sae_rule widen(struct ss_sae_margins *m, const struct ss_sae_rule *rule,
                                double max_du)
{
    struct ss_sae_rule wide = *rule;
    for (size_t f = 0; f < m->sae->parameters.n_features; f++) {
        const double lowered = (double)rule->thresholds[f] - max_du * (double)m->h_per_du[f];
        m->lowered[f] =
            nextafterf((float)fmin(lowered, (double)rule->candidate_min[f]), -INFINITY);
    }
    wide.thresholds = wide.candidate_min = m->lowered;
    wide.gains = NULL;
    wide.top_k += MORE_THAN_K;
    wide.selection = rule->selection == SS_SAE_SELECT_ROW_TOPK ? SS_SAE_SELECT_ROW_TOPK
                                                               : SS_SAE_SELECT_ABOVE;
    return wide;
}

/* ---- encoding ---- */

/* Encode by a wider rule and filter. MORE_THAN_K values beyond k show, where k decides, how
 * near the next ones come; a row with more than that many in doubt is ambiguous anyway. */
static ss_status encode_wide(struct ss_sae_margins *m, const struct ss_sae_rule *rule,
                             ss_work *work, const struct ss_sae_batch *batch,
                             struct ss_sparse *out, ss_err *err)
{
    double max_du = 0;
    const struct ss_sae_rows rows = {.x = batch->x, .n = batch->n};
    struct ss_sae_margin_filter filter = {.margins = m,
                                          .rule = rule,
                                          .rows = out,
                                          .is_ambiguous = batch->is_ambiguous,
                                          .counts = batch->counts};
    SS_RETURN_IF_ERROR(bound_errors(m, rows.x, rows.n, &max_du, err));
    const struct ss_sae_rule wide = widen(m, rule, max_du);
    SS_RETURN_IF_ERROR(ss_sae_encode_part(&m->sae->parameters, &wide, work, &rows, out, err));
    if (rule->selection == SS_SAE_SELECT_ABOVE) {
        ss_sae_margin_filter_above(&filter);
    } else if (rule->selection == SS_SAE_SELECT_ROW_TOPK) {
        SS_RETURN_IF_ERROR(ss_sae_margin_filter_topk(&filter, 1, wide.top_k, err));
    } else {
        SS_RETURN_IF_ERROR(ss_sae_margin_filter_topk(&filter, rule->batch_rows, SIZE_MAX, err));
    }
    return SS_OK;
}

/* Rules over whole rows follow the error through their own steps (sae_row_rules.c). */
static ss_status encode_by_row(struct ss_sae_margins *m, const struct ss_sae_rule *rule,
                               ss_work *work, const struct ss_sae_batch *batch,
                               struct ss_sparse *out, ss_err *err)
{
    double max_du = 0;
    SS_RETURN_IF_ERROR(bound_errors(m, batch->x, batch->n, &max_du, err));
    const struct ss_sae_error_bounds bounds = {.du = m->du,
                                               .h_per_du = m->h_per_du,
                                               .magnitude_per_du = m->magnitude_per_du,
                                               .is_ambiguous = batch->is_ambiguous};
    const struct ss_sae_rows rows = {
        .x = batch->x, .n = batch->n, .bounds = &bounds, .counts = batch->counts};
    return ss_sae_encode_part(&m->sae->parameters, rule, work, &rows, out, err);
}

ss_status ss_sae_encode_marking(struct ss_sae_margins *margins,
                                const struct ss_sae_activation *activation, ss_work *work,
                                const struct ss_sae_batch *batch, struct ss_sparse *out,
                                ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_rule *rule = rule_of(margins, activation);
    SS_TRY(ss_sae_sparse_start(out, batch->n, err));
    SS_TRY(ss_sae_check_rule(margins->sae, rule, err));
    SS_TRY(rule->selection == SS_SAE_SELECT_BY_ROW
               ? encode_by_row(margins, rule, work, batch, out, err)
               : encode_wide(margins, rule, work, batch, out, err));
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}

/* ---- the rows that a threshold comes from ---- */

/* The order statistics beside a threshold, which decide it: the least value above it and the
 * largest that is not. max_margin is the largest by which any value of any row may be off. */
struct neighbours {
    double threshold, above, below;
    double max_margin;
};

/* Values of all features above 0, or a little below, of up to ROWS_AT_ONCE rows. */
static ss_status encode_positive(struct ss_sae_margins *m, ss_work *work,
                                 const struct ss_sae_rows *rows, ss_err *err)
{
    double max_du = 0;
    SS_RETURN_IF_ERROR(bound_errors(m, rows->x, rows->n, &max_du, err));
    const struct ss_sae_rule wide = widen(m, &m->sae->activation.rule, max_du);
    SS_RETURN_IF_ERROR(ss_sae_sparse_start(&m->part, rows->n, err));
    return ss_sae_encode_part(&m->sae->parameters, &wide, work, rows, &m->part, err);
}

/* First pass: the two values beside the threshold, over all rows. It marks nothing, but has the
 * form of the second pass. */
static void find_neighbours(const struct ss_sae_margins *m, const struct ss_sae_rows *rows,
                            bool *is_ambiguous, struct neighbours *neighbours)
{
    (void)is_ambiguous;
    for (size_t r = 0; r < rows->n; r++) {
        neighbours->max_margin = fmax(neighbours->max_margin, m->du[r] * m->max_h_per_du);
        for (size_t i = m->part.offsets[r]; i < m->part.offsets[r + 1]; i++) {
            const double h = (double)m->part.values[i];
            if (h > neighbours->threshold) {
                neighbours->above = fmin(neighbours->above, h);
            } else {
                neighbours->below = fmax(neighbours->below, h);
            }
        }
    }
}

/* Second pass. A row is ambiguous that has a value which might be one of the two, were it
 * exact: its own margin counts, and that of the neighbours, which may be off as well. */
static void mark_near_threshold(const struct ss_sae_margins *m, const struct ss_sae_rows *rows,
                                bool *is_ambiguous, struct neighbours *neighbours)
{
    for (size_t r = 0; r < rows->n; r++) {
        bool *mark = &is_ambiguous[rows->first + r];
        *mark = false;
        for (size_t i = m->part.offsets[r]; i < m->part.offsets[r + 1]; i++) {
            const double h = (double)m->part.values[i];
            const double margin =
                m->du[r] * (double)m->h_per_du[m->part.features[i]] + neighbours->max_margin;
            *mark |= h + margin >= neighbours->below && h - margin <= neighbours->above;
        }
    }
}

/* In two passes: the threshold that rows have as they are gives its neighbours, and these the
 * rows that could have one of them. The marked rows are embedded exactly by the caller, who
 * then calibrates (docs/numerics.md, "Fire sets at high"). */
ss_status ss_sae_mark_for_calibration(struct ss_sae_margins *margins, ss_work *work,
                                      const struct ss_sae_batch *batch, ss_err *err)
{
    static void (*const passes[])(const struct ss_sae_margins *, const struct ss_sae_rows *,
                                  bool *,
                                  struct neighbours *) = {find_neighbours, mark_near_threshold};
    const ss_sae *sae = margins->sae;
    struct neighbours neighbours = {.above = INFINITY};
    SS_RETURN_IF_ERROR(ss_sae_find_batchtopk_threshold(sae, work, batch->x, batch->n,
                                                       &neighbours.threshold, err));
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < batch->n; at += ROWS_AT_ONCE) {
            const struct ss_sae_rows rows = {.x = batch->x + at * sae->parameters.width,
                                             .n = ss__min_size(ROWS_AT_ONCE, batch->n - at),
                                             .first = at};
            SS_RETURN_IF_ERROR(encode_positive(margins, work, &rows, err));
            passes[pass](margins, &rows, batch->is_ambiguous, &neighbours);
        }
    }
    return SS_OK;
}

/* ---- marked rows again ---- */

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

/* How many rows from `first` on are marked, or are not, as it is: runs of either are handled at
 * once. */
static size_t run_from(const struct ss_sae_batch *batch, size_t first)
{
    size_t end = first + 1;
    while (end < batch->n && batch->is_ambiguous[end] == batch->is_ambiguous[first]) {
        end++;
    }
    return end - first;
}

/* The rows in order, the marked ones encoded and the others copied, into a buffer that then
 * changes places with the result. Rows have different numbers of features before and after, so
 * that they cannot be replaced where they are. */
static ss_status encode_marked(struct ss_sae_margins *m, const struct ss_sae_rule *rule,
                               ss_work *work, const struct ss_sae_batch *batch,
                               const struct ss_sparse *old, ss_err *err)
{
    const struct ss_sae_parameters *p = &m->sae->parameters;
    SS_RETURN_IF_ERROR(ss_sae_sparse_start(&m->merged, batch->n, err));
    for (size_t r = 0, n = 0; r < batch->n; r += n) {
        n = run_from(batch, r);
        if (!batch->is_ambiguous[r]) {
            SS_RETURN_IF_ERROR(append_rows(&m->merged, old, r, n, err));
            continue;
        }
        const struct ss_sae_rows run = {
            .x = batch->x + r * p->width, .n = n, .first = r, .counts = batch->counts};
        SS_RETURN_IF_ERROR(ss_sae_encode_part(p, rule, work, &run, &m->merged, err));
    }
    return SS_OK;
}

ss_status ss_sae_reencode_marked(struct ss_sae_margins *margins,
                                 const struct ss_sae_activation *activation, ss_work *work,
                                 const struct ss_sae_batch *batch, struct ss_sparse *out,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_rule *rule = rule_of(margins, activation);
    if (rule->selection == SS_SAE_SELECT_BATCH_TOPK) { /* all rows have a part in it */
        return ss_sae_encode_batch(margins->sae, activation, work, batch, out, err);
    }
    SS_TRY(encode_marked(margins, rule, work, batch, out, err));
    /* both keep their memory for the next call */
    const struct ss_sparse old = *out;
    *out = margins->merged;
    margins->merged = old;
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}
