/* Tasks are claimed by an atomic counter, so that no thread waits while there is work. Threads
 * look for a new job for a moment before they sleep, since waking one takes longer than many of
 * the jobs do.
 *
 * A job is posted under the lock, by a number that counts up; a thread that slept compares it
 * with the last one it saw, so none misses a job or does one twice. The caller works along as
 * worker 0 and waits at the end for all started workers, even those that came too late for a
 * task: after ss__pool_run nobody looks at the job's context. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"

/* Waking a thread takes tens of microseconds, about as long as the LOOKS at a variable that a
 * waiting thread makes before it sleeps: products follow each other more closely than that. */
enum { MAX_THREADS = 1024, LOOKS = 4000 };

struct worker {
    struct ss__pool *pool;
    pthread_t thread;
    size_t index;
};

struct ss__pool {
    size_t n_requested, n_started;
    struct worker *workers; /* [n_requested]; worker 0 is the caller */
    pthread_mutex_t lock;
    pthread_cond_t job_posted, job_done;
    size_t n_looks; /* before sleeping; 0 where threads outnumber cores */
    /* Written under the lock, looked at without it: */
    atomic_size_t job_number; /* counts jobs, so that a sleeper knows a new one */
    atomic_size_t n_busy;     /* started workers that have not finished the job */
    bool is_ending;
    void (*task)(void *context, size_t index, size_t worker);
    void *context;
    size_t n_tasks;
    atomic_size_t next_task;
    struct ss__asking asking; /* of the caller */
    atomic_bool is_stopped;
};

/* Cores that this process may use. */
static size_t count_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return ss__min_size(n < 1 ? 1 : (size_t)n, MAX_THREADS);
}

static void claim_tasks(struct ss__pool *pool, size_t worker)
{
    for (;;) {
        const size_t index =
            atomic_fetch_add_explicit(&pool->next_task, 1, memory_order_relaxed);
        if (index >= pool->n_tasks) {
            return;
        }
        if (worker == 0 && ss__is_stopped(&pool->asking)) {
            atomic_store_explicit(&pool->is_stopped, true, memory_order_relaxed);
        }
        if (atomic_load_explicit(&pool->is_stopped, memory_order_relaxed)) {
            return;
        }
        pool->task(pool->context, index, worker);
    }
}

static void rest_a_moment(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* A new job has come, perhaps. */
static void wait_for_job(struct ss__pool *pool, size_t seen)
{
    for (size_t i = 0; i < pool->n_looks && atomic_load(&pool->job_number) == seen; i++) {
        rest_a_moment();
    }
}

/* All workers have finished, perhaps. */
static void look_for_end(struct ss__pool *pool)
{
    for (size_t i = 0; i < pool->n_looks && atomic_load(&pool->n_busy) > 0; i++) {
        rest_a_moment();
    }
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    struct ss__pool *pool = self->pool;
    size_t seen = 0;
    for (;;) {
        wait_for_job(pool, seen);
        pthread_mutex_lock(&pool->lock);
        while (pool->job_number == seen && !pool->is_ending) {
            pthread_cond_wait(&pool->job_posted, &pool->lock);
        }
        seen = pool->job_number;
        const bool is_ending = pool->is_ending;
        pthread_mutex_unlock(&pool->lock);
        if (is_ending) {
            return NULL;
        }
        claim_tasks(pool, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->n_busy == 0) {
            pthread_cond_signal(&pool->job_done);
        }
        pthread_mutex_unlock(&pool->lock);
    }
}

ss_status ss__pool_new(size_t n_threads, struct ss__pool **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__pool *pool = NULL;
    *out = NULL;
    n_threads = n_threads == 0 ? count_cores() : n_threads;
    if (n_threads > MAX_THREADS) {
        SS_FAIL(SS_E_USAGE, "%zu threads are more than the %d that are allowed", n_threads,
                MAX_THREADS);
    }
    SS_ALLOC(pool, 1);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->job_posted, NULL);
    pthread_cond_init(&pool->job_done, NULL);
    SS_ALLOC(pool->workers, n_threads);
    pool->n_requested = n_threads;
    pool->n_looks = n_threads <= count_cores() ? LOOKS : 0;
    for (size_t i = 1; i < n_threads; i++) {
        pool->workers[i] = (struct worker){.pool = pool, .index = i};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) !=
            0) {
            break; /* the tasks are done by fewer */
        }
        pool->n_started++;
    }
    *out = pool;
    pool = NULL;
out:
    ss__pool_free(pool);
    return status;
}

void ss__pool_free(struct ss__pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->job_posted);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i <= pool->n_started; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&pool->job_done);
    pthread_cond_destroy(&pool->job_posted);
    pthread_mutex_destroy(&pool->lock);
    ss__free(pool->workers);
    ss__free(pool);
}

size_t ss__pool_n_threads(const struct ss__pool *pool)
{
    return pool->n_started + 1;
}

size_t ss__pool_n_requested(const struct ss__pool *pool)
{
    return pool->n_requested;
}

void ss__pool_set_stop(struct ss__pool *pool, struct ss_progress_callback stop)
{
    pool->asking = (struct ss__asking){.stop = stop};
    atomic_store(&pool->is_stopped, false);
}

struct ss_progress_callback ss__pool_stop_of(const struct ss__pool *pool)
{
    return pool->asking.stop;
}

ss_status ss__pool_check(const struct ss__pool *pool, ss_err *err)
{
    return atomic_load(&pool->is_stopped) ? ss__fail_stopped(err) : SS_OK;
}

void ss__pool_run(struct ss__pool *pool, size_t n_tasks,
                  void (*task)(void *context, size_t index, size_t worker), void *context)
{
    const bool alone = pool->n_started == 0 || n_tasks <= 1;
    if (!alone) {
        pthread_mutex_lock(&pool->lock);
    }
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next_task, 0, memory_order_relaxed);
    if (alone) {
        claim_tasks(pool, 0);
        return;
    }
    pool->job_number++;
    pool->n_busy = pool->n_started;
    pthread_cond_broadcast(&pool->job_posted);
    pthread_mutex_unlock(&pool->lock);
    claim_tasks(pool, 0);
    look_for_end(pool);
    pthread_mutex_lock(&pool->lock);
    while (pool->n_busy > 0) {
        pthread_cond_wait(&pool->job_done, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}
