/* Forces on one point of a map: pushed one by one, worked out in batches that a compiler keeps
 * in vectors. All in float32, in one order, by IEEE's operations alone. */
#ifndef SS_GRAPH_UMAP_FORCES_H
#define SS_GRAPH_UMAP_FORCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SS_GRAPH_FORCES = 128 }; /* of a batch */

struct ss_graph_forces {
    float a, b;               /* of the curve */
    float at[2];              /* the point */
    size_t n;                 /* in the batch */
    float x[SS_GRAPH_FORCES]; /* from the other point to this */
    float y[SS_GRAPH_FORCES];
    float attracts[SS_GRAPH_FORCES]; /* 1, or 0: it repels */
    float sum[2];
};

void ss_graph_forces_begin(struct ss_graph_forces *forces, const float *at);
/* Add the force of another point; itself, and points that lie where it is, have none. */
void ss_graph_forces_push(struct ss_graph_forces *forces, const float *other, bool attracts);
/* Work out what is left in the batch. */
void ss_graph_forces_end(struct ss_graph_forces *forces);

/* A step of Adam's method with β 0.5 and 0.9. */
struct ss_graph_adam {
    float mean[2], square[2];
};
struct ss_graph_pace {
    float step;  /* α c2 / c1 */
    float least; /* c2 ε */
};
/* The pace of step `epoch`, counted from 0. */
struct ss_graph_pace ss_graph_pace(double alpha, size_t epoch);
void ss_graph_adam_step(struct ss_graph_adam *adam, struct ss_graph_pace pace,
                        const float *force, const float *from, float *to);

#endif
