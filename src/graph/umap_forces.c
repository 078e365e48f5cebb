/* The forces of UMAP's layout (umap-learn 0.5, layouts.py): with s the squared distance,
 *
 *   attraction  -2ab s^(b-1) / (1 + a s^b) Δ     repulsion  2b / ((0.001 + s)(1 + a s^b)) Δ
 *
 * each clipped to ±4 per coordinate; attraction counts twice, because only this end moves. */
#include "graph/umap_forces.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { LANES = 8 };

#define CLIP 4.0F
#define SMALLEST 1e-30F /* squared distances below count as none */

/* ---- powers ---- */

/* out = x^power for x in the range of normal floats: 2^(power log2 x). log2 of the mantissa m in
 * [0.707, 1.414) is 2/ln 2 artanh t, t = (m - 1)/(m + 1); 2^f is the series of e^(f ln 2). Both
 * are good to some 1e-7, relative. */
static void powers(const float *x, size_t n, float power, float *out)
{
    uint32_t bits[SS_GRAPH_FORCES];
    float exponent[SS_GRAPH_FORCES], mantissa[SS_GRAPH_FORCES];
    memcpy(bits, x, n * sizeof *bits);
    for (size_t i = 0; i < n; i++) {
        const uint32_t e = (bits[i] - 0x3F3504F3U) & 0xFF800000U;
        exponent[i] = (float)((int32_t)e >> 23);
        bits[i] -= e;
    }
    memcpy(mantissa, bits, n * sizeof *bits);
    for (size_t i = 0; i < n; i++) {
        const float t = (mantissa[i] - 1) / (mantissa[i] + 1);
        const float u = t * t;
        const float series = 1 + u * (0.333333343F + u * (0.2F + u * 0.142857149F));
        float y = power * (exponent[i] + 2.88539004F * t * series);
        y = y < -126 ? -126 : y;
        y = y > 126 ? 126 : y;
        const float whole = (y + 12582912.0F) - 12582912.0F; /* to the nearest */
        const float f = (y - whole) * 0.693147182F;
        out[i] =
            1 + f * (1 + f * (0.5F + f * (0.166666672F +
                                          f * (0.0416666679F +
                                               f * (0.00833333377F + f * 0.00138888892F)))));
        bits[i] = (uint32_t)((int32_t)whole + 127) << 23;
    }
    memcpy(exponent, bits, n * sizeof *bits);
    for (size_t i = 0; i < n; i++) {
        out[i] *= exponent[i];
    }
}

/* ---- batches ---- */

static float clipped(float x)
{
    x = x < -CLIP ? -CLIP : x;
    return x > CLIP ? CLIP : x;
}

static void work_out(struct ss_graph_forces *forces)
{
    float s[SS_GRAPH_FORCES], p[SS_GRAPH_FORCES];
    const float a = forces->a, b = forces->b;
    const size_t n = ss__round_up(forces->n, LANES);
    for (size_t i = forces->n; i < n; i++) {
        forces->x[i] = forces->y[i] = forces->attracts[i] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        s[i] = forces->x[i] * forces->x[i] + forces->y[i] * forces->y[i] + SMALLEST;
    }
    powers(s, n, b, p);
    for (size_t i = 0; i < n; i++) {
        const float base = 2 * b / (1 + a * p[i]);
        const float repels = base / (0.001F + s[i]);
        const float attracts = -a * base * p[i] / s[i];
        const float times = 1 + forces->attracts[i];
        const float c = forces->attracts[i] > 0 ? attracts : repels;
        forces->x[i] = times * clipped(c * forces->x[i]);
        forces->y[i] = times * clipped(c * forces->y[i]);
    }
    for (size_t i = 0; i < forces->n; i++) {
        forces->sum[0] += forces->x[i];
        forces->sum[1] += forces->y[i];
    }
    forces->n = 0;
}

void ss_graph_forces_begin(struct ss_graph_forces *forces, const float *at)
{
    memcpy(forces->at, at, sizeof forces->at);
    forces->n = 0;
    forces->sum[0] = forces->sum[1] = 0;
}

void ss_graph_forces_push(struct ss_graph_forces *forces, const float *other, bool attracts)
{
    if (forces->n == SS_GRAPH_FORCES) {
        work_out(forces);
    }
    forces->x[forces->n] = forces->at[0] - other[0];
    forces->y[forces->n] = forces->at[1] - other[1];
    forces->attracts[forces->n++] = attracts ? 1 : 0;
}

void ss_graph_forces_end(struct ss_graph_forces *forces)
{
    if (forces->n > 0) {
        work_out(forces);
    }
}

/* ---- steps ---- */

struct ss_graph_pace ss_graph_pace(double alpha, size_t epoch)
{
    double first = 1, second = 1;
    for (size_t i = 0; i <= epoch && second > 1e-30; i++) {
        first *= 0.5;
        second *= 0.9;
    }
    const double c2 = sqrt(1 - second);
    return (struct ss_graph_pace){(float)(alpha * c2 / (1 - first)), (float)(c2 * 1e-7)};
}

void ss_graph_adam_step(struct ss_graph_adam *adam, struct ss_graph_pace pace,
                        const float *force, const float *from, float *to)
{
    for (int d = 0; d < 2; d++) {
        adam->mean[d] += 0.5F * (force[d] - adam->mean[d]);
        adam->square[d] += 0.1F * (force[d] * force[d] - adam->square[d]);
        to[d] = from[d] + pace.step * adam->mean[d] / (sqrtf(adam->square[d]) + pace.least);
    }
}
