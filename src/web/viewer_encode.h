/* Texts that somebody types → their features, by the run's own encoder and SAE. */
#ifndef SS_WEB_VIEWER_ENCODE_H
#define SS_WEB_VIEWER_ENCODE_H

#include "base/json_write.h"
#include "web/viewer_api.h"

/* Answer POST /api/v1/encode {"texts": [1 to 16], "top": 1 to 256}: into the open object of
 * `writer`, or a problem in `response`. The models are opened by the first one. */
void ss_web_encode_answer(struct ss_web_api *api, const struct ss_web_request *request,
                          struct ss_text body, struct ss__json_writer *writer,
                          struct ss_web_response *response);
void ss_web_models_free(struct ss_web_models *models);

#endif
