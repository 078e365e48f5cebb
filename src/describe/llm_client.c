/* Threads that ask a model: a question each, one connection each. What they share is behind one
 * lock: the next question, the manner in which the server wants to be asked, the budget, the
 * answers. The calling thread asks its caller whether to stop, and shows progress.
 *
 * When it is to stop, no request is sent any more; those under way have ten seconds. */
#include <string.h>

#include "base/mem.h"
#include "describe/llm_shared.h"

#define LAST_SECONDS 10.0 /* for requests under way when it is to stop */
#define FLUSH_SECONDS 1.0

/* ---- threads ---- */

static int is_over(void *user)
{
    const struct ss_describe_llm_client *client = user;
    return atomic_load(&client->is_over);
}

static void *work(void *user)
{
    struct ss_describe_llm_client *client = user;
    struct ss_net *net = NULL;
    ss_err err;
    const struct ss_net_options options = client->net;
    const ss_status status = ss_net_new(&options, &net, &err);
    pthread_mutex_lock(&client->lock);
    if (status != SS_OK) {
        ss_describe_llm_break_off(client, status, &err);
    }
    while (net != NULL && client->next < client->questions->n && client->broken == SS_OK) {
        const size_t number = client->next++;
        pthread_mutex_unlock(&client->lock);
        ss_describe_llm_do_question(client, net, number);
        pthread_mutex_lock(&client->lock);
    }
    client->n_running--;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    ss_net_free(net);
    return NULL;
}

/* Show how far it is, and ask whether to stop; under the lock, which is free meanwhile. */
static bool is_to_stop(struct ss_describe_llm_client *client, double started)
{
    const struct ss_progress_callback *callback = &client->options->progress;
    const struct ss_progress progress = {.struct_size = sizeof progress,
                                         .stage = SS_STAGE_ROWS,
                                         .n_rows_done = client->n_all_done,
                                         .n_rows_total = client->n_expected,
                                         .n_tokens_done = client->budget.spent.n_in +
                                                          client->budget.spent.n_out,
                                         .seconds = ss__seconds_now() - started,
                                         .name = ""};
    bool stops = false;
    pthread_mutex_unlock(&client->lock);
    stops = callback->fn != NULL && callback->fn(callback->user, &progress) != 0;
    pthread_mutex_lock(&client->lock);
    return stops;
}

static void watch(struct ss_describe_llm_client *client, double started)
{
    const struct ss_describe_llm_hooks *hooks = &client->options->hooks;
    double stop_seen = 0;
    double flushed = ss__seconds_now();
    ss_err err;
    while (client->n_running > 0) {
        ss_describe_llm_wait_a_little(client);
        if (is_to_stop(client, started) && stop_seen == 0) {
            stop_seen = ss__seconds_now();
            (void)ss__fail(
                &err, SS_E_STOPPED,
                "stopped on request; what was answered is kept, and the same command "
                "goes on from there");
            ss_describe_llm_stop_asking(client, SS_E_STOPPED, &err);
        }
        if (stop_seen > 0 && ss__seconds_now() - stop_seen > LAST_SECONDS) {
            atomic_store(&client->is_over, true);
        }
        if (hooks->flush != NULL && ss__seconds_now() - flushed > FLUSH_SECONDS) {
            const ss_status status = hooks->flush(hooks->user, &err);
            flushed = ss__seconds_now();
            if (status != SS_OK) {
                ss_describe_llm_break_off(client, status, &err);
            }
        }
    }
}

ss_status ss_describe_llm_ask_all(struct ss_describe_llm_client *client,
                                  const struct ss_describe_llm_questions *questions,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    pthread_t *threads = NULL;
    const size_t n_most = ss__min_size(client->options->n_jobs, questions->n);
    size_t n_started = 0;
    const double started = ss__seconds_now();
    SS_ALLOC_OR_RETURN(threads, n_most);
    pthread_mutex_lock(&client->lock);
    client->questions = questions;
    client->next = client->n_done = 0;
    client->n_running = 0;
    for (; n_started < n_most; n_started++) {
        if (pthread_create(&threads[n_started], NULL, work, client) != 0) {
            break;
        }
        client->n_running++;
    }
    watch(client, started);
    status = client->broken;
    if (status != SS_OK && err != NULL) {
        *err = client->why_broken;
    }
    if (n_started == 0 && questions->n > 0 && status == SS_OK) {
        status = ss__fail(err, SS_E_NOMEM, "no thread could be started");
    }
    pthread_mutex_unlock(&client->lock);
    for (size_t i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
    }
    ss__free(threads);
    return status;
}

/* ---- the client ---- */

/* "http://host:port/health" */
static char *health_url(const char *base)
{
    struct ss__buf out = {0};
    const char *host = strstr(base, "://");
    const size_t n = host == NULL ? 0 : (size_t)(host + 3 - base) + strcspn(host + 3, "/");
    ss__buf_add(&out, base, n);
    ss__buf_add_text(&out, "/health");
    const char *text = ss__buf_text(&out);
    char *copy = text == NULL ? NULL : ss__strdup(text);
    ss__buf_release(&out);
    return copy;
}

static char *joined(const char *first, const char *then)
{
    struct ss__buf out = {0};
    ss__buf_add_text(&out, first);
    ss__buf_add_text(&out, then);
    const char *text = ss__buf_text(&out);
    char *copy = text == NULL ? NULL : ss__strdup(text);
    ss__buf_release(&out);
    return copy;
}

ss_status ss_describe_llm_client_new(const struct ss_describe_llm_options *options,
                                     struct ss_describe_llm_client **out, ss_err *err)
{
    struct ss_describe_llm_client *client = NULL;
    *out = NULL;
    SS_ALLOC_OR_RETURN(client, 1);
    client->options = options;
    client->net = ss_net_options_from_environment();
    client->net.stop = (struct ss_net_stop){is_over, client};
    client->is_local = ss_net_url_is_loopback(options->url);
    client->n_jobs = options->n_jobs;
    client->budget.limits = options->limits;
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
    client->url = joined(options->url, ss_describe_llm_path(options->api));
    client->health = health_url(options->url);
    const bool has_bearer = options->secret != NULL && options->api == SS_DESCRIBE_LLM_OPENAI;
    client->authorization = has_bearer ? joined("Bearer ", options->secret) : NULL;
    if (client->url == NULL || client->health == NULL ||
        (has_bearer && client->authorization == NULL)) {
        ss_describe_llm_client_free(client);
        return ss__fail_nomem(err, "a client");
    }
    *out = client;
    return SS_OK;
}

void ss_describe_llm_client_free(struct ss_describe_llm_client *client)
{
    if (client != NULL) {
        pthread_mutex_destroy(&client->lock);
        pthread_cond_destroy(&client->changed);
        ss__free(client->url);
        ss__free(client->health);
        ss__free(client->authorization);
        ss__free(client);
    }
}

bool ss_describe_llm_client_is_stopped(const struct ss_describe_llm_client *client)
{
    return client->stopped != SS_OK;
}

void ss_describe_llm_client_expect(struct ss_describe_llm_client *client, size_t n_questions)
{
    client->n_expected = n_questions;
}

void ss_describe_llm_client_sum(const struct ss_describe_llm_client *client,
                                struct ss_describe_llm_results *results)
{
    results->spent = client->budget.spent;
    results->spent.cost = ss_describe_llm_cost(&client->options->limits, results->spent.n_in,
                                               results->spent.n_out);
    results->of_answers = client->of_answers;
    results->of_answers.cost = ss_describe_llm_cost(
        &client->options->limits, client->of_answers.n_in, client->of_answers.n_out);
    results->n_cached = client->n_cached;
    results->stopped = client->stopped;
    results->why_stopped = client->why_stopped;
}
