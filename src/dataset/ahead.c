/* The thread that reads ahead: its beginning and end, and its side of the ring between it and
 * the reader.
 *
 * The reader's calls and the thread share everything below `lock`. A job is one file; within it
 * the parts of the plan come one after the other through the ring. A change of plan raises
 * `serial`, at which the thread drops what it is reading. */
#include "dataset/ahead.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dataset/ahead_priv.h"

bool ss_source_is_remote(const char *path)
{
    return strncmp(path, "hf:", 3) == 0 || strncasecmp(path, "http://", 7) == 0 ||
           strncasecmp(path, "https://", 8) == 0;
}

/* ---- the thread's side of the ring ---- */

/* Put bytes into the ring, waiting while it is full; false when they are not wanted any more.
 */
static bool put_bytes(struct ss_source_ahead *ahead, uint64_t serial, const char *data,
                      size_t n)
{
    pthread_mutex_lock(&ahead->lock);
    while (n > 0 && !ahead->stops && ahead->serial == serial) {
        const size_t used = ahead->n_ring;
        const size_t at = (ahead->ring_start + used) % SS_SOURCE_AHEAD_AHEAD_BYTES;
        size_t part = ss__min_size(n, SS_SOURCE_AHEAD_AHEAD_BYTES - used);
        part = ss__min_size(part, SS_SOURCE_AHEAD_AHEAD_BYTES - at);
        if (part == 0) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        memcpy(ahead->ring + at, data, part);
        ahead->n_ring += part;
        data += part;
        n -= part;
        pthread_cond_broadcast(&ahead->changed);
    }
    const bool wanted = !ahead->stops && ahead->serial == serial;
    pthread_mutex_unlock(&ahead->lock);
    return wanted;
}

struct putting {
    struct ss_source_ahead *ahead;
    uint64_t serial;
};

static ss_status take(void *user, const void *data, size_t n, bool *enough, ss_err *err)
{
    const struct putting *putting = user;
    (void)err;
    *enough = !put_bytes(putting->ahead, putting->serial, data, n);
    return SS_OK;
}

ss_status ss_source_ahead_pull(struct ss_source_ahead *ahead, struct ss_net_remote *remote,
                               struct ss_source_range range, uint64_t serial, ss_err *err)
{
    struct putting putting = {ahead, serial};
    const uint64_t n = range.end == SS_NOWHERE ? SS_NOWHERE : range.end - range.begin;
    return ss_net_remote_read(remote, range.begin, n, take, &putting, err);
}

bool ss_source_ahead_next_range(struct ss_source_ahead *ahead, struct ss_source_range *range,
                                uint64_t *serial)
{
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->stops && ahead->n_begun == ahead->plan.n) {
        ahead->is_idle = ahead->has_plan;
        pthread_cond_broadcast(&ahead->changed);
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    }
    const bool found = !ahead->stops;
    ahead->is_idle = false;
    if (found) {
        *range = ahead->plan.items[ahead->n_begun++];
        *serial = ahead->serial;
    }
    pthread_mutex_unlock(&ahead->lock);
    return found;
}

void ss_source_ahead_say_head(struct ss_source_ahead *ahead, struct ss__map map)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->map = map;
    ahead->has_head = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

/* ---- the thread ---- */

static void finish_job(struct ss_source_ahead *ahead, ss_status status, const ss_err *err)
{
    ahead->status = status;
    if (status != SS_OK) {
        ahead->err = *err;
    }
    ahead->is_running = false;
    ahead->is_idle = true;
    pthread_cond_broadcast(&ahead->changed);
}

static void *work(void *user)
{
    struct ss_source_ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        while (!ahead->quits && !ahead->is_posted) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
        }
        if (ahead->quits) {
            break;
        }
        ahead->is_posted = false;
        pthread_mutex_unlock(&ahead->lock);
        ss_err err = {.code = SS_OK};
        const ss_status status = ss_source_ahead_job(ahead, &err);
        pthread_mutex_lock(&ahead->lock);
        finish_job(ahead, status, &err);
    }
    pthread_mutex_unlock(&ahead->lock);
    ss_source_ahead_release_client(ahead);
    return NULL;
}

/* Sentences of the client wait for the thread that reads. */
void ss_source_ahead_note(void *user, ss_level level, const char *sentence)
{
    struct ss_source_ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    if (ahead->notes.n_bytes < 4096) {
        ss__buf_add_byte(&ahead->notes, level == SS_LEVEL_WARNING ? 'W' : 'N');
        ss__buf_add(&ahead->notes, sentence, strlen(sentence) + 1);
    }
    pthread_mutex_unlock(&ahead->lock);
}

int ss_source_ahead_is_stopped(void *user)
{
    struct ss_source_ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    const bool stops = ahead->stops || ahead->quits;
    pthread_mutex_unlock(&ahead->lock);
    return stops || (ahead->options.is_interrupted != NULL &&
                     atomic_load(ahead->options.is_interrupted));
}

/* ---- beginning and ending ---- */

ss_status ss_source_ahead_new(const struct ss_source_ahead_options *options,
                              struct ss_source_ahead **out, ss_err *err)
{
    struct ss_source_ahead *ahead = NULL;
    *out = NULL;
    SS_ALLOC_OR_RETURN(ahead, 1);
    ahead->options = *options;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    *out = ahead;
    return SS_OK;
}

static ss_status start_thread(struct ss_source_ahead *ahead, ss_err *err)
{
    if (ahead->has_thread) {
        return SS_OK;
    }
    if (ahead->ring == NULL) {
        SS_ALLOC_OR_RETURN(ahead->ring, SS_SOURCE_AHEAD_AHEAD_BYTES);
    }
    if (pthread_create(&ahead->thread, NULL, work, ahead) != 0) {
        return ss__fail(err, SS_E_NOMEM, "no thread could be started to read ahead");
    }
    ahead->has_thread = true;
    return SS_OK;
}

void ss_source_ahead_stop(struct ss_source_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->stops = true;
    pthread_cond_broadcast(&ahead->changed);
    while (ahead->is_running) {
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    }
    ahead->stops = ahead->has_head = ahead->has_plan = ahead->is_idle = false;
    ahead->n_ring = ahead->ring_start = ahead->n_begun = ahead->n_taken = 0;
    ahead->serial++;
    pthread_mutex_unlock(&ahead->lock);
    if (ahead->map.data != NULL) {
        munmap((void *)(uintptr_t)ahead->map.data, ahead->map.n_bytes);
    }
    ahead->map = (struct ss__map){.data = NULL};
    ss__free(ahead->plan.items);
    ahead->plan = (struct ss_source_ranges){.items = NULL};
    ss__free(ahead->name);
    ss__free(ahead->column);
    ahead->name = ahead->column = NULL;
    ahead->told_idle = false;
}

static ss_status begin(struct ss_source_ahead *ahead, const char *name, const char *column,
                       bool is_map, ss_err *err)
{
    ss_status status = SS_OK;
    ss_source_ahead_stop(ahead);
    ahead->name = ss__strdup(name);
    ahead->column = column == NULL ? NULL : ss__strdup(column);
    if (ahead->name == NULL || (column != NULL && ahead->column == NULL)) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(start_thread(ahead, err));
    pthread_mutex_lock(&ahead->lock);
    ahead->is_map = is_map;
    ahead->status = SS_OK;
    ahead->is_posted = ahead->is_running = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
out:
    if (status != SS_OK) {
        ss_source_ahead_stop(ahead);
    }
    return status;
}

ss_status ss_source_ahead_stream(struct ss_source_ahead *ahead, const char *name, ss_err *err)
{
    return begin(ahead, name, NULL, false, err);
}

ss_status ss_source_ahead_map(struct ss_source_ahead *ahead, const char *name,
                              const char *column, ss_err *err)
{
    return begin(ahead, name, column, true, err);
}

void ss_source_ahead_free(struct ss_source_ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    ss_source_ahead_stop(ahead);
    pthread_mutex_lock(&ahead->lock);
    ahead->quits = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    if (ahead->has_thread) {
        pthread_join(ahead->thread, NULL);
    }
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    ss__buf_release(&ahead->notes);
    ss__free(ahead->ring);
    ss__free(ahead);
}

const char *ss_source_ahead_name(const struct ss_source_ahead *ahead)
{
    return ahead->name;
}
