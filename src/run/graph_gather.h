/* How features hang together, gathered in the pass and written into the folder: centroids
 * (stats/centroids.h). */
#ifndef SS_RUN_GRAPH_GATHER_H
#define SS_RUN_GRAPH_GATHER_H

#include "run/pass.h"
#include "stats/centroids.h"

/* A zeroed struct gathers nothing. */
struct ss_run_graph_gathered {
    bool has_centroids;
    struct ss_stats_centroids centroids;
};

/* Make ready; says on the log what there is no memory for. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_graph_start(struct ss_run_graph_gathered *gathered,
                                         const struct ss_analyze_options *options,
                                         const struct ss_run_pass *pass, ss_err *err);
/* Take the rows of a batch. */
SS_MUST_USE ss_status ss_run_graph_take(struct ss_run_graph_gathered *gathered,
                                        const struct ss_run_pass_rows *rows, ss_err *err);
void ss_run_graph_abort(struct ss_run_graph_gathered *gathered);

/* Write the files that there are, into a folder that is being made. */
struct ss_run_folder;
SS_MUST_USE ss_status ss_run_graph_write(const struct ss_run_graph_gathered *gathered,
                                         const struct ss_run_folder *folder, ss_err *err);

#endif
