/* Measures of a pair. Counts are turned into double before they are multiplied: products of two
 * stay below 2^106, and n_rows n_both - n_a n_b is exact where counts lie below 2^26. */
#include "graph/pairs.h"

#include <math.h>

/* ---- the table ---- */

static bool features_fit(const struct ss_graph_table *table)
{
    bool fits = table->n_rows[0] <= UINT32_MAX && table->n_rows[1] <= UINT32_MAX;
    for (size_t f = 0; f < table->n_features && fits; f++) {
        fits = table->features[f].counts[0] <= table->n_rows[0] &&
               table->features[f].counts[1] <= table->n_rows[1];
    }
    return fits;
}

static bool pair_fits(const struct ss_graph_table *table, size_t a, uint64_t i)
{
    const size_t b = table->others[i];
    const bool is_next = i == table->offsets[a] ? b > a : b > table->others[i - 1];
    if (!is_next || b >= table->n_features || table->counts[i] == 0 ||
        table->scores[i] > table->counts[i]) {
        return false;
    }
    const struct ss_stats_pair_feature *x = &table->features[a], *y = &table->features[b];
    const uint64_t score = table->scores[i], describe = table->counts[i] - score;
    return describe <= x->counts[0] && describe <= y->counts[0] && score <= x->counts[1] &&
           score <= y->counts[1];
}

const char *ss_graph_table_fault(const struct ss_graph_table *table)
{
    bool rises = table->offsets[0] == 0;
    for (size_t f = 0; f < table->n_features && rises; f++) {
        rises = table->offsets[f] <= table->offsets[f + 1];
    }
    if (!rises) {
        return "its pairs do not begin one behind the other";
    }
    if (!features_fit(table)) {
        return "a feature fires in more rows than there are";
    }
    for (size_t a = 0; a < table->n_features; a++) {
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1]; i++) {
            if (!pair_fits(table, a, i)) {
                return "its pairs are out of order, or fire more often than their features";
            }
        }
    }
    return NULL;
}

uint64_t ss_graph_n_rows(const struct ss_graph_table *table, ss_graph_row_set rows)
{
    return rows == SS_GRAPH_ALL ? table->n_rows[0] + table->n_rows[1] : table->n_rows[rows];
}

uint64_t ss_graph_fires(const struct ss_graph_table *table, ss_graph_row_set rows,
                        size_t feature)
{
    const uint64_t *counts = table->features[feature].counts;
    return rows == SS_GRAPH_ALL ? counts[0] + counts[1] : counts[rows];
}

uint64_t ss_graph_count(const struct ss_graph_table *table, ss_graph_row_set rows,
                        uint64_t index)
{
    return rows == SS_GRAPH_ALL     ? table->counts[index]
           : rows == SS_GRAPH_SCORE ? table->scores[index]
                                    : table->counts[index] - table->scores[index];
}

/* Sums that are full count as they are. */
static double sum_of(uint64_t all, uint64_t score, ss_graph_row_set rows)
{
    return rows == SS_GRAPH_ALL     ? (double)all
           : rows == SS_GRAPH_SCORE ? (double)score
                                    : (double)(all - (score < all ? score : all));
}

static double square_of(const struct ss_graph_table *table, ss_graph_row_set rows, size_t f)
{
    const uint64_t *squares = table->features[f].squares;
    return rows == SS_GRAPH_ALL ? (double)squares[0] + (double)squares[1]
                                : (double)squares[rows];
}

double ss_graph_cosine(const struct ss_graph_table *table, ss_graph_row_set rows, size_t a,
                       size_t b, uint64_t index)
{
    const double squares = square_of(table, rows, a) * square_of(table, rows, b);
    const double product = sum_of(table->products[index], table->score_products[index], rows);
    return squares > 0 ? product / sqrt(squares) : 0;
}

double ss_graph_correlation(const struct ss_graph_table *table, ss_graph_row_set rows, size_t a,
                            size_t b, uint64_t index, const double sums[2])
{
    const double n = (double)ss_graph_n_rows(table, rows);
    const double product = SS_STATS_PRODUCT_UNIT *
                           sum_of(table->products[index], table->score_products[index], rows);
    const double square_a = SS_STATS_PRODUCT_UNIT * square_of(table, rows, a);
    const double square_b = SS_STATS_PRODUCT_UNIT * square_of(table, rows, b);
    const double both = n * product - sums[0] * sums[1];
    const double alone =
        (n * square_a - sums[0] * sums[0]) * (n * square_b - sums[1] * sums[1]);
    return alone > 0 ? fmax(-1, fmin(1, both / sqrt(alone))) : 0;
}

uint64_t ss_graph_find(const struct ss_graph_table *table, size_t a, size_t b)
{
    const size_t low = a < b ? a : b;
    const uint32_t high = (uint32_t)(a < b ? b : a);
    uint64_t begin = table->offsets[low], end = table->offsets[low + 1];
    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;
        if (table->others[middle] < high) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin < table->offsets[low + 1] && table->others[begin] == high ? begin : UINT64_MAX;
}

/* ---- measures ---- */

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
