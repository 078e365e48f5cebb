/* Two principal components, by iterating a plane: where a map begins.
 *
 * More directions are iterated than are wanted, because two components of about the same size
 * would turn into each other slowly. Of many points every m-th is looked at: the start needs
 * the large directions of the cloud and no digits. Sums are made by blocks of fixed size,
 * added in their order, whatever thread made them. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/umap.h"

/* Where two components are about as large, whichever directions of their plane come out do. */
enum { STEPS = 40, MOST_ROWS = 4096, BLOCK = 128, DIRECTIONS = 4 };

struct plane {
    const struct ss_graph_points *points;
    size_t step, n; /* every step-th point, n in all */
    double *mean;   /* [width] */
    double *axes;   /* [DIRECTIONS, width] */
    double *parts;  /* [blocks, DIRECTIONS, width] */
};

static void add_block(void *context, size_t block, size_t worker)
{
    const struct plane *plane = context;
    const size_t width = plane->points->width;
    double *part = plane->parts + block * DIRECTIONS * width;
    double offset[DIRECTIONS];
    (void)worker;
    memset(part, 0, DIRECTIONS * width * sizeof *part);
    for (size_t d = 0; d < DIRECTIONS; d++) {
        offset[d] = ss_graph_dot(plane->mean, plane->axes + d * width, width);
    }
    for (size_t i = block * BLOCK; i < ss__min_size((block + 1) * BLOCK, plane->n); i++) {
        const double *x = ss_graph_row(plane->points, i * plane->step);
        for (size_t d = 0; d < DIRECTIONS; d++) {
            const double along = ss_graph_dot(x, plane->axes + d * width, width) - offset[d];
            for (size_t j = 0; j < width; j++) {
                part[d * width + j] += along * (x[j] - plane->mean[j]);
            }
        }
    }
}

/* Make axes orthogonal and of length 1; one that vanishes becomes zeros. */
static void straighten(double *axes, size_t width)
{
    for (size_t d = 0; d < DIRECTIONS; d++) {
        double *axis = axes + d * width;
        for (int twice = 0; twice < 2; twice++) {
            for (size_t e = 0; e < d; e++) {
                const double along = ss_graph_dot(axis, axes + e * width, width);
                for (size_t j = 0; j < width; j++) {
                    axis[j] -= along * axes[e * width + j];
                }
            }
            const double length = sqrt(ss_graph_dot(axis, axis, width));
            for (size_t j = 0; j < width; j++) {
                axis[j] = length > 1e-150 ? axis[j] / length : 0;
            }
        }
    }
}

static void iterate(struct plane *plane, struct ss__pool *pool)
{
    const size_t width = plane->points->width, n_blocks = ss__divide_up(plane->n, BLOCK);
    for (size_t i = 0; i < DIRECTIONS * width; i++) {
        plane->axes[i] = (double)(ss_graph_mix(i) >> 11) * 0x1p-53 - 0.5;
    }
    straighten(plane->axes, width);
    for (int step = 0; step < STEPS; step++) {
        ss__pool_run(pool, n_blocks, add_block, plane);
        memset(plane->axes, 0, DIRECTIONS * width * sizeof *plane->axes);
        for (size_t i = 0; i < n_blocks * DIRECTIONS * width; i++) {
            plane->axes[i % (DIRECTIONS * width)] += plane->parts[i];
        }
        straighten(plane->axes, width);
    }
}

/* The largest number of an axis is positive. */
static void sign_axis(double *axis, size_t width)
{
    size_t largest = 0;
    for (size_t j = 1; j < width; j++) {
        largest = fabs(axis[j]) > fabs(axis[largest]) ? j : largest;
    }
    if (axis[largest] < 0) {
        for (size_t j = 0; j < width; j++) {
            axis[j] = -axis[j];
        }
    }
}

ss_status ss_graph_plane(ss_work *work, const struct ss_graph_points *points, double *y,
                         ss_err *err)
{
    ss_status status = SS_OK;
    const size_t width = points->width;
    struct plane plane = {.points = points,
                          .step = ss__max_size(1, ss__divide_up(points->n, MOST_ROWS))};
    plane.n = ss__divide_up(points->n, plane.step);
    SS_ALLOC(plane.mean, width);
    SS_ALLOC(plane.axes, DIRECTIONS * width);
    SS_ALLOC(plane.parts, ss__divide_up(plane.n, BLOCK) * DIRECTIONS * width);
    for (size_t i = 0; i < plane.n; i++) {
        const double *x = ss_graph_row(points, i * plane.step);
        for (size_t j = 0; j < width; j++) {
            plane.mean[j] += x[j] / (double)plane.n;
        }
    }
    iterate(&plane, ss_tensor_work_pool(work));
    SS_TRY(ss_tensor_work_check(work, err));
    for (size_t d = 0; d < 2; d++) {
        double *axis = plane.axes + d * width;
        sign_axis(axis, width);
        const double offset = ss_graph_dot(plane.mean, axis, width);
        for (size_t i = 0; i < points->n; i++) {
            y[2 * i + d] = ss_graph_dot(ss_graph_row(points, i), axis, width) - offset;
        }
    }
out:
    ss__free(plane.mean);
    ss__free(plane.axes);
    ss__free(plane.parts);
    return status;
}
