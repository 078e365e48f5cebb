/* Pairs of features that fire in the same rows, and how they go together. Natural logarithms. */
#ifndef SS_GRAPH_PAIRS_H
#define SS_GRAPH_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "stats/pair_counts.h"

/* All pairs that fire together in a row or more: those of feature a are from offsets[a] on, by
 * rising others, which lie above a. All borrowed. */
struct ss_graph_table {
    size_t n_features;
    uint64_t n_rows[SS_STATS_N_HALVES];
    const struct ss_stats_pair_feature *features; /* [F] */
    const uint64_t *offsets;                      /* [F + 1] */
    const uint32_t *others;                       /* [pairs] */
    const uint32_t *counts;                       /* [pairs] rows in which both fire */
    const uint32_t *scores;                       /* [pairs] those of the score half */
    const uint64_t *products;                     /* [pairs] see struct ss_stats_pair */
    const uint64_t *score_products;               /* [pairs] those of the score half */
};

/* What is wrong with a table that was read from a file, so that it is not to be walked; NULL:
 * nothing. */
const char *ss_graph_table_fault(const struct ss_graph_table *table);

/* The rows that are counted: all of them, or those of one half. */
typedef enum ss_graph_row_set {
    SS_GRAPH_DESCRIBE = SS_STATS_DESCRIBE,
    SS_GRAPH_SCORE = SS_STATS_SCORE,
    SS_GRAPH_ALL
} ss_graph_row_set;
uint64_t ss_graph_n_rows(const struct ss_graph_table *table, ss_graph_row_set rows);
/* Rows in which a feature fires. */
uint64_t ss_graph_fires(const struct ss_graph_table *table, ss_graph_row_set rows,
                        size_t feature);
/* Rows in which both features of the pair at `index` fire. */
uint64_t ss_graph_count(const struct ss_graph_table *table, ss_graph_row_set rows,
                        uint64_t index);
/* The cosine of two features' activations over those rows: of the pair at `index`. */
double ss_graph_cosine(const struct ss_graph_table *table, ss_graph_row_set rows, size_t a,
                       size_t b, uint64_t index);
/* The correlation (Pearson's) of two features' activations over those rows, of the pair at
 * `index`; `sums` are those of both features' activations. 0 where one of them is constant. */
double ss_graph_correlation(const struct ss_graph_table *table, ss_graph_row_set rows, size_t a,
                            size_t b, uint64_t index, const double sums[2]);
/* Where the pair of two different features stands; UINT64_MAX: they never fire together. */
uint64_t ss_graph_find(const struct ss_graph_table *table, size_t a, size_t b);

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
