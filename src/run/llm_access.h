/* Where a language model is, and with which key it may be asked. */
#ifndef SS_RUN_LLM_ACCESS_H
#define SS_RUN_LLM_ACCESS_H

#include "describe/llm.h"

struct ss_run_llm_access {
    char *url; /* base, without a slash at the end */
    char host[320];
    ss_describe_llm_api api;
    const char *secret; /* of the environment; NULL: none is sent */
    bool is_local;
};
/* Check the URL and choose the key. No error message has a key or what may hold one.
 * Errors: SS_E_USAGE (no URL, a user name in it, a key that would go to another machine in
 * clear), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_llm_access_init(struct ss_run_llm_access *access,
                                             const struct ss_llm_options *options, ss_err *err);
void ss_run_llm_access_release(struct ss_run_llm_access *access);

#endif
