/* Clusters of a run's features, and the map of features and texts. Features are placed first;
 * the texts begin where the features put them, and then move by their own neighbours, so that
 * both are on one map. Every further text is placed alone among the texts. */
#include "run/map_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "base/sort.h"
#include "base/stop.h"
#include "saescope.h"

static struct ss_graph_points points_of(const struct ss_run_map *map,
                                        const struct ss_run_map_points *points)
{
    return (struct ss_graph_points){.n = points->n, .width = map->width, .x = points->x};
}

/* ---- clusters ---- */

static ss_status run_ward(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_join *joins = NULL;
    const struct ss_graph_points points = points_of(map, &map->features);
    size_t n = map->options->n_clusters;
    if (n > points.n) {
        return ss__fail(err, SS_E_USAGE, "%zu features cannot make %zu clusters", points.n, n);
    }
    SS_ALLOC(joins, points.n);
    SS_TRY(ss_graph_ward(map->work, &points, joins, err));
    n = n == 0 ? ss_graph_cut_default(joins, points.n) : n;
    SS_TRY(ss_graph_cut(joins, points.n, n, map->features.of, err));
    map->n_clusters = n;
    for (size_t i = 0; i < points.n; i++) {
        map->probabilities[i] = 1;
    }
out:
    ss__free(joins);
    return status;
}

static ss_status run_hdbscan(struct ss_run_map *map, ss_err *err)
{
    const struct ss_map_options *given = map->options;
    const struct ss_graph_points points = points_of(map, &map->features);
    struct ss_graph_hdbscan found = {0};
    struct ss_graph_hdbscan_options options = SS_GRAPH_HDBSCAN_DEFAULTS;
    options.min_cluster_size =
        given->min_cluster_size == 0 ? options.min_cluster_size : given->min_cluster_size;
    options.min_samples = given->min_samples;
    options.selection = given->leaves ? SS_GRAPH_LEAVES : SS_GRAPH_EXCESS_OF_MASS;
    SS_RETURN_IF_ERROR(ss_graph_hdbscan(map->work, &points, &options, &found, err));
    memcpy(map->features.of, found.labels, points.n * sizeof *found.labels);
    memcpy(map->probabilities, found.probabilities, points.n * sizeof *found.probabilities);
    map->n_clusters = found.n_clusters;
    ss_graph_hdbscan_release(&found);
    return SS_OK;
}

/* Centres, as the unit mean of the features' vectors. */
static ss_status find_centres(struct ss_run_map *map, ss_err *err)
{
    const size_t width = map->width;
    SS_ALLOC_OR_RETURN(map->clusters, map->n_clusters);
    SS_ALLOC_OR_RETURN(map->centres, map->n_clusters * width);
    for (size_t i = 0; i < map->features.n; i++) {
        const int32_t c = map->features.of[i];
        map->n_noise += c < 0;
        for (size_t j = 0; c >= 0 && j < width; j++) {
            map->centres[(size_t)c * width + j] += map->features.x[i * width + j];
        }
        if (c >= 0) {
            map->clusters[c].n_features++;
        }
    }
    ss_graph_unit(map->centres, map->n_clusters, width);
    return SS_OK;
}

static ss_status make_clusters(struct ss_run_map *map, ss_err *err)
{
    SS_ALLOC_OR_RETURN(map->features.of, map->features.n);
    SS_ALLOC_OR_RETURN(map->probabilities, map->features.n);
    SS_RETURN_IF_ERROR(map->options->method == SS_CLUSTERS_WARD ? run_ward(map, err)
                                                                : run_hdbscan(map, err));
    return find_centres(map, err);
}

/* ---- texts among features ---- */

struct assigning {
    struct ss_run_map *map;
    double *rooms; /* [threads, width] */
};

static void assign_text(void *context, size_t i, size_t worker)
{
    const struct assigning *assigning = context;
    struct ss_run_map *map = assigning->map;
    double *x = assigning->rooms + worker * map->width;
    double cosine = 0;
    ss_run_map_centre(map, map->evidence.embeddings + map->text_rows[i] * map->width, x);
    map->texts.of[i] = ss_run_map_nearest_cluster(map, x, &cosine);
}

static ss_status assign_texts(struct ss_run_map *map, ss_err *err)
{
    struct ss__pool *pool = ss_tensor_work_pool(map->work);
    struct assigning assigning = {.map = map};
    SS_ALLOC_OR_RETURN(map->texts.of, map->texts.n);
    SS_ALLOC_OR_RETURN(assigning.rooms, ss__pool_n_threads(pool) * map->width);
    ss__pool_run(pool, map->texts.n, assign_text, &assigning);
    ss__free(assigning.rooms);
    for (size_t i = 0; i < map->texts.n; i++) {
        if (map->texts.of[i] >= 0) {
            map->clusters[map->texts.of[i]].n_texts++;
        }
    }
    return ss_tensor_work_check(map->work, err);
}

/* ---- the map ---- */

static ss_status place_features(struct ss_run_map *map,
                                const struct ss_graph_umap_options *options, ss_err *err)
{
    const struct ss_graph_points points = points_of(map, &map->features);
    SS_ALLOC_OR_RETURN(map->features.y, 2 * points.n);
    SS_RETURN_IF_ERROR(ss_graph_umap(map->work, &points, options, NULL, map->features.y, err));
    return ss_graph_map_quality(map->work, &points, map->features.y, &map->quality, err);
}

/* Where the features put the landmarks: y [n_landmarks, 2]. */
static ss_status start_texts(struct ss_run_map *map,
                             const struct ss_graph_umap_options *options, ss_err *err)
{
    const struct ss_graph_points features = points_of(map, &map->features);
    const struct ss_graph_umap_fitted fitted = {&features, map->features.y, options};
    const struct ss_run_map_rows rows = {.map = map, .is_centred = true};
    const struct ss_graph_points landmarks = ss_run_map_points_of(&rows, map->n_landmarks);
    return ss_graph_umap_place(map->work, &fitted, &landmarks, map->texts.y, err);
}

static ss_status place_texts(struct ss_run_map *map,
                             const struct ss_graph_umap_options *options, ss_err *err)
{
    const size_t n = map->n_landmarks;
    const struct ss_run_map_rows rows[2] = {{.map = map}, {.map = map, .first = n}};
    const struct ss_graph_points landmarks = ss_run_map_points_of(&rows[0], n);
    const struct ss_graph_points rest = ss_run_map_points_of(&rows[1], map->texts.n - n);
    SS_ALLOC_OR_RETURN(map->texts.y, 2 * map->texts.n);
    SS_RETURN_IF_ERROR(start_texts(map, options, err));
    SS_RETURN_IF_ERROR(
        ss_graph_umap(map->work, &landmarks, options, map->texts.y, map->texts.y, err));
    SS_RETURN_IF_ERROR(
        ss_graph_map_quality(map->work, &landmarks, map->texts.y, &map->text_quality, err));
    return ss_graph_umap_place(
        map->work, &(struct ss_graph_umap_fitted){&landmarks, map->texts.y, options}, &rest,
        map->texts.y + 2 * n, err);
}

static ss_status place_given(struct ss_run_map *map,
                             const struct ss_graph_umap_options *options, ss_err *err)
{
    const struct ss_run_map_rows rows = {.map = map};
    const struct ss_graph_points landmarks = ss_run_map_points_of(&rows, map->n_landmarks);
    SS_RETURN_IF_ERROR(ss_run_map_read_placed(map, err));
    const struct ss_graph_points given = points_of(map, &map->placed);
    SS_ALLOC_OR_RETURN(map->placed.y, 2 * given.n);
    return ss_graph_umap_place(
        map->work, &(struct ss_graph_umap_fitted){&landmarks, map->texts.y, options}, &given,
        map->placed.y, err);
}

static int by_number(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median of each coordinate of a cluster's features. */
static ss_status find_middles(struct ss_run_map *map, ss_err *err)
{
    float *of[2] = {NULL, NULL};
    SS_ALLOC_OR_RETURN(of[0], 2 * map->features.n);
    of[1] = of[0] + map->features.n;
    for (size_t c = 0; c < map->n_clusters; c++) {
        size_t n = 0;
        for (size_t i = 0; i < map->features.n; i++) {
            if (map->features.of[i] == (int32_t)c) {
                of[0][n] = map->features.y[2 * i];
                of[1][n++] = map->features.y[2 * i + 1];
            }
        }
        for (int d = 0; d < 2 && n > 0; d++) {
            ss__sort(of[d], n, sizeof *of[d], by_number);
            map->clusters[c].middle[d] = of[d][n / 2];
        }
    }
    ss__free(of[0]);
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status report(const struct ss_run_map *map, struct ss_map_result *out)
{
    const struct ss_map_result result = {.struct_size = sizeof result,
                                         .n_features = map->features.n,
                                         .n_rare = map->n_rare,
                                         .n_clusters = map->n_clusters,
                                         .n_noise = map->n_noise,
                                         .n_texts = map->texts.n,
                                         .n_placed = map->placed.n,
                                         .trustworthiness = map->quality.trustworthiness,
                                         .kept = map->quality.kept,
                                         .text_trustworthiness =
                                             map->text_quality.trustworthiness,
                                         .text_kept = map->text_quality.kept};
    return out == NULL ? SS_OK : ss__result_write(out, &result, sizeof result);
}

enum { N_PARTS = 4 }; /* that progress is told in */

static ss_status run_step(struct ss_run_map *map, const ss_encoder *encoder, ss_err *err)
{
    struct ss_graph_umap_options options = SS_GRAPH_UMAP_DEFAULTS;
    struct ss__step step;
    options.seed = map->options->seed;
    ss__step_begin(&step, map->options->progress, "map", "part");
    SS_RETURN_IF_ERROR(ss__step_tell(&step, 0, N_PARTS, err));
    SS_RETURN_IF_ERROR(ss_run_map_open(map, encoder, err));
    SS_RETURN_IF_ERROR(make_clusters(map, err));
    SS_RETURN_IF_ERROR(ss__step_tell(&step, 1, N_PARTS, err));
    SS_RETURN_IF_ERROR(place_features(map, &options, err));
    SS_RETURN_IF_ERROR(find_middles(map, err));
    SS_RETURN_IF_ERROR(ss__step_tell(&step, 2, N_PARTS, err));
    if (map->texts.n > 0) {
        SS_RETURN_IF_ERROR(assign_texts(map, err));
        SS_RETURN_IF_ERROR(
            ss_folder_evidence_check(&map->evidence, err)); /* it takes longest */
        SS_RETURN_IF_ERROR(place_texts(map, &options, err));
    }
    if (map->options->place != NULL) {
        SS_RETURN_IF_ERROR(place_given(map, &options, err));
    }
    SS_RETURN_IF_ERROR(ss__step_tell(&step, 3, N_PARTS, err));
    SS_RETURN_IF_ERROR(ss_run_map_label(map, err));
    SS_RETURN_IF_ERROR(ss_folder_evidence_check(&map->evidence, err));
    SS_RETURN_IF_ERROR(ss_run_map_write(map, err));
    return ss__step_tell(&step, N_PARTS, N_PARTS, err);
}

ss_status ss_map_run(const char *run_dir, const ss_encoder *encoder,
                     const struct ss_map_options *options, struct ss_map_result *out,
                     ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_map_options read = {.struct_size = sizeof read};
    struct ss_run_map map = {.dir = run_dir, .options = &read};
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_map_options, err));
    SS_TRY(ss__result_check(out, "ss_map_result", err));
    SS_TRY(run_step(&map, encoder, err));
    SS_TRY(report(&map, out));
out:
    ss_run_map_close(&map);
    return status;
}
