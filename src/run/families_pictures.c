/* What the pictures of families say; view draws them: trees of parents, maps of the largest
 * families, and the matrix of all in the order of the trees or of Ward's tree.
 *
 * Everything is chosen by numbers that are in families.json (sizes, then numbers of
 * features), never by what fits best on a page, so that the same run has the same pictures.
 * Values of a map are cut into a fixed number of levels: neighbours of one level become one
 * box, which keeps the files small. */
#include "run/families_pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "folder/centroids_file.h"
#include "graph/clusters.h"
#include "view/draw_families.h"

enum {
    MOST_TREE_LINES = 56, /* a page */
    MOST_LINES_OF_TREE = 14,
    MOST_MAPS = 12,
    MOST_MAP_FEATURES = 30, /* as the Python workflow has them */
    MOST_ALL_FEATURES = 160,
    LEVELS = 48 /* of colour: equal neighbours become one box */
};

/* Features in the order of the trees: each below its parent, whole trees by falling size. */
struct order {
    uint32_t *features, *depths; /* [n] */
    size_t n;
};

struct picture {
    const struct ss_folder_families *families;
    const struct ss_graph_parent **parent_of; /* [F] NULL: none */
    struct order order;
    struct ss__arena arena;
};

static void close_picture(struct picture *picture)
{
    ss__free(picture->parent_of);
    ss__free(picture->order.features);
    ss__free(picture->order.depths);
    ss__arena_release(&picture->arena);
}

static ss_status open_picture(struct picture *picture,
                              const struct ss_folder_families *families, ss_err *err)
{
    const struct ss_graph_families *found = &families->found;
    const size_t n = families->table->n_features;
    *picture = (struct picture){.families = families};
    SS_ALLOC_OR_RETURN(picture->parent_of, n);
    SS_ALLOC_OR_RETURN(picture->order.features, n);
    SS_ALLOC_OR_RETURN(picture->order.depths, n);
    for (size_t i = 0; i < found->n_parents; i++) {
        picture->parent_of[found->parents[i].child] = &found->parents[i];
    }
    return SS_OK;
}

/* ---- order ---- */

/* What is sorted: children of one parent by falling fires, so that the largest branch is first. */
struct branch {
    uint64_t fires;
    uint32_t feature, parent;
};

static int by_parent(const void *a, const void *b)
{
    const struct branch *x = a, *y = b;
    return x->parent != y->parent ? (x->parent > y->parent) - (x->parent < y->parent)
           : x->fires != y->fires ? (x->fires < y->fires) - (x->fires > y->fires)
                                  : (x->feature > y->feature) - (x->feature < y->feature);
}

static size_t first_child(const struct branch *branches, size_t n, uint32_t parent)
{
    size_t begin = 0, end = n;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (branches[middle].parent < parent) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

/* Append a tree, depth first, at most n_most of it. */
static ss_status add_tree(struct order *order, const struct branch *branches, size_t n_branches,
                          uint32_t root, size_t n_most, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t *stack = NULL, *depths = NULL;
    size_t n = 0, n_taken = 0;
    SS_ALLOC(stack, n_branches + 1);
    SS_ALLOC(depths, n_branches + 1);
    stack[n++] = root;
    while (n > 0 && n_taken++ < n_most) {
        const uint32_t feature = stack[--n], depth = depths[n];
        size_t end = first_child(branches, n_branches, feature);
        const size_t begin = end;
        order->features[order->n] = feature;
        order->depths[order->n++] = depth;
        while (end < n_branches && branches[end].parent == feature) {
            end++;
        }
        for (; end > begin; end--) {
            stack[n] = branches[end - 1].feature;
            depths[n++] = depth + 1;
        }
    }
out:
    ss__free(stack);
    ss__free(depths);
    return status;
}

/* Whole trees while there is room; of each no more than n_each. */
static ss_status order_trees(struct picture *picture, size_t n_most, size_t n_each, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_graph_families *found = &picture->families->found;
    struct branch *branches = NULL;
    SS_ALLOC(branches, found->n_parents);
    for (size_t i = 0; i < found->n_parents; i++) {
        branches[i] = (struct branch){
            ss_graph_fires(picture->families->table, SS_GRAPH_ALL, found->parents[i].child),
            found->parents[i].child, found->parents[i].parent};
    }
    ss__sort(branches, found->n_parents, sizeof *branches, by_parent);
    for (size_t i = 0; i < found->n && picture->order.n < n_most; i++) {
        if (found->families[i].round == 0) {
            SS_TRY(add_tree(&picture->order, branches, found->n_parents,
                            found->families[i].root,
                            ss__min_size(n_each, n_most - picture->order.n), err));
        }
    }
out:
    ss__free(branches);
    return status;
}

/* Of other rules: families one after another, a feature once. */
static ss_status order_members(struct picture *picture, size_t n_most, ss_err *err)
{
    const struct ss_graph_families *found = &picture->families->found;
    bool *is_taken = NULL;
    SS_ALLOC_OR_RETURN(is_taken, picture->families->table->n_features);
    for (size_t i = 0; i < found->n_members && picture->order.n < n_most; i++) {
        const uint32_t feature = found->members[i];
        if (!is_taken[feature]) {
            picture->order.features[picture->order.n++] = feature;
            is_taken[feature] = true;
        }
    }
    ss__free(is_taken);
    return SS_OK;
}

/* ---- words ---- */

static const char *caption_of(struct picture *picture, const char *what)
{
    const struct ss_folder_families *families = picture->families;
    char rows[SS__COUNTED_TEXT_BYTES], features[SS__COUNTED_TEXT_BYTES];
    size_t n_whole = 0;
    for (size_t i = 0; i < families->found.n; i++) {
        n_whole += families->options.rule != SS_GRAPH_PARENTS ||
                   families->found.families[i].round == 0;
    }
    return ss__arena_printf(
        &picture->arena, "%s, %s, %zu families by the rule %s. %s",
        ss__format_counted(ss_graph_n_rows(families->table, SS_GRAPH_ALL), "row", rows),
        ss__format_counted(families->table->n_features, "feature", features), n_whole,
        ss_graph_rule_name(families->options.rule), what);
}

/* The phrases of the tree that has this root; NULL: none. */
static const char *phrases_of(const struct ss_folder_families *families, uint32_t root)
{
    for (size_t i = 0; families->names != NULL && i < families->found.n; i++) {
        if (families->found.families[i].root == root && families->names[i].is_named &&
            families->names[i].phrases.n_bytes > 0) {
            return families->names[i].phrases.data;
        }
    }
    return NULL;
}

/* Of a root what its family is about, where that is known. */
static const char *label_of(const struct picture *picture, uint32_t feature, uint32_t depth)
{
    const ss_descriptions *descriptions = picture->families->descriptions;
    const char *phrases = depth > 0 ? NULL : phrases_of(picture->families, feature);
    return phrases != NULL ? phrases
           : descriptions == NULL || descriptions->labels[feature].n_bytes == 0
               ? NULL
               : descriptions->labels[feature].data;
}

/* ---- trees ---- */

static ss_status fill_line(struct picture *picture, size_t i, struct ss_view_tree_line *line,
                           ss_err *err)
{
    const struct ss_graph_table *table = picture->families->table;
    const uint32_t feature = picture->order.features[i];
    const struct ss_graph_parent *parent = picture->parent_of[feature];
    const double rate = (double)ss_graph_fires(table, SS_GRAPH_ALL, feature) /
                        (double)ss_graph_n_rows(table, SS_GRAPH_ALL);
    line->depth = picture->order.depths[i];
    line->size = rate > 0 ? fmax(0, 1 + log10(rate) / 4) : 0; /* from 0.01 % on */
    line->name = ss__arena_printf(&picture->arena, "%u", feature);
    line->label = label_of(picture, feature, line->depth);
    if (parent != NULL) {
        const struct ss_graph_counts counts = {
            ss_graph_n_rows(table, SS_GRAPH_ALL),
            ss_graph_fires(table, SS_GRAPH_ALL, parent->parent),
            ss_graph_fires(table, SS_GRAPH_ALL, feature),
            ss_graph_count(table, SS_GRAPH_ALL, parent->index)};
        line->note = ss__arena_printf(&picture->arena, "φ %.2f, × %.3g", ss_graph_phi(counts),
                                      ss_graph_lift(counts));
    } else {
        line->note = ss__arena_printf(&picture->arena, "%.3g %%", 100 * rate);
    }
    return line->name == NULL || line->note == NULL ? ss__fail_nomem(err, "a picture") : SS_OK;
}

ss_status ss_run_family_trees_draw(const struct ss_folder_families *families, const char *path,
                                   ss_err *err)
{
    ss_status status = SS_OK;
    struct picture picture;
    struct ss_view_tree_line *lines = NULL;
    SS_TRY(open_picture(&picture, families, err));
    SS_TRY(order_trees(&picture, MOST_TREE_LINES, MOST_LINES_OF_TREE, err));
    SS_ALLOC(lines, picture.order.n);
    for (size_t i = 0; i < picture.order.n; i++) {
        SS_TRY(fill_line(&picture, i, &lines[i], err));
    }
    const struct ss_view_tree_picture drawn = {
        .lines = lines,
        .n_lines = picture.order.n,
        .title = "Families of features",
        .caption = caption_of(
            &picture, "The largest are shown, of each the first 14 features. Dots: how "
                      "often a feature fires. At the right: φ with its parent and how "
                      "many times as often as by chance both fire; of a root its rate."),
        .force = true,
    };
    if (drawn.caption == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    SS_TRY(ss_view_draw_tree(path, &drawn, err));
out:
    ss__free(lines);
    close_picture(&picture);
    return status;
}

/* ---- heat maps ---- */

/* n_ij / sqrt(n_i n_j), 1 for a feature with itself. */
static double together(const struct ss_graph_table *table, uint32_t a, uint32_t b)
{
    const uint64_t at = a == b ? UINT64_MAX : ss_graph_find(table, a, b);
    const double both = at == UINT64_MAX ? 0 : (double)table->counts[at];
    const double alone = sqrt((double)ss_graph_fires(table, SS_GRAPH_ALL, a) *
                              (double)ss_graph_fires(table, SS_GRAPH_ALL, b));
    return a == b ? 1 : alone > 0 ? both / alone : 0;
}

/* The largest of two features that differ, rounded up to tenths: beside the diagonal's 1, all
 * others would be dark. */
static double find_most(const struct ss_graph_table *table, const uint32_t *features, size_t n)
{
    double most = 0.05;
    for (size_t i = 0; i < n * n; i++) {
        const uint32_t a = features[i / n], b = features[i % n];
        most = a == b ? most : fmax(most, together(table, a, b));
    }
    return fmin(1, ceil(10 * most - 1e-9) / 10);
}

/* In levels of `most`; what is more is drawn as it. */
static ss_status fill_map(const struct ss_graph_table *table, const uint32_t *features,
                          size_t n, double most, struct ss_view_heat_map *map, ss_err *err)
{
    float *values = NULL;
    SS_ALLOC_OR_RETURN(values, n * n);
    for (size_t i = 0; i < n * n; i++) {
        const double value = fmin(1, together(table, features[i / n], features[i % n]) / most);
        values[i] = (float)(ceil(value * LEVELS) / LEVELS);
    }
    map->n = n;
    map->values = values;
    return SS_OK;
}

static void release_maps(struct ss_view_heat_map *maps, size_t n)
{
    for (size_t i = 0; maps != NULL && i < n; i++) {
        ss__free((void *)(uintptr_t)maps[i].values);
    }
    ss__free(maps);
}

/* Families by falling size. */
static int by_size(const void *a, const void *b)
{
    const struct ss_graph_family *x = *(const struct ss_graph_family *const *)a;
    const struct ss_graph_family *y = *(const struct ss_graph_family *const *)b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n)
                        : (x->root > y->root) - (x->root < y->root);
}

static ss_status choose_families(const struct ss_graph_families *found,
                                 const struct ss_graph_family ***out, size_t *n, ss_err *err)
{
    *n = 0;
    SS_ALLOC_OR_RETURN(*out, found->n);
    for (size_t i = 0; i < found->n; i++) {
        if (found->families[i].round == 0) {
            (*out)[(*n)++] = &found->families[i];
        }
    }
    ss__sort(*out, *n, sizeof **out, by_size);
    *n = ss__min_size(*n, MOST_MAPS);
    return SS_OK;
}

ss_status ss_run_family_maps_draw(const struct ss_folder_families *families, const char *path,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    struct picture picture;
    const struct ss_graph_family **chosen = NULL;
    struct ss_view_heat_map *maps = NULL;
    size_t n = 0;
    double most = 0;
    SS_TRY(open_picture(&picture, families, err));
    SS_TRY(choose_families(&families->found, &chosen, &n, err));
    SS_ALLOC(maps, n);
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, find_most(families->table, families->found.members + chosen[i]->first,
                                    ss__min_size(chosen[i]->n, MOST_MAP_FEATURES)));
    }
    for (size_t i = 0; i < n; i++) {
        maps[i].title = ss__arena_printf(&picture.arena, "Family of %u (%zu features)",
                                         chosen[i]->root, chosen[i]->n);
        if (maps[i].title == NULL) {
            SS_TRY(ss__fail_nomem(err, "a title"));
        }
        SS_TRY(fill_map(families->table, families->found.members + chosen[i]->first,
                        ss__min_size(chosen[i]->n, MOST_MAP_FEATURES), most, &maps[i], err));
    }
    const char *most_text = ss__arena_printf(&picture.arena, "%.1f", most);
    const struct ss_view_heat_maps_picture drawn = {
        .maps = maps,
        .n_maps = n,
        .most = most_text,
        .title = "Co-activation inside families",
        .caption = caption_of(&picture, "Of the largest families the first 30 features, the "
                                        "parent first."),
        .scale_label = "n_ij / √(n_i n_j)",
        .force = true,
    };
    if (drawn.caption == NULL || most_text == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    SS_TRY(ss_view_draw_heat_maps(path, &drawn, err));
out:
    release_maps(maps, n);
    ss__free(chosen);
    close_picture(&picture);
    return status;
}

/* Put the features that are shown into the order of the leaves of Ward's tree of their
 * centroids. */
static ss_status order_by_ward(struct picture *picture,
                               const struct ss_folder_centroids *centroids, ss_err *err)
{
    ss_status status = SS_OK;
    struct order *order = &picture->order;
    const size_t n = order->n, width = centroids->width;
    struct ss_graph_join *joins = NULL;
    uint32_t *leaves = NULL, *features = NULL;
    double *x = NULL;
    SS_ALLOC(joins, n);
    SS_ALLOC(leaves, n);
    SS_ALLOC(features, n);
    SS_ALLOC(x, n * width);
    for (size_t i = 0; i < n * width; i++) {
        x[i] = (double)centroids->centroids[order->features[i / width] * width + i % width];
    }
    ss_graph_unit(x, n, width);
    const struct ss_graph_points points = {.n = n, .width = width, .x = x};
    SS_TRY(ss_graph_ward(picture->families->work, &points, joins, err));
    SS_TRY(ss_graph_leaf_order(joins, n, leaves, err));
    memcpy(features, order->features, n * sizeof *features);
    for (size_t i = 0; i < n; i++) {
        order->features[i] = features[leaves[i]];
    }
out:
    ss__free(joins);
    ss__free(leaves);
    ss__free(features);
    ss__free(x);
    return status;
}

/* centroids NULL: in the order of families. */
static ss_status draw_coactivation(const struct ss_folder_families *families, const char *path,
                                   const struct ss_folder_centroids *centroids, ss_err *err)
{
    ss_status status = SS_OK;
    struct picture picture;
    struct ss_view_heat_map *map = NULL;
    SS_TRY(open_picture(&picture, families, err));
    if (families->options.rule == SS_GRAPH_PARENTS) {
        SS_TRY(order_trees(&picture, MOST_ALL_FEATURES, SIZE_MAX, err));
    } else {
        SS_TRY(order_members(&picture, MOST_ALL_FEATURES, err));
    }
    if (centroids != NULL && picture.order.n > 0) {
        SS_TRY(order_by_ward(&picture, centroids, err));
    }
    SS_ALLOC(map, 1);
    map->title =
        ss__arena_printf(&picture.arena, "%zu features in the order of %s", picture.order.n,
                         centroids == NULL ? "their families" : "Ward's tree");
    const double most = find_most(families->table, picture.order.features, picture.order.n);
    const char *most_text = ss__arena_printf(&picture.arena, "%.1f", most);
    SS_TRY(fill_map(families->table, picture.order.features, picture.order.n, most, map, err));
    const struct ss_view_heat_maps_picture drawn = {
        .maps = map,
        .n_maps = 1,
        .title = "Co-activation of features",
        .most = most_text,
        .caption = caption_of(
            &picture,
            centroids == NULL
                ? "The largest families, one after another; each feature stands below "
                  "its parent."
                : "Those of the largest families, in the order of the leaves of Ward's "
                  "tree of their centroids."),
        .scale_label = "n_ij / √(n_i n_j)",
        .force = true,
    };
    if (map->title == NULL || most_text == NULL || drawn.caption == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    SS_TRY(ss_view_draw_heat_maps(path, &drawn, err));
out:
    release_maps(map, 1);
    close_picture(&picture);
    return status;
}

ss_status ss_run_coactivation_map_draw(const struct ss_folder_families *families,
                                       const char *path, ss_err *err)
{
    return draw_coactivation(families, path, NULL, err);
}

ss_status ss_run_ward_map_draw(const struct ss_folder_families *families, const char *path,
                               ss_err *err)
{
    struct ss_folder_centroids centroids = {.width = 0};
    ss_err why = {0};
    ss_status status =
        ss_folder_centroids_open(families->dir, families->table->n_features, &centroids, &why);
    if (status == SS_E_NOINPUT) {
        return SS_OK;
    }
    status = status == SS_OK ? draw_coactivation(families, path, &centroids, err)
                             : ss__fail_as(err, &why);
    ss_folder_centroids_release(&centroids);
    return status;
}
