/* Two protocols over HTTP.
 *
 * Chat completions: POST {base}/chat/completions with model, messages (system, user),
 * max_tokens (or max_completion_tokens), temperature, seed, response_format; the response has
 * choices[0].message.content and finish_reason, usage.prompt_tokens and completion_tokens, or
 * error {message, type, param, code}.
 *
 * Anthropic: POST {base}/v1/messages with model, max_tokens, system, messages, temperature,
 * output_config.format; the response has content[] blocks of text, stop_reason,
 * usage.input_tokens and output_tokens, or error {type, message}.
 *
 * Nothing in a response is trusted: every member may be missing or of another type. */
#include <string.h>

#include "base/json_write.h"
#include "describe/llm_priv.h"

const char *ss_describe_llm_path(ss_describe_llm_api api)
{
    return api == SS_DESCRIBE_LLM_ANTHROPIC ? "/v1/messages" : "/chat/completions";
}

size_t ss_describe_llm_answer_tokens(const struct ss_describe_llm_manner *manner)
{
    return (size_t)SS_DESCRIBE_LLM_ANSWER_TOKENS *
           (manner->has_more_tokens ? SS_DESCRIBE_LLM_MORE_TOKENS : 1);
}

/* ---- requests ---- */

static void add_text(struct ss__buf *out, const char *name, const struct ss__buf *text)
{
    ss__buf_printf(out, "\"%s\":", name);
    ss__json_add_string(out, text->data, text->n_bytes, false);
}

static void add_model(struct ss__buf *out, const struct ss_describe_llm_options *options)
{
    ss__buf_add_text(out, "{\"model\":");
    ss__json_add_string(out, options->model, strlen(options->model), false);
}

static void add_messages(struct ss__buf *out, const struct ss_describe_llm_prompt *prompt,
                         bool with_system, bool joins_system)
{
    ss__buf_add_text(out, ",\"messages\":[");
    if (with_system) {
        ss__buf_add_text(out, "{\"role\":\"system\",");
        add_text(out, "content", &prompt->system);
        ss__buf_add_text(out, "},");
    }
    ss__buf_add_text(out, "{\"role\":\"user\",");
    if (joins_system) {
        struct ss__buf both = {0};
        ss__buf_add(&both, prompt->system.data, prompt->system.n_bytes);
        ss__buf_add_text(&both, "\n\n");
        ss__buf_add(&both, prompt->user.data, prompt->user.n_bytes);
        out->failed |= both.failed;
        add_text(out, "content", &both);
        ss__buf_release(&both);
    } else {
        add_text(out, "content", &prompt->user);
    }
    ss__buf_add_text(out, "}]");
}

static void add_openai_form(struct ss__buf *out, ss_describe_llm_rung rung,
                            const struct ss_describe_llm_prompt *prompt)
{
    if (rung == SS_DESCRIBE_LLM_OBJECT) {
        ss__buf_add_text(out, ",\"response_format\":{\"type\":\"json_object\"}");
    } else if (rung == SS_DESCRIBE_LLM_SCHEMA) {
        ss__buf_printf(out,
                       ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                       "\"name\":\"%s\",\"strict\":true,\"schema\":",
                       ss_describe_llm_purpose_name(prompt->purpose));
        ss_describe_llm_add_schema(out, prompt);
        ss__buf_add_text(out, "}}");
    }
}

static void add_openai_body(struct ss__buf *out, const struct ss_describe_llm_options *options,
                            const struct ss_describe_llm_manner *manner,
                            const struct ss_describe_llm_prompt *prompt)
{
    add_model(out, options);
    add_messages(out, prompt, !manner->no_system, manner->no_system);
    ss__buf_printf(out, ",\"%s\":%zu",
                   manner->has_new_limit ? "max_completion_tokens" : "max_tokens",
                   ss_describe_llm_answer_tokens(manner));
    if (!manner->no_temperature) {
        ss__buf_printf(out, ",\"temperature\":%s", prompt->candidate == 0 ? "0" : "0.7");
    }
    if (!manner->no_seed) {
        ss__buf_printf(out, ",\"seed\":%zu", prompt->candidate);
    }
    if (options->effort != NULL) {
        ss__buf_add_text(out, ",\"reasoning_effort\":");
        ss__json_add_string(out, options->effort, strlen(options->effort), false);
    }
    if (ss_describe_llm_asks_shares(options, prompt) && !manner->no_shares) {
        ss__buf_add_text(out, ",\"logprobs\":true,\"top_logprobs\":5");
    }
    add_openai_form(out, manner->rung, prompt);
    ss__buf_add_byte(out, '}');
}

static void add_anthropic_body(struct ss__buf *out,
                               const struct ss_describe_llm_options *options,
                               const struct ss_describe_llm_manner *manner,
                               const struct ss_describe_llm_prompt *prompt)
{
    add_model(out, options);
    ss__buf_printf(out, ",\"max_tokens\":%zu,", ss_describe_llm_answer_tokens(manner));
    add_text(out, "system", &prompt->system);
    add_messages(out, prompt, false, false);
    if (!manner->no_temperature) {
        ss__buf_printf(out, ",\"temperature\":%s", prompt->candidate == 0 ? "0" : "0.7");
    }
    if (manner->rung == SS_DESCRIBE_LLM_SCHEMA) {
        ss__buf_add_text(
            out, ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":");
        ss_describe_llm_add_schema(out, prompt);
        ss__buf_add_text(out, "}}");
    }
    ss__buf_add_byte(out, '}');
}

void ss_describe_llm_add_body(struct ss__buf *out,
                              const struct ss_describe_llm_options *options,
                              const struct ss_describe_llm_manner *manner,
                              const struct ss_describe_llm_prompt *prompt)
{
    if (options->api == SS_DESCRIBE_LLM_ANTHROPIC) {
        add_anthropic_body(out, options, manner, prompt);
    } else {
        add_openai_body(out, options, manner, prompt);
    }
}

/* ---- responses ---- */

/* What is not there is null, too. */
static bool is_there(const struct ss__json *value)
{
    return ss__json_tag_of(value) != SS__JSON_IS_NULL;
}

static const char *text_of(const struct ss__json *object, const char *name)
{
    const char *text = ss__json_string(ss__json_get(object, name));
    return text == NULL ? "" : text;
}

static int64_t tokens_of(const struct ss__json *usage, const char *name)
{
    const struct ss__json *value = ss__json_get(usage, name);
    const int64_t n = ss__json_integer(value);
    return ss__json_is_integer(value) && n >= 0 && n < INT32_MAX ? n : -1;
}

/* {"error": {"message", "type", "param", "code"}} or {"error": "text"}. */
static void read_error(const struct ss__json *error, struct ss_describe_llm_reply *out)
{
    const struct ss__json *code = ss__json_get(error, "code");
    out->has_error = true;
    out->message =
        ss__json_is_string(error) ? ss__json_string(error) : text_of(error, "message");
    out->param = text_of(error, "param");
    out->type = text_of(error, "type");
    out->code = text_of(error, "code");
    out->error_code = ss__json_is_integer(code) && ss__json_integer(code) >= 100 &&
                              ss__json_integer(code) <= 599
                          ? (long)ss__json_integer(code)
                          : 0;
}

/* {"detail": anything}: what was wrong with a request, as one text. */
static ss_status read_detail(const struct ss__json *detail, struct ss_describe_llm_reply *out,
                             ss_err *err)
{
    ss__json_add_value(&out->joined, detail, false);
    const char *text = ss__buf_text(&out->joined);
    if (text == NULL) {
        return ss__fail_nomem(err, "an error message");
    }
    out->has_error = true;
    out->message = text;
    return SS_OK;
}

/* A text, or a list of parts that have one. */
static void read_content(const struct ss__json *content, struct ss_describe_llm_reply *out)
{
    struct ss_describe_llm_answer *answer = &out->answer;
    const struct ss__json *part = NULL;
    size_t i = 0;
    if (ss__json_is_string(content)) {
        answer->has_content = true;
        answer->content =
            (struct ss_text){ss__json_string(content), ss__json_string_bytes(content)};
        return;
    }
    SS_JSON_EACH (ss__json_is_array(content) ? content : NULL, i, part) {
        const struct ss__json *text = ss__json_get(part, "text");
        if (strcmp(text_of(part, "type"), "text") == 0 && ss__json_is_string(text)) {
            ss__buf_add(&out->joined, ss__json_string(text), ss__json_string_bytes(text));
            answer->has_content = true;
        }
    }
    if (answer->has_content) {
        answer->content = (struct ss_text){out->joined.data, out->joined.n_bytes};
    }
}

static void read_openai(struct ss_describe_llm_reply *out)
{
    const struct ss__json *choice = ss__json_at(ss__json_get(out->root, "choices"), 0);
    const struct ss__json *message = ss__json_get(choice, "message");
    const struct ss__json *usage = ss__json_get(out->root, "usage");
    const char *finish = ss__json_string(ss__json_get(choice, "finish_reason"));
    if (is_there(ss__json_get(choice, "error")) ||
        (finish != NULL && strcmp(finish, "error") == 0)) {
        read_error(ss__json_get(choice, "error"), out);
        return;
    }
    out->has_answer = ss__json_is_object(message);
    (void)ss_describe_llm_finish_parse(finish, &out->answer.finish);
    if (text_of(message, "refusal")[0] != '\0') {
        out->answer.finish = SS_DESCRIBE_LLM_REFUSAL;
    }
    read_content(ss__json_get(message, "content"), out);
    ss_describe_llm_read_logprobs(ss__json_get(choice, "logprobs"), &out->answer);
    out->answer.n_in = tokens_of(usage, "prompt_tokens");
    out->answer.n_out = tokens_of(usage, "completion_tokens");
}

static void read_anthropic(struct ss_describe_llm_reply *out)
{
    static const char *const parts[] = {"cache_read_input_tokens",
                                        "cache_creation_input_tokens"};
    const struct ss__json *content = ss__json_get(out->root, "content");
    const struct ss__json *usage = ss__json_get(out->root, "usage");
    out->has_answer = ss__json_is_array(content);
    (void)ss_describe_llm_finish_parse(text_of(out->root, "stop_reason"), &out->answer.finish);
    read_content(content, out);
    out->answer.n_in = tokens_of(usage, "input_tokens");
    out->answer.n_out = tokens_of(usage, "output_tokens");
    for (size_t i = 0; out->answer.n_in >= 0 && i < sizeof parts / sizeof parts[0]; i++) {
        const int64_t n = tokens_of(usage, parts[i]);
        out->answer.n_in += n > 0 ? n : 0;
    }
}

ss_status ss_describe_llm_read_reply(ss_describe_llm_api api, struct ss_text body,
                                     struct ss_describe_llm_reply *out, ss_err *err)
{
    *out = (struct ss_describe_llm_reply){
        .answer = {.n_in = -1, .n_out = -1, .model = "", .fingerprint = ""},
        .message = "",
        .param = "",
        .type = "",
        .code = ""};
    const ss_status status =
        ss__json_parse("response", body.data, body.n_bytes, &out->root, err);
    if (status == SS_E_NOMEM) {
        return status;
    }
    out->is_json = status == SS_OK && ss__json_is_object(out->root);
    const struct ss__json *first =
        out->is_json ? out->root : ss__json_at(out->root, 0); /* some send a list of one */
    const struct ss__json *error = ss__json_get(first, "error");
    if (is_there(error)) {
        read_error(error, out);
        return SS_OK;
    }
    if (is_there(ss__json_get(first, "detail"))) {
        return read_detail(ss__json_get(first, "detail"), out, err);
    }
    if (!out->is_json) {
        return SS_OK;
    }
    out->answer.model = text_of(out->root, "model");
    out->answer.fingerprint = text_of(out->root, "system_fingerprint");
    out->message = text_of(out->root, "message"); /* of servers with another form of errors */
    if (api == SS_DESCRIBE_LLM_ANTHROPIC) {
        read_anthropic(out);
    } else {
        read_openai(out);
    }
    return ss__buf_check(&out->joined, err);
}

void ss_describe_llm_reply_release(struct ss_describe_llm_reply *reply)
{
    ss__json_free(reply->root);
    ss__buf_release(&reply->joined);
    *reply = (struct ss_describe_llm_reply){0};
}
