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

/* ---- the thread's side of the ring ---- */

/* Put bytes into the ring, waiting while it is full; false when they are not wanted any more.
 */
static bool put_bytes(struct ss_source_prefetcher *prefetcher, uint64_t serial,
                      const char *data, size_t n)
{
    pthread_mutex_lock(&prefetcher->lock);
    while (n > 0 && !prefetcher->stops && prefetcher->serial == serial) {
        const size_t used = prefetcher->n_ring;
        const size_t at = (prefetcher->ring_start + used) % SS_SOURCE_PREFETCH_BYTES;
        size_t part = ss__min_size(n, SS_SOURCE_PREFETCH_BYTES - used);
        part = ss__min_size(part, SS_SOURCE_PREFETCH_BYTES - at);
        if (part == 0) {
            pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
            continue;
        }
        memcpy(prefetcher->ring + at, data, part);
        prefetcher->n_ring += part;
        data += part;
        n -= part;
        pthread_cond_broadcast(&prefetcher->changed);
    }
    const bool wanted = !prefetcher->stops && prefetcher->serial == serial;
    pthread_mutex_unlock(&prefetcher->lock);
    return wanted;
}

struct putting {
    struct ss_source_prefetcher *prefetcher;
    uint64_t serial;
};

static ss_status take(void *user, const void *data, size_t n, bool *enough, ss_err *err)
{
    const struct putting *putting = user;
    (void)err;
    *enough = !put_bytes(putting->prefetcher, putting->serial, data, n);
    return SS_OK;
}

ss_status ss_source_prefetch_pull(struct ss_source_prefetcher *prefetcher,
                                  struct ss_net_remote *remote, struct ss_source_range range,
                                  uint64_t serial, ss_err *err)
{
    struct putting putting = {prefetcher, serial};
    const uint64_t n = range.end == SS_NOWHERE ? SS_NOWHERE : range.end - range.begin;
    return ss_net_remote_read(remote, range.begin, n, take, &putting, err);
}

bool ss_source_prefetch_next_range(struct ss_source_prefetcher *prefetcher,
                                   struct ss_source_range *range, uint64_t *serial)
{
    pthread_mutex_lock(&prefetcher->lock);
    while (!prefetcher->stops && prefetcher->n_begun == prefetcher->plan.n) {
        prefetcher->is_idle = prefetcher->has_plan;
        pthread_cond_broadcast(&prefetcher->changed);
        pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
    }
    const bool found = !prefetcher->stops;
    prefetcher->is_idle = false;
    if (found) {
        *range = prefetcher->plan.items[prefetcher->n_begun++];
        *serial = prefetcher->serial;
    }
    pthread_mutex_unlock(&prefetcher->lock);
    return found;
}

void ss_source_prefetch_say_head(struct ss_source_prefetcher *prefetcher, struct ss__map map)
{
    pthread_mutex_lock(&prefetcher->lock);
    prefetcher->map = map;
    prefetcher->has_head = true;
    pthread_cond_broadcast(&prefetcher->changed);
    pthread_mutex_unlock(&prefetcher->lock);
}

/* ---- the thread ---- */

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
    ss_source_prefetch_release_client(prefetcher);
    return NULL;
}

/* Sentences of the client wait for the thread that reads. */
void ss_source_prefetch_note(void *user, ss_level level, const char *sentence)
{
    struct ss_source_prefetcher *prefetcher = user;
    pthread_mutex_lock(&prefetcher->lock);
    if (prefetcher->notes.n_bytes < 4096) {
        ss__buf_add_byte(&prefetcher->notes, level == SS_LEVEL_WARNING ? 'W' : 'N');
        ss__buf_add(&prefetcher->notes, sentence, strlen(sentence) + 1);
    }
    pthread_mutex_unlock(&prefetcher->lock);
}

int ss_source_prefetch_is_stopped(void *user)
{
    struct ss_source_prefetcher *prefetcher = user;
    pthread_mutex_lock(&prefetcher->lock);
    const bool stops = prefetcher->stops || prefetcher->quits;
    pthread_mutex_unlock(&prefetcher->lock);
    return stops || (prefetcher->options.is_interrupted != NULL &&
                     atomic_load(prefetcher->options.is_interrupted));
}

/* ---- beginning and ending ---- */

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

static ss_status begin(struct ss_source_prefetcher *prefetcher, const char *name,
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

ss_status ss_source_prefetch_stream(struct ss_source_prefetcher *prefetcher, const char *name,
                                    ss_err *err)
{
    return begin(prefetcher, name, NULL, NULL, err);
}

ss_status ss_source_prefetch_map(struct ss_source_prefetcher *prefetcher, const char *name,
                                 ss_source_planner *planner, const char *hint, ss_err *err)
{
    return begin(prefetcher, name, planner, hint, err);
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
