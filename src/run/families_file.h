/* Files of a run's families, and families.json read back (docs/formats.md). */
#ifndef SS_RUN_FAMILIES_FILE_H
#define SS_RUN_FAMILIES_FILE_H

#include "arrow/arrow.h"
#include "describe/describe.h"
#include "graph/families_held_out.h"
#include "run/descriptions.h"
#include "run/folder.h"

#define SS_RUN_FILE_FAMILIES "families.json"
#define SS_RUN_FILE_FAMILY_LISTS "feature_families.json"
#define SS_RUN_FILE_PAIRS "pairs.arrow"
#define SS_RUN_FAMILY_FILES                                                                    \
    SS_RUN_FILE_FAMILIES, SS_RUN_FILE_FAMILY_LISTS, SS_RUN_FILE_PAIRS, SS_RUN_FILE_MATRIX,     \
        "families.svg", "families.png", "family_maps.svg", "family_maps.png",                  \
        "coactivation.svg", "coactivation.png", "coactivation_ward.svg",                       \
        "coactivation_ward.png", SS_RUN_FILE_NEIGHBOURS
#define SS_RUN_FILE_NEIGHBOURS "neighbours.arrow"    /* where the SAE is still there */
#define SS_RUN_FILE_MATRIX "coactivation_matrix.npy" /* on request */

/* Columns of pairs.arrow, in their order. */
enum {
    SS_RUN_PAIR_FEATURE,
    SS_RUN_PAIR_PARTNER,
    SS_RUN_PAIR_RANK,
    SS_RUN_PAIR_ROWS,
    SS_RUN_PAIR_OVERLAP,
    SS_RUN_PAIR_JACCARD,
    SS_RUN_PAIR_LIFT,
    SS_RUN_PAIR_PHI,
    SS_RUN_PAIR_NPMI,
    SS_RUN_PAIR_COSINE,
    SS_RUN_PAIR_LOG_P,
    SS_RUN_PAIR_Q,
    SS_RUN_N_PAIR_COLUMNS
};
extern const struct ss_arrow_output_column ss_run_pair_columns[SS_RUN_N_PAIR_COLUMNS];

/* Columns of neighbours.arrow, in their order. */
enum {
    SS_RUN_NEIGHBOUR_FEATURE,
    SS_RUN_NEIGHBOUR_NEIGHBOUR,
    SS_RUN_NEIGHBOUR_RANK,
    SS_RUN_NEIGHBOUR_COSINE,
    SS_RUN_NEIGHBOUR_ROWS,
    SS_RUN_NEIGHBOUR_PHI,
    SS_RUN_NEIGHBOUR_LIFT,
    SS_RUN_NEIGHBOUR_KIND,
    SS_RUN_N_NEIGHBOUR_COLUMNS
};
extern const struct ss_arrow_output_column ss_run_neighbour_columns[SS_RUN_N_NEIGHBOUR_COLUMNS];

/* Phrases that the texts of a family say more often than others. */
struct ss_run_family_name {
    bool is_named; /* the largest families are */
    struct ss_text phrases;
    struct ss_describe_score score;
    size_t n_texts; /* of the pools, that are the family's */
};

/* What the files are written from. */
struct ss_run_families {
    const struct ss_graph_table *table;
    struct ss_graph_family_options options;
    struct ss_graph_families found;
    struct ss_graph_held_out_all held_out;   /* by parents only */
    struct ss_graph_significant significant; /* pairs of q 0.01 */
    struct ss_run_family_name *names;        /* [found.n] NULL: none */
    const ss_descriptions *descriptions;     /* NULL: the run has none */
    const char *dir;                         /* of the run */
    ss_work *work;
    const struct ss_log *log;
    double least_phi; /* of pairs.arrow: all of as much; NaN: the best 50 */
};

SS_MUST_USE ss_status ss_run_families_write(const struct ss_run_families *families,
                                            const char *path, ss_err *err);
/* The list of lists that the Python workflow writes. */
SS_MUST_USE ss_status ss_run_family_lists_write(const struct ss_run_families *families,
                                                const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_pairs_write(const struct ss_run_families *families,
                                         const char *path, ss_err *err);
/* The dense matrix that the Python workflow reads. Errors: SS_E_LIMIT too. */
SS_MUST_USE ss_status ss_run_matrix_write(const struct ss_run_families *families,
                                          const char *path, ss_err *err);

#endif
