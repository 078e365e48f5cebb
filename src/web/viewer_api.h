/* What the viewer tells about a run as JSON: /api/v1/… (docs/pages.md; assets/openapi.json). */
#ifndef SS_WEB_VIEWER_API_H
#define SS_WEB_VIEWER_API_H

#include "base/json_write.h"
#include "run/cosines.h"
#include "run/run_models.h"
#include "web/pages.h"
#include "web/server.h"

/* Between which two values most texts of the run lie. */
struct ss_web_usual {
    double low, high; /* 1st and 99th percentile */
    size_t n;         /* of so many texts; 0: not known */
};

/* A run with what was made of it meanwhile: each part when it is first asked for. */
struct ss_web_api {
    struct ss_web_source source;
    struct ss_log log;
    const char *with;              /* another run, to compare with; NULL: none */
    struct ss_run_models models;   /* NULLs: not opened yet */
    struct ss_sparse codes;        /* of the last texts */
    struct ss_run_cosines cosines; /* without lengths: not there yet */
    bool has_usual;
    struct ss_web_usual usual_fit, usual_active; /* cosine with the reconstruction; L0 */
    ss_diff *groups;                             /* by a column; NULL: not yet */
    char groups_by[SS_WEB_VALUE_BYTES];
};

/* Where numbers are: of the run in a folder, or in the snapshot of one that is not done. */
struct ss_web_place {
    const char *folder, *snapshot; /* snapshot NULL: the run */
};

/* Open the run. `asking` and the folder are borrowed until it is closed. Errors: as
 * ss_web_source_open, those of ss_diff_run with another run. */
SS_MUST_USE ss_status ss_web_api_open(struct ss_web_api *api, const struct ss_web_place *place,
                                      struct ss__asking *asking,
                                      const struct ss_view_options *options, ss_err *err);
void ss_web_api_close(struct ss_web_api *api);

/* Answer a request below /api/ that passed the gate. */
void ss_web_api_answer(struct ss_web_api *api, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response);

#endif
