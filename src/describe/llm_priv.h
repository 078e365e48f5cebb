/* What the files about language models share. */
#ifndef SS_DESCRIBE_LLM_PRIV_H
#define SS_DESCRIBE_LLM_PRIV_H

#include "base/json.h"
#include "describe/describe_priv.h"
#include "describe/llm.h"

enum {
    SS_DESCRIBE_LLM_MAX_CONTENT = 64 << 10, /* bytes of an answer; longer ones are too large */
    SS_DESCRIBE_LLM_MAX_BODY = 1 << 20,     /* bytes of a response */
    SS_DESCRIBE_LLM_ANSWER_TOKENS = 300,
    SS_DESCRIBE_LLM_MORE_TOKENS = 4, /* times as many where an answer was cut */
    SS_DESCRIBE_LLM_MAX_HALVINGS = 2,
    SS_DESCRIBE_LLM_MAX_STRENGTH = 10,
    SS_DESCRIBE_LLM_WHY_CHARACTERS = 160, /* kept of a server's words */
    SS_DESCRIBE_LLM_WHY_BYTES = 4 * SS_DESCRIBE_LLM_WHY_CHARACTERS + 4
};

/* ---- prompts (llm_prompt.c) ---- */

struct ss_describe_llm_prompt {
    ss_describe_llm_purpose purpose;
    struct ss__buf system, user;
    size_t n_items;   /* texts that numbers are asked for */
    size_t candidate; /* of descriptions: 0, or another try */
};
void ss_describe_llm_prompt_release(struct ss_describe_llm_prompt *prompt);

/* Append a text as prompts show it: control and bidirectional characters are left out, white
 * space is one space, what looks like the marks around texts is changed, and it is cut at the
 * end of a sentence, or of a word, after 160 words or 1,200 characters. */
void ss_describe_llm_add_text(struct ss__buf *out, struct ss_text text);

struct ss_describe_llm_texts {
    const struct ss_text *texts; /* of the evidence */
    const struct ss_describe_llm_shown *shown;
    size_t n;
};
/* Texts for a description, without all but the first of each n_apart of a kind; hint "": none.
 */
void ss_describe_llm_ask_label(const struct ss_describe_llm_texts *texts, size_t n_apart,
                               struct ss_text hint, struct ss_describe_llm_prompt *out);
/* Numbers for texts. */
void ss_describe_llm_ask_numbers(const struct ss_describe_llm_texts *texts,
                                 ss_describe_llm_purpose purpose, struct ss_text label,
                                 struct ss_text description,
                                 struct ss_describe_llm_prompt *out);

/* Numbers for texts with a marked sentence. */
void ss_describe_llm_ask_marked(const struct ss_text *texts,
                                const struct ss_describe_llm_marked *marked, size_t n,
                                struct ss_text label, struct ss_text description,
                                struct ss_describe_llm_prompt *out);
/* Append a text, or what stands around its marked sentence: << and >> are the marks
 * (llm_show.c). */
void ss_describe_llm_add_marked(struct ss__buf *out, struct ss_text text,
                                const struct ss_describe_llm_marked *marked);
/* The largest number that is asked for. */
unsigned ss_describe_llm_most(ss_describe_llm_purpose purpose);
/* Whether the question asks for probabilities. */
bool ss_describe_llm_asks_shares(const struct ss_describe_llm_options *options,
                                 const struct ss_describe_llm_prompt *prompt);

/* The JSON schema of an answer, its keys sorted. */
void ss_describe_llm_add_schema(struct ss__buf *out, const struct ss_describe_llm_prompt *p);
/* The key under which an answer is kept. */
SS_MUST_USE ss_status ss_describe_llm_key(const struct ss_describe_llm_options *options,
                                          const struct ss_describe_llm_prompt *prompt,
                                          char key[SS_DESCRIBE_LLM_KEY_BYTES], ss_err *err);
double ss_describe_llm_temperature(const struct ss_describe_llm_prompt *prompt);
/* Whether the whole request may have come to the model: tokens that it says it has read. */
size_t ss_describe_llm_least_tokens(const struct ss_describe_llm_prompt *prompt);

/* ---- answers (llm_answer.c) ---- */

/* One line of at most so many characters: controls are left out, white space is one space. */
void ss_describe_llm_clean(struct ss_text text, size_t n_characters, struct ss__buf *out);

struct ss_describe_llm_words {
    struct ss__buf label, description;
    const char *kind; /* one of a constant list */
};
void ss_describe_llm_words_release(struct ss_describe_llm_words *words);
/* The last JSON object in a content that is a description; false if there is none. */
SS_MUST_USE ss_status ss_describe_llm_read_words(struct ss_text content,
                                                 struct ss_describe_llm_words *out,
                                                 bool *is_good, ss_err *err);
/* The same of numbers t1 … tn, each 0 to `most`. */
SS_MUST_USE ss_status ss_describe_llm_read_numbers(struct ss_text content, size_t n,
                                                   unsigned most, uint8_t *out, bool *is_good,
                                                   ss_err *err);
/* Whether a content is what the prompt asks for. */
SS_MUST_USE ss_status ss_describe_llm_is_fit(const struct ss_describe_llm_prompt *prompt,
                                             struct ss_text content, bool *is_good,
                                             ss_err *err);

/* ---- the wire (llm_wire.c) ---- */

typedef enum ss_describe_llm_rung {
    SS_DESCRIBE_LLM_SCHEMA, /* the server holds the model to the schema */
    SS_DESCRIBE_LLM_OBJECT, /* to some JSON object */
    SS_DESCRIBE_LLM_FREE
} ss_describe_llm_rung;

/* How a server wants to be asked; zeroed: as it begins. */
struct ss_describe_llm_manner {
    bool has_new_limit; /* max_completion_tokens instead of max_tokens */
    bool no_temperature, no_seed, no_shares;
    bool no_system; /* the instructions stand before the user's text */
    bool has_more_tokens;
    ss_describe_llm_rung rung;
};
size_t ss_describe_llm_answer_tokens(const struct ss_describe_llm_manner *manner);

/* The body of a request. */
void ss_describe_llm_add_body(struct ss__buf *out,
                              const struct ss_describe_llm_options *options,
                              const struct ss_describe_llm_manner *manner,
                              const struct ss_describe_llm_prompt *prompt);
/* "/chat/completions". */
const char *ss_describe_llm_path(ss_describe_llm_api api);

typedef enum ss_describe_llm_finish {
    SS_DESCRIBE_LLM_STOP,
    SS_DESCRIBE_LLM_LENGTH,
    SS_DESCRIBE_LLM_FILTER,
    SS_DESCRIBE_LLM_REFUSAL,
    SS_DESCRIBE_LLM_CONTEXT, /* the model's context is full */
    SS_DESCRIBE_LLM_OTHER,
    SS_DESCRIBE_LLM_N_FINISHES
} ss_describe_llm_finish;
const char *ss_describe_llm_finish_name(ss_describe_llm_finish finish);
bool ss_describe_llm_finish_parse(const char *name, ss_describe_llm_finish *out);

/* What a model said; texts are borrowed. */
struct ss_describe_llm_answer {
    bool has_content;
    struct ss_text content;
    ss_describe_llm_finish finish;
    int64_t n_in, n_out;                 /* tokens; -1: not said */
    const char *model, *fingerprint;     /* "": not said */
    float shares[SS_DESCRIBE_LLM_TEXTS]; /* [n_shares] how likely 1 was, not 0; NaN: not said */
    size_t n_shares;
};
/* Read them from a response (llm_logprobs.c). */
void ss_describe_llm_read_logprobs(const struct ss__json *logprobs,
                                   struct ss_describe_llm_answer *answer);

/* A response as it was read. */
struct ss_describe_llm_reply {
    bool is_json;
    bool has_answer;
    struct ss_describe_llm_answer answer;
    bool has_error;
    long error_code; /* in the body of a response that says it is good; 0: none */
    const char *message, *param, *type, *code; /* of an error; "" */
    struct ss__json *root;
    struct ss__buf joined;
};
SS_MUST_USE ss_status ss_describe_llm_read_reply(ss_describe_llm_api api, struct ss_text body,
                                                 struct ss_describe_llm_reply *out,
                                                 ss_err *err);
void ss_describe_llm_reply_release(struct ss_describe_llm_reply *reply);

/* ---- what a response means (llm_judge.c) ---- */

typedef enum ss_describe_llm_action {
    SS_DESCRIBE_LLM_ACCEPT, /* there is an answer, good or bad */
    SS_DESCRIBE_LLM_RETRY,
    SS_DESCRIBE_LLM_LOADING, /* wait until the server has loaded the model */
    SS_DESCRIBE_LLM_AGAIN,   /* in the manner that was changed */
    SS_DESCRIBE_LLM_HALVE,   /* with fewer texts */
    SS_DESCRIBE_LLM_GIVE_UP, /* this question */
    SS_DESCRIBE_LLM_END      /* all of them */
} ss_describe_llm_action;

/* What came back. */
struct ss_describe_llm_heard {
    long code;
    double wait_asked;        /* seconds; below 0: none */
    const char *should_retry; /* the header; NULL: none */
    const struct ss_describe_llm_reply *reply;
};
struct ss_describe_llm_verdict {
    ss_describe_llm_action action;
    ss_describe_llm_failure failure;
    ss_status end;   /* of SS_DESCRIBE_LLM_END */
    const char *why; /* of it; the server's words go after it */
};
/* `manner` is the one that was used, and becomes the next one to use. */
struct ss_describe_llm_verdict ss_describe_llm_judge(ss_describe_llm_api api,
                                                     const struct ss_describe_llm_heard *heard,
                                                     struct ss_describe_llm_manner *manner);

/* ---- limits (llm_budget.c) ---- */

struct ss_describe_llm_budget {
    struct ss_describe_llm_limits limits;
    struct ss_describe_llm_spent spent;
    uint64_t n_in, n_out; /* reserved */
    size_t n_open;        /* requests under way */
    const char *over;     /* of SS_DESCRIBE_LLM_OVER: the option that would be passed */
};
typedef enum ss_describe_llm_grant {
    SS_DESCRIBE_LLM_GRANTED,
    SS_DESCRIBE_LLM_WAIT, /* until one that is under way costs less than was reserved */
    SS_DESCRIBE_LLM_OVER
} ss_describe_llm_grant;
ss_describe_llm_grant ss_describe_llm_reserve(struct ss_describe_llm_budget *budget,
                                              uint64_t n_in, uint64_t n_out);
/* A request is done: what was reserved for it, and what it cost. */
void ss_describe_llm_settle(struct ss_describe_llm_budget *budget, uint64_t reserved_in,
                            uint64_t reserved_out, uint64_t n_in, uint64_t n_out);
double ss_describe_llm_cost(const struct ss_describe_llm_limits *limits, uint64_t n_in,
                            uint64_t n_out);

/* ---- answers by key (llm_answers.c) ---- */

/* NULL: none. Lives until the next one is added. */
const struct ss_describe_llm_answer *
ss_describe_llm_answers_find(const struct ss_describe_llm_answers *answers, const char *key);
SS_MUST_USE ss_status ss_describe_llm_answers_add(struct ss_describe_llm_answers *answers,
                                                  const char *key,
                                                  const struct ss_describe_llm_answer *answer,
                                                  ss_err *err);
/* The line of an answer, without its end. */
void ss_describe_llm_answer_line(struct ss__buf *out, const char *key,
                                 const struct ss_describe_llm_answer *answer);

/* ---- threads that ask (llm_client.c) ---- */

struct ss_describe_llm_question {
    size_t feature;
    ss_describe_llm_purpose purpose;
    size_t index; /* a candidate, or the place among the questions of a label */
};

/* The outcome of a question; borrowed. */
struct ss_describe_llm_outcome {
    ss_describe_llm_failure failure;
    const char *key;
    struct ss_text content; /* of SS_DESCRIBE_LLM_ANSWERED */
    int64_t n_in, n_out;
    const float *shares; /* [n_shares] */
    size_t n_shares;
    const char *why;
};

/* Questions by number. `ask` is called by several threads at once, `take` by one at a time. */
struct ss_describe_llm_questions {
    size_t n;
    struct ss_describe_llm_question (*at)(const void *user, size_t i);
    ss_status (*ask)(const void *user, size_t i, size_t n_halved,
                     struct ss_describe_llm_prompt *out, ss_err *err);
    ss_status (*take)(void *user, size_t i, const struct ss_describe_llm_outcome *outcome,
                      ss_err *err);
    void *user;
};

struct ss_describe_llm_client;
SS_MUST_USE ss_status ss_describe_llm_client_new(const struct ss_describe_llm_options *options,
                                                 struct ss_describe_llm_client **out,
                                                 ss_err *err);
void ss_describe_llm_client_free(struct ss_describe_llm_client *client);
/* Ask all; those before *n_done of n_all count for progress. Where not all could be asked, the
 * others' outcome is NOT_ASKED, and the client says why. */
SS_MUST_USE ss_status ss_describe_llm_ask_all(struct ss_describe_llm_client *client,
                                              const struct ss_describe_llm_questions *questions,
                                              ss_err *err);
bool ss_describe_llm_client_is_stopped(const struct ss_describe_llm_client *client);
/* What remains of a bar: how many questions there will be in all. */
void ss_describe_llm_client_expect(struct ss_describe_llm_client *client, size_t n_questions);
void ss_describe_llm_client_sum(const struct ss_describe_llm_client *client,
                                struct ss_describe_llm_results *results);

#endif
