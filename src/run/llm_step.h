/* Descriptions of a run's features by a language model: where it is asked, what is kept, and
 * what goes into the descriptions. */
#ifndef SS_RUN_LLM_STEP_H
#define SS_RUN_LLM_STEP_H

#include "folder/descriptions.h"
#include "run/describe_inputs.h"

/* What is wrong with the options, before any work. Errors: SS_E_USAGE. */
SS_MUST_USE ss_status ss_run_llm_check(const struct ss_llm_options *options, ss_err *err);

/* Ask, and put labels and descriptions of features that have them in the place of others.
 * descriptions->llm says what came of it, also where not all could be asked. */
SS_MUST_USE ss_status ss_run_llm_describe(struct ss_run_describe_inputs *inputs,
                                          struct ss_describe_embedder embedder,
                                          const struct ss_describe_options *options,
                                          ss_descriptions *descriptions, ss_err *err);

/* SS_OK, or why what was written is not all: SS_E_STOPPED, SS_E_NETWORK. */
SS_MUST_USE ss_status ss_run_llm_outcome(const ss_descriptions *descriptions, ss_err *err);

#endif
