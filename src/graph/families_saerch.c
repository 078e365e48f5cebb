/* The rule of saerch, as its code has it where the paper is silent: the first tree is of edges
 * from tau on, the three others, each without the roots found before, of edges from 0.07 on. A
 * root has more than two children; below it, without it, roots are looked for again. */
#include <stdlib.h>

#include "base/sort.h"
#include "graph/families_priv.h"

#define LATER_TAU 0.07
#define MOST_ALIKE 0.6
enum { TREES = 4, LEAST_CHILDREN = 3, LEAST_BELOW = 4 };

struct search {
    const struct ss_graph_table *table;
    const struct ss_graph_family_options *options;
    uint32_t *ids;     /* [n] features that take part */
    uint64_t *fires;   /* [n] */
    uint32_t *node_of; /* [F] + 1 */
    bool *is_root;     /* [F] was found */
    uint32_t *waiting; /* [F] nodes to look at */
    size_t n;
};

static void release_search(struct search *search)
{
    ss__free(search->ids);
    ss__free(search->fires);
    ss__free(search->node_of);
    ss__free(search->is_root);
    ss__free(search->waiting);
}

/* Features that fire, in less than the largest share of rows, and are no root yet. */
static void choose_nodes(struct search *search)
{
    const struct ss_graph_table *table = search->table;
    const ss_graph_row_set rows = search->options->rows;
    const double n_rows = (double)ss_graph_n_rows(table, rows);
    search->n = 0;
    for (size_t f = 0; f < table->n_features; f++) {
        const uint64_t fires = ss_graph_fires(table, rows, f);
        search->node_of[f] = 0;
        if (fires > 0 && !search->is_root[f] &&
            (double)fires / n_rows < search->options->most_parent_rate) {
            search->ids[search->n] = (uint32_t)f;
            search->fires[search->n] = fires;
            search->node_of[f] = (uint32_t)++search->n;
        }
    }
}

/* As the seed's builder over keywords, but n_both / (n_a + 1), and tau itself makes an edge. The
 * exponential that it takes of the weights keeps their order. */
static ss_status join(const struct search *search, double tau, struct ss_graph_edges *edges,
                      ss_err *err)
{
    const struct ss_graph_table *table = search->table;
    struct ss_graph_edges late = {0};
    ss_status status = SS_OK;
    edges->n_nodes = search->n;
    for (size_t u = 0; u < search->n; u++) {
        const size_t a = search->ids[u];
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1]; i++) {
            const uint32_t node = search->node_of[table->others[i]];
            const double n_both = (double)ss_graph_count(table, search->options->rows, i);
            if (node == 0 || n_both <= 0) {
                continue;
            }
            const double down = n_both / ((double)search->fires[u] + 1);
            const double up = n_both / ((double)search->fires[node - 1] + 1);
            const struct ss_graph_edge edge = {(uint32_t)u, node - 1, up >= tau ? up : down};
            struct ss_graph_edges *to = down >= tau ? edges : &late;
            if (down >= tau || up >= tau) {
                SS_GROW(to->edges, to->capacity, to->n + 1);
                to->edges[to->n++] = edge;
            }
        }
    }
    SS_GROW(edges->edges, edges->capacity, edges->n + late.n + 1);
    for (size_t i = 0; i < late.n; i++) {
        edges->edges[edges->n++] = late.edges[i];
    }
out:
    ss__free(late.edges);
    return status;
}

static size_t n_children(const struct ss_graph_forest *forest, uint32_t node)
{
    return forest->offsets[node + 1] - forest->offsets[node];
}

/* The families of a root, its children that are roots, and so on, depth first. */
static ss_status take_below(struct search *search, struct ss_graph_forest *forest,
                            uint32_t node, size_t tree, struct ss_graph_families *out,
                            ss_err *err)
{
    size_t n = 0;
    search->waiting[n++] = node;
    while (n > 0) {
        node = search->waiting[--n];
        const uint32_t root = search->ids[node];
        if (search->is_root[root]) {
            continue;
        }
        search->is_root[root] = true;
        SS_RETURN_IF_ERROR(ss_graph_begin_family(out, root, tree, err));
        SS_RETURN_IF_ERROR(ss_graph_forest_walk(forest, node, search->ids, out, err));
        if (out->families[out->n - 1].n <= LEAST_BELOW) {
            ss_graph_drop_family(out);
        }
        for (size_t i = forest->offsets[node + 1]; i > forest->offsets[node]; i--) {
            const uint32_t child = forest->targets[i - 1];
            if (n_children(forest, child) >= LEAST_CHILDREN) {
                search->waiting[n++] = child;
            }
        }
    }
    return SS_OK;
}

static ss_status take_tree(struct search *search, size_t tree, struct ss_graph_families *out,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_edges edges = {0};
    struct ss_graph_forest forest = {0};
    const struct ss_graph_forest_options options = {
        .fires = search->fires, .from_second = true, .lists_all = true};
    choose_nodes(search);
    SS_TRY(join(search, tree == 0 ? search->options->tau : LATER_TAU, &edges, err));
    SS_TRY(ss_graph_forest_make(&edges, &options, &forest, err));
    for (uint32_t node = 0; node < forest.n_nodes; node++) {
        if (forest.n_above[node] == 0 && n_children(&forest, node) >= LEAST_CHILDREN) {
            SS_TRY(take_below(search, &forest, node, tree, out, err));
        }
    }
out:
    ss__free(edges.edges);
    ss_graph_forest_release(&forest);
    return status;
}

/* Of two families whose children are nearly the same the smaller goes; of equal ones both. */
static ss_status drop_alike(struct ss_graph_families *out, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t *sorted = NULL;
    bool *goes = NULL;
    size_t n_kept = 0;
    SS_ALLOC(sorted, out->n_members);
    SS_ALLOC(goes, out->n);
    for (size_t i = 0; i < out->n_members; i++) {
        sorted[i] = out->members[i];
    }
    for (size_t i = 0; i < out->n; i++) {
        ss__sort(sorted + out->families[i].first + 1, out->families[i].n - 1, sizeof *sorted,
                 ss_graph_compare_features);
    }
    for (size_t i = 0; i < out->n; i++) {
        const struct ss_graph_family *x = &out->families[i];
        for (size_t j = 0; j < i; j++) {
            const struct ss_graph_family *y = &out->families[j];
            if (ss_graph_jaccard(sorted + x->first + 1, x->n - 1, sorted + y->first + 1,
                                 y->n - 1) > MOST_ALIKE) {
                goes[i] = goes[i] || x->n <= y->n;
                goes[j] = goes[j] || y->n <= x->n;
            }
        }
    }
    out->n_before = out->n;
    for (size_t i = 0; i < out->n_before; i++) {
        if (!goes[i]) {
            out->families[n_kept++] = out->families[i];
        }
    }
    out->n = n_kept;
out:
    ss__free(sorted);
    ss__free(goes);
    return status;
}

ss_status ss_graph_by_saerch(const struct ss_graph_table *table,
                             const struct ss_graph_family_options *options,
                             struct ss_graph_families *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct search search = {.table = table, .options = options};
    SS_ALLOC(search.ids, table->n_features);
    SS_ALLOC(search.fires, table->n_features);
    SS_ALLOC(search.node_of, table->n_features);
    SS_ALLOC(search.is_root, table->n_features);
    SS_ALLOC(search.waiting, table->n_features);
    for (size_t tree = 0; tree < TREES; tree++) {
        SS_TRY(take_tree(&search, tree, out, err));
    }
    SS_TRY(drop_alike(out, err));
out:
    release_search(&search);
    return status;
}
