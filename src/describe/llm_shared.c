#include "describe/llm_shared.h"

#include <time.h>

#define SLOW_SECONDS 60.0 /* with fewer requests at once after "too many" */
#define FIRST_PAUSE_SECONDS 0.5
enum { POLL_MS = 50 };

/* ---- ends; all under the lock ---- */

void ss_describe_llm_stop_asking(struct ss_describe_llm_client *client, ss_status code,
                                 const ss_err *why)
{
    if (client->stopped == SS_OK) {
        client->stopped = code;
        client->why_stopped = *why;
    }
    atomic_store(&client->is_ending, true);
    pthread_cond_broadcast(&client->changed);
}

void ss_describe_llm_break_off(struct ss_describe_llm_client *client, ss_status code,
                               const ss_err *why)
{
    if (client->broken == SS_OK) {
        client->broken = code;
        client->why_broken = *why;
    }
    ss_describe_llm_stop_asking(client, code, why);
}

/* ---- waiting ---- */

static struct timespec in_ms(long ms)
{
    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_nsec += ms * 1000000L;
    when.tv_sec += when.tv_nsec / 1000000000L;
    when.tv_nsec %= 1000000000L;
    return when;
}

void ss_describe_llm_wait_a_little(struct ss_describe_llm_client *client)
{
    const struct timespec until = in_ms(POLL_MS);
    (void)pthread_cond_timedwait(&client->changed, &client->lock, &until);
}

void ss_describe_llm_pause(struct ss_describe_llm_client *client, double seconds)
{
    const double end = ss__seconds_now() + seconds;
    pthread_mutex_lock(&client->lock);
    while (ss__seconds_now() < end && !atomic_load(&client->is_ending)) {
        ss_describe_llm_wait_a_little(client);
    }
    pthread_mutex_unlock(&client->lock);
}

double ss_describe_llm_first_pause(const struct ss_describe_llm_client *client)
{
    return client->net.retry_seconds > 0 ? client->net.retry_seconds : FIRST_PAUSE_SECONDS;
}

static size_t allowed_jobs(struct ss_describe_llm_client *client)
{
    if (client->slow_until > 0 && ss__seconds_now() > client->slow_until) {
        client->slow_until = 0;
        client->n_jobs = client->options->n_jobs;
    }
    return client->n_jobs;
}

void ss_describe_llm_slow_down(struct ss_describe_llm_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->n_jobs = ss__max_size(1, client->n_jobs / 2);
    client->slow_until = ss__seconds_now() + SLOW_SECONDS;
    pthread_mutex_unlock(&client->lock);
}

/* ---- the budget ---- */

static void fail_limit(struct ss_describe_llm_client *client)
{
    ss_err why;
    const struct ss_describe_llm_spent *spent = &client->budget.spent;
    const ss_status code = ss__fail(
        &why, SS_E_STOPPED,
        "the next request could pass `%s`, after %llu requests, %llu tokens in, %llu out and a "
        "cost of %.4f; what was paid is kept, and the same command goes on from there",
        client->budget.over, (unsigned long long)spent->n_calls,
        (unsigned long long)spent->n_in, (unsigned long long)spent->n_out, spent->cost);
    ss_describe_llm_stop_asking(client, code, &why);
}

bool ss_describe_llm_wait_for_place(struct ss_describe_llm_client *client,
                                    const struct ss_describe_llm_reservation *reservation)
{
    bool is_granted = false;
    pthread_mutex_lock(&client->lock);
    while (!atomic_load(&client->is_ending) && !is_granted) {
        ss_describe_llm_grant grant = SS_DESCRIBE_LLM_WAIT;
        if (client->budget.n_open < allowed_jobs(client)) {
            grant =
                ss_describe_llm_reserve(&client->budget, reservation->n_in, reservation->n_out);
        }
        is_granted = grant == SS_DESCRIBE_LLM_GRANTED;
        if (grant == SS_DESCRIBE_LLM_OVER) {
            fail_limit(client);
        } else if (!is_granted) {
            ss_describe_llm_wait_a_little(client);
        }
    }
    pthread_mutex_unlock(&client->lock);
    return is_granted;
}

void ss_describe_llm_leave_place(struct ss_describe_llm_client *client,
                                 const struct ss_describe_llm_reservation *reservation,
                                 uint64_t n_in, uint64_t n_out)
{
    pthread_mutex_lock(&client->lock);
    ss_describe_llm_settle(&client->budget, reservation->n_in, reservation->n_out, n_in, n_out);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}
