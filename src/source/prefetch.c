/* The thread that reads ahead: its beginning and end, and its side of the ring between it and
 * the reader.
 *
 * The reader's calls and the thread share everything below `lock`. A job is one file; within it
 * the parts of the plan come one after the other through the ring. A change of plan raises
 * `serial`, at which the thread drops what it is reading. */
#include "source/prefetch.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/mem.h"
#include "source/prefetch_priv.h"

/* ---- the thread ---- */

/* How a job ended is kept for the reader, who asks when the ring is empty. */
static void finish_job(struct ss_source_prefetcher *prefetcher, ss_status status,
                       const ss_err *err)
{
    prefetcher->status = status;
    if (status != SS_OK) {
        prefetcher->err = *err;
    }
    prefetcher->is_running = false;
    prefetcher->is_idle = true;
    pthread_cond_broadcast(&prefetcher->changed);
}

/* One thread for the prefetcher's life: files come one after the other, and connections and
 * their TLS state stay open between them. It ends, and frees its client, only when the
 * prefetcher is freed. */
static void *work(void *user)
{
    struct ss_source_prefetcher *prefetcher = user;
    pthread_mutex_lock(&prefetcher->lock);
    for (;;) {
        while (!prefetcher->quits && !prefetcher->is_posted) {
            pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
        }
        if (prefetcher->quits) {
            break;
        }
        prefetcher->is_posted = false;
        pthread_mutex_unlock(&prefetcher->lock);
        ss_err err = {.code = SS_OK};
        const ss_status status = ss_source_prefetch_job(prefetcher, &err);
        pthread_mutex_lock(&prefetcher->lock);
        finish_job(prefetcher, status, &err);
    }
    pthread_mutex_unlock(&prefetcher->lock);
    /* by the thread that made it */
    ss_source_prefetch_release_client(prefetcher);
    return NULL;
}

/* ---- beginning and end ---- */

ss_status ss_source_prefetch_new(const struct ss_source_prefetch_options *options,
                                 struct ss_source_prefetcher **out, ss_err *err)
{
    struct ss_source_prefetcher *prefetcher = NULL;
    *out = NULL;
    SS_ALLOC_OR_RETURN(prefetcher, 1);
    prefetcher->options = *options;
    pthread_mutex_init(&prefetcher->lock, NULL);
    pthread_cond_init(&prefetcher->changed, NULL);
    *out = prefetcher;
    return SS_OK;
}

static ss_status start_thread(struct ss_source_prefetcher *prefetcher, ss_err *err)
{
    if (prefetcher->has_thread) {
        return SS_OK;
    }
    if (prefetcher->ring == NULL) {
        SS_ALLOC_OR_RETURN(prefetcher->ring, SS_SOURCE_PREFETCH_BYTES);
    }
    if (pthread_create(&prefetcher->thread, NULL, work, prefetcher) != 0) {
        return ss__fail(err, SS_E_NOMEM, "no thread could be started to read ahead");
    }
    prefetcher->has_thread = true;
    return SS_OK;
}

/* Waits for the thread to leave the file: after that nothing writes to the ring or the map,
 * which can be reset and unmapped without the lock. */
void ss_source_prefetch_stop(struct ss_source_prefetcher *prefetcher)
{
    pthread_mutex_lock(&prefetcher->lock);
    prefetcher->stops = true;
    pthread_cond_broadcast(&prefetcher->changed);
    while (prefetcher->is_running) {
        pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
    }
    prefetcher->stops = prefetcher->has_head = prefetcher->has_plan = prefetcher->is_idle =
        false;
    prefetcher->n_ring = prefetcher->ring_start = prefetcher->n_begun = prefetcher->n_taken = 0;
    prefetcher->serial++;
    pthread_mutex_unlock(&prefetcher->lock);
    if (prefetcher->map.data != NULL) {
        munmap((void *)(uintptr_t)prefetcher->map.data, prefetcher->map.n_bytes);
    }
    prefetcher->map = (struct ss__map){.data = NULL};
    ss__free(prefetcher->plan.items);
    prefetcher->plan = (struct ss_source_ranges){.items = NULL};
    ss__free(prefetcher->name);
    ss__free(prefetcher->hint);
    prefetcher->name = prefetcher->hint = NULL;
    prefetcher->told_idle = false;
}

ss_status ss_source_prefetch_begin(struct ss_source_prefetcher *prefetcher, const char *name,
                                   ss_source_planner *planner, const char *hint, ss_err *err)
{
    ss_status status = SS_OK;
    ss_source_prefetch_stop(prefetcher);
    prefetcher->name = ss__strdup(name);
    prefetcher->hint = hint == NULL ? NULL : ss__strdup(hint);
    if (prefetcher->name == NULL || (hint != NULL && prefetcher->hint == NULL)) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(start_thread(prefetcher, err));
    pthread_mutex_lock(&prefetcher->lock);
    prefetcher->planner = planner;
    prefetcher->status = SS_OK;
    prefetcher->is_posted = prefetcher->is_running = true;
    pthread_cond_broadcast(&prefetcher->changed);
    pthread_mutex_unlock(&prefetcher->lock);
out:
    if (status != SS_OK) {
        ss_source_prefetch_stop(prefetcher);
    }
    return status;
}

void ss_source_prefetch_free(struct ss_source_prefetcher *prefetcher)
{
    if (prefetcher == NULL) {
        return;
    }
    ss_source_prefetch_stop(prefetcher);
    pthread_mutex_lock(&prefetcher->lock);
    prefetcher->quits = true;
    pthread_cond_broadcast(&prefetcher->changed);
    pthread_mutex_unlock(&prefetcher->lock);
    if (prefetcher->has_thread) {
        pthread_join(prefetcher->thread, NULL);
    }
    pthread_cond_destroy(&prefetcher->changed);
    pthread_mutex_destroy(&prefetcher->lock);
    ss__buf_release(&prefetcher->notes);
    ss__free(prefetcher->ring);
    ss__free(prefetcher);
}

const char *ss_source_prefetch_name(const struct ss_source_prefetcher *prefetcher)
{
    return prefetcher->name;
}
