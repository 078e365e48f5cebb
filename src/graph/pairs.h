/* How two features go together, from four counts. Natural logarithms. */
#ifndef SS_GRAPH_PAIRS_H
#define SS_GRAPH_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/* Of n_rows rows, one feature fires in n_a, the other in n_b, both in n_both. */
struct ss_graph_counts {
    uint64_t n_rows, n_a, n_b, n_both;
};

/* What is said of a pair. With n_both = 0 all are 0 but npmi, which is -1; phi is 0 where a
 * feature fires in every row or in none, and so is all else where one never fires. */
struct ss_graph_measures {
    double overlap; /* n_both / min(n_a, n_b): the larger of both conditional shares */
    double jaccard; /* n_both / (n_a + n_b - n_both) */
    double cosine;  /* n_both / sqrt(n_a n_b) */
    double lift;    /* n_both n_rows / (n_a n_b): 1 by chance */
    double phi;     /* the correlation of firing, -1 ... 1 */
    double npmi;    /* ln lift / -ln(n_both / n_rows), -1 ... 1; 1 if both fire always */
};
struct ss_graph_measures ss_graph_measure(struct ss_graph_counts counts);

double ss_graph_phi(struct ss_graph_counts counts);
double ss_graph_lift(struct ss_graph_counts counts);

#endif
