/* Which activations are kept: all positive ones, those above a threshold of their feature, the k
 * largest of a row, or the k B largest of a batch. Of equal values the lower row, then the lower
 * feature stays. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

enum { SELECT_ROWS = 8 }; /* of a task */

/* ---- the k-th largest ---- */

static void swap(ss_train_real *a, ss_train_real *b)
{
    const ss_train_real t = *a;
    *a = *b;
    *b = t;
}

static ss_train_real middle_of_three(ss_train_real a, ss_train_real b, ss_train_real c)
{
    if ((a >= b) == (b >= c)) {
        return b;
    }
    return (b >= a) == (a >= c) ? a : c;
}

ss_train_real ss_train_kth_largest(ss_train_real *values, size_t n, size_t k)
{
    size_t low = 0, high = n - 1, want = k - 1;
    while (low < high) {
        const ss_train_real pivot =
            middle_of_three(values[low], values[low + (high - low) / 2], values[high]);
        size_t i = low, j = high;
        for (;;) {
            while (values[i] > pivot) {
                i++;
            }
            while (values[j] < pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swap(values + i++, values + j--);
        }
        if (want <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[want];
}

/* Keep values above `cut`, and of those equal to it the first *n_equal. */
static size_t keep_above(uint32_t *ids, ss_train_real *values, size_t n, ss_train_real cut,
                         size_t *n_equal)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const bool is_equal = values[i] == cut;
        if (values[i] > cut || (is_equal && *n_equal > 0)) {
            *n_equal -= is_equal ? 1 : 0;
            ids[kept] = ids[i];
            values[kept++] = values[i];
        }
    }
    return kept;
}

static size_t count_above(const ss_train_real *values, size_t n, ss_train_real cut)
{
    size_t above = 0;
    for (size_t i = 0; i < n; i++) {
        above += values[i] > cut ? 1 : 0;
    }
    return above;
}

size_t ss_train_keep_largest(uint32_t *ids, ss_train_real *values, size_t n, size_t k,
                             ss_train_real *scratch)
{
    if (n <= k) {
        return n;
    }
    memcpy(scratch, values, n * sizeof *values);
    const ss_train_real cut = ss_train_kth_largest(scratch, n, k);
    size_t n_equal = k - count_above(values, n, cut);
    return keep_above(ids, values, n, cut, &n_equal);
}

/* ---- rows ---- */

static size_t collect_row(struct ss_trainer *self, size_t r, ss_train_real threshold)
{
    const struct ss_train_collection collection = {
        .x = self->h + r * self->config.n_features,
        .n = self->config.n_features,
        .thresholds = self->config.kind == SS_TRAIN_JUMPRELU ? self->lowest : NULL,
        .threshold = threshold,
        .ids = self->kept.ids + r * self->kept.stride,
        .values = self->kept.values + r * self->kept.stride};
    self->kept.n[r] = ss_train_collect_at_least(&collection);
    return self->kept.n[r];
}

static void select_row(struct ss_trainer *self, size_t r, size_t worker)
{
    const size_t k = self->config.top_k;
    const ss_train_real least = sizeof(ss_train_real) == sizeof(float)
                                    ? (ss_train_real)FLT_TRUE_MIN
                                    : (ss_train_real)DBL_TRUE_MIN;
    if (!ss_train_selects(&self->config)) {
        collect_row(self, r, least);
        return;
    }
    size_t n = collect_row(self, r, self->guess > least ? self->guess : least);
    if (self->config.kind == SS_TRAIN_TOPK) {
        n = n < k && self->guess > least ? collect_row(self, r, least) : n;
        const size_t at = r * self->kept.stride;
        self->kept.n[r] = ss_train_keep_largest(self->kept.ids + at, self->kept.values + at, n,
                                                k, ss_train_scratch(self, worker));
    }
}

static void select_task(void *context, size_t index, size_t worker)
{
    struct ss_trainer *self = context;
    const size_t first = index * SELECT_ROWS;
    for (size_t r = first; r < ss__min_size(first + SELECT_ROWS, self->n_rows); r++) {
        select_row(self, r, worker);
    }
}

static size_t select_rows(struct ss_trainer *self, ss_work *work)
{
    size_t total = 0;
    ss__pool_run(ss_tensor_work_pool(work), ss__divide_up(self->n_rows, SELECT_ROWS),
                 select_task, self);
    for (size_t r = 0; r < self->n_rows; r++) {
        total += self->kept.n[r];
    }
    return total;
}

/* ---- the whole batch ---- */

static void gather_values(struct ss_trainer *self)
{
    size_t at = 0;
    for (size_t r = 0; r < self->n_rows; r++) {
        memcpy(self->values + at, self->kept.values + r * self->kept.stride,
               self->kept.n[r] * sizeof *self->values);
        at += self->kept.n[r];
    }
}

static ss_status cut_batch(struct ss_trainer *self, size_t n, size_t k, ss_err *err)
{
    SS_GROW_OR_RETURN(self->values, self->values_capacity, n);
    gather_values(self);
    const ss_train_real cut = ss_train_kth_largest(self->values, n, k);
    size_t n_equal = k - count_above(self->values, k - 1, cut);
    for (size_t r = 0; r < self->n_rows; r++) {
        const size_t at = r * self->kept.stride;
        self->kept.n[r] = keep_above(self->kept.ids + at, self->kept.values + at,
                                     self->kept.n[r], cut, &n_equal);
    }
    self->guess = cut * (ss_train_real)0.9;
    return SS_OK;
}

static ss_status select_batch(struct ss_trainer *self, ss_work *work, ss_err *err)
{
    const size_t k = self->config.top_k * self->n_rows;
    size_t n = select_rows(self, work);
    if (n < k && self->guess > 0) {
        self->guess = 0;
        n = select_rows(self, work);
    }
    return n > k ? cut_batch(self, n, k, err) : SS_OK;
}

/* Nine tenths of the smallest value that was kept: next time rows that have k above it need not
 * look at more. */
static void guess_for_rows(struct ss_trainer *self)
{
    ss_train_real least = INFINITY;
    for (size_t r = 0; r < self->n_rows; r++) {
        const ss_train_real *values = self->kept.values + r * self->kept.stride;
        for (size_t i = 0; i < self->kept.n[r]; i++) {
            least = values[i] < least ? values[i] : least;
        }
    }
    self->guess = isfinite(least) ? least * (ss_train_real)0.9 : 0;
}

ss_status ss_train_select(struct ss_trainer *self, ss_work *work, ss_err *err)
{
    if (self->config.kind == SS_TRAIN_BATCHTOPK) {
        return select_batch(self, work, err);
    }
    (void)select_rows(self, work);
    if (self->config.kind == SS_TRAIN_TOPK) {
        guess_for_rows(self);
    }
    return SS_OK;
}
