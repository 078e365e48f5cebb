/* The life of one question: its prompt, the answer that there is or the requests for one, and
 * what is reported of it. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/number.h"
#include "describe/llm_shared.h"

#define LOADING_SECONDS 120.0 /* for a server that loads its model */
#define ANSWER_SECONDS 600.0  /* for one answer */
#define CONNECT_SECONDS 5.0
#define MAX_PAUSE_TIMES 16.0 /* of the first pause */
enum { MAX_TRIES = 6, MAX_FAILED_IN_A_ROW = 10 };

struct asking {
    struct ss_describe_llm_client *client;
    struct ss_net *net;
    size_t number;
    struct ss_describe_llm_question question;
    struct ss_describe_llm_prompt prompt; /* with so many texts as are sent */
    char key[SS_DESCRIBE_LLM_KEY_BYTES];  /* of the prompt with all texts */
    size_t n_halved;
    struct ss_describe_llm_manner manner; /* that was used last */
    size_t n_tries;                       /* requests */
    size_t n_failed;                      /* of them, in a row */
    long code;
    double wait; /* seconds before the next try */
    bool is_from_cache;
    double started;
    struct ss_describe_llm_spent spent;
    char why[SS_DESCRIBE_LLM_WHY_BYTES]; /* the server's words, or what was wrong */
    struct ss__buf content;              /* of an answer */
    int64_t n_in, n_out;
    float shares[SS_DESCRIBE_LLM_TEXTS];
    size_t n_shares;
    ss_describe_llm_failure failure;
};

static struct ss_text as_text(const char *text)
{
    return (struct ss_text){text, strlen(text)};
}

/* Servers that repeat the key: nothing of what they say is kept. */
static bool tells_secret(const struct asking *asking, struct ss_text text)
{
    const char *secret = asking->client->options->secret;
    return secret != NULL && text.n_bytes > 0 &&
           memmem(text.data, text.n_bytes, secret, strlen(secret)) != NULL;
}

/* The server's own words, without what a terminal acts on. */
static void keep_words(struct asking *asking, const char *words)
{
    struct ss__buf line = {0};
    if (!tells_secret(asking, as_text(words))) {
        ss_describe_llm_clean(as_text(words), SS_DESCRIBE_LLM_WHY_CHARACTERS, &line);
    }
    const char *text = ss__buf_text(&line);
    ss__snprintf(asking->why, sizeof asking->why, "%s", text == NULL ? "" : text);
    ss__buf_release(&line);
}

/* ---- answers that are there ---- */

static bool is_usable(const struct asking *asking, const struct ss_describe_llm_answer *answer,
                      ss_status *status, ss_err *err)
{
    bool is_good = false;
    *status = answer->has_content
                  ? ss_describe_llm_is_fit(&asking->prompt, answer->content, &is_good, err)
                  : SS_OK;
    return is_good;
}

static ss_describe_llm_failure failure_of(const struct ss_describe_llm_answer *answer,
                                          bool is_fit)
{
    if (answer->finish == SS_DESCRIBE_LLM_REFUSAL) {
        return SS_DESCRIBE_LLM_REFUSED;
    }
    if (answer->finish == SS_DESCRIBE_LLM_FILTER) {
        return SS_DESCRIBE_LLM_FILTERED;
    }
    if (is_fit) {
        return SS_DESCRIBE_LLM_ANSWERED;
    }
    if (answer->finish == SS_DESCRIBE_LLM_LENGTH) {
        return SS_DESCRIBE_LLM_CUT;
    }
    return answer->has_content && answer->content.n_bytes > 0 ? SS_DESCRIBE_LLM_UNREADABLE
                                                              : SS_DESCRIBE_LLM_EMPTY;
}

/* Take an answer as the outcome. */
static ss_status accept(struct asking *asking, const struct ss_describe_llm_answer *answer,
                        ss_err *err)
{
    ss_status status = SS_OK;
    const bool is_fit = is_usable(asking, answer, &status, err);
    SS_RETURN_IF_ERROR(status);
    asking->failure = failure_of(answer, is_fit);
    asking->n_in = answer->n_in;
    asking->n_out = answer->n_out;
    asking->n_shares = answer->n_shares;
    memcpy(asking->shares, answer->shares, answer->n_shares * sizeof *answer->shares);
    asking->content.n_bytes = 0;
    if (asking->failure == SS_DESCRIBE_LLM_ANSWERED) {
        ss__buf_add(&asking->content, answer->content.data, answer->content.n_bytes);
    }
    return ss__buf_check(&asking->content, err);
}

static ss_status look_in_cache(struct asking *asking, bool *is_there, ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    ss_status status = SS_OK;
    *is_there = false;
    pthread_mutex_lock(&client->lock);
    const struct ss_describe_llm_answer *answer =
        ss_describe_llm_answers_find(client->options->answers, asking->key);
    if (answer != NULL) {
        status = accept(asking, answer, err);
        *is_there = asking->failure == SS_DESCRIBE_LLM_ANSWERED || !client->options->asks_again;
        client->n_cached += *is_there;
    }
    pthread_mutex_unlock(&client->lock);
    asking->is_from_cache = *is_there;
    return status;
}

/* Keep an answer before anything else is done with it. */
static ss_status store(struct asking *asking, const struct ss_describe_llm_answer *answer,
                       ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    const struct ss_describe_llm_hooks *hooks = &client->options->hooks;
    struct ss__buf line = {0};
    ss_describe_llm_answer_line(&line, asking->key, answer);
    ss_status status = ss__buf_check(&line, err);
    pthread_mutex_lock(&client->lock);
    if (status == SS_OK && hooks->store != NULL) {
        status = hooks->store(hooks->user, (struct ss_text){line.data, line.n_bytes}, err);
    }
    if (status == SS_OK) {
        status =
            ss_describe_llm_answers_add(client->options->answers, asking->key, answer, err);
    }
    pthread_mutex_unlock(&client->lock);
    ss__buf_release(&line);
    return status;
}

/* ---- a request ---- */

/* Before try n: doubled each time, up to a quarter less so that threads do not come together. */
static double backoff(const struct asking *asking, size_t n)
{
    const double first = ss_describe_llm_first_pause(asking->client);
    const uint64_t mix[] = {asking->number, n};
    const double u = (double)(ss__hash64(mix, sizeof mix) & 0xFFFF) / 65535;
    const double whole = first * exp2((double)(n > 10 ? 10 : n) - 1);
    return fmin(whole, MAX_PAUSE_TIMES * first) * (1 - 0.25 * u);
}

static void settle(struct asking *asking, const struct ss_describe_llm_reservation *reservation,
                   uint64_t n_in, uint64_t n_out)
{
    const struct ss_describe_llm_client *client = asking->client;
    ss_describe_llm_leave_place(asking->client, reservation, n_in, n_out);
    asking->spent.n_calls++;
    asking->spent.n_in += n_in;
    asking->spent.n_out += n_out;
    asking->spent.cost += ss_describe_llm_cost(&client->options->limits, n_in, n_out);
}

static ss_status post(struct asking *asking, const struct ss__buf *body,
                      struct ss_net_response *response, bool *can_retry, ss_err *err)
{
    const struct ss_describe_llm_client *client = asking->client;
    const struct ss_describe_llm_options *options = client->options;
    const bool is_anthropic = options->api == SS_DESCRIBE_LLM_ANTHROPIC;
    const double seconds =
        options->answer_seconds > 0 ? options->answer_seconds : ANSWER_SECONDS;
    struct ss_net_header headers[4] = {{"Content-Type", "application/json"},
                                       {"Accept", "application/json"}};
    size_t n_headers = 2;
    if (is_anthropic) {
        headers[n_headers++] = (struct ss_net_header){"anthropic-version", "2023-06-01"};
    }
    if (is_anthropic && options->secret != NULL) {
        headers[n_headers++] = (struct ss_net_header){"x-api-key", options->secret};
    }
    const struct ss_net_request request = {.method = "POST",
                                           .url = client->url,
                                           .headers = headers,
                                           .n_headers = n_headers,
                                           .authorization = client->authorization,
                                           .body = body->data,
                                           .n_body_bytes = body->n_bytes,
                                           .follow = SS_NET_FOLLOW_NONE,
                                           .connect_seconds = fmin(CONNECT_SECONDS, seconds),
                                           .response_seconds = seconds,
                                           .stall_seconds = seconds,
                                           .whole_seconds = seconds,
                                           .n_tries = 1,
                                           .max_bytes = SS_DESCRIBE_LLM_MAX_BODY,
                                           .is_local = client->is_local,
                                           .can_retry = can_retry};
    return ss_net_send(asking->net, &request, response, err);
}

/* No response: it may have been paid all the same, unless there was no connection. */
static ss_describe_llm_action judge_fault(struct asking *asking, ss_status status,
                                          bool can_retry, const ss_err *err)
{
    keep_words(asking, err->message);
    if (status == SS_E_LIMIT) {
        asking->failure = SS_DESCRIBE_LLM_TOO_LARGE;
        return SS_DESCRIBE_LLM_GIVE_UP;
    }
    if (status == SS_E_STOPPED) {
        asking->failure = SS_DESCRIBE_LLM_NOT_ASKED;
        return SS_DESCRIBE_LLM_GIVE_UP;
    }
    asking->failure = SS_DESCRIBE_LLM_NO_RESPONSE;
    return can_retry ? SS_DESCRIBE_LLM_RETRY : SS_DESCRIBE_LLM_GIVE_UP;
}

static void end_all(struct asking *asking, const struct ss_describe_llm_verdict *verdict)
{
    struct ss_describe_llm_client *client = asking->client;
    ss_err why;
    const ss_status code =
        ss__fail(&why, verdict->end, "%s: %s (status %ld)%s%s%s", client->options->url,
                 verdict->why, asking->code, asking->why[0] == '\0' ? "" : "; it says: \"",
                 asking->why, asking->why[0] == '\0' ? "" : "\"");
    pthread_mutex_lock(&client->lock);
    ss_describe_llm_stop_asking(client, code, &why);
    pthread_mutex_unlock(&client->lock);
}

/* The prompt did not come to the model as it was sent: nothing it says can be trusted. */
static bool is_prompt_cut(struct asking *asking, const struct ss_describe_llm_answer *answer)
{
    const size_t least = ss_describe_llm_least_tokens(&asking->prompt);
    if (answer->n_in <= 0 || (size_t)answer->n_in >= least) {
        return false;
    }
    ss__snprintf(asking->why, sizeof asking->why,
                 "it has read %lld tokens of a prompt of about %zu", (long long)answer->n_in,
                 least * 10 / 6);
    const struct ss_describe_llm_verdict verdict = {
        .end = SS_E_NETWORK,
        .why = "the server cut the prompt: raise num_ctx (in Ollama's Modelfile), "
               "OLLAMA_CONTEXT_LENGTH or the context size of the server"};
    end_all(asking, &verdict);
    return true;
}

/* Later requests begin with what was learnt, by this thread and others. */
static void learn(struct asking *asking)
{
    struct ss_describe_llm_client *client = asking->client;
    struct ss_describe_llm_manner *own = &asking->manner;
    struct ss_describe_llm_manner *all = &client->manner;
    pthread_mutex_lock(&client->lock);
    all->has_new_limit |= own->has_new_limit;
    all->no_temperature |= own->no_temperature;
    all->no_seed |= own->no_seed;
    all->no_shares |= own->no_shares;
    all->no_system |= own->no_system;
    all->has_more_tokens |= own->has_more_tokens;
    all->rung = own->rung > all->rung ? own->rung : all->rung;
    *own = *all;
    pthread_mutex_unlock(&client->lock);
}

/* An answer that was cut is asked for again with more tokens, once. */
static ss_describe_llm_action finish_answer(struct asking *asking,
                                            const struct ss_describe_llm_answer *answer,
                                            struct ss_describe_llm_manner *manner,
                                            ss_status *status, ss_err *err)
{
    if (is_prompt_cut(asking, answer)) {
        asking->failure = SS_DESCRIBE_LLM_NOT_ASKED;
        return SS_DESCRIBE_LLM_END;
    }
    if (tells_secret(asking, answer->content) || tells_secret(asking, as_text(answer->model)) ||
        tells_secret(asking, as_text(answer->fingerprint))) {
        asking->failure = SS_DESCRIBE_LLM_UNREADABLE;
        return SS_DESCRIBE_LLM_GIVE_UP;
    }
    *status = accept(asking, answer, err);
    if (*status == SS_OK && asking->failure == SS_DESCRIBE_LLM_CUT &&
        !manner->has_more_tokens) {
        manner->has_more_tokens = true;
        return SS_DESCRIBE_LLM_AGAIN;
    }
    *status = *status == SS_OK ? store(asking, answer, err) : *status;
    return SS_DESCRIBE_LLM_ACCEPT;
}

static ss_describe_llm_action judge(struct asking *asking,
                                    const struct ss_net_response *response,
                                    const struct ss_describe_llm_reply *reply,
                                    ss_status *status, ss_err *err)
{
    const struct ss_describe_llm_options *options = asking->client->options;
    struct ss_describe_llm_manner next = asking->manner;
    const struct ss_describe_llm_heard heard = {.code = response->code,
                                                .wait_asked = ss_net_wait_asked(response),
                                                .should_retry =
                                                    ss_net_header(response, "x-should-retry"),
                                                .reply = reply};
    const struct ss_describe_llm_verdict verdict =
        ss_describe_llm_judge(options->api, &heard, &next);
    asking->code =
        reply->has_error && reply->error_code != 0 ? reply->error_code : response->code;
    asking->wait = heard.wait_asked;
    asking->failure = verdict.failure;
    keep_words(asking, response->location == NULL ? reply->message : response->location);
    ss_describe_llm_action action = verdict.action;
    if (action == SS_DESCRIBE_LLM_ACCEPT && verdict.failure != SS_DESCRIBE_LLM_TOO_LARGE) {
        action = finish_answer(asking, &reply->answer, &next, status, err);
    } else if (action == SS_DESCRIBE_LLM_END) {
        end_all(asking, &verdict);
    }
    if (action == SS_DESCRIBE_LLM_AGAIN) {
        asking->manner = next;
        learn(asking);
    }
    if (asking->code == 429) {
        ss_describe_llm_slow_down(asking->client);
    }
    return action;
}

/* Tokens that a response says were used; what was reserved where it does not. */
static void settle_response(struct asking *asking,
                            const struct ss_describe_llm_reservation *reserved,
                            const struct ss_describe_llm_reply *reply)
{
    const struct ss_describe_llm_answer *answer = &reply->answer;
    const bool is_paid = reply->has_answer;
    settle(asking, reserved,
           !is_paid            ? 0
           : answer->n_in >= 0 ? (uint64_t)answer->n_in
                               : reserved->n_in,
           !is_paid             ? 0
           : answer->n_out >= 0 ? (uint64_t)answer->n_out
                                : reserved->n_out);
}

/* Send the prompt once. */
static ss_describe_llm_action send_once(struct asking *asking, ss_status *status, ss_err *err)
{
    struct ss__buf body = {0};
    struct ss_net_response response = {0};
    struct ss_describe_llm_reply reply = {0};
    ss_describe_llm_action action = SS_DESCRIBE_LLM_GIVE_UP;
    bool can_retry = false;
    ss_describe_llm_add_body(&body, asking->client->options, &asking->manner, &asking->prompt);
    const struct ss_describe_llm_reservation reserved = {
        body.n_bytes / 3 + 1, ss_describe_llm_answer_tokens(&asking->manner)};
    *status = ss__buf_check(&body, err);
    if (*status != SS_OK || !ss_describe_llm_wait_for_place(asking->client, &reserved)) {
        asking->failure = SS_DESCRIBE_LLM_NOT_ASKED;
        ss__buf_release(&body);
        return SS_DESCRIBE_LLM_GIVE_UP;
    }
    asking->n_tries++;
    asking->code = 0;
    asking->wait = -1;
    const ss_status sent = post(asking, &body, &response, &can_retry, err);
    if (sent == SS_OK) {
        *status = ss_describe_llm_read_reply(
            asking->client->options->api,
            (struct ss_text){response.body.data, response.body.n_bytes}, &reply, err);
        settle_response(asking, &reserved, &reply);
        if (*status == SS_OK) {
            action = judge(asking, &response, &reply, status, err);
        }
    } else {
        settle(asking, &reserved, reserved.n_in, reserved.n_out);
        *status = sent == SS_E_NOMEM || sent == SS_E_USAGE ? sent : SS_OK;
        action = judge_fault(asking, sent, can_retry, err);
    }
    ss_describe_llm_reply_release(&reply);
    ss_net_response_release(&response);
    ss__buf_release(&body);
    return action;
}

/* Wait until a server that loads its model says that it has. */
static bool wait_for_model(struct asking *asking)
{
    const struct ss_describe_llm_client *client = asking->client;
    const double end = ss__seconds_now() + LOADING_SECONDS;
    const struct ss_net_request request = {.url = client->health,
                                           .follow = SS_NET_FOLLOW_NONE,
                                           .n_tries = 1,
                                           .is_local = client->is_local};
    while (ss__seconds_now() < end && !atomic_load(&client->is_ending)) {
        struct ss_net_response response = {0};
        ss_err err;
        ss_describe_llm_pause(asking->client, 2 * ss_describe_llm_first_pause(client));
        const ss_status status = ss_net_send(asking->net, &request, &response, &err);
        const long code = response.code;
        ss_net_response_release(&response);
        if (status == SS_OK && code != 503) { /* loaded; or there is no such page */
            return true;
        }
    }
    return false;
}

static ss_status make_prompt(struct asking *asking, ss_err *err)
{
    const struct ss_describe_llm_questions *questions = asking->client->questions;
    ss_describe_llm_prompt_release(&asking->prompt);
    SS_RETURN_IF_ERROR(questions->ask(questions->user, asking->number, asking->n_halved,
                                      &asking->prompt, err));
    SS_RETURN_IF_ERROR(ss__buf_check(&asking->prompt.system, err));
    return ss__buf_check(&asking->prompt.user, err);
}

static bool try_again(struct asking *asking)
{
    const size_t asked = asking->client->net.n_tries;
    asking->n_failed++;
    if (asking->n_failed >= (asked > 0 ? asked : MAX_TRIES)) {
        return false;
    }
    ss_describe_llm_pause(asking->client, asking->wait > 0 ? asking->wait
                                          : asking->wait == 0
                                              ? ss_describe_llm_first_pause(asking->client) / 10
                                              : backoff(asking, asking->n_failed));
    return true;
}

/* Do what an action says; whether to send again. */
static bool go_on(struct asking *asking, ss_describe_llm_action action, ss_status *status,
                  ss_err *err)
{
    switch (action) {
    case SS_DESCRIBE_LLM_RETRY:
        return try_again(asking);
    case SS_DESCRIBE_LLM_LOADING:
        return wait_for_model(asking);
    case SS_DESCRIBE_LLM_AGAIN:
        asking->n_failed = 0;
        return true;
    case SS_DESCRIBE_LLM_HALVE:
        if (asking->n_halved >= SS_DESCRIBE_LLM_MAX_HALVINGS ||
            asking->question.purpose != SS_DESCRIBE_LLM_DESCRIBE) {
            return false;
        }
        asking->n_halved++;
        *status = make_prompt(asking, err);
        return *status == SS_OK;
    default:
        return false;
    }
}

static ss_status ask_server(struct asking *asking, ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    ss_status status = SS_OK;
    bool goes_on = true;
    pthread_mutex_lock(&client->lock);
    asking->manner = client->manner;
    pthread_mutex_unlock(&client->lock);
    while (goes_on && status == SS_OK) {
        const ss_describe_llm_action action = send_once(asking, &status, err);
        goes_on = status == SS_OK && go_on(asking, action, &status, err);
    }
    return status;
}

/* ---- outcomes ---- */

/* A server that takes nothing is not asked thousands of times. */
static void count_failure(struct asking *asking)
{
    struct ss_describe_llm_client *client = asking->client;
    const bool is_of_server = asking->failure == SS_DESCRIBE_LLM_NO_RESPONSE ||
                              asking->failure == SS_DESCRIBE_LLM_REJECTED;
    client->n_failed_in_a_row = is_of_server ? client->n_failed_in_a_row + 1 : 0;
    if (client->n_failed_in_a_row == MAX_FAILED_IN_A_ROW) {
        ss_err why;
        const ss_status code = ss__fail(
            &why, SS_E_NETWORK, "%s: no answer to %d questions in a row, the last time: %s%s%s",
            client->options->url, MAX_FAILED_IN_A_ROW,
            ss_describe_llm_failure_name(asking->failure), asking->why[0] == '\0' ? "" : ", ",
            asking->why);
        ss_describe_llm_stop_asking(client, code, &why);
    }
}

static ss_status report(struct asking *asking, ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    const struct ss_describe_llm_hooks *hooks = &client->options->hooks;
    const struct ss_describe_llm_questions *questions = client->questions;
    const struct ss_describe_llm_outcome outcome = {
        .failure = asking->failure,
        .key = asking->key,
        .content = {asking->content.data, asking->content.n_bytes},
        .n_in = asking->n_in,
        .n_out = asking->n_out,
        .shares = asking->shares,
        .n_shares = asking->n_shares,
        .why = asking->why};
    const struct ss_describe_llm_note note = {.feature = asking->question.feature,
                                              .purpose = asking->question.purpose,
                                              .key = asking->key,
                                              .failure = asking->failure,
                                              .code = asking->code,
                                              .is_from_cache = asking->is_from_cache,
                                              .n_tries = asking->n_tries,
                                              .seconds = ss__seconds_now() - asking->started,
                                              .spent = asking->spent,
                                              .system = ss__buf_text(&asking->prompt.system),
                                              .user = ss__buf_text(&asking->prompt.user)};
    SS_RETURN_IF_ERROR(questions->take(questions->user, asking->number, &outcome, err));
    if (asking->failure == SS_DESCRIBE_LLM_ANSWERED) {
        client->of_answers.n_calls++;
        client->of_answers.n_in += asking->n_in > 0 ? (uint64_t)asking->n_in : 0;
        client->of_answers.n_out += asking->n_out > 0 ? (uint64_t)asking->n_out : 0;
    }
    if (hooks->note != NULL && (asking->n_tries > 0 || asking->is_from_cache)) {
        return hooks->note(hooks->user, &note, err);
    }
    return SS_OK;
}

/* The most that the question could cost. */
static ss_status estimate(struct asking *asking, ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    struct ss__buf body = {0};
    ss_describe_llm_add_body(&body, client->options, &client->manner, &asking->prompt);
    const ss_status status = ss__buf_check(&body, err);
    pthread_mutex_lock(&client->lock);
    client->budget.spent.n_calls++;
    client->budget.spent.n_in += body.n_bytes / 3 + 1;
    client->budget.spent.n_out += SS_DESCRIBE_LLM_ANSWER_TOKENS;
    pthread_mutex_unlock(&client->lock);
    ss__buf_release(&body);
    return status;
}

static ss_status work_on(struct asking *asking, ss_err *err)
{
    struct ss_describe_llm_client *client = asking->client;
    bool is_there = false;
    SS_RETURN_IF_ERROR(make_prompt(asking, err));
    SS_RETURN_IF_ERROR(ss_describe_llm_key(client->options, &asking->prompt, asking->key, err));
    SS_RETURN_IF_ERROR(look_in_cache(asking, &is_there, err));
    if (is_there) {
        return SS_OK;
    }
    asking->failure = SS_DESCRIBE_LLM_NOT_ASKED;
    if (client->options->is_dry) {
        return estimate(asking, err);
    }
    return client->options->only_cached || atomic_load(&client->is_ending)
               ? SS_OK
               : ask_server(asking, err);
}

void ss_describe_llm_do_question(struct ss_describe_llm_client *client, struct ss_net *net,
                                 size_t number)
{
    ss_err err;
    struct asking asking = {.client = client,
                            .net = net,
                            .number = number,
                            .question = client->questions->at(client->questions->user, number),
                            .started = ss__seconds_now(),
                            .n_in = -1,
                            .n_out = -1};
    ss_status status = work_on(&asking, &err);
    pthread_mutex_lock(&client->lock);
    if (status == SS_OK) {
        count_failure(&asking);
        status = report(&asking, &err);
    }
    if (status != SS_OK) {
        ss_describe_llm_break_off(client, status, &err);
    }
    client->n_done++;
    client->n_all_done++;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    ss_describe_llm_prompt_release(&asking.prompt);
    ss__buf_release(&asking.content);
}
