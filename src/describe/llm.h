/* Descriptions by a language model, and scores of labels by it.
 *
 * Texts of a feature make a prompt, a prompt makes a request, and an answer, which is never
 * trusted, makes a description or numbers. Questions are asked by several threads at once;
 * what comes out depends on the answers alone, not on their order.
 *
 *   llm_plan.c     which texts are shown of a feature
 *   llm_show.c     texts as prompts show them
 *   llm_prompt.c   prompts, and the key of an answer
 *   llm_wire.c     bodies of requests and responses of the two protocols
 *   llm_judge.c    what a response means: accept, try again, ask in another way, give up
 *   llm_mark.c     sentences that are marked in texts
 *   llm_logprobs.c probabilities of the numbers in an answer
 *   llm_answer.c   the content of an answer as a description, or as a number per text
 *   llm_budget.c   what may be spent: reserved before a request, settled after it
 *   llm_answers.c  answers by key, as lines of a file
 *   llm_names.c    names in files and messages
 *   llm_shared.c   what threads that ask share
 *   llm_question.c the life of one question
 *   llm_client.c   threads that ask
 *   llm.c          the questions of a run and what their answers say of its features */
#ifndef SS_DESCRIBE_LLM_H
#define SS_DESCRIBE_LLM_H

#include "describe/describe.h"

enum {
    SS_DESCRIBE_LLM_PROMPT_VERSION = 1, /* a part of the key of answers */
    SS_DESCRIBE_LLM_MAX_SHOWN = 26,     /* texts of a prompt for a description */
    SS_DESCRIBE_LLM_MAX_SCORED = 40,    /* texts that score a feature's label */
    SS_DESCRIBE_LLM_MAX_MARKED = 20,    /* of them with a marked sentence */
    SS_DESCRIBE_LLM_TEXTS = 5,          /* of them in a prompt */
    SS_DESCRIBE_LLM_LABEL_CHARACTERS = 80,
    SS_DESCRIBE_LLM_DESCRIPTION_CHARACTERS = 300,
    SS_DESCRIBE_LLM_KEY_BYTES = 65 /* SHA-256 in hexadecimal, terminated */
};

typedef enum ss_describe_llm_api {
    SS_DESCRIBE_LLM_OPENAI, /* chat completions */
    SS_DESCRIBE_LLM_ANTHROPIC
} ss_describe_llm_api;
const char *ss_describe_llm_api_name(ss_describe_llm_api api);

/* What a question is for. */
typedef enum ss_describe_llm_purpose {
    SS_DESCRIBE_LLM_DESCRIBE,
    SS_DESCRIBE_LLM_DETECTION,  /* which texts have the property of the label? 0 or 1 each */
    SS_DESCRIBE_LLM_SIMULATION, /* how strongly? 0 to 10 each */
    SS_DESCRIBE_LLM_FUZZING,    /* does the marked sentence of a text have it? 0 or 1 each */
    SS_DESCRIBE_LLM_N_PURPOSES
} ss_describe_llm_purpose;
const char *ss_describe_llm_purpose_name(ss_describe_llm_purpose purpose);

/* Why a question has no answer that can be used. */
typedef enum ss_describe_llm_failure {
    SS_DESCRIBE_LLM_ANSWERED,
    SS_DESCRIBE_LLM_REFUSED,    /* by the model */
    SS_DESCRIBE_LLM_FILTERED,   /* by a filter of the server */
    SS_DESCRIBE_LLM_EMPTY,      /* there is no text in it */
    SS_DESCRIBE_LLM_CUT,        /* longer than was allowed */
    SS_DESCRIBE_LLM_UNREADABLE, /* not of the form that was asked for */
    SS_DESCRIBE_LLM_TOO_LARGE,
    SS_DESCRIBE_LLM_REJECTED, /* the server does not take the request */
    SS_DESCRIBE_LLM_TOO_LONG, /* the prompt, also with fewer texts */
    SS_DESCRIBE_LLM_NO_RESPONSE,
    SS_DESCRIBE_LLM_NOT_ASKED, /* stopped, or at a limit, before */
    SS_DESCRIBE_LLM_NO_TEXTS,  /* the feature has none */
    SS_DESCRIBE_LLM_N_FAILURES
} ss_describe_llm_failure;
const char *ss_describe_llm_failure_name(ss_describe_llm_failure failure);

/* ---- where and how to ask ---- */

struct ss_describe_llm_limits {
    double price_in, price_out; /* of a million tokens; 0: not known */
    double max_cost;            /* 0: no limit; these are of one call of ss_describe_llm */
    uint64_t max_calls, max_tokens;
};

/* What was sent and spent. */
struct ss_describe_llm_spent {
    uint64_t n_calls; /* requests, repeated ones too */
    uint64_t n_in, n_out;
    double cost;
};

/* A question that is done, for a log. */
struct ss_describe_llm_note {
    size_t feature;
    ss_describe_llm_purpose purpose;
    const char *key;
    ss_describe_llm_failure failure;
    long code; /* of the last response; 0: none */
    bool is_from_cache;
    size_t n_tries;
    double seconds;
    struct ss_describe_llm_spent spent; /* by it */
    const char *system, *user;          /* the prompt */
};

/* What the caller does for it. All are called from one thread at a time, but not from the
 * caller's own. */
struct ss_describe_llm_hooks {
    /* Keep a line, without its end, as it comes; an error ends the work. */
    ss_status (*store)(void *user, struct ss_text line, ss_err *err);
    ss_status (*note)(void *user, const struct ss_describe_llm_note *note, ss_err *err);
    /* Now and then, from the caller's thread. */
    ss_status (*flush)(void *user, ss_err *err);
    void *user;
};

struct ss_describe_llm_answers; /* by key */

struct ss_describe_llm_options {
    ss_describe_llm_api api;
    const char *url; /* base, without a slash at the end */
    const char *model;
    const char *secret;    /* the key of the service; NULL: none is sent */
    const char *effort;    /* of reasoning; NULL: not sent */
    size_t n_jobs;         /* requests at once */
    double answer_seconds; /* to wait for one; 0: 600 */
    size_t n_candidates;
    bool asks[SS_DESCRIBE_LLM_N_PURPOSES];
    bool with_hints;  /* show the labels that there are */
    bool with_shares; /* ask for the probabilities of the numbers of SS_DESCRIBE_LLM_DETECTION;
                         there are none of Anthropic's */
    bool only_cached; /* send nothing */
    bool is_dry;      /* the same, and `spent` is what would be spent: three bytes make a token,
                          and answers are as long as they may be */
    bool asks_again;  /* cached answers that cannot be used do not count */
    struct ss_describe_llm_limits limits;
    struct ss_describe_llm_answers *answers; /* borrowed, and added to */
    struct ss_describe_llm_hooks hooks;
    struct ss_log log;
    struct ss_progress_callback progress;
};

/* ---- answers that were given before (llm_answers.c) ---- */

SS_MUST_USE ss_status ss_describe_llm_answers_new(struct ss_describe_llm_answers **out,
                                                  ss_err *err);
void ss_describe_llm_answers_free(struct ss_describe_llm_answers *answers);
/* Read lines as they were stored; of a key the last one holds. What is no such line is passed
 * over and counted. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_describe_llm_answers_read(struct ss_describe_llm_answers *answers,
                                                   struct ss_text lines, size_t *n_bad,
                                                   ss_err *err);
size_t ss_describe_llm_answers_count(const struct ss_describe_llm_answers *answers);

/* ---- the plan (llm_plan.c) ---- */

/* Texts of every feature, as rows of the evidence. */
struct ss_describe_llm_shown {
    uint32_t row;
    uint8_t strength; /* 1 to 10; 0: the feature does not fire */
    uint8_t kind;     /* of a text on which it does not: ss_describe_negatives */
};
/* A text on which the feature fires, with its strongest sentence or its weakest one. */
struct ss_describe_llm_marked {
    uint32_t row;
    uint32_t begin, n_bytes;
    bool is_strong;
};
struct ss_describe_llm_plan {
    size_t n_features;
    struct ss_describe_llm_shown *shown;   /* [n_features, MAX_SHOWN] of the describe half */
    struct ss_describe_llm_shown *scored;  /* [n_features, MAX_SCORED] of the score half */
    uint8_t *n_shown, *n_scored;           /* [n_features] */
    float *activations;                    /* [n_features, MAX_SCORED] of scored texts */
    struct ss_describe_llm_marked *marked; /* [n_features, MAX_MARKED]; NULL: none are */
    uint8_t *n_marked;
};
SS_MUST_USE ss_status ss_describe_llm_plan_make(const struct ss_describe_view *view,
                                                struct ss_describe_llm_plan *plan, ss_err *err);
/* Mark a sentence in the texts that score a feature and on which it fires: of the first texts by
 * key that are such texts of some feature, as in the sentence test (sentences.h). Errors:
 * SS_E_NOMEM, SS_E_STOPPED, those of the two functions. */
struct ss_describe_llm_marking {
    const struct ss_describe_evidence *evidence;
    struct ss_describe_embedder embedder;
    struct ss_describe_answers answers;
    struct ss_progress_callback stop;
};
SS_MUST_USE ss_status ss_describe_llm_plan_mark(struct ss_describe_llm_plan *plan,
                                                const struct ss_describe_llm_marking *with,
                                                ss_err *err);
void ss_describe_llm_plan_release(struct ss_describe_llm_plan *plan);
/* Distinct texts in the prompts for the purposes asked for. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_describe_llm_plan_texts(const struct ss_describe_llm_plan *plan,
                                                 size_t n_texts, bool with_scores, size_t *n,
                                                 ss_err *err);

/* ---- all of it (llm.c) ---- */

/* Detection by the model: of texts on which the feature fires and does not, how many it says
 * have the property. */
struct ss_describe_llm_detection {
    struct ss_describe_share tpr, fpr[SS_DESCRIBE_N_NEGATIVES]; /* n = 0: none */
    size_t n_unanswered;
    double balanced_accuracy, f1, precision; /* against random texts; NaN: not defined */
    /* Of probabilities, where the server said them: positives before negatives of a kind;
       without negatives: none. */
    struct ss_describe_auc auc[SS_DESCRIBE_N_NEGATIVES];
};
/* Of marked sentences, how many it says have the property. */
struct ss_describe_llm_fuzzing {
    struct ss_describe_share strong, weak; /* n = 0: none */
    size_t n_unanswered;
    double balanced_accuracy; /* NaN: not defined */
};
struct ss_describe_llm_simulation {
    size_t n, n_unanswered;
    double pearson, spearman; /* NaN: not defined */
};

struct ss_describe_llm_result {
    ss_describe_llm_failure failure;
    const char *why; /* the server's own words; "" where there are none */
    char key[SS_DESCRIBE_LLM_KEY_BYTES];
    struct ss_text label, description; /* in the arena, terminated */
    const char *kind;
    bool has_detection, has_simulation, has_fuzzing;
    struct ss_describe_llm_detection detection;
    struct ss_describe_llm_simulation simulation;
    struct ss_describe_llm_fuzzing fuzzing;
};

struct ss_describe_llm_results {
    size_t n_features;
    struct ss_describe_llm_result *features; /* [n_features] */
    struct ss__arena arena;
    struct ss__buf prompt; /* of options.is_dry: one in full */
    uint64_t n_questions, n_cached, n_failed[SS_DESCRIBE_LLM_N_FAILURES]; /* all of them */
    uint64_t n_described, n_missing;    /* features with texts: with an answer; without one */
    struct ss_describe_llm_spent spent; /* in this call */
    /* Of all answers that stand in the results, whenever they came. */
    struct ss_describe_llm_spent of_answers;
    ss_status stopped; /* SS_OK, or why not everything was asked: SS_E_STOPPED (asked to, or at
                          a limit), SS_E_NETWORK */
    ss_err why_stopped;
};
void ss_describe_llm_results_release(struct ss_describe_llm_results *results);

/* Ask. `labels` are those that there are, for hints and for features without an answer.
 *
 * results  written also where not everything was asked (results->stopped);
 *          gives (ss_describe_llm_results_release)
 * Errors   SS_E_NOMEM, those of the hooks and of the embedder */
struct ss_describe_llm_input {
    const struct ss_describe_view *view;
    const struct ss_describe_evidence *evidence;
    const struct ss_describe_llm_plan *plan;
    const struct ss_text *labels; /* [n_features] */
    struct ss_describe_embedder embedder;
    bool is_plain; /* similarities that choose among candidates are */
};
SS_MUST_USE ss_status ss_describe_llm(const struct ss_describe_llm_input *input,
                                      const struct ss_describe_llm_options *options,
                                      struct ss_describe_llm_results *results, ss_err *err);

#endif
