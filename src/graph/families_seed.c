/* The two builders of the Python workflow, with its constants, its rounds and its order of
 * equals, so that the same families come out (docs/families.md has the rules in words).
 *
 * Its graph has an edge where one feature fires in at least tau of the rows of another; a
 * forest of largest weights is taken out of it three times, each time without the roots found
 * before. Where its code depends on the order of a dictionary, that order is one of features
 * that first came into an edge, which is kept here as `ids`. */
#include <stdlib.h>

#include "base/sort.h"
#include "graph/families_priv.h"

#define LEAST_CHANCE 1e-6 /* its epsilon, in every denominator */
#define MOST_ALIKE 0.6
#define QUARTILE 0.75
enum { ROUNDS = 3, LEAST_MEMBERS = 2 };

/* P(b given a) as it has it. */
static double conditional(uint64_t n_both, uint64_t n_a)
{
    return (double)n_both / ((double)n_a + LEAST_CHANCE);
}

struct building {
    const struct ss_graph_table *table;
    const struct ss_graph_family_options *options;
    struct ss_graph_edges edges;
    struct ss_graph_forest forest;
    uint32_t *ids;     /* [n_nodes] features */
    uint32_t *node_of; /* [F] + 1; 0: none yet */
    uint64_t *fires;   /* [n_nodes] */
    size_t n_nodes;
};

static ss_status open_building(struct building *building, const struct ss_graph_table *table,
                               const struct ss_graph_family_options *options, ss_err *err)
{
    *building = (struct building){.table = table, .options = options};
    SS_ALLOC_OR_RETURN(building->ids, table->n_features);
    SS_ALLOC_OR_RETURN(building->node_of, table->n_features);
    SS_ALLOC_OR_RETURN(building->fires, table->n_features);
    return SS_OK;
}

static void close_building(struct building *building)
{
    ss_graph_forest_release(&building->forest);
    ss__free(building->edges.edges);
    ss__free(building->ids);
    ss__free(building->node_of);
    ss__free(building->fires);
}

static uint32_t add_node(struct building *building, size_t feature)
{
    if (building->node_of[feature] == 0) {
        building->ids[building->n_nodes] = (uint32_t)feature;
        building->fires[building->n_nodes] =
            ss_graph_fires(building->table, building->options->rows, feature);
        building->node_of[feature] = (uint32_t)++building->n_nodes;
    }
    return building->node_of[feature] - 1;
}

static ss_status add_edge(struct building *building, uint32_t u, uint32_t v, double weight,
                          ss_err *err)
{
    struct ss_graph_edges *edges = &building->edges;
    SS_GROW_OR_RETURN(edges->edges, edges->capacity, edges->n + 1);
    edges->edges[edges->n++] = (struct ss_graph_edge){u, v, weight};
    return SS_OK;
}

static ss_status make_forest(struct building *building, ss_err *err)
{
    const struct ss_graph_forest_options options = {.fires = building->fires};
    building->edges.n_nodes = building->n_nodes;
    return ss_graph_forest_make(&building->edges, &options, &building->forest, err);
}

/* ---- over all features ---- */

/* Only the upper triangle is looked at; nodes are listed as their edges come. */
static ss_status join_upper(struct building *building, ss_err *err)
{
    const struct ss_graph_table *table = building->table;
    const ss_graph_row_set rows = building->options->rows;
    for (size_t a = 0; a < table->n_features; a++) {
        const uint64_t n_a = ss_graph_fires(table, rows, a);
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1]; i++) {
            const double weight = conditional(ss_graph_count(table, rows, i), n_a);
            if (weight > building->options->tau) {
                const uint32_t u = add_node(building, a);
                const uint32_t v = add_node(building, table->others[i]);
                SS_RETURN_IF_ERROR(add_edge(building, u, v, weight, err));
            }
        }
    }
    return SS_OK;
}

/* Families of the nodes without a parent; then these go, and so on. */
static ss_status take_rounds(struct building *building, struct ss_graph_families *out,
                             ss_err *err)
{
    struct ss_graph_forest *forest = &building->forest;
    ss_status status = SS_OK;
    uint32_t *roots = NULL;
    bool *is_gone = NULL;
    SS_ALLOC(roots, forest->n_nodes);
    SS_ALLOC(is_gone, forest->n_nodes);
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t n_roots = 0;
        for (size_t i = 0; i < forest->n_listed; i++) {
            const uint32_t node = forest->order[i];
            if (forest->n_above[node] == 0 && !is_gone[node]) {
                roots[n_roots++] = node;
            }
        }
        for (size_t i = 0; i < n_roots; i++) {
            SS_TRY(ss_graph_begin_family(out, building->ids[roots[i]], round, err));
            SS_TRY(ss_graph_forest_walk(forest, roots[i], building->ids, out, err));
            if (out->families[out->n - 1].n < LEAST_MEMBERS) {
                ss_graph_drop_family(out);
            }
        }
        for (size_t i = 0; i < n_roots; i++) {
            is_gone[roots[i]] = true;
            for (size_t j = forest->offsets[roots[i]]; j < forest->offsets[roots[i] + 1]; j++) {
                forest->n_above[forest->targets[j]]--;
            }
        }
    }
    out->n_before = out->n;
out:
    ss__free(roots);
    ss__free(is_gone);
    return status;
}

ss_status ss_graph_by_seed_graph(const struct ss_graph_table *table,
                                 const struct ss_graph_family_options *options,
                                 struct ss_graph_families *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct building building;
    SS_TRY(open_building(&building, table, options, err));
    SS_TRY(join_upper(&building, err));
    SS_TRY(make_forest(&building, err));
    SS_TRY(take_rounds(&building, out, err));
out:
    close_building(&building);
    return status;
}

/* ---- over features with good keywords ---- */

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numpy.percentile(scores, 75), with its way of going from one value to the next. */
static ss_status find_quartile(const double *scores, size_t n, double *out, ss_err *err)
{
    ss_status status = SS_OK;
    double *sorted = NULL;
    SS_ALLOC(sorted, n);
    for (size_t i = 0; i < n; i++) {
        sorted[i] = scores[i];
    }
    ss__sort(sorted, n, sizeof *sorted, compare_numbers);
    const double at = QUARTILE * (double)(n - 1);
    const size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    const double t = at - (double)low, step = sorted[high] - sorted[low];
    *out = t < 0.5 ? sorted[low] + step * t : sorted[high] - step * (1 - t);
out:
    ss__free(sorted);
    return status;
}

/* Pairs in the order in which a matrix of both directions is read row by row: pair (u, v) comes
 * with row u if P(v given u) makes an edge, else with row v. The weight is that of row v if it
 * makes an edge, since what is read later replaces it. */
static ss_status join_both(struct building *building, ss_err *err)
{
    const struct ss_graph_table *table = building->table;
    const struct ss_graph_family_options *options = building->options;
    struct ss_graph_edges late = {0}; /* that come with the row of their second end */
    ss_status status = SS_OK;
    for (size_t u = 0; u < building->n_nodes; u++) {
        const size_t a = building->ids[u];
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1]; i++) {
            const size_t b = table->others[i];
            const uint64_t n_both = ss_graph_count(table, options->rows, i);
            if (building->node_of[b] == 0) {
                continue;
            }
            const uint32_t v = building->node_of[b] - 1;
            const double down = conditional(n_both, building->fires[u]);
            const double up = conditional(n_both, building->fires[v]);
            const double weight = up > options->tau ? up : down;
            if (down > options->tau) {
                SS_TRY(add_edge(building, (uint32_t)u, v, weight, err));
            } else if (up > options->tau) {
                SS_GROW(late.edges, late.capacity, late.n + 1);
                late.edges[late.n++] = (struct ss_graph_edge){(uint32_t)u, v, weight};
            }
        }
    }
    /* For the neighbours of u in the order in which they were put in: first those of its own
     * row, then the late ones, by rising v; of v the order is not looked at from u. */
    for (size_t i = 0; i < late.n; i++) {
        SS_TRY(add_edge(building, late.edges[i].u, late.edges[i].v, late.edges[i].weight, err));
    }
out:
    ss__free(late.edges);
    return status;
}

/* Families of the nodes without a parent, members by rising number; one that is like an earlier
 * one goes. */
static ss_status take_distinct(struct building *building, struct ss_graph_families *out,
                               ss_err *err)
{
    struct ss_graph_forest *forest = &building->forest;
    for (size_t i = 0; i < forest->n_listed; i++) {
        const uint32_t node = forest->order[i];
        if (forest->n_above[node] > 0) {
            continue;
        }
        SS_RETURN_IF_ERROR(ss_graph_begin_family(out, building->ids[node], 0, err));
        SS_RETURN_IF_ERROR(ss_graph_forest_walk(forest, node, building->ids, out, err));
        const struct ss_graph_family *made = &out->families[out->n - 1];
        uint32_t *members = out->members + made->first;
        bool is_new = made->n >= LEAST_MEMBERS;
        out->n_before += is_new;
        ss__sort(members, made->n, sizeof *members, ss_graph_compare_features);
        for (size_t j = 0; j + 1 < out->n && is_new; j++) {
            is_new = ss_graph_jaccard(members, made->n, out->members + out->families[j].first,
                                      out->families[j].n) <= MOST_ALIKE;
        }
        if (!is_new) {
            ss_graph_drop_family(out);
        }
    }
    return SS_OK;
}

ss_status ss_graph_by_seed_keywords(const struct ss_graph_table *table,
                                    const struct ss_graph_family_options *options,
                                    struct ss_graph_families *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct building building;
    double least = 0;
    SS_TRY(open_building(&building, table, options, err));
    if (table->n_features > 0) {
        SS_TRY(find_quartile(options->keyword_scores, table->n_features, &least, err));
    }
    for (size_t f = 0; f < table->n_features; f++) {
        if (options->keyword_scores[f] >= least) {
            (void)add_node(&building, f);
        }
    }
    SS_TRY(join_both(&building, err));
    SS_TRY(make_forest(&building, err));
    SS_TRY(take_distinct(&building, out, err));
out:
    close_building(&building);
    return status;
}
