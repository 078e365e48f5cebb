/* What the viewer tells about a run as JSON: /api/v1/… (docs/pages.md). */
#ifndef SS_WEB_VIEWER_API_H
#define SS_WEB_VIEWER_API_H

#include "web/pages.h"
#include "web/server.h"

struct ss_web_models;

struct ss_web_api {
    struct ss_web_source source;
    struct ss_web_models *models; /* NULL: not opened yet */
    struct ss_log log;
};

/* Open the run. `asking` is borrowed until it is closed. Errors: as ss_web_source_open. */
SS_MUST_USE ss_status ss_web_api_open(struct ss_web_api *api, const char *run_dir,
                                      struct ss__asking *asking,
                                      const struct ss_view_options *options, ss_err *err);
void ss_web_api_close(struct ss_web_api *api);

/* Answer a request below /api/ that passed the gate. */
void ss_web_api_answer(struct ss_web_api *api, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response);

#endif
