/* Clusters, neighbours and the steps of UMAP, from tests/data/graph/map.json (made by
 * tools/make_map_data.py from scipy, hdbscan, umap-learn and scikit-learn). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "graph/graph.h"

/* Heights are sums of some thousand numbers in another order. */
#define HEIGHT_TOLERANCE 1e-9
/* The package's are written with nine digits. */
#define PROBABILITY_TOLERANCE 1e-6
/* umap-learn computes σ in float32 and stops its search within 1e-5 of the wanted sum. */
#define SIGMA_TOLERANCE 1e-4
#define WEIGHT_TOLERANCE 1e-4
#define CURVE_TOLERANCE 1e-4

enum { N_THREADS = 2 };

static json_t *data;
static ss_work *works[N_THREADS + 1]; /* by threads */

static int open_all(void **state)
{
    (void)state;
    data = json_load_file(SS_TEST_DATA "/graph/map.json", 0, NULL);
    for (size_t n = 1; n <= N_THREADS; n++) {
        assert_int_equal(ss_work_new(n, &works[n], NULL), SS_OK);
    }
    return data == NULL;
}

static int close_all(void **state)
{
    (void)state;
    json_decref(data);
    for (size_t n = 1; n <= N_THREADS; n++) {
        ss_work_free(works[n]);
    }
    return 0;
}

/* Rows of numbers; free `x`. */
static struct ss_graph_points points_of(const json_t *rows, double **x)
{
    struct ss_graph_points points = {.n = json_array_size(rows),
                                     .width = json_array_size(json_array_get(rows, 0))};
    *x = malloc(points.n * points.width * sizeof **x);
    assert_non_null(*x);
    for (size_t i = 0; i < points.n * points.width; i++) {
        (*x)[i] = json_number_value(
            json_array_get(json_array_get(rows, i / points.width), i % points.width));
    }
    points.x = *x;
    return points;
}

/* Labels agree but for their numbers. */
static void assert_partition(const int32_t *labels, const json_t *expected)
{
    const size_t n = json_array_size(expected);
    for (size_t i = 0; i < n; i++) {
        const json_int_t a = json_integer_value(json_array_get(expected, i));
        assert_int_equal(labels[i] < 0, a < 0);
        for (size_t j = 0; j < i; j++) {
            const json_int_t b = json_integer_value(json_array_get(expected, j));
            assert_int_equal(labels[i] == labels[j], a == b);
        }
    }
}

static double number_at(const json_t *array, size_t i)
{
    return json_number_value(json_array_get(array, i));
}

/* ---- Ward ---- */

static void ward_is_scipys(void **state)
{
    size_t i = 0;
    const json_t *item = NULL;
    (void)state;
    json_array_foreach(json_object_get(data, "ward"), i, item)
    {
        double *x = NULL;
        const struct ss_graph_points points = points_of(json_object_get(item, "points"), &x);
        struct ss_graph_join *joins[N_THREADS + 1] = {NULL};
        int32_t *labels = malloc(points.n * sizeof *labels);
        for (size_t n = 1; n <= N_THREADS; n++) {
            joins[n] = calloc(points.n, sizeof *joins[n]);
            assert_int_equal(ss_graph_ward(works[n], &points, joins[n], NULL), SS_OK);
        }
        assert_memory_equal(joins[1], joins[2], (points.n - 1) * sizeof *joins[1]);
        for (size_t j = 0; j + 1 < points.n; j++) {
            assert_true(fabs(joins[1][j].height - number_at(json_object_get(item, "heights"),
                                                            j)) < HEIGHT_TOLERANCE);
        }
        const char *key = NULL;
        json_t *cut = NULL;
        json_object_foreach(json_object_get(item, "cuts"), key, cut)
        {
            assert_int_equal(ss_graph_cut(joins[1], points.n, (size_t)atoi(key), labels, NULL),
                             SS_OK);
            assert_partition(labels, cut);
        }
        for (size_t n = 1; n <= N_THREADS; n++) {
            free(joins[n]);
        }
        free(labels);
        free(x);
    }
    assert_int_equal(i, 3);
}

/* ---- HDBSCAN ---- */

static struct ss_graph_hdbscan_options options_of(const json_t *given)
{
    struct ss_graph_hdbscan_options options = SS_GRAPH_HDBSCAN_DEFAULTS;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)given, key, value)
    {
        const size_t whole = (size_t)json_number_value(value);
        if (strcmp(key, "min_cluster_size") == 0) {
            options.min_cluster_size = whole;
        } else if (strcmp(key, "min_samples") == 0) {
            options.min_samples = whole;
        } else if (strcmp(key, "max_cluster_size") == 0) {
            options.max_cluster_size = whole;
        } else if (strcmp(key, "alpha") == 0) {
            options.alpha = json_number_value(value);
        } else if (strcmp(key, "cluster_selection_epsilon") == 0) {
            options.selection_epsilon = json_number_value(value);
        } else if (strcmp(key, "allow_single_cluster") == 0) {
            options.allow_single_cluster = true;
        } else {
            assert_string_equal(key, "cluster_selection_method");
            options.selection = SS_GRAPH_LEAVES;
        }
    }
    return options;
}

static void hdbscan_is_the_packages(void **state)
{
    size_t i = 0, j = 0, n_answers = 0;
    const json_t *item = NULL, *answer = NULL;
    (void)state;
    json_array_foreach(json_object_get(data, "hdbscan"), i, item)
    {
        double *x = NULL;
        const struct ss_graph_points points = points_of(json_object_get(item, "points"), &x);
        json_array_foreach(json_object_get(item, "answers"), j, answer)
        {
            const struct ss_graph_hdbscan_options options =
                options_of(json_object_get(answer, "options"));
            for (size_t n = 1; n <= N_THREADS; n++) {
                struct ss_graph_hdbscan found = {0};
                assert_int_equal(ss_graph_hdbscan(works[n], &points, &options, &found, NULL),
                                 SS_OK);
                assert_partition(found.labels, json_object_get(answer, "labels"));
                for (size_t p = 0; p < points.n; p++) {
                    assert_true(fabs(found.probabilities[p] -
                                     number_at(json_object_get(answer, "probabilities"), p)) <
                                PROBABILITY_TOLERANCE);
                }
                ss_graph_hdbscan_release(&found);
            }
            n_answers++;
        }
        free(x);
    }
    assert_int_equal(n_answers, 20);
}

/* The answers of ../shared, where that is: 420 points, 11 sets of options. */
static void hdbscan_is_the_packages_on_the_shared_set(void **state)
{
    enum { N = 420, WIDTH = 6, HEAD = 10 };
    static float values[N * WIDTH];
    static double x[N * WIDTH];
    unsigned char head[HEAD];
    size_t i = 0;
    const json_t *item = NULL;
    (void)state;
    FILE *file = fopen(SS_TEST_SHARED "/oracle/families/clusters/points.npy", "rb");
    json_t *cases =
        json_load_file(SS_TEST_SHARED "/oracle/families/clusters/cases.json", 0, NULL);
    if (file == NULL || cases == NULL) {
        json_decref(cases);
        if (file != NULL) {
            fclose(file);
        }
        skip();
    }
    assert_int_equal(fread(head, 1, HEAD, file), HEAD);
    assert_int_equal(fseek(file, HEAD + head[8] + 256 * head[9], SEEK_SET), 0);
    assert_int_equal(fread(values, sizeof values[0], N * WIDTH, file), N * WIDTH);
    fclose(file);
    for (size_t j = 0; j < N * WIDTH; j++) {
        x[j] = (double)values[j];
    }
    json_array_foreach(cases, i, item)
    {
        struct ss_graph_hdbscan found = {0};
        const struct ss_graph_hdbscan_options options =
            options_of(json_object_get(item, "options"));
        assert_int_equal(
            ss_graph_hdbscan(works[2],
                             &(struct ss_graph_points){.n = N, .width = WIDTH, .x = x},
                             &options, &found, NULL),
            SS_OK);
        assert_partition(found.labels, json_object_get(item, "labels"));
        for (size_t p = 0; p < N; p++) {
            assert_true(fabs(found.probabilities[p] -
                             number_at(json_object_get(item, "probabilities"), p)) <
                        PROBABILITY_TOLERANCE);
        }
        ss_graph_hdbscan_release(&found);
    }
    assert_int_equal(i, 11);
    json_decref(cases);
}

/* Rows in another order are clustered as before, tied distances or not. */
static void hdbscan_does_not_depend_on_order(void **state)
{
    enum { SIDE = 7, N = 2 * SIDE * SIDE };
    static double x[N][2], turned[N][2];
    struct ss_graph_hdbscan_options options = SS_GRAPH_HDBSCAN_DEFAULTS;
    struct ss_graph_hdbscan one = {0}, other = {0};
    (void)state;
    for (size_t i = 0; i < N; i++) { /* two grids */
        x[i][0] = (double)(i % SIDE) + (i >= N / 2 ? 30 : 0);
        x[i][1] = (double)(i / SIDE % SIDE);
    }
    for (size_t i = 0; i < N; i++) {
        memcpy(turned[i * 29 % N], x[i], sizeof x[i]);
    }
    assert_int_equal(
        ss_graph_hdbscan(works[1], &(struct ss_graph_points){.n = N, .width = 2, .x = &x[0][0]},
                         &options, &one, NULL),
        SS_OK);
    assert_int_equal(
        ss_graph_hdbscan(works[2],
                         &(struct ss_graph_points){.n = N, .width = 2, .x = &turned[0][0]},
                         &options, &other, NULL),
        SS_OK);
    assert_int_equal(one.n_clusters, 2);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(one.labels[i] == one.labels[j],
                             other.labels[i * 29 % N] == other.labels[j * 29 % N]);
        }
        assert_true(one.probabilities[i] == other.probabilities[i * 29 % N]);
    }
    ss_graph_hdbscan_release(&one);
    ss_graph_hdbscan_release(&other);
}

/* ---- neighbours ---- */

static int compare(const void *a, const void *b)
{
    return ss_graph_candidate_compare(a, b);
}

/* Against all distances in float64: with ties, equal rows, rows that are nearly equal, numbers
 * that float32 cannot hold. */
static void neighbours_are_exact(void **state)
{
    enum { N = 150, WIDTH = 9, K = 12 };
    static double x[N][WIDTH];
    static struct ss_graph_candidate all[N];
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < WIDTH; j++) {
                const uint64_t bits = ss_graph_mix(i * WIDTH + j);
                const double noise = (double)(bits >> 11) * 0x1p-53;
                const double same = (double)(ss_graph_mix(i / 20 * WIDTH + j) >> 11) * 0x1p-53;
                x[i][j] = kind == 0   ? noise
                          : kind == 1 ? (double)(bits % 3)
                          : kind == 2 ? same
                          : kind == 3 ? same + 1e-9 * noise
                                      : 1e30 * noise;
            }
        }
        const struct ss_graph_points points = {.n = N, .width = WIDTH, .x = &x[0][0]};
        struct ss_graph_neighbours found = {0};
        assert_int_equal(ss_graph_nearest(works[1 + kind % 2], &points, K, &found, NULL),
                         SS_OK);
        for (uint32_t i = 0; i < N; i++) {
            size_t n = 0;
            for (uint32_t j = 0; j < N; j++) {
                if (j != i) {
                    all[n++] =
                        (struct ss_graph_candidate){ss_graph_distance2(x[i], x[j], WIDTH), j};
                }
            }
            qsort(all, n, sizeof all[0], compare);
            for (size_t k = 0; k < K; k++) {
                assert_int_equal(found.ids[i * K + k], all[k].id);
                assert_true(found.distances2[i * K + k] == all[k].key);
            }
        }
        ss_graph_neighbours_release(&found);
    }
}

/* ---- UMAP ---- */

static void curves_are_umap_learns(void **state)
{
    size_t i = 0;
    const json_t *item = NULL;
    (void)state;
    json_array_foreach(json_object_get(data, "curves"), i, item)
    {
        const struct ss_graph_curve curve =
            ss_graph_umap_curve(json_number_value(json_object_get(item, "min_dist")),
                                json_number_value(json_object_get(item, "spread")));
        assert_true(fabs(curve.a - json_number_value(json_object_get(item, "a"))) <
                    CURVE_TOLERANCE);
        assert_true(fabs(curve.b - json_number_value(json_object_get(item, "b"))) <
                    CURVE_TOLERANCE);
    }
    assert_int_equal(i, 6);
}

static void the_graph_is_umap_learns(void **state)
{
    const json_t *umap = json_object_get(data, "umap"), *edge = NULL;
    double *x = NULL;
    size_t i = 0, n_edges = 0;
    (void)state;
    const struct ss_graph_points points = points_of(json_object_get(umap, "points"), &x);
    const json_t *near = json_object_get(umap, "neighbours");
    const size_t k = json_array_size(json_array_get(near, 0));
    struct ss_graph_neighbours neighbours = {0};
    struct ss_graph_fuzzy graph = {0};
    double distances[64] = {0};
    ss_graph_unit(x, points.n, points.width);
    assert_int_equal(ss_graph_nearest(works[2], &points, k, &neighbours, NULL), SS_OK);
    for (size_t p = 0; p < points.n; p++) {
        for (size_t j = 0; j < k; j++) {
            assert_int_equal(neighbours.ids[p * k + j],
                             json_integer_value(json_array_get(json_array_get(near, p), j)));
            distances[j + 1] = neighbours.distances2[p * k + j] / 2;
        }
        const struct ss_graph_width width = ss_graph_umap_width(distances, k + 1, false, 0);
        assert_true(fabs(width.sigma / number_at(json_object_get(umap, "sigmas"), p) - 1) <
                    SIGMA_TOLERANCE);
        assert_true(fabs(width.rho - number_at(json_object_get(umap, "rhos"), p)) < 1e-6);
    }
    assert_int_equal(ss_graph_fuzzy_make(&neighbours, &graph, NULL), SS_OK);
    json_array_foreach(json_object_get(umap, "graph"), i, edge)
    {
        const size_t a = (size_t)number_at(edge, 0), b = (size_t)number_at(edge, 1);
        bool has_edge = false;
        for (size_t t = graph.offsets[a]; t < graph.offsets[a + 1]; t++) {
            if (graph.ids[t] == b) {
                has_edge = true;
                assert_true(fabs((double)graph.weights[t] - number_at(edge, 2)) <
                            WEIGHT_TOLERANCE);
            }
        }
        assert_true(has_edge);
        n_edges++;
    }
    assert_int_equal(graph.offsets[graph.n], 2 * n_edges);
    ss_graph_fuzzy_release(&graph);
    ss_graph_neighbours_release(&neighbours);
    free(x);
}

static void quality_is_scikit_learns(void **state)
{
    const json_t *umap = json_object_get(data, "umap");
    double *x = NULL, *places = NULL;
    float y[2 * 64];
    struct ss_graph_map_quality quality = {0};
    (void)state;
    const struct ss_graph_points points = points_of(json_object_get(umap, "points"), &x);
    const struct ss_graph_points map = points_of(json_object_get(umap, "map"), &places);
    ss_graph_unit(x, points.n, points.width);
    for (size_t i = 0; i < 2 * map.n; i++) {
        y[i] = (float)places[i];
    }
    assert_int_equal(ss_graph_map_quality(works[2], &points, y, &quality, NULL), SS_OK);
    assert_int_equal(quality.n_neighbours, 15);
    assert_true(fabs(quality.trustworthiness -
                     json_number_value(json_object_get(umap, "trustworthiness"))) < 1e-9);
    assert_true(fabs(quality.kept - json_number_value(json_object_get(umap, "kept"))) < 1e-9);
    free(x);
    free(places);
}

/* Two groups far apart stay apart; bytes do not depend on threads; a row that is on the map is
 * placed where it is, another one with its group. */
static void maps_keep_groups_apart(void **state)
{
    enum { N = 120, WIDTH = 6 };
    static double x[N][WIDTH];
    static float y[N_THREADS + 1][N][2];
    float place[2] = {0};
    double rows[2][WIDTH];
    struct ss_graph_umap_options options = SS_GRAPH_UMAP_DEFAULTS;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < WIDTH; j++) {
            const double noise = (double)(ss_graph_mix(i * WIDTH + j) >> 11) * 0x1p-53 - 0.5;
            x[i][j] = noise + (j == i % 2 ? 4 : 0);
        }
    }
    ss_graph_unit(&x[0][0], N, WIDTH);
    const struct ss_graph_points points = {.n = N, .width = WIDTH, .x = &x[0][0]};
    for (size_t n = 1; n <= N_THREADS; n++) {
        assert_int_equal(ss_graph_umap(works[n], &points, &options, NULL, &y[n][0][0], NULL),
                         SS_OK);
    }
    assert_memory_equal(y[1], y[2], sizeof y[1]);
    struct ss_graph_neighbours near = {0};
    double on_map[N][2];
    for (size_t i = 0; i < N; i++) {
        on_map[i][0] = (double)y[1][i][0];
        on_map[i][1] = (double)y[1][i][1];
    }
    const struct ss_graph_points map = {.n = N, .width = 2, .x = &on_map[0][0]};
    assert_int_equal(ss_graph_nearest(works[1], &map, 15, &near, NULL), SS_OK);
    for (size_t i = 0; i < N * 15; i++) {
        assert_int_equal(near.ids[i] % 2, i / 15 % 2);
    }
    ss_graph_neighbours_release(&near);
    const struct ss_graph_umap_fitted fitted = {&points, &y[1][0][0], &options};
    memcpy(rows[0], x[7], sizeof rows[0]);
    memcpy(rows[1], x[8], sizeof rows[1]);
    rows[1][5] += 0.01;
    ss_graph_unit(rows[1], 1, WIDTH);
    assert_int_equal(
        ss_graph_umap_place(works[1], &fitted,
                            &(struct ss_graph_points){.n = 1, .width = WIDTH, .x = rows[0]},
                            place, NULL),
        SS_OK);
    assert_memory_equal(place, y[1][7], sizeof place);
    assert_int_equal(
        ss_graph_umap_place(works[1], &fitted,
                            &(struct ss_graph_points){.n = 1, .width = WIDTH, .x = rows[1]},
                            place, NULL),
        SS_OK);
    const double to_own =
        hypot((double)place[0] - on_map[8][0], (double)place[1] - on_map[8][1]);
    const double to_other =
        hypot((double)place[0] - on_map[7][0], (double)place[1] - on_map[7][1]);
    assert_true(to_own < to_other / 2);
}

static void make_row(const void *context, size_t row, double *out)
{
    const struct ss_graph_points *points = context;
    memcpy(out, ss_graph_row(points, row), points->width * sizeof *out);
}

/* Rows that are made when they are asked for are rows like others: neighbours, maps, places and
 * figures are the same bytes, equal rows included. */
static void made_rows_are_rows(void **state)
{
    enum { N = 200, WIDTH = 12, K = 9 };
    static double x[N][WIDTH];
    static float start[N][2], y[2][N][2], places[2][N][2];
    struct ss_graph_neighbours near[2];
    struct ss_graph_map_quality quality[2];
    (void)state;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < WIDTH; j++) {
            x[i][j] = (double)(ss_graph_mix(i % 150 * WIDTH + j) >> 11) * 0x1p-53 - 0.5;
        }
        start[i][0] = (float)(i % 14);
        start[i][1] = (float)(i / 14);
    }
    ss_graph_unit(&x[0][0], N, WIDTH);
    const struct ss_graph_points whole = {.n = N, .width = WIDTH, .x = &x[0][0]};
    const struct ss_graph_points both[2] = {
        whole, {.n = N, .width = WIDTH, .make = make_row, .context = &whole}};
    const struct ss_graph_umap_options options = SS_GRAPH_UMAP_DEFAULTS;
    for (int i = 0; i < 2; i++) {
        const struct ss_graph_umap_fitted fitted = {&both[i], &y[0][0][0], &options};
        assert_int_equal(ss_graph_nearest(works[2], &both[i], K, &near[i], NULL), SS_OK);
        assert_int_equal(
            ss_graph_umap(works[2], &both[i], &options, &start[0][0], &y[i][0][0], NULL),
            SS_OK);
        assert_int_equal(
            ss_graph_map_quality(works[2], &both[i], &y[0][0][0], &quality[i], NULL), SS_OK);
        assert_int_equal(
            ss_graph_umap_place(works[2], &fitted, &both[i], &places[i][0][0], NULL), SS_OK);
    }
    assert_memory_equal(near[0].ids, near[1].ids, N * K * sizeof *near[0].ids);
    assert_memory_equal(near[0].distances2, near[1].distances2, N * K * sizeof(double));
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_equal(places[0], places[1], sizeof places[0]);
    assert_memory_equal(&quality[0], &quality[1], sizeof quality[0]);
    ss_graph_neighbours_release(&near[0]);
    ss_graph_neighbours_release(&near[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ward_is_scipys),
        cmocka_unit_test(hdbscan_is_the_packages),
        cmocka_unit_test(hdbscan_is_the_packages_on_the_shared_set),
        cmocka_unit_test(hdbscan_does_not_depend_on_order),
        cmocka_unit_test(neighbours_are_exact),
        cmocka_unit_test(curves_are_umap_learns),
        cmocka_unit_test(the_graph_is_umap_learns),
        cmocka_unit_test(quality_is_scikit_learns),
        cmocka_unit_test(maps_keep_groups_apart),
        cmocka_unit_test(made_rows_are_rows),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
