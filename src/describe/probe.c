/* The covariance is factorised once for all features; a feature then costs two triangular
 * solves. The ridge keeps the factorisation defined where there are fewer texts than
 * dimensions. */
#include "describe/probe.h"

#include <math.h>

struct job {
    const struct ss_describe_view *view;
    struct ss_describe_probe *probe;
};

/* Row i of the sums of products. */
static void sum_products(void *context, size_t i, size_t worker)
{
    const struct job *job = context;
    const size_t width = job->probe->width;
    double *row = job->probe->lower + i * width;
    (void)worker;
    for (size_t t = 0; t < job->view->n_pool[SS_STATS_DESCRIBE]; t++) {
        const float *x = job->view->evidence->embeddings + t * width;
        const double factor = (double)x[i];
        for (size_t j = 0; j <= i; j++) {
            row[j] += factor * (double)x[j];
        }
    }
}

static void make_covariance(struct ss_describe_probe *probe, size_t n)
{
    const size_t width = probe->width;
    const double *sum = probe->pool_sum;
    const double divisor = n > 1 ? (double)(n - 1) : 1;
    double trace = 0;
    for (size_t i = 0; i < width; i++) {
        for (size_t j = 0; j <= i; j++) {
            double *at = &probe->lower[i * width + j];
            *at = (*at - sum[i] * sum[j] / (double)n) / divisor;
        }
        trace += probe->lower[i * width + i];
    }
    const double ridge = trace > 0 ? 0.5 * trace / (double)width : 1;
    for (size_t i = 0; i < width; i++) {
        probe->lower[i * width + i] += ridge;
    }
}

/* In place, the lower triangle. The ridge keeps the pivots away from 0. */
static void factorise(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = i == j ? sqrt(fmax(sum, 1e-30)) : sum / a[j * n + j];
        }
    }
}

ss_status ss_describe_probe_init(struct ss_describe_probe *probe,
                                 const struct ss_describe_view *view, ss_err *err)
{
    const size_t width = view->evidence->width;
    const size_t n = view->n_pool[SS_STATS_DESCRIBE];
    struct job job = {view, probe};
    *probe = (struct ss_describe_probe){.width = width};
    SS_ALLOC_OR_RETURN(probe->lower, width * width);
    SS_ALLOC_OR_RETURN(probe->pool_sum, width);
    for (size_t t = 0; t < n; t++) {
        for (size_t k = 0; k < width; k++) {
            probe->pool_sum[k] += (double)view->evidence->embeddings[t * width + k];
        }
    }
    ss__pool_run(view->pool, width, sum_products, &job);
    SS_RETURN_IF_ERROR(ss__pool_check(view->pool, err));
    make_covariance(probe, n == 0 ? 1 : n);
    factorise(probe->lower, width);
    return SS_OK;
}

void ss_describe_probe_release(struct ss_describe_probe *probe)
{
    ss__free(probe->lower);
    ss__free(probe->pool_sum);
    *probe = (struct ss_describe_probe){0};
}

/* x = (L Lᵀ)^-1 x. */
static void solve(const double *lower, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++) {
        double sum = x[i];
        for (size_t k = 0; k < i; k++) {
            sum -= lower[i * n + k] * x[k];
        }
        x[i] = sum / lower[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        x[i] /= lower[i * n + i];
        for (size_t k = 0; k < i; k++) {
            x[k] -= lower[i * n + k] * x[i];
        }
    }
}

void ss_describe_probe_fit(const struct ss_describe_probe *probe,
                           const struct ss_describe_view *view,
                           const struct ss_describe_sets *sets, double *room, float *w)
{
    const size_t width = probe->width;
    const struct ss_describe_set *idle =
        &sets->negatives[SS_STATS_DESCRIBE][SS_DESCRIBE_RANDOM];
    double *means[2] = {room, room + width};
    const struct ss_describe_set *of[2] = {&sets->describe, idle};
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < width; k++) {
            means[side][k] = 0;
        }
        for (size_t i = 0; i < of[side]->n; i++) {
            const float *x = view->evidence->embeddings + of[side]->rows[i] * width;
            for (size_t k = 0; k < width; k++) {
                means[side][k] += (double)x[k];
            }
        }
    }
    for (size_t k = 0; k < width; k++) {
        means[0][k] =
            sets->describe.n == 0 || idle->n == 0
                ? 0
                : means[0][k] / (double)sets->describe.n - means[1][k] / (double)idle->n;
    }
    solve(probe->lower, width, means[0]);
    for (size_t k = 0; k < width; k++) {
        w[k] = (float)means[0][k];
    }
}
