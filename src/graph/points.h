/* Points that clusters and maps are made of: rows of numbers, some of which may be equal. */
#ifndef SS_GRAPH_POINTS_H
#define SS_GRAPH_POINTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

#define SS_GRAPH_NONE UINT32_MAX

struct ss_graph_points {
    size_t n, width;
    const double *x; /* [n, width] finite; NULL: rows are made when they are asked for */
    /* Write a row to out [width], from any thread, always the same. */
    void (*make)(const void *context, size_t row, double *out);
    const void *context;
};

/* Σ (a - b)² over n numbers, in one fixed order; the same for (b, a). */
double ss_graph_distance2(const double *a, const double *b, size_t n);
double ss_graph_dot(const double *a, const double *b, size_t n);

/* Scale every row to length 1, in place; a row of zeros stays. The length is that of the row
 * divided by its largest number, so that no square leaves the range. */
void ss_graph_unit(double *x, size_t n, size_t width);

/* SS_E_NONFINITE with the row where a number is not finite, SS_E_LIMIT where rows are more than
 * ids. `what` says what a row is ("the direction of feature"). */
SS_MUST_USE ss_status ss_graph_points_check(const struct ss_graph_points *points,
                                            const char *what, ss_err *err);

/* Rows by what they are equal to: kind k has the rows members[offsets[k]] … , rising, and kinds
 * are ordered by their first row. Zeroed: none. */
struct ss_graph_kinds {
    size_t n;
    uint32_t *offsets; /* [n + 1] */
    uint32_t *members; /* [points] */
    uint32_t *of;      /* [points] */
};
SS_MUST_USE ss_status ss_graph_kinds_find(const struct ss_graph_points *points,
                                          struct ss_graph_kinds *out, ss_err *err);
void ss_graph_kinds_release(struct ss_graph_kinds *kinds);

/* 64 well-mixed bits of a number: draws that depend on nothing else. */
static inline uint64_t ss_graph_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

static inline const double *ss_graph_row(const struct ss_graph_points *points, size_t row)
{
    return points->x + row * points->width;
}

/* A row of points whose rows may have to be made: in `scratch` [width] then. */
static inline const double *ss_graph_row_in(const struct ss_graph_points *points, size_t row,
                                            double *scratch)
{
    if (points->x != NULL) {
        return ss_graph_row(points, row);
    }
    points->make(points->context, row, scratch);
    return scratch;
}

/* How many rows kind k has, and the first of them. */
static inline uint32_t ss_graph_kind_size(const struct ss_graph_kinds *kinds, size_t k)
{
    return kinds->offsets[k + 1] - kinds->offsets[k];
}

static inline uint32_t ss_graph_kind_row(const struct ss_graph_kinds *kinds, size_t k)
{
    return kinds->members[kinds->offsets[k]];
}

#endif
