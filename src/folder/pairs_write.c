/* pairs.arrow: per feature the partners that it fires with most; and the dense matrix of the
 * Python workflow. */
#include <math.h>
#include <stdlib.h>

#include "arrow/arrow.h"
#include "base/mem.h"
#include "base/sort.h"
#include "folder/families_file.h"
#include "folder/npy.h"

enum { MOST_PARTNERS = 50, MOST_MATRIX_FEATURES = 16384 };

/* ---- pairs.arrow ---- */

const struct ss_arrow_output_column ss_folder_pair_columns[SS_FOLDER_N_PAIR_COLUMNS] = {
    [SS_FOLDER_PAIR_FEATURE] = {.name = "feature", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_PAIR_PARTNER] = {.name = "partner", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_PAIR_RANK] = {.name = "rank", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_PAIR_ROWS] = {.name = "rows", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_PAIR_OVERLAP] = {.name = "overlap", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_JACCARD] = {.name = "jaccard", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_LIFT] = {.name = "lift", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_PHI] = {.name = "phi", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_NPMI] = {.name = "npmi", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_COSINE] = {.name = "cosine", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_LOG_P] = {.name = "log_p", .value = SS_ARROW_VALUE_F64},
    [SS_FOLDER_PAIR_Q] = {.name = "q", .value = SS_ARROW_VALUE_F64},
};

const struct ss_arrow_output_column ss_folder_neighbour_columns[SS_FOLDER_N_NEIGHBOUR_COLUMNS] =
    {
        [SS_FOLDER_NEIGHBOUR_FEATURE] = {.name = "feature", .value = SS_ARROW_VALUE_U32},
        [SS_FOLDER_NEIGHBOUR_NEIGHBOUR] = {.name = "neighbour", .value = SS_ARROW_VALUE_U32},
        [SS_FOLDER_NEIGHBOUR_RANK] = {.name = "rank", .value = SS_ARROW_VALUE_U32},
        [SS_FOLDER_NEIGHBOUR_COSINE] = {.name = "cosine", .value = SS_ARROW_VALUE_F64},
        [SS_FOLDER_NEIGHBOUR_ROWS] = {.name = "rows", .value = SS_ARROW_VALUE_U32},
        [SS_FOLDER_NEIGHBOUR_PHI] = {.name = "phi", .value = SS_ARROW_VALUE_F64},
        [SS_FOLDER_NEIGHBOUR_LIFT] = {.name = "lift", .value = SS_ARROW_VALUE_F64},
        [SS_FOLDER_NEIGHBOUR_KIND] = {.name = "kind", .value = SS_ARROW_VALUE_UTF8},
};

/* A significant pair, seen from one of its features. */
struct side {
    const struct ss_graph_significant_pair *pair;
    uint32_t partner;
    uint32_t n_both;
    double phi;
};

/* All sides: those of feature f are from offsets[f] on. */
struct sides {
    const struct ss_folder_families *families;
    struct side *sides;
    size_t *offsets;
};

static struct ss_graph_counts counts_of(const struct ss_graph_table *table,
                                        const struct ss_graph_significant_pair *pair)
{
    return (struct ss_graph_counts){ss_graph_n_rows(table, SS_GRAPH_ALL),
                                    ss_graph_fires(table, SS_GRAPH_ALL, pair->a),
                                    ss_graph_fires(table, SS_GRAPH_ALL, pair->b),
                                    ss_graph_count(table, SS_GRAPH_ALL, pair->index)};
}

static ss_status list_sides(struct sides *sides, ss_err *err)
{
    const struct ss_graph_significant *significant = &sides->families->significant;
    const struct ss_graph_table *table = sides->families->table;
    SS_ALLOC_OR_RETURN(sides->offsets, table->n_features + 2);
    SS_ALLOC_OR_RETURN(sides->sides, 2 * significant->n);
    size_t *next = sides->offsets + 1; /* the beginnings move up to the ends as lists fill */
    for (size_t i = 0; i < significant->n; i++) {
        next[significant->pairs[i].a + 1]++;
        next[significant->pairs[i].b + 1]++;
    }
    for (size_t f = 0; f < table->n_features; f++) {
        next[f + 1] += next[f];
    }
    for (size_t i = 0; i < significant->n; i++) {
        const struct ss_graph_significant_pair *pair = &significant->pairs[i];
        const struct ss_graph_counts counts = counts_of(table, pair);
        const struct side side = {pair, 0, (uint32_t)counts.n_both, ss_graph_phi(counts)};
        sides->sides[next[pair->a]] = side;
        sides->sides[next[pair->a]++].partner = pair->b;
        sides->sides[next[pair->b]] = side;
        sides->sides[next[pair->b]++].partner = pair->a;
    }
    return SS_OK;
}

static int by_phi(const void *a, const void *b)
{
    const struct side *x = a, *y = b;
    return x->phi != y->phi         ? (x->phi < y->phi) - (x->phi > y->phi)
           : x->n_both != y->n_both ? (x->n_both < y->n_both) - (x->n_both > y->n_both)
                                    : (x->partner > y->partner) - (x->partner < y->partner);
}

static ss_status write_side(struct ss_arrow_output *output, const struct ss_graph_table *table,
                            const struct side *side, uint32_t rank, ss_err *err)
{
    const struct ss_graph_significant_pair *pair = side->pair;
    const struct ss_graph_measures measures = ss_graph_measure(counts_of(table, pair));
    const uint32_t feature = pair->a == side->partner ? pair->b : pair->a;
    const double cosine = ss_graph_cosine(table, SS_GRAPH_ALL, pair->a, pair->b, pair->index);
    const double q = exp(pair->log_q);
    const void *values[SS_FOLDER_N_PAIR_COLUMNS] = {
        [SS_FOLDER_PAIR_FEATURE] = &feature,
        [SS_FOLDER_PAIR_PARTNER] = &side->partner,
        [SS_FOLDER_PAIR_RANK] = &rank,
        [SS_FOLDER_PAIR_ROWS] = &side->n_both,
        [SS_FOLDER_PAIR_OVERLAP] = &measures.overlap,
        [SS_FOLDER_PAIR_JACCARD] = &measures.jaccard,
        [SS_FOLDER_PAIR_LIFT] = &measures.lift,
        [SS_FOLDER_PAIR_PHI] = &measures.phi,
        [SS_FOLDER_PAIR_NPMI] = &measures.npmi,
        [SS_FOLDER_PAIR_COSINE] = &cosine,
        [SS_FOLDER_PAIR_LOG_P] = &pair->log_p,
        [SS_FOLDER_PAIR_Q] = &q};
    for (size_t i = 0; i < SS_FOLDER_N_PAIR_COLUMNS; i++) {
        SS_RETURN_IF_ERROR(ss_arrow_output_add(output, i, values[i], 1, err));
    }
    return ss_arrow_output_end_row(output, err);
}

static ss_status write_sides(const struct sides *sides, struct ss_arrow_output *output,
                             ss_err *err)
{
    const struct ss_graph_table *table = sides->families->table;
    const double least = sides->families->least_phi;
    for (size_t f = 0; f < table->n_features; f++) {
        const size_t n = sides->offsets[f + 1] - sides->offsets[f];
        struct side *own = sides->sides + sides->offsets[f];
        ss__sort(own, n, sizeof *own, by_phi);
        for (size_t i = 0; i < n; i++) {
            if (isnan(least) ? i >= MOST_PARTNERS : own[i].phi < least) {
                break;
            }
            SS_RETURN_IF_ERROR(write_side(output, table, &own[i], (uint32_t)i, err));
        }
    }
    return ss_arrow_output_finish(output, err);
}

ss_status ss_folder_pairs_write(const struct ss_folder_families *families, const char *path,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct sides sides = {.families = families};
    struct ss_arrow_output *output = NULL;
    struct ss__out out = SS__OUT_CLOSED;
    const struct ss_arrow_output_options options = {.columns = ss_folder_pair_columns,
                                                    .n_columns = SS_FOLDER_N_PAIR_COLUMNS};
    SS_TRY(list_sides(&sides, err));
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss_arrow_output_new(&out, &options, &output, err));
    SS_TRY(write_sides(&sides, output, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss_arrow_output_free(output);
    ss__out_abort(&out);
    ss__free(sides.sides);
    ss__free(sides.offsets);
    return status;
}

/* ---- coactivation_matrix.npy ---- */

static void fill_row(const struct ss_graph_table *table, size_t feature, double *row)
{
    for (size_t other = 0; other < table->n_features; other++) {
        const uint64_t at =
            other == feature ? UINT64_MAX : ss_graph_find(table, feature, other);
        row[other] = other == feature   ? (double)ss_graph_fires(table, SS_GRAPH_ALL, feature)
                     : at == UINT64_MAX ? 0
                                        : (double)table->counts[at];
    }
}

ss_status ss_folder_matrix_write(const struct ss_folder_families *families, const char *path,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_graph_table *table = families->table;
    const size_t n = table->n_features;
    const uint64_t shape[] = {n, n};
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf header = {0};
    double *row = NULL;
    if (n > MOST_MATRIX_FEATURES) {
        return ss__fail(
            err, SS_E_LIMIT,
            "a dense matrix of %zu features would take %.1f GB; it is written for up "
            "to %d, and coactivation.npz has the same counts",
            n, 8e-9 * (double)n * (double)n, MOST_MATRIX_FEATURES);
    }
    SS_ALLOC(row, n);
    ss_folder_npy_add_header_of(&header, "<f8", 2, shape);
    SS_TRY(ss__buf_check(&header, err));
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss__out_write(&out, header.data, header.n_bytes, err));
    for (size_t f = 0; f < n; f++) {
        fill_row(table, f, row);
        SS_TRY(ss__out_write(&out, row, n * sizeof *row, err));
    }
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&header);
    ss__free(row);
    return status;
}
