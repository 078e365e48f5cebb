/* What a response means for what is done next.
 *
 * Servers differ in what they take: a request that is not taken says so in words, and is sent
 * once more in another manner, which later requests have from the beginning. */
#include <string.h>
#include <strings.h>

#include "describe/llm_priv.h"

enum { MAX_WAIT_SECONDS = 120, MAX_ANTHROPIC_WAIT_SECONDS = 60 };

/* ---- words of error messages ---- */

static bool says(const struct ss_describe_llm_reply *reply, const char *word)
{
    return strcasestr(reply->message, word) != NULL;
}

static bool is_about(const struct ss_describe_llm_reply *reply, const char *name)
{
    const size_t n = strlen(name);
    const char *end = strncasecmp(reply->param, name, n) == 0 ? reply->param + n : NULL;
    return (end != NULL && (*end == '\0' || *end == '.')) ||
           (reply->param[0] == '\0' && says(reply, name));
}

static bool is_too_long(const struct ss_describe_llm_heard *heard)
{
    static const char *const words[] = {"context length",     "context size",
                                        "context window",     "prompt is too long",
                                        "too many tokens",    "maximum number of tokens",
                                        "exceed_context_size"};
    const struct ss_describe_llm_reply *reply = heard->reply;
    bool is = heard->code == 413 || strcmp(reply->code, "context_length_exceeded") == 0 ||
              strcmp(reply->type, "exceed_context_size_error") == 0;
    for (size_t i = 0; !is && i < sizeof words / sizeof words[0]; i++) {
        is = heard->code < 500 && says(reply, words[i]);
    }
    return is;
}

static bool is_out_of_credit(const struct ss_describe_llm_heard *heard)
{
    const struct ss_describe_llm_reply *reply = heard->reply;
    return heard->code == 402 || strcmp(reply->type, "insufficient_quota") == 0 ||
           strcmp(reply->code, "insufficient_quota") == 0 ||
           strcmp(reply->type, "billing_error") == 0 ||
           says(reply, "credit balance is too low");
}

static bool is_filtered(const struct ss_describe_llm_reply *reply)
{
    return strcmp(reply->code, "content_filter") == 0 || says(reply, "flagged") ||
           says(reply, "moderation");
}

/* ---- another manner ---- */

static bool change(bool *member)
{
    const bool is_new = !*member;
    *member = true;
    return is_new;
}

static bool lower_rung(ss_describe_llm_api api, ss_describe_llm_rung *rung)
{
    if (*rung == SS_DESCRIBE_LLM_FREE) {
        return false;
    }
    *rung = api == SS_DESCRIBE_LLM_OPENAI && *rung == SS_DESCRIBE_LLM_SCHEMA
                ? SS_DESCRIBE_LLM_OBJECT
                : SS_DESCRIBE_LLM_FREE;
    return true;
}

/* Whether the manner could be changed to what an error asks for. */
static bool adapt(ss_describe_llm_api api, const struct ss_describe_llm_reply *reply,
                  struct ss_describe_llm_manner *manner)
{
    static const char *const forms[] = {"response_format",  "json_schema", "json_object",
                                        "output_config",    "schema",      "grammar",
                                        "structured output"};
    const bool is_openai = api == SS_DESCRIBE_LLM_OPENAI;
    if (is_openai && !manner->has_new_limit && is_about(reply, "max_tokens")) {
        return change(&manner->has_new_limit);
    }
    if (is_about(reply, "temperature") && change(&manner->no_temperature)) {
        return true;
    }
    if (is_openai && is_about(reply, "seed") && change(&manner->no_seed)) {
        return true;
    }
    if (is_openai && (is_about(reply, "logprobs") || is_about(reply, "top_logprobs")) &&
        change(&manner->no_shares)) {
        return true;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (is_about(reply, forms[i])) {
            return lower_rung(api, &manner->rung);
        }
    }
    return is_openai && says(reply, "system") && says(reply, "role") &&
           change(&manner->no_system);
}

/* ---- verdicts ---- */

static struct ss_describe_llm_verdict give_up(ss_describe_llm_failure failure)
{
    return (struct ss_describe_llm_verdict){.action = SS_DESCRIBE_LLM_GIVE_UP,
                                            .failure = failure};
}

static struct ss_describe_llm_verdict end(ss_status status, const char *why)
{
    return (struct ss_describe_llm_verdict){.action = SS_DESCRIBE_LLM_END,
                                            .failure = SS_DESCRIBE_LLM_NOT_ASKED,
                                            .end = status,
                                            .why = why};
}

static struct ss_describe_llm_verdict act(ss_describe_llm_action action,
                                          ss_describe_llm_failure failure)
{
    return (struct ss_describe_llm_verdict){.action = action, .failure = failure};
}

static struct ss_describe_llm_verdict judge_answer(const struct ss_describe_llm_answer *answer)
{
    if (answer->finish == SS_DESCRIBE_LLM_CONTEXT) {
        return act(SS_DESCRIBE_LLM_HALVE, SS_DESCRIBE_LLM_TOO_LONG);
    }
    ss_describe_llm_failure failure = SS_DESCRIBE_LLM_ANSWERED;
    if (answer->finish == SS_DESCRIBE_LLM_REFUSAL) {
        failure = SS_DESCRIBE_LLM_REFUSED;
    } else if (answer->finish == SS_DESCRIBE_LLM_FILTER) {
        failure = SS_DESCRIBE_LLM_FILTERED;
    } else if (answer->content.n_bytes > SS_DESCRIBE_LLM_MAX_CONTENT) {
        failure = SS_DESCRIBE_LLM_TOO_LARGE;
    } else if (!answer->has_content || answer->content.n_bytes == 0) {
        failure = answer->finish == SS_DESCRIBE_LLM_LENGTH ? SS_DESCRIBE_LLM_CUT
                                                           : SS_DESCRIBE_LLM_EMPTY;
    }
    return act(SS_DESCRIBE_LLM_ACCEPT, failure);
}

/* Errors that another try of the same does not see again, perhaps. */
static struct ss_describe_llm_verdict judge_busy(ss_describe_llm_api api,
                                                 const struct ss_describe_llm_heard *heard)
{
    const double most = api == SS_DESCRIBE_LLM_ANTHROPIC ? (double)MAX_ANTHROPIC_WAIT_SECONDS
                                                         : (double)MAX_WAIT_SECONDS;
    if (heard->code == 503 && says(heard->reply, "loading")) {
        return act(SS_DESCRIBE_LLM_LOADING, SS_DESCRIBE_LLM_NO_RESPONSE);
    }
    if (heard->wait_asked > most) {
        return end(SS_E_STOPPED, "the server asks to wait longer than two minutes");
    }
    return act(SS_DESCRIBE_LLM_RETRY, SS_DESCRIBE_LLM_NO_RESPONSE);
}

static bool is_busy(const struct ss_describe_llm_heard *heard)
{
    if (heard->should_retry != NULL && strcasecmp(heard->should_retry, "true") == 0) {
        return true;
    }
    if (heard->should_retry != NULL && strcasecmp(heard->should_retry, "false") == 0) {
        return false;
    }
    return heard->code == 408 || heard->code == 409 || heard->code == 429 || heard->code >= 500;
}

static struct ss_describe_llm_verdict judge_error(ss_describe_llm_api api,
                                                  const struct ss_describe_llm_heard *heard,
                                                  struct ss_describe_llm_manner *manner)
{
    const struct ss_describe_llm_reply *reply = heard->reply;
    const long code = heard->code;
    if (is_out_of_credit(heard)) {
        return end(SS_E_STOPPED, "there is no credit left for this key");
    }
    if (code == 403 && is_filtered(reply)) {
        return give_up(SS_DESCRIBE_LLM_FILTERED);
    }
    if (code == 401 || code == 403) {
        return end(SS_E_NETWORK, "the key is not accepted: it comes from the environment, as "
                                 "SAESCOPE_LLM_KEY");
    }
    if (code == 404) {
        return end(SS_E_NETWORK, "there is no such model, or the URL is not the base of the "
                                 "service, which often ends with /v1");
    }
    if (code >= 300 && code < 400) {
        return end(SS_E_NETWORK, "the server redirects, which is not followed with texts");
    }
    if (is_busy(heard)) {
        return judge_busy(api, heard);
    }
    if (is_too_long(heard)) {
        return act(SS_DESCRIBE_LLM_HALVE, SS_DESCRIBE_LLM_TOO_LONG);
    }
    if (is_filtered(reply)) {
        return give_up(SS_DESCRIBE_LLM_FILTERED);
    }
    if ((code == 400 || code == 422) && adapt(api, reply, manner)) {
        return act(SS_DESCRIBE_LLM_AGAIN, SS_DESCRIBE_LLM_REJECTED);
    }
    return give_up(SS_DESCRIBE_LLM_REJECTED);
}

struct ss_describe_llm_verdict ss_describe_llm_judge(ss_describe_llm_api api,
                                                     const struct ss_describe_llm_heard *heard,
                                                     struct ss_describe_llm_manner *manner)
{
    struct ss_describe_llm_heard inside = *heard;
    const bool is_good = heard->code >= 200 && heard->code < 300;
    if (!is_good) {
        return judge_error(api, heard, manner);
    }
    if (heard->reply->has_error) { /* of a provider behind the server */
        inside.code = heard->reply->error_code == 0 ? 502 : heard->reply->error_code;
        return judge_error(api, &inside, manner);
    }
    if (!heard->reply->has_answer) { /* a proxy's page, or nothing that is known */
        return act(SS_DESCRIBE_LLM_RETRY, SS_DESCRIBE_LLM_NO_RESPONSE);
    }
    return judge_answer(&heard->reply->answer);
}
