/* The fuzzy graph of neighbours, and the curve that distances on the map are measured by: steps
 * 2 to 4 of umap-learn 0.5 (umap_.py: smooth_knn_dist, compute_membership_strengths,
 * find_ab_params). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "graph/umap.h"

/* 2^x = 2^i e^(f ln 2), |f| ≤ 1/2; the series of e^t, |t| ≤ 0.35, is good to 1e-16 after t^13. */
double ss_graph_exp(double x)
{
    const double y = x * 1.4426950408889634;
    if (!(y > -1000)) {
        return 0;
    }
    const double whole = nearbyint(y);
    const double t = (y - whole) * 0.6931471805599453;
    double sum = 1;
    for (int i = 13; i > 0; i--) {
        sum = 1 + sum * t / i;
    }
    return ldexp(sum, (int)whole);
}

/* log2(2^i m) = i + 2 artanh((m - 1) / (m + 1)) / ln 2, with |(m - 1) / (m + 1)| ≤ 0.172. */
double ss_graph_log2(double x)
{
    int whole = 0;
    double m = frexp(x, &whole);
    if (m < 0.7071067811865476) {
        m *= 2;
        whole--;
    }
    const double t = (m - 1) / (m + 1);
    double sum = 0;
    for (int i = 21; i > 0; i -= 2) {
        sum = sum * t * t + 1.0 / i;
    }
    return whole + 2 * t * sum * 1.4426950408889634;
}

/* ---- the curve ---- */

enum { CURVE_POINTS = 300, CURVE_STEPS = 200 };

struct fit {
    double jj[2][2], jr[2], rest;
};

/* The squared rest of a curve, with what its least squares need. */
static struct fit fit_curve(struct ss_graph_curve curve, double min_dist, double spread)
{
    struct fit fit = {0};
    for (int i = 0; i < CURVE_POINTS; i++) {
        const double x = 3 * spread * i / (CURVE_POINTS - 1);
        const double wanted = x < min_dist ? 1 : ss_graph_exp(-(x - min_dist) / spread);
        const double power = x > 0 ? pow(x, 2 * curve.b) : 0;
        const double value = 1 / (1 + curve.a * power);
        const double by_a = -power * value * value;
        const double by_b = x > 0 ? by_a * curve.a * 2 * log(x) : 0;
        const double rest = wanted - value;
        fit.jj[0][0] += by_a * by_a;
        fit.jj[0][1] += by_a * by_b;
        fit.jj[1][1] += by_b * by_b;
        fit.jr[0] += by_a * rest;
        fit.jr[1] += by_b * rest;
        fit.rest += rest * rest;
    }
    return fit;
}

/* Levenberg and Marquardt's method from (1, 1). The digits that the C library may change are
 * rounded away. */
struct ss_graph_curve ss_graph_umap_curve(double min_dist, double spread)
{
    struct ss_graph_curve curve = {1, 1};
    struct fit fit = fit_curve(curve, min_dist, spread);
    double damping = 1e-3;
    for (int step = 0; step < CURVE_STEPS; step++) {
        const double aa = fit.jj[0][0] * (1 + damping), bb = fit.jj[1][1] * (1 + damping);
        const double determinant = aa * bb - fit.jj[0][1] * fit.jj[0][1];
        const struct ss_graph_curve next = {
            curve.a + (bb * fit.jr[0] - fit.jj[0][1] * fit.jr[1]) / determinant,
            curve.b + (aa * fit.jr[1] - fit.jj[0][1] * fit.jr[0]) / determinant};
        const struct fit other = fit_curve(next, min_dist, spread);
        if (next.a > 0 && next.b > 0 && other.rest <= fit.rest) {
            curve = next;
            fit = other;
            damping *= 0.1;
        } else {
            damping *= 10;
        }
    }
    return (struct ss_graph_curve){round(curve.a * 1e6) / 1e6, round(curve.b * 1e6) / 1e6};
}

/* ---- widths ---- */

enum { BISECTIONS = 64 };

static double smooth_sum(const double *distances, size_t k, double rho, double sigma)
{
    double sum = 0;
    for (size_t j = 1; j < k; j++) {
        const double d = distances[j] - rho;
        sum += d > 0 ? ss_graph_exp(-d / sigma) : 1;
    }
    return sum;
}

struct ss_graph_width ss_graph_umap_width(const double *distances, size_t k, bool is_placed,
                                          double mean_of_all)
{
    struct ss_graph_width width = {.sigma = 1};
    double low = 0, high = INFINITY, mean = 0;
    const double wanted = ss_graph_log2((double)k);
    for (size_t j = 0; j < k; j++) {
        mean += distances[j] / (double)k;
        if (!is_placed && width.rho == 0 && distances[j] > 0) {
            width.rho = distances[j];
        }
    }
    for (int i = 0; i < BISECTIONS; i++) {
        const double sum = smooth_sum(distances, k, width.rho, width.sigma);
        if (fabs(sum - wanted) < 1e-5) {
            break;
        }
        if (sum > wanted) {
            high = width.sigma;
        } else {
            low = width.sigma;
        }
        width.sigma = high == INFINITY ? width.sigma * 2 : (low + high) / 2;
    }
    width.sigma = fmax(width.sigma, 1e-3 * (width.rho > 0 ? mean : mean_of_all));
    return width;
}

/* ---- the graph ---- */

struct link {
    uint32_t id;
    float to, from; /* membership either way */
};

/* Memberships of one point's neighbours: weights [k]. */
static void find_memberships(const struct ss_graph_neighbours *neighbours, size_t p,
                             double mean_of_all, double *distances, float *weights)
{
    const size_t k = neighbours->k;
    size_t n = 0;
    distances[0] = 0; /* itself */
    for (; n < k && neighbours->ids[p * k + n] != SS_GRAPH_NONE; n++) {
        distances[n + 1] = neighbours->distances2[p * k + n] / 2;
    }
    const struct ss_graph_width width =
        ss_graph_umap_width(distances, n + 1, false, mean_of_all);
    for (size_t i = 0; i < n; i++) {
        const double d = distances[i + 1] - width.rho;
        weights[i] = d <= 0 || width.sigma == 0 ? 1 : (float)ss_graph_exp(-d / width.sigma);
    }
}

static double mean_distance(const struct ss_graph_neighbours *neighbours)
{
    double sum = 0;
    for (size_t i = 0; i < neighbours->n * neighbours->k; i++) {
        sum += neighbours->ids[i] == SS_GRAPH_NONE ? 0 : neighbours->distances2[i] / 2;
    }
    return sum / ((double)neighbours->n * (double)(neighbours->k + 1));
}

static int by_id(const void *a, const void *b)
{
    const struct link *x = a;
    const struct link *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Sort a point's links, put the two directions of an edge together; how many are left. */
static size_t join_links(struct link *links, size_t n)
{
    size_t n_kept = 0;
    ss__sort(links, n, sizeof *links, by_id);
    for (size_t i = 0; i < n; i++) {
        if (n_kept > 0 && links[n_kept - 1].id == links[i].id) {
            links[n_kept - 1].to += links[i].to;
            links[n_kept - 1].from += links[i].from;
        } else {
            links[n_kept++] = links[i];
        }
    }
    return n_kept;
}

/* Links of every point in both directions: links[starts[p]] …, unsorted. */
static void spread_links(const struct ss_graph_neighbours *neighbours, const float *weights,
                         size_t *ends, struct link *links)
{
    for (size_t i = 0; i < neighbours->n * neighbours->k; i++) {
        const uint32_t p = (uint32_t)(i / neighbours->k), q = neighbours->ids[i];
        if (q != SS_GRAPH_NONE) {
            links[ends[p]++] = (struct link){q, weights[i], 0};
            links[ends[q]++] = (struct link){p, 0, weights[i]};
        }
    }
}

static ss_status fill(const struct ss_graph_neighbours *neighbours, const float *weights,
                      struct ss_graph_fuzzy *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = neighbours->n;
    struct link *links = NULL;
    size_t *ends = NULL;
    size_t n_links = 0;
    SS_ALLOC(links, 2 * n * neighbours->k);
    SS_ALLOC(ends, n + 1);
    for (size_t i = 0; i < n * neighbours->k; i++) {
        if (neighbours->ids[i] != SS_GRAPH_NONE) {
            ends[i / neighbours->k + 1]++;
            ends[neighbours->ids[i] + 1]++;
        }
    }
    for (size_t p = 0; p < n; p++) {
        ends[p + 1] += ends[p];
    }
    spread_links(neighbours, weights, ends, links);
    /* Each offset has moved to the end of its point's links. */
    for (size_t p = 0; p < n; p++) {
        const size_t start = p == 0 ? 0 : ends[p - 1];
        const size_t n_kept = join_links(links + start, ends[p] - start);
        memmove(links + n_links, links + start, n_kept * sizeof *links);
        n_links += n_kept;
        out->offsets[p + 1] = n_links;
    }
    SS_ALLOC(out->ids, n_links);
    SS_ALLOC(out->weights, n_links);
    for (size_t i = 0; i < n_links; i++) {
        out->ids[i] = links[i].id;
        out->weights[i] = links[i].to + links[i].from - links[i].to * links[i].from;
    }
out:
    ss__free(links);
    ss__free(ends);
    return status;
}

ss_status ss_graph_fuzzy_make(const struct ss_graph_neighbours *neighbours,
                              struct ss_graph_fuzzy *out, ss_err *err)
{
    ss_status status = SS_OK;
    float *weights = NULL;
    double *distances = NULL;
    const double mean_of_all = mean_distance(neighbours);
    *out = (struct ss_graph_fuzzy){.n = neighbours->n};
    SS_ALLOC(weights, neighbours->n * neighbours->k);
    SS_ALLOC(distances, neighbours->k + 1);
    SS_ALLOC(out->offsets, neighbours->n + 1);
    for (size_t p = 0; p < neighbours->n; p++) {
        find_memberships(neighbours, p, mean_of_all, distances, weights + p * neighbours->k);
    }
    SS_TRY(fill(neighbours, weights, out, err));
out:
    ss__free(weights);
    ss__free(distances);
    if (status != SS_OK) {
        ss_graph_fuzzy_release(out);
    }
    return status;
}

void ss_graph_fuzzy_release(struct ss_graph_fuzzy *graph)
{
    ss__free(graph->offsets);
    ss__free(graph->ids);
    ss__free(graph->weights);
    *graph = (struct ss_graph_fuzzy){0};
}
