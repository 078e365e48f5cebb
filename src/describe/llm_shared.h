/* What threads that ask share, behind one lock, and how they wait for each other. */
#ifndef SS_DESCRIBE_LLM_SHARED_H
#define SS_DESCRIBE_LLM_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/stop.h"
#include "describe/llm_priv.h"
#include "net/net.h"

struct ss_describe_llm_client {
    const struct ss_describe_llm_options *options;
    struct ss_net_options net;
    bool is_local;
    char *url, *health;
    char *authorization; /* "Bearer …"; NULL: none */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct ss_describe_llm_manner manner;
    struct ss_describe_llm_budget budget;
    const struct ss_describe_llm_questions *questions;
    size_t next, n_done;             /* of the questions */
    uint64_t n_all_done, n_expected; /* of all calls */
    size_t n_running;                /* threads */
    size_t n_jobs;                   /* requests at once */
    double slow_until;
    size_t n_failed_in_a_row;
    uint64_t n_cached;
    struct ss_describe_llm_spent of_answers;
    ss_status stopped; /* no more requests, and why */
    ss_err why_stopped;
    ss_status broken; /* a fault of this side: nothing that was found counts */
    ss_err why_broken;

    atomic_bool is_ending; /* no new requests */
    atomic_bool is_over;   /* requests under way end, too */
};

/* Seconds of a clock that only goes forward. */

/* Under the lock: no request is sent any more, for the first reason that was given. */
void ss_describe_llm_stop_asking(struct ss_describe_llm_client *client, ss_status code,
                                 const ss_err *why);
/* Under the lock: a fault of this side, after which nothing that was found counts. */
void ss_describe_llm_break_off(struct ss_describe_llm_client *client, ss_status code,
                               const ss_err *why);
/* Under the lock, which is free meanwhile. */
void ss_describe_llm_wait_a_little(struct ss_describe_llm_client *client);

/* The others take the lock. A pause ends early when no more requests are sent. */
void ss_describe_llm_pause(struct ss_describe_llm_client *client, double seconds);
double ss_describe_llm_first_pause(const struct ss_describe_llm_client *client);
/* Half as many requests at once, for a minute. */
void ss_describe_llm_slow_down(struct ss_describe_llm_client *client);

struct ss_describe_llm_reservation {
    uint64_t n_in, n_out;
};
/* Wait for a place among the requests under way, and for the budget. False: no more. */
bool ss_describe_llm_wait_for_place(struct ss_describe_llm_client *client,
                                    const struct ss_describe_llm_reservation *reservation);
/* The request is done, and took so many tokens. */
void ss_describe_llm_leave_place(struct ss_describe_llm_client *client,
                                 const struct ss_describe_llm_reservation *reservation,
                                 uint64_t n_in, uint64_t n_out);

/* ---- llm_question.c ---- */

/* Ask one question, from a kept answer or the server, and report its outcome. */
void ss_describe_llm_do_question(struct ss_describe_llm_client *client, struct ss_net *net,
                                 size_t number);

#endif
