/* All that a pass gathers of its rows: the reducers of one state (pass/state.h). */
#ifndef SS_PASS_GATHER_H
#define SS_PASS_GATHER_H

#include "pass/evidence_gather.h"
#include "pass/graph_gather.h"
#include "stats/stats.h"

/* Rows are known to the reducers by where they are: the file in the order of the dataset, and
 * the row in it. Lists of top texts have both in one number. */
enum { SS_PASS_ROW_BITS = 40 };
#define SS_PASS_MAX_FILE_ROWS (UINT64_C(1) << SS_PASS_ROW_BITS)
#define SS_PASS_MAX_FILES (UINT64_C(1) << (64 - SS_PASS_ROW_BITS))

/* Other numbers for the files and rows of a dataset, where it is not the whole: of each file its
 * own, or `first_file` more; of each row its own, or `first_row` more. Borrowed. */
struct ss_pass_numbering {
    const uint32_t *file_of;
    const uint64_t *row_of;
    uint32_t first_file;
    uint64_t first_row;
};

/* A zeroed struct is valid to abort. */
struct ss_pass_gathered {
    struct ss_stats_fires fires;
    struct ss_stats_top *top;
    struct ss_pass_evidence_gathered evidence;
    struct ss_pass_graph_gathered graph;
    const struct ss_pass_numbering *numbering; /* NULL: those of the dataset */
    struct ss_stats_position *positions; /* [positions_capacity] of the rows of a batch, */
    uint64_t *places;                    /* [places_capacity] and in one number each */
    size_t positions_capacity, places_capacity;
};

/* Make ready. Errors: those of the reducers. */
SS_MUST_USE ss_status ss_pass_gather_start(struct ss_pass_gathered *gathered,
                                           const struct ss_analyze_options *options,
                                           const struct ss_pass *pass, size_t top_k,
                                           ss_err *err);
/* Take the rows of a batch. Errors: SS_E_LIMIT (more files, or rows in one, than there are
 * numbers for), those of the reducers; what was gathered is then only valid to be aborted. */
SS_MUST_USE ss_status ss_pass_gather_take(struct ss_pass_gathered *gathered,
                                          const struct ss_pass_rows *rows, ss_err *err);
/* Bring all into order; more may be taken afterwards, and then it is to be ordered again.
 * Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_gather_order(struct ss_pass_gathered *gathered, ss_err *err);
/* Take over what was gathered of other rows, which is in order. Errors: SS_E_SHAPE, those of the
 * reducers. */
SS_MUST_USE ss_status ss_pass_gather_merge(struct ss_pass_gathered *gathered,
                                           const struct ss_pass_gathered *other, ss_err *err);
void ss_pass_gather_abort(struct ss_pass_gathered *gathered);

#endif
