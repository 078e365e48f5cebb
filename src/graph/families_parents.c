/* One parent for every feature: of the features that fire more often than it, whose pair with it
 * is significant, has enough rows and enough lift, the one that scores best. So there are no
 * cycles, no ties by chance and no families that are nearly the same: every subtree is the
 * family of its root. */
#include <math.h>
#include <stdlib.h>

#include "base/sort.h"
#include "graph/families_priv.h"
#include "stats/stats.h"

/* Sums of members of nested families could grow with the square of a chain's length; deeper
 * ones than so many times all features are not listed. */
enum { MOST_LISTED = 64, LEAST_MEMBERS = 2 };

struct choosing {
    const struct ss_graph_table *table;
    const struct ss_graph_family_options *options;
    struct ss_graph_significant significant;
    struct ss_graph_parent *best; /* [F] of each child; index UINT64_MAX: none */
    size_t *offsets;              /* [F + 1] into children */
    uint32_t *children;           /* by parent, rising */
    uint32_t *depths;             /* [F] */
    uint32_t *stack;              /* [F] */
};

static struct ss_graph_counts counts_of(const struct choosing *choosing, size_t a, size_t b,
                                        uint64_t index)
{
    const struct ss_graph_table *table = choosing->table;
    const ss_graph_row_set rows = choosing->options->rows;
    return (struct ss_graph_counts){
        ss_graph_n_rows(table, rows), ss_graph_fires(table, rows, a),
        ss_graph_fires(table, rows, b), ss_graph_count(table, rows, index)};
}

static double score_of(const struct choosing *choosing, struct ss_graph_counts counts,
                       const struct ss_graph_significant_pair *pair)
{
    double low = 0, high = 0;
    if (choosing->options->score == SS_GRAPH_COSINE) {
        return log(ss_graph_lift(counts)) * ss_graph_cosine(choosing->table,
                                                            choosing->options->rows, pair->a,
                                                            pair->b, pair->index);
    }
    if (choosing->options->score == SS_GRAPH_PHI) {
        return ss_graph_phi(counts);
    }
    if (choosing->options->score == SS_GRAPH_NPMI) {
        return ss_graph_measure(counts).npmi;
    }
    ss_stats_wilson(counts.n_both, counts.n_b, &low, &high); /* b is the child */
    return low;
}

/* Whether a parent is better than the best so far: by score, then rows, then number. */
static bool is_better(const struct choosing *choosing, const struct ss_graph_parent *a,
                      const struct ss_graph_parent *b)
{
    if (b->index == UINT64_MAX || a->score != b->score) {
        return b->index == UINT64_MAX || a->score > b->score;
    }
    const uint64_t n_a = ss_graph_count(choosing->table, choosing->options->rows, a->index);
    const uint64_t n_b = ss_graph_count(choosing->table, choosing->options->rows, b->index);
    return n_a != n_b ? n_a > n_b : a->parent < b->parent;
}

static void choose_parents(struct choosing *choosing)
{
    const struct ss_graph_family_options *options = choosing->options;
    const struct ss_graph_table *table = choosing->table;
    for (size_t i = 0; i < choosing->significant.n; i++) {
        const struct ss_graph_significant_pair *pair = &choosing->significant.pairs[i];
        const bool a_is_older = ss_graph_fires(table, options->rows, pair->a) >=
                                ss_graph_fires(table, options->rows, pair->b);
        const uint32_t parent = a_is_older ? pair->a : pair->b;
        const uint32_t child = a_is_older ? pair->b : pair->a;
        const struct ss_graph_counts counts = counts_of(choosing, parent, child, pair->index);
        const struct ss_graph_parent candidate = {
            child, parent, pair->index, score_of(choosing, counts, pair), pair->log_q};
        const bool may_be =
            counts.n_both >= options->least_count &&
            (double)counts.n_both * (double)counts.n_rows >=
                options->least_lift * (double)counts.n_a * (double)counts.n_b &&
            (double)counts.n_a <= options->most_parent_rate * (double)counts.n_rows;
        if (may_be && is_better(choosing, &candidate, &choosing->best[child])) {
            choosing->best[child] = candidate;
        }
    }
}

/* ---- trees ---- */

static void list_children(struct choosing *choosing, size_t *n_parents)
{
    const size_t n = choosing->table->n_features;
    for (size_t f = 0; f < n; f++) {
        if (choosing->best[f].index != UINT64_MAX) {
            choosing->offsets[choosing->best[f].parent + 1]++;
            (*n_parents)++;
        }
    }
    for (size_t f = 0; f < n; f++) {
        choosing->offsets[f + 1] += choosing->offsets[f];
    }
    /* Filled from behind, so that offsets end where they begin: children rise. */
    for (size_t f = n; f > 0; f--) {
        const struct ss_graph_parent *best = &choosing->best[f - 1];
        if (best->index != UINT64_MAX) {
            choosing->children[--choosing->offsets[best->parent + 1]] = (uint32_t)(f - 1);
        }
    }
}

/* The children of a feature: after list_children the end of its list stands in the next place.
 */
static const uint32_t *children_of(const struct choosing *choosing, size_t feature, size_t *n)
{
    const size_t begin = choosing->offsets[feature + 1];
    const size_t end = feature + 2 <= choosing->table->n_features
                           ? choosing->offsets[feature + 2]
                           : choosing->offsets[0];
    *n = end - begin;
    return choosing->children + begin;
}

/* Add the family of a feature, members rising behind the root. */
static ss_status take_family(struct choosing *choosing, uint32_t root,
                             struct ss_graph_families *out, ss_err *err)
{
    size_t n = 0, n_children = 0;
    SS_RETURN_IF_ERROR(ss_graph_begin_family(out, root, choosing->depths[root], err));
    choosing->stack[n++] = root;
    while (n > 0) {
        const uint32_t feature = choosing->stack[--n];
        const uint32_t *children = children_of(choosing, feature, &n_children);
        SS_RETURN_IF_ERROR(ss_graph_add_member(out, feature, err));
        for (size_t i = 0; i < n_children; i++) {
            choosing->depths[children[i]] = choosing->depths[feature] + 1;
            choosing->stack[n++] = children[i];
        }
    }
    const struct ss_graph_family *made = &out->families[out->n - 1];
    ss__sort(out->members + made->first + 1, made->n - 1, sizeof *out->members,
             ss_graph_compare_features);
    return SS_OK;
}

/* Whole trees first, which sets all depths; then their subtrees, depth by depth. */
static ss_status take_families(struct choosing *choosing, struct ss_graph_families *out,
                               ss_err *err)
{
    const size_t n = choosing->table->n_features;
    size_t n_taken = 1, n_children = 0;
    for (uint32_t depth = 0; n_taken > 0 && out->n_members <= n * MOST_LISTED; depth++) {
        n_taken = 0;
        for (uint32_t f = 0; f < n; f++) {
            const bool is_of_depth = depth == 0 ? choosing->best[f].index == UINT64_MAX
                                                : choosing->depths[f] == depth;
            (void)children_of(choosing, f, &n_children);
            if (is_of_depth && n_children > 0) {
                SS_RETURN_IF_ERROR(take_family(choosing, f, out, err));
                n_taken++;
            }
        }
    }
    return SS_OK;
}

static ss_status count_others(const struct choosing *choosing, struct ss_graph_families *out,
                              ss_err *err)
{
    const size_t n = choosing->table->n_features;
    size_t n_children = 0;
    SS_ALLOC_OR_RETURN(out->parents, out->n_parents);
    out->n_parents = 0;
    for (size_t f = 0; f < n; f++) {
        const uint64_t fires = ss_graph_fires(choosing->table, choosing->options->rows, f);
        const bool has_parent = choosing->best[f].index != UINT64_MAX;
        (void)children_of(choosing, f, &n_children);
        if (has_parent) {
            out->parents[out->n_parents++] = choosing->best[f];
        } else if (fires == 0) {
            out->n_dead++;
        } else if (fires < choosing->options->least_count) {
            out->n_rare++;
        } else {
            out->n_without += n_children == 0;
        }
    }
    return SS_OK;
}

ss_status ss_graph_by_parents(const struct ss_graph_table *table,
                              const struct ss_graph_family_options *options,
                              struct ss_graph_families *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = table->n_features;
    struct choosing choosing = {.table = table, .options = options};
    SS_ALLOC(choosing.best, n);
    SS_ALLOC(choosing.offsets, n + 1);
    SS_ALLOC(choosing.children, n);
    SS_ALLOC(choosing.depths, n);
    SS_ALLOC(choosing.stack, n);
    for (size_t f = 0; f < n; f++) {
        choosing.best[f].index = UINT64_MAX;
    }
    SS_TRY(ss_graph_find_significant(table, options->rows, options->largest_q, options->pool,
                                     &choosing.significant, err));
    choose_parents(&choosing);
    list_children(&choosing, &out->n_parents);
    choosing.offsets[0] = out->n_parents; /* the end of the last list */
    SS_TRY(take_families(&choosing, out, err));
    SS_TRY(count_others(&choosing, out, err));
    out->n_before = out->n;
out:
    ss_graph_significant_release(&choosing.significant);
    ss__free(choosing.best);
    ss__free(choosing.offsets);
    ss__free(choosing.children);
    ss__free(choosing.depths);
    ss__free(choosing.stack);
    return status;
}
