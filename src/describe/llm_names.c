/* Names of what is written to files and messages. */
#include <string.h>

#include "describe/llm_priv.h"

static const char *const api_names[] = {
    [SS_DESCRIBE_LLM_OPENAI] = "openai", [SS_DESCRIBE_LLM_ANTHROPIC] = "anthropic"};

const char *ss_describe_llm_api_name(ss_describe_llm_api api)
{
    return api <= SS_DESCRIBE_LLM_ANTHROPIC ? api_names[api] : "";
}

static const char *const purpose_names[] = {[SS_DESCRIBE_LLM_DESCRIBE] = "describe",
                                            [SS_DESCRIBE_LLM_DETECTION] = "detection",
                                            [SS_DESCRIBE_LLM_SIMULATION] = "simulation",
                                            [SS_DESCRIBE_LLM_FUZZING] = "fuzzing"};

const char *ss_describe_llm_purpose_name(ss_describe_llm_purpose purpose)
{
    return purpose < SS_DESCRIBE_LLM_N_PURPOSES ? purpose_names[purpose] : "";
}

static const char *const failure_names[] = {
    [SS_DESCRIBE_LLM_ANSWERED] = "answered",   [SS_DESCRIBE_LLM_REFUSED] = "refused",
    [SS_DESCRIBE_LLM_FILTERED] = "filtered",   [SS_DESCRIBE_LLM_EMPTY] = "empty",
    [SS_DESCRIBE_LLM_CUT] = "cut off",         [SS_DESCRIBE_LLM_UNREADABLE] = "unreadable",
    [SS_DESCRIBE_LLM_TOO_LARGE] = "too large", [SS_DESCRIBE_LLM_REJECTED] = "rejected",
    [SS_DESCRIBE_LLM_TOO_LONG] = "too long",   [SS_DESCRIBE_LLM_NO_RESPONSE] = "no response",
    [SS_DESCRIBE_LLM_NOT_ASKED] = "not asked", [SS_DESCRIBE_LLM_NO_TEXTS] = "no texts"};

const char *ss_describe_llm_failure_name(ss_describe_llm_failure failure)
{
    return failure < SS_DESCRIBE_LLM_N_FAILURES ? failure_names[failure] : "";
}

static const struct {
    const char *name;
    ss_describe_llm_finish finish;
} finishes[] = {
    {"stop", SS_DESCRIBE_LLM_STOP},
    {"length", SS_DESCRIBE_LLM_LENGTH},
    {"content_filter", SS_DESCRIBE_LLM_FILTER},
    {"refusal", SS_DESCRIBE_LLM_REFUSAL},
    {"context", SS_DESCRIBE_LLM_CONTEXT},
    {"other", SS_DESCRIBE_LLM_OTHER}, /* these are the names that are stored */
    {"end_turn", SS_DESCRIBE_LLM_STOP},
    {"stop_sequence", SS_DESCRIBE_LLM_STOP},
    {"max_tokens", SS_DESCRIBE_LLM_LENGTH},
    {"model_context_window_exceeded", SS_DESCRIBE_LLM_CONTEXT},
};

const char *ss_describe_llm_finish_name(ss_describe_llm_finish finish)
{
    return finish < SS_DESCRIBE_LLM_N_FINISHES ? finishes[finish].name : "";
}

bool ss_describe_llm_finish_parse(const char *name, ss_describe_llm_finish *out)
{
    *out = SS_DESCRIBE_LLM_OTHER;
    for (size_t i = 0; name != NULL && i < sizeof finishes / sizeof finishes[0]; i++) {
        if (strcmp(name, finishes[i].name) == 0) {
            *out = finishes[i].finish;
            return true;
        }
    }
    return false;
}
