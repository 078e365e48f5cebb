/* The geometric median of rows, by Weiszfeld's iteration from their mean. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

enum { MAX_ROUNDS = 100 };
static const double ENOUGH = 1e-5; /* moved by less: done */

/* One round from `median`, in place; returns how far it moved. */
static double move_median(const float *x, size_t n, size_t d, double *median, double *sums)
{
    double total = 0, moved = 0;
    memset(sums, 0, d * sizeof *sums);
    for (size_t r = 0; r < n; r++) {
        double squares = 0;
        for (size_t i = 0; i < d; i++) {
            const double by = (double)x[r * d + i] - median[i];
            squares += by * by;
        }
        const double weight = 1 / fmax(sqrt(squares), 1e-12);
        total += weight;
        for (size_t i = 0; i < d; i++) {
            sums[i] += weight * (double)x[r * d + i];
        }
    }
    for (size_t i = 0; i < d; i++) {
        const double by = sums[i] / total - median[i];
        moved += by * by;
        median[i] += by;
    }
    return sqrt(moved);
}

static void add_mean(const float *x, size_t n, size_t d, double *mean)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < d; i++) {
            mean[i] += (double)x[r * d + i] / (double)n;
        }
    }
}

static void normalise_copy(const struct ss_trainer *self, const float *x, size_t n, float *out)
{
    const size_t d = self->config.width;
    ss_train_real *row = self->x; /* a step's memory */
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < d; i++) {
            row[i] = (ss_train_real)x[r * d + i];
        }
        if (self->config.normalises_input) {
            ss_train_normalise(row, d);
        }
        for (size_t i = 0; i < d; i++) {
            out[r * d + i] = (float)row[i];
        }
    }
}

ss_status ss_train_set_center(struct ss_trainer *self, const float *x, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t d = self->config.width;
    float *rows = NULL;
    double *median = NULL, *sums = NULL;
    SS_ALLOC(rows, n * d);
    SS_ALLOC(median, d);
    SS_ALLOC(sums, d);
    normalise_copy(self, x, n, rows);
    add_mean(rows, n, d, median);
    for (size_t round = 0; round < MAX_ROUNDS; round++) {
        if (move_median(rows, n, d, median, sums) < ENOUGH) {
            break;
        }
    }
    for (size_t i = 0; i < d; i++) {
        self->parameters[SS_TRAIN_B_DEC].x[i] = (ss_train_real)(float)median[i];
    }
    if (self->config.starts_at_rows) {
        ss_train_start_at_rows(self, rows, n);
        ss_train_weights_changed(self);
    }
out:
    ss__free(rows);
    ss__free(median);
    ss__free(sums);
    return status;
}
