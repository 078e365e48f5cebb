/* Trees of joins (Ward's, single linkage): their order, their cuts, their leaves.
 *
 * A tree is a list of joins of two nodes at a height, as in scipy; node numbers of leaves
 * come first. Equal heights are frequent (features that fire in the same rows), so every
 * order has a last key that is never equal: the smallest leaf of a node, or the number of the
 * join. Groups are numbered by falling size, then by their first member. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "graph/clusters.h"

/* ---- labels ---- */

struct group {
    uint32_t size, first, id;
};

static int by_size(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    if (x->size != y->size) {
        return x->size > y->size ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

ss_status ss_graph_label_by_size(int32_t *groups, size_t n, size_t n_groups, size_t *n_labels,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct group *sorted = NULL;
    int32_t *label_of = NULL;
    SS_ALLOC(sorted, n_groups);
    SS_ALLOC(label_of, n_groups);
    for (size_t g = 0; g < n_groups; g++) {
        sorted[g] = (struct group){.first = SS_GRAPH_NONE, .id = (uint32_t)g};
    }
    for (size_t i = n; i-- > 0;) {
        if (groups[i] >= 0) {
            sorted[groups[i]].size++;
            sorted[groups[i]].first = (uint32_t)i;
        }
    }
    ss__sort(sorted, n_groups, sizeof *sorted, by_size);
    *n_labels = 0;
    for (size_t g = 0; g < n_groups; g++) {
        label_of[sorted[g].id] = (int32_t)g;
        *n_labels += sorted[g].size > 0;
    }
    for (size_t i = 0; i < n; i++) {
        groups[i] = groups[i] < 0 ? -1 : label_of[groups[i]];
    }
out:
    ss__free(sorted);
    ss__free(label_of);
    return status;
}

/* ---- order ---- */

struct ordered {
    double height;
    uint32_t join;
};

static int by_height(const void *a, const void *b)
{
    const struct ordered *x = a;
    const struct ordered *y = b;
    if (x->height != y->height) {
        return x->height < y->height ? -1 : 1;
    }
    return x->join < y->join ? -1 : x->join > y->join;
}

static double lifted(const struct ss_graph_join *joins, size_t n, size_t i)
{
    double height = joins[i].height;
    if (joins[i].left >= n) {
        height = fmax(height, joins[joins[i].left - n].height);
    }
    return joins[i].right >= n ? fmax(height, joins[joins[i].right - n].height) : height;
}

ss_status ss_graph_joins_sort(struct ss_graph_join *joins, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ordered *order = NULL;
    struct ss_graph_join *old = NULL;
    uint32_t *node_of = NULL; /* [n - 1] the new node of an old join */
    SS_ALLOC(order, n);
    SS_ALLOC(old, n);
    SS_ALLOC(node_of, n);
    for (size_t i = 0; i + 1 < n; i++) {
        joins[i].height = lifted(joins, n, i);
        order[i] = (struct ordered){joins[i].height, (uint32_t)i};
    }
    memcpy(old, joins, (n - 1) * sizeof *old);
    ss__sort(order, n - 1, sizeof *order, by_height);
    for (size_t i = 0; i + 1 < n; i++) {
        struct ss_graph_join join = old[order[i].join];
        node_of[order[i].join] = (uint32_t)(n + i);
        const uint32_t a = join.left < n ? join.left : node_of[join.left - n];
        const uint32_t b = join.right < n ? join.right : node_of[join.right - n];
        join.left = a < b ? a : b;
        join.right = a < b ? b : a;
        joins[i] = join;
    }
out:
    ss__free(order);
    ss__free(old);
    ss__free(node_of);
    return status;
}

/* ---- cuts ---- */

ss_status ss_graph_cut(const struct ss_graph_join *joins, size_t n, size_t n_clusters,
                       int32_t *labels, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t *top = NULL; /* [2n - 1] the highest node that a node belongs to, downwards */
    int32_t *group_of = NULL;
    size_t n_labels = 0;
    const size_t n_nodes = 2 * n - n_clusters;
    SS_ALLOC(top, 2 * n);
    SS_ALLOC(group_of, 2 * n);
    for (size_t i = 0; i < n_nodes; i++) {
        top[i] = (uint32_t)i;
    }
    for (size_t i = n_nodes; i-- > n;) {
        top[joins[i - n].left] = top[i];
        top[joins[i - n].right] = top[i];
    }
    size_t n_groups = 0;
    for (size_t i = 0; i < n_nodes; i++) {
        group_of[i] = top[i] == i ? (int32_t)n_groups++ : -1;
    }
    for (size_t i = 0; i < n; i++) {
        labels[i] = group_of[top[i]];
    }
    SS_TRY(ss_graph_label_by_size(labels, n, n_groups, &n_labels, err));
out:
    ss__free(top);
    ss__free(group_of);
    return status;
}

size_t ss_graph_cut_default(const struct ss_graph_join *joins, size_t n)
{
    const size_t by_root = (size_t)ceil(2 * sqrt((double)n)), by_share = n / 15;
    const size_t low = ss__max_size(ss__min_size(by_root, by_share), 2);
    const size_t high = ss__min_size(ss__max_size(by_root, by_share), n / 2);
    size_t best = ss__min_size(low, n);
    double most = 0;
    for (size_t k = low; k <= high; k++) {
        /* Undoing joins n - k … n - 2 leaves k clusters; the next to be undone is n - k - 1. */
        const double ratio = joins[n - k - 1].height > 0
                                 ? joins[n - k].height / joins[n - k - 1].height
                                 : (joins[n - k].height > 0 ? INFINITY : 0);
        if (ratio > most) {
            most = ratio;
            best = k;
        }
    }
    /* Equal points are not told apart. */
    while (best > 1 && joins[n - best].height == 0) {
        best--;
    }
    return best;
}

ss_status ss_graph_leaf_order(const struct ss_graph_join *joins, size_t n, uint32_t *order,
                              ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t *first = NULL; /* [2n - 1] the smallest point of a node */
    uint32_t *stack = NULL;
    size_t n_stack = 0, n_done = 0;
    SS_ALLOC(first, 2 * n);
    SS_ALLOC(stack, 2 * n);
    for (size_t i = 0; i < 2 * n - 1; i++) {
        const struct ss_graph_join *join = &joins[i < n ? 0 : i - n];
        first[i] = i < n                                    ? (uint32_t)i
                   : first[join->left] < first[join->right] ? first[join->left]
                                                            : first[join->right];
    }
    stack[n_stack++] = (uint32_t)(2 * n - 2);
    while (n_stack > 0) {
        const uint32_t node = stack[--n_stack];
        if (node < n) {
            order[n_done++] = node;
            continue;
        }
        const struct ss_graph_join *join = &joins[node - n];
        const bool is_left_first = first[join->left] < first[join->right];
        stack[n_stack++] = is_left_first ? join->right : join->left;
        stack[n_stack++] = is_left_first ? join->left : join->right;
    }
out:
    ss__free(first);
    ss__free(stack);
    return status;
}
