/* Measures of a pair. Counts are turned into double before they are multiplied: products of two
 * stay below 2^106, and n_rows n_both - n_a n_b is exact where counts lie below 2^26. */
#include "graph/pairs.h"

#include <math.h>

double ss_graph_lift(struct ss_graph_counts counts)
{
    return counts.n_both == 0 ? 0
                              : (double)counts.n_both * (double)counts.n_rows /
                                    ((double)counts.n_a * (double)counts.n_b);
}

double ss_graph_phi(struct ss_graph_counts counts)
{
    const double n = (double)counts.n_rows, a = (double)counts.n_a, b = (double)counts.n_b;
    const double spread = sqrt(a * b * (n - a) * (n - b));
    return spread > 0 ? (n * (double)counts.n_both - a * b) / spread : 0;
}

static double npmi_of(struct ss_graph_counts counts)
{
    if (counts.n_both == 0) {
        return -1;
    }
    if (counts.n_both == counts.n_rows) {
        return 1;
    }
    return log(ss_graph_lift(counts)) / -log((double)counts.n_both / (double)counts.n_rows);
}

struct ss_graph_measures ss_graph_measure(struct ss_graph_counts counts)
{
    const double a = (double)counts.n_a, b = (double)counts.n_b, both = (double)counts.n_both;
    struct ss_graph_measures measures = {.npmi = npmi_of(counts), .phi = ss_graph_phi(counts)};
    if (counts.n_both > 0) {
        measures.overlap = both / (a < b ? a : b);
        measures.jaccard = both / (a + b - both);
        measures.cosine = both / sqrt(a * b);
        measures.lift = ss_graph_lift(counts);
    }
    return measures;
}
