/* How features hang together, gathered in the pass and written into the folder: counts of pairs
 * (stats/pair_counts.h) and centroids (stats/centroids.h). */
#ifndef SS_PASS_GRAPH_GATHER_H
#define SS_PASS_GRAPH_GATHER_H

#include "pass/pass.h"
#include "stats/centroids.h"
#include "stats/pair_counts.h"

/* A zeroed struct gathers nothing. */
struct ss_pass_graph_gathered {
    bool has_centroids;
    struct ss_stats_centroids centroids;
    struct ss_stats_pairs *pairs; /* NULL: they are switched off */
    uint64_t seed;                /* of the keys that tell the halves of texts */
    bool has_texts;
    uint8_t *halves; /* [halves_capacity] of the rows of a batch */
    size_t halves_capacity;
};

/* Make ready; says on the log what there is no memory for. Errors: SS_E_LIMIT,
 * SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_graph_start(struct ss_pass_graph_gathered *gathered,
                                          const struct ss_analyze_options *options,
                                          const struct ss_pass *pass, ss_err *err);
/* Take the rows of a batch. Errors: those of ss_stats_pairs_add. */
SS_MUST_USE ss_status ss_pass_graph_take(struct ss_pass_graph_gathered *gathered,
                                         const struct ss_pass_rows *rows, ss_err *err);
/* After the pass. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_graph_finish(struct ss_pass_graph_gathered *gathered,
                                           ss_err *err);
void ss_pass_graph_abort(struct ss_pass_graph_gathered *gathered);

/* Write the files that there are, into a folder that is being made. */
struct ss_folder;
SS_MUST_USE ss_status ss_pass_graph_write(const struct ss_pass_graph_gathered *gathered,
                                          const struct ss_folder *folder, ss_err *err);

#endif
