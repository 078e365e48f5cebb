/* Rows of numbers: distances, lengths, equal rows. Sums run over eight fixed lanes, which a
 * compiler may keep in vectors, and are then added in one order. */
#include "graph/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sort.h"

enum { LANES = 8 };

static double add_lanes(const double lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

double ss_graph_distance2(const double *a, const double *b, size_t n)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            const double d = a[i + j] - b[i + j];
            lanes[j] += d * d;
        }
    }
    for (size_t j = 0; i + j < n; j++) {
        const double d = a[i + j] - b[i + j];
        lanes[j] += d * d;
    }
    return add_lanes(lanes);
}

double ss_graph_dot(const double *a, const double *b, size_t n)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += a[i + j] * b[i + j];
        }
    }
    for (size_t j = 0; i + j < n; j++) {
        lanes[j] += a[i + j] * b[i + j];
    }
    return add_lanes(lanes);
}

void ss_graph_unit(double *x, size_t n, size_t width)
{
    for (size_t r = 0; r < n; r++) {
        double *row = x + r * width;
        double most = 0;
        for (size_t i = 0; i < width; i++) {
            most = fmax(most, fabs(row[i]));
        }
        if (most == 0) {
            continue;
        }
        for (size_t i = 0; i < width; i++) {
            row[i] /= most;
        }
        const double length = sqrt(ss_graph_dot(row, row, width));
        for (size_t i = 0; i < width; i++) {
            row[i] /= length;
        }
    }
}

ss_status ss_graph_points_check(const struct ss_graph_points *points, const char *what,
                                ss_err *err)
{
    if (points->n >= SS_GRAPH_NONE) {
        return ss__fail(err, SS_E_LIMIT, "%zu points are more than can be numbered", points->n);
    }
    for (size_t r = 0; r < points->n; r++) {
        for (size_t i = 0; i < points->width; i++) {
            if (!isfinite(ss_graph_row(points, r)[i])) {
                const ss_status status = ss__fail(
                    err, SS_E_NONFINITE, "%s %zu holds a number that is not finite", what, r);
                ss__err_at_row(err, r);
                return status;
            }
        }
    }
    return SS_OK;
}

/* ---- equal rows ---- */

struct hashed {
    uint64_t hash;
    uint32_t row;
};

static int by_hash(const void *a, const void *b)
{
    const struct hashed *x = a;
    const struct hashed *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* The first row that equals each: firsts [n]. Rows of one hash stand together; among them,
 * each is compared with the firsts so far. */
static void find_firsts(const struct ss_graph_points *points, const struct hashed *sorted,
                        double *scratch, uint32_t *firsts)
{
    for (size_t from = 0, end = 0; from < points->n; from = end) {
        for (end = from; end < points->n && sorted[end].hash == sorted[from].hash; end++) {
            const uint32_t row = sorted[end].row;
            firsts[row] = row;
            for (size_t i = from; i < end && firsts[row] == row; i++) {
                const uint32_t other = sorted[i].row;
                if (firsts[other] == other &&
                    memcmp(ss_graph_row_in(points, row, scratch),
                           ss_graph_row_in(points, other, scratch + points->width),
                           points->width * sizeof(double)) == 0) {
                    firsts[row] = other;
                }
            }
        }
    }
}

static void number_kinds(size_t n, const uint32_t *firsts, struct ss_graph_kinds *out)
{
    for (size_t r = 0; r < n; r++) {
        out->of[r] = firsts[r] == r ? (uint32_t)out->n++ : out->of[firsts[r]];
        out->offsets[out->of[r] + 1]++;
    }
    for (size_t k = 0; k < out->n; k++) {
        out->offsets[k + 1] += out->offsets[k];
    }
    for (size_t r = n; r-- > 0;) {
        out->members[--out->offsets[out->of[r] + 1]] = (uint32_t)r;
    }
    /* Each offset has moved to the start of its kind; put the ends back. */
    memmove(out->offsets, out->offsets + 1, out->n * sizeof *out->offsets);
    out->offsets[out->n] = (uint32_t)n;
}

ss_status ss_graph_kinds_find(const struct ss_graph_points *points, struct ss_graph_kinds *out,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct hashed *sorted = NULL;
    uint32_t *firsts = NULL;
    double *scratch = NULL;
    *out = (struct ss_graph_kinds){0};
    SS_ALLOC(sorted, points->n);
    SS_ALLOC(firsts, points->n);
    SS_ALLOC(scratch, 2 * points->width);
    SS_ALLOC(out->offsets, points->n + 2);
    SS_ALLOC(out->members, points->n);
    SS_ALLOC(out->of, points->n);
    for (size_t r = 0; r < points->n; r++) {
        sorted[r] = (struct hashed){
            ss__hash64(ss_graph_row_in(points, r, scratch), points->width * sizeof(double)),
            (uint32_t)r};
    }
    ss__sort(sorted, points->n, sizeof *sorted, by_hash);
    find_firsts(points, sorted, scratch, firsts);
    number_kinds(points->n, firsts, out);
out:
    ss__free(sorted);
    ss__free(firsts);
    ss__free(scratch);
    if (status != SS_OK) {
        ss_graph_kinds_release(out);
    }
    return status;
}

void ss_graph_kinds_release(struct ss_graph_kinds *kinds)
{
    ss__free(kinds->offsets);
    ss__free(kinds->members);
    ss__free(kinds->of);
    *kinds = (struct ss_graph_kinds){0};
}
