/* The list of differences: added one by one, then ordered, with q-values. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "graph/significance.h"
#include "run/diff.h"

ss_status ss_run_diff_add(struct ss_diff *diff, const struct ss_run_difference *difference,
                          ss_err *err)
{
    void *items = diff->items;
    if (!ss__grow(&items, &diff->capacity, diff->n + 1, sizeof *diff->items)) {
        return ss__fail_nomem(err, "differences");
    }
    diff->items = items;
    diff->items[diff->n] = *difference;
    ss_stats_compare(&difference->counts, &diff->items[diff->n].shares);
    diff->n++;
    return SS_OK;
}

static int by_p(const void *left, const void *right)
{
    const struct ss_run_difference *a = left, *b = right;
    if (a->shares.log_p != b->shares.log_p) {
        return a->shares.log_p < b->shares.log_p ? -1 : 1;
    }
    if (a->feature_a != b->feature_a) {
        return a->feature_a < b->feature_a ? -1 : 1;
    }
    return strcmp(a->group, b->group);
}

static bool is_tested(const struct ss_run_difference *item)
{
    return item->counts.k_a + item->counts.k_b > 0;
}

/* Features that fire on neither side were not tested, and count for no q-value. */
ss_status ss_run_diff_rank(struct ss_diff *diff, ss_err *err)
{
    double *log_q = NULL;
    size_t n = 0;
    SS_ALLOC_OR_RETURN(log_q, diff->n);
    if (diff->n > 1) {
        ss__sort(diff->items, diff->n, sizeof *diff->items, by_p);
    }
    for (size_t i = 0; i < diff->n; i++) {
        if (is_tested(&diff->items[i])) {
            log_q[n++] = diff->items[i].shares.log_p;
        }
    }
    ss_graph_log_q(log_q, n, (double)n, log_q);
    for (size_t i = 0, k = 0; i < diff->n; i++) {
        diff->items[i].log_q = is_tested(&diff->items[i]) ? log_q[k++] : 0;
    }
    ss__free(log_q);
    return SS_OK;
}
