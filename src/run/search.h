/* Searching what is open already: the inside of ss_search_run. */
#ifndef SS_RUN_SEARCH_H
#define SS_RUN_SEARCH_H

#include "base/stop.h"
#include "folder/results.h"
#include "run/cosines.h"

/* What is searched; all of it borrowed as long as the search. */
struct ss_run_search_in {
    const struct ss_run *run;
    const ss_descriptions *descriptions;       /* for features: of as many as the run has */
    const struct ss_folder_evidence *evidence; /* for texts */
    const struct ss_run_cosines *cosines;      /* by meaning: of that evidence */
    const float *embedding;                    /* by meaning: of the query, [width] */
    struct ss__asking *asking;                 /* nullable */
};

/* Gives *out (ss_search_free). By meaning ss_search_get gives the `limit` nearest. Errors: SS_E_USAGE (no
 * words), SS_E_STOPPED, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_search(const struct ss_run_search_in *in, ss_search_by by,
                                    const char *query, size_t limit, ss_search **out,
                                    ss_err *err);

#endif
