/* Rows whose features depend on how exact their embedding is.
 *
 * An embedding that is off by dx moves h of feature f by w_f · du, where |du| is at most
 * ss__sae_input_reach times |dx| / |x|. That is |w_f| |du| at worst, where du lies along w_f.
 * It does not: what roundings leave is spread over all D directions, and along any one of them
 * lies a share of 1/sqrt(D) of it, in the root mean square. SPREAD times that is taken as the
 * margin of f (docs/numerics.md has the measurement), and never more than |w_f| |du|.
 *
 * Rows are encoded once, by a copy of the SAE whose floors are lower by the margins and which
 * keeps a few values more than k: its floors are passed by all that is kept, and by what stands
 * near. That is then looked at pair by pair, and what does not belong to the result is taken
 * out. Rules by row look for themselves (sae_rows.c). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { MORE_THAN_K = 8 };

static const double SPREAD = 4.5;

struct ss__margins {
    const ss_sae *sae;
    double error;                  /* of embeddings, relative */
    float *lengths, *size_lengths; /* [L]: a row's margin of f is its reach times lengths[f] */
    double most_length;
    float *floors; /* [L] lowered */
    double *reach; /* [N] |du| */
    float *sorted; /* values of a row, or of a batch */
    size_t n_reach_room, n_sorted_room;
    struct ss_sparse part, merged;
};

/* ---- making margins ---- */

static ss_status measure(struct ss__margins *m, ss_err *err)
{
    ss_status status = SS_OK;
    const ss_sae *sae = m->sae;
    const double spread = fmin(1, SPREAD / sqrt((double)sae->width));
    SS_ALLOC(m->lengths, sae->n_features);
    SS_ALLOC(m->floors, sae->n_features);
    ss__matrix_lengths(&sae->encoder, m->lengths);
    if (sae->magnitudes != NULL) {
        SS_ALLOC(m->size_lengths, sae->n_features);
    }
    for (size_t f = 0; f < sae->n_features; f++) {
        m->lengths[f] *= (float)spread;
        m->most_length = fmax(m->most_length, (double)m->lengths[f]);
        if (m->size_lengths != NULL) {
            const float *w = sae->magnitudes + f * sae->width;
            m->size_lengths[f] = (float)(spread * sqrt((double)ss__sum_squares(w, sae->width)));
        }
    }
out:
    return status;
}

ss_status ss__margins_new(const ss_sae *sae, double error, struct ss__margins **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__margins *m = NULL;
    *out = NULL;
    SS_ALLOC(m, 1);
    m->sae = sae;
    m->error = error;
    SS_TRY(measure(m, err));
    *out = m;
    m = NULL;
out:
    ss__margins_free(m);
    return status;
}

void ss__margins_free(struct ss__margins *margins)
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

bool ss__margins_decide(const struct ss__margins *margins)
{
    return margins->sae->kind != SS__SAE_LISTA;
}

/* ---- the lowered floors ---- */

/* Where a feature begins to fire: at its floor, or where its gain makes a positive value. */
static double firing_floor(const ss_sae *sae, size_t f)
{
    const double floor = (double)sae->floors[f];
    return sae->gains == NULL ? floor
                              : fmax(floor, -(double)sae->shifts[f] / (double)sae->gains[f]);
}

/* Margins of the row with the longest reach, on all floors; pairs that are counted as
 * borderline pass as well. */
static void lower_floors(struct ss__margins *m, double most_reach)
{
    for (size_t f = 0; f < m->sae->n_features; f++) {
        const double floor = (double)m->sae->floors[f];
        const double lowered = floor - most_reach * (double)m->lengths[f];
        m->floors[f] = nextafterf((float)fmin(lowered, (double)m->sae->nearest[f]), -INFINITY);
    }
}

/* Reaches of rows x [n, D], and the SAE with lowered floors. */
static ss_status widen(struct ss__margins *m, const float *x, size_t n, ss_sae *wide,
                       ss_err *err)
{
    ss_status status = SS_OK;
    double most = 0;
    SS_GROW(m->reach, m->n_reach_room, n);
    for (size_t r = 0; r < n; r++) {
        m->reach[r] = m->error * ss__sae_input_reach(m->sae, x + r * m->sae->width);
        most = fmax(most, m->reach[r]);
    }
    lower_floors(m, most);
    *wide = *m->sae;
    wide->floors = wide->nearest = m->floors;
    wide->gains = NULL;
    wide->top_k += MORE_THAN_K;
out:
    return status;
}

/* ---- looking at pairs ---- */

/* Rows of the copy, from which what belongs to the result is kept in place. */
struct sifting {
    struct ss__margins *margins;
    struct ss_sparse *rows;
    bool *is_near;
    struct ss__sae_counts *counts; /* nullable */
    size_t from, to;               /* the next entry to look at, and where the next one goes */
};

static double margin_of(const struct sifting *s, size_t r, uint32_t f)
{
    return s->margins->reach[r] * (double)s->margins->lengths[f];
}

/* What h becomes, 0 where it does not fire. */
static float activation_of(const ss_sae *sae, size_t f, float h)
{
    const float a = sae->gains == NULL ? h : h * sae->gains[f] + sae->shifts[f];
    return h > sae->floors[f] && a > 0 ? a : 0;
}

static bool is_borderline(const ss_sae *sae, size_t f, float h)
{
    const float floor = sae->floors[f];
    return floor != 0 && h >= sae->nearest[f] &&
           h <= nextafterf(nextafterf(floor, INFINITY), INFINITY);
}

static void keep(struct sifting *s, uint32_t f, float a)
{
    s->rows->features[s->to] = f;
    s->rows->values[s->to++] = a;
}

/* ---- all above their floors ---- */

/* A margin of 0 is that of weights of 0, whose h is the same whatever the embedding. */
static bool is_near_floor(const struct sifting *s, size_t r, uint32_t f, float h)
{
    const double margin = margin_of(s, r, f);
    return margin > 0 && fabs((double)h - firing_floor(s->margins->sae, f)) <= margin;
}

static void sift_above(struct sifting *s)
{
    const ss_sae *sae = s->margins->sae;
    for (size_t r = 0; r < s->rows->n_rows; r++) {
        const size_t end = s->rows->offsets[r + 1];
        uint64_t n_borderline = 0;
        s->is_near[r] = false;
        for (; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from], a = activation_of(sae, f, h);
            s->is_near[r] |= is_near_floor(s, r, f, h);
            n_borderline += is_borderline(sae, f, h);
            if (a > 0) {
                keep(s, f, a);
            }
        }
        if (s->counts != NULL && !s->is_near[r]) {
            s->counts->n_borderline_pairs += n_borderline;
        }
        s->rows->offsets[r + 1] = s->to;
    }
}

/* ---- the k largest ---- */

/* Rows of whose values the k largest are kept, one row or a batch. */
struct field {
    size_t first, end, k;
    bool has_more; /* the copy let go of values, no larger than the least here */
};

/* Where the k largest end: values of `least`, of which the first n_equal are kept. What is kept
 * is no lower than `low` at worst, what is not no higher than `high`. */
struct border {
    size_t n_kept, n_equal;
    float least;
    double low, high;
};

static int compare_values(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static ss_status find_border(const struct sifting *s, const struct field *field,
                             struct border *border, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__margins *m = s->margins;
    const size_t end = s->rows->offsets[field->end];
    size_t n = 0;
    SS_GROW(m->sorted, m->n_sorted_room, end - s->from);
    for (size_t i = s->from; i < end; i++) {
        m->sorted[n] = s->rows->values[i];
        n += s->rows->values[i] > m->sae->floors[s->rows->features[i]];
    }
    *border = (struct border){.n_kept = n, .n_equal = SIZE_MAX, .least = -INFINITY};
    if (n > field->k) {
        qsort(m->sorted, n, sizeof *m->sorted, compare_values);
        *border = (struct border){.n_kept = field->k, .least = m->sorted[field->k - 1]};
        for (size_t i = 0; i < field->k; i++) {
            border->n_equal += m->sorted[i] == border->least;
        }
    }
out:
    return status;
}

/* Whether the next value is kept; asked in their order. */
static bool takes(const struct sifting *s, struct border *border, uint32_t f, float h)
{
    if (!(h > s->margins->sae->floors[f]) || h < border->least ||
        (h == border->least && border->n_equal == 0)) {
        return false;
    }
    border->n_equal -= h == border->least;
    return true;
}

static void bound(const struct sifting *s, const struct field *field, struct border *border)
{
    struct border at = *border;
    double least = INFINITY;
    border->low = INFINITY;
    border->high = -INFINITY;
    for (size_t r = field->first, i = s->from; r < field->end; r++) {
        for (; i < s->rows->offsets[r + 1]; i++) {
            const uint32_t f = s->rows->features[i];
            const float h = s->rows->values[i];
            const double margin = margin_of(s, r, f);
            least = fmin(least, (double)h);
            if (takes(s, &at, f, h)) {
                border->low = fmin(border->low, (double)h - margin);
            } else if ((double)h + margin > (double)s->margins->sae->floors[f]) {
                border->high = fmax(border->high, (double)h + margin);
            }
        }
    }
    if (field->has_more) {
        border->high = fmax(border->high,
                            least + s->margins->reach[field->first] * s->margins->most_length);
    }
}

struct pair {
    uint32_t feature;
    bool is_kept;
    double h, margin;
};

/* Whether another embedding could change what becomes of a pair: near its floor, where that
 * decides, or between what is kept for certain and what is not. */
static bool is_near_border(const struct sifting *s, const struct field *field,
                           const struct border *border, const struct pair *pair)
{
    const double low = pair->h - pair->margin, high = pair->h + pair->margin;
    const double floor = (double)s->margins->sae->floors[pair->feature];
    if (!(pair->margin > 0) || !(high > floor)) {
        return false;
    }
    return pair->is_kept && low <= floor ? true
           : border->n_kept < field->k   ? !pair->is_kept
                                         : low <= border->high && high >= border->low;
}

static ss_status sift_field(struct sifting *s, const struct field *field, ss_err *err)
{
    ss_status status = SS_OK;
    struct border border = {0};
    SS_TRY(find_border(s, field, &border, err));
    bound(s, field, &border);
    for (size_t r = field->first; r < field->end; r++) {
        s->is_near[r] = field->has_more && border.n_kept < field->k;
        for (const size_t end = s->rows->offsets[r + 1]; s->from < end; s->from++) {
            const uint32_t f = s->rows->features[s->from];
            const float h = s->rows->values[s->from];
            const bool is_kept = takes(s, &border, f, h);
            const struct pair pair = {f, is_kept, (double)h, margin_of(s, r, f)};
            s->is_near[r] |= is_near_border(s, field, &border, &pair);
            if (is_kept) {
                keep(s, f, h);
            }
        }
        s->rows->offsets[r + 1] = s->to;
    }
out:
    return status;
}

/* Rows by `n_each`, of which the k n_each largest values are kept; the copy gave n_most values
 * of a row at most. */
static ss_status sift_fields(struct sifting *s, size_t n_each, size_t n_most, ss_err *err)
{
    ss_status status = SS_OK;
    const ss_sae *sae = s->margins->sae;
    for (size_t r = 0; r < s->rows->n_rows; r += n_each) {
        struct field field = {.first = r, .end = ss__min_size(r + n_each, s->rows->n_rows)};
        if (!ss__mul(sae->top_k, field.end - field.first, &field.k)) {
            field.k = SIZE_MAX;
        }
        field.has_more =
            s->rows->offsets[r + 1] - s->from == n_most && n_most < sae->n_features;
        SS_TRY(sift_field(s, &field, err));
    }
out:
    return status;
}

/* ---- the whole ---- */

static ss_status start(struct ss_sparse *out, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    out->n_rows = 0;
    SS_GROW(out->offsets, out->n_rows_room, n + 1);
    out->offsets[0] = 0;
out:
    return status;
}

static ss_status encode_wide(struct ss__margins *m, ss_work *work,
                             const struct ss__near_rows *rows, struct ss_sparse *out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    ss_sae wide;
    const ss_sae *sae = m->sae;
    const bool is_row = sae->selection == SS__SELECT_ROW_TOPK;
    const struct ss__rows all = {.x = rows->x, .n = rows->n};
    struct sifting s = {
        .margins = m, .rows = out, .is_near = rows->is_near, .counts = rows->counts};
    SS_TRY(widen(m, rows->x, rows->n, &wide, err));
    SS_TRY(ss__sae_encode_part(&wide, is_row ? SS__SELECT_ROW_TOPK : SS__SELECT_ABOVE, work,
                               &all, out, NULL, err));
    if (sae->selection == SS__SELECT_ABOVE) {
        sift_above(&s);
    } else if (is_row) {
        SS_TRY(sift_fields(&s, 1, wide.top_k, err));
    } else {
        SS_TRY(sift_fields(&s, sae->options.batch_rows, SIZE_MAX, err));
    }
out:
    return status;
}

/* Rules by row look for themselves. */
static ss_status encode_by_row(struct ss__margins *m, ss_work *work,
                               const struct ss__near_rows *rows, struct ss_sparse *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    ss_sae unused;
    SS_TRY(widen(m, rows->x, rows->n, &unused, err));
    const struct ss__doubt doubt = {.reach = m->reach,
                                    .lengths = m->lengths,
                                    .size_lengths = m->size_lengths,
                                    .is_near = rows->is_near};
    const struct ss__rows all = {.x = rows->x, .n = rows->n, .doubt = &doubt};
    SS_TRY(ss__sae_encode_part(m->sae, SS__SELECT_BY_ROW, work, &all, out, rows->counts, err));
out:
    return status;
}

ss_status ss__sae_encode_near(struct ss__margins *margins, ss_work *work,
                              const struct ss__near_rows *rows, struct ss_sparse *out,
                              ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(start(out, rows->n, err));
    SS_TRY(ss__sae_check_rule(margins->sae, err));
    SS_TRY(margins->sae->selection == SS__SELECT_BY_ROW
               ? encode_by_row(margins, work, rows, out, err)
               : encode_wide(margins, work, rows, out, err));
out:
    if (status != SS_OK) {
        out->n_rows = 0;
    }
    return status;
}

/* ---- once more ---- */

static ss_status append_rows(struct ss_sparse *out, const struct ss_sparse *from, size_t first,
                             size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t start = from->offsets[first], n_more = from->offsets[first + n] - start;
    const size_t n_before = out->offsets[out->n_rows];
    size_t room = out->n_values_room;
    SS_GROW(out->features, room, n_before + n_more);
    room = out->n_values_room;
    SS_GROW(out->values, room, n_before + n_more);
    out->n_values_room = room;
    if (n_more > 0) {
        memcpy(out->features + n_before, from->features + start,
               n_more * sizeof *out->features);
        memcpy(out->values + n_before, from->values + start, n_more * sizeof *out->values);
    }
    for (size_t r = 0; r < n; r++) {
        out->offsets[++out->n_rows] = n_before + from->offsets[first + r + 1] - start;
    }
out:
    return status;
}

/* How many rows from `first` on are near, or not, as it is. */
static size_t run_from(const struct ss__near_rows *rows, size_t first)
{
    size_t end = first + 1;
    while (end < rows->n && rows->is_near[end] == rows->is_near[first]) {
        end++;
    }
    return end - first;
}

static ss_status encode_near_rows(struct ss__margins *m, ss_work *work,
                                  const struct ss__near_rows *rows, const struct ss_sparse *old,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    const ss_sae *sae = m->sae;
    SS_TRY(start(&m->merged, rows->n, err));
    for (size_t r = 0, n = 0; r < rows->n; r += n) {
        n = run_from(rows, r);
        if (!rows->is_near[r]) {
            SS_TRY(append_rows(&m->merged, old, r, n, err));
            continue;
        }
        const struct ss__rows run = {.x = rows->x + r * sae->width, .n = n, .first = r};
        SS_TRY(start(&m->part, n, err));
        SS_TRY(
            ss__sae_encode_part(sae, sae->selection, work, &run, &m->part, rows->counts, err));
        SS_TRY(append_rows(&m->merged, &m->part, 0, n, err));
    }
out:
    return status;
}

ss_status ss__sae_encode_again(struct ss__margins *margins, ss_work *work,
                               const struct ss__near_rows *rows, struct ss_sparse *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    if (margins->sae->selection == SS__SELECT_BATCH_TOPK) { /* all rows have a part in it */
        SS_TRY(ss__sae_encode(margins->sae, work, rows->x, rows->n, out, rows->counts, err));
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
