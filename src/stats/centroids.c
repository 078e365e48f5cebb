/* Sums of embeddings, and the state that holds them. Fixed-point numbers make a sum independent
 * of the order of its terms: each term a x is rounded once to a multiple of 2^-28, and whole
 * numbers are added exactly, so one run, parts in any number, and threads all give the same
 * bytes.
 *
 * What could overflow is known beforehand: beside each row of sums stands a bound, the sum of a
 * max|x|, rounded up and never falling. While it is below 2^62 no sum of the row can have left
 * 63 bits; beyond, the row is said to be unknown. Bounds only grow, so this too is independent
 * of order.
 *
 * Its bytes, little-endian:
 *
 *   "SSCENT01", u64 features F, u64 width, u64 rows, u64 bound
 *   u64 [F] counts, u64 [F] weights, u64 [F] bounds, i64 [width] all, i64 [F, width] sums */
#include "stats/centroids.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static const char magic[8] = {'S', 'S', 'C', 'E', 'N', 'T', '0', '1'};

/* Below 2^51, adding 1.5 * 2^52 rounds a double to the nearest whole number, ties to even, and
 * leaves it in the low bits: two additions, which compilers turn into vectors. */
#define ROUNDING 0x1.8p52
#define MOST_ROUNDED 0x1p51
#define UNITS (1 / SS_STATS_CENTROID_UNIT)
#define MOST_SUM (UINT64_C(1) << 62)

uint64_t ss_stats_centroids_bytes(size_t n_features, size_t width)
{
    uint64_t bytes = 0;
    return ss__mul_u64(n_features, 8 * (uint64_t)width + 24, &bytes) ? bytes : UINT64_MAX;
}

ss_status ss_stats_centroids_init(struct ss_stats_centroids *centroids, size_t n_features,
                                  size_t width, ss_err *err)
{
    size_t n_sums = 0;
    *centroids = (struct ss_stats_centroids){.n_features = n_features, .width = width};
    if (!ss__mul(n_features, width, &n_sums)) {
        return ss__fail_nomem(err, "centroids");
    }
    SS_ALLOC_OR_RETURN(centroids->counts, n_features);
    SS_ALLOC_OR_RETURN(centroids->weights, n_features);
    SS_ALLOC_OR_RETURN(centroids->bounds, n_features);
    SS_ALLOC_OR_RETURN(centroids->sums, n_sums);
    SS_ALLOC_OR_RETURN(centroids->all, width);
    return SS_OK;
}

void ss_stats_centroids_release(struct ss_stats_centroids *centroids)
{
    ss__free(centroids->counts);
    ss__free(centroids->weights);
    ss__free(centroids->bounds);
    ss__free(centroids->sums);
    ss__free(centroids->all);
    *centroids = (struct ss_stats_centroids){0};
}

/* ---- adding ---- */

/* Terms are >= 0, so that a sum that is full stays full whatever the order. */
static void add_up_to_most(uint64_t *sum, uint64_t term)
{
    *sum = *sum > UINT64_MAX - term ? UINT64_MAX : *sum + term;
}

/* In units, rounded up or to the nearest; UINT64_MAX where there is no room for it. */
static uint64_t units_of(double value, bool goes_up)
{
    const double units = goes_up ? ceil(value * UNITS) : nearbyint(value * UNITS);
    return units < 0x1p63 ? (uint64_t)units : UINT64_MAX;
}

/* max|x| of a row. */
static float largest_of(const float *x, size_t width)
{
    float most = 0;
    for (size_t i = 0; i < width; i++) {
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    return most;
}

/* sums += factor * x, every term rounded to whole units. The caller has made sure that terms lie
 * below MOST_ROUNDED. Unsigned, so that sums that mean nothing may wrap. */
static void add_terms(int64_t *restrict sums, const float *restrict x, double factor,
                      size_t width)
{
    uint64_t of_rounding = 0;
    const double rounding = ROUNDING;
    memcpy(&of_rounding, &rounding, sizeof of_rounding);
    for (size_t i = 0; i < width; i++) {
        const double term = factor * (double)x[i] + ROUNDING;
        uint64_t bits = 0;
        memcpy(&bits, &term, sizeof bits);
        sums[i] = (int64_t)((uint64_t)sums[i] + (bits - of_rounding));
    }
}

/* Whether the terms can be rounded; if not, the bound is full, and so the sums mean nothing.
 * The product of two floats is exact in a double. */
static bool add_bound(uint64_t *bound, double factor, float largest)
{
    const double most = factor * (double)largest;
    const bool fits = most * UNITS < MOST_ROUNDED;
    add_up_to_most(bound, fits ? units_of(most, true) : UINT64_MAX);
    return fits;
}

/* A row costs `width` for itself and as much for each feature that fires. */
void ss_stats_centroids_add(struct ss_stats_centroids *centroids, const struct ss_sparse *rows,
                            const float *embeddings)
{
    const size_t width = centroids->width;
    for (size_t r = 0; r < rows->n_rows; r++) {
        const float *x = embeddings + r * width;
        const float largest = largest_of(x, width);
        if (add_bound(&centroids->bound, 1, largest)) {
            add_terms(centroids->all, x, UNITS, width);
        }
        for (size_t i = rows->offsets[r]; i < rows->offsets[r + 1]; i++) {
            const size_t f = rows->features[i];
            const double activation = (double)rows->values[i];
            centroids->counts[f]++;
            add_up_to_most(&centroids->weights[f], units_of(activation, false));
            if (add_bound(&centroids->bounds[f], activation, largest)) {
                add_terms(centroids->sums + f * width, x, activation * UNITS, width);
            }
        }
    }
    centroids->n_rows += rows->n_rows;
}

/* Unsigned, as in add_terms. */
static void merge_sums(int64_t *sums, const int64_t *others, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = (int64_t)((uint64_t)sums[i] + (uint64_t)others[i]);
    }
}

ss_status ss_stats_centroids_merge(struct ss_stats_centroids *centroids,
                                   const struct ss_stats_centroids *other, ss_err *err)
{
    if (centroids->n_features != other->n_features || centroids->width != other->width) {
        return ss__fail(err, SS_E_SHAPE,
                        "centroids of %zu features in %zu dimensions and of %zu in %zu cannot "
                        "be merged",
                        centroids->n_features, centroids->width, other->n_features,
                        other->width);
    }
    for (size_t f = 0; f < centroids->n_features; f++) {
        centroids->counts[f] += other->counts[f];
        add_up_to_most(&centroids->weights[f], other->weights[f]);
        add_up_to_most(&centroids->bounds[f], other->bounds[f]);
    }
    merge_sums(centroids->sums, other->sums, centroids->n_features * centroids->width);
    merge_sums(centroids->all, other->all, centroids->width);
    add_up_to_most(&centroids->bound, other->bound);
    centroids->n_rows += other->n_rows;
    return SS_OK;
}

/* ---- what comes of it ---- */

void ss_stats_centroids_mean(const struct ss_stats_centroids *centroids, double *out)
{
    const bool is_known = centroids->n_rows > 0 && centroids->bound < MOST_SUM;
    for (size_t i = 0; i < centroids->width; i++) {
        out[i] = is_known ? (double)centroids->all[i] * SS_STATS_CENTROID_UNIT /
                                (double)centroids->n_rows
                          : 0;
    }
}

/* A weight is off by up to half a unit per row, so it says something only above one unit per
 * row. */
bool ss_stats_centroids_get(const struct ss_stats_centroids *centroids, size_t feature,
                            const double *mean, double *out)
{
    const uint64_t weight = centroids->weights[feature];
    const bool is_known = weight > centroids->counts[feature] && weight < MOST_SUM &&
                          centroids->bounds[feature] < MOST_SUM;
    const int64_t *sums = centroids->sums + feature * centroids->width;
    for (size_t i = 0; i < centroids->width; i++) {
        out[i] = is_known ? (double)sums[i] / (double)weight - mean[i] : 0;
    }
    return is_known;
}

/* ---- the state ---- */

struct head {
    char magic[8];
    uint64_t n_features, width, n_rows, bound;
};

ss_status ss_stats_centroids_save(const struct ss_stats_centroids *centroids,
                                  ss_status (*write)(void *user, const void *data,
                                                     size_t n_bytes, ss_err *err),
                                  void *user, ss_err *err)
{
    const size_t n = centroids->n_features, width = centroids->width;
    struct head head = {.n_features = n,
                        .width = width,
                        .n_rows = centroids->n_rows,
                        .bound = centroids->bound};
    memcpy(head.magic, magic, sizeof magic);
    SS_RETURN_IF_ERROR(write(user, &head, sizeof head, err));
    SS_RETURN_IF_ERROR(write(user, centroids->counts, n * sizeof(uint64_t), err));
    SS_RETURN_IF_ERROR(write(user, centroids->weights, n * sizeof(uint64_t), err));
    SS_RETURN_IF_ERROR(write(user, centroids->bounds, n * sizeof(uint64_t), err));
    SS_RETURN_IF_ERROR(write(user, centroids->all, width * sizeof(int64_t), err));
    return write(user, centroids->sums, n * width * sizeof(int64_t), err);
}

ss_status ss_stats_centroids_load(struct ss_stats_centroids *centroids, const void *data,
                                  size_t n_bytes, const char *name, ss_err *err)
{
    struct head head = {.n_features = 0};
    uint64_t n_words = 0, n_more = 0;
    *centroids = (struct ss_stats_centroids){0};
    if (n_bytes >= sizeof head) {
        memcpy(&head, data, sizeof head);
    }
    const bool fits = ss__mul_u64(head.n_features, head.width, &n_words) &&
                      ss__mul_u64(head.n_features, 3, &n_more) &&
                      ss__add_u64(n_words, n_more, &n_words) &&
                      ss__add_u64(n_words, head.width, &n_words) && n_words <= n_bytes / 8 &&
                      sizeof head + 8 * n_words == n_bytes;
    if (n_bytes < sizeof head || memcmp(head.magic, magic, sizeof magic) != 0 || !fits) {
        return ss__fail_file(err, name, SS_E_DATA, "not the state of centroids, or cut off");
    }
    const uint8_t *at = (const uint8_t *)data + sizeof head;
    const size_t n = (size_t)head.n_features, width = (size_t)head.width;
    SS_RETURN_IF_ERROR(ss_stats_centroids_init(centroids, n, width, err));
    centroids->n_rows = head.n_rows;
    centroids->bound = head.bound;
    const struct {
        void *to;
        size_t n;
    } parts[] = {{centroids->counts, n},
                 {centroids->weights, n},
                 {centroids->bounds, n},
                 {centroids->all, width},
                 {centroids->sums, n * width}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        memcpy(parts[i].to, at, parts[i].n * 8);
        at += parts[i].n * 8;
    }
    return SS_OK;
}
