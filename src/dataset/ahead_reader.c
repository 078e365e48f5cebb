/* The reader's side of reading ahead: it waits for bytes and takes them off the ring, as a
 * stream or into a map by a plan of ranges, in the thread that reads the dataset. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "dataset/ahead_priv.h"

/* ---- waiting ---- */

/* Say what the client noted; the lock is given up meanwhile. */
static void say_notes(struct ss_source_ahead *ahead)
{
    struct ss__buf notes = ahead->notes;
    if (notes.n_bytes == 0) {
        return;
    }
    ahead->notes = (struct ss__buf){.data = NULL};
    pthread_mutex_unlock(&ahead->lock);
    for (size_t at = 0; !notes.failed && at < notes.n_bytes;) {
        const char *note = notes.data + at;
        ss__log(ahead->options.log, note[0] == 'W' ? SS_LEVEL_WARNING : SS_LEVEL_NOTICE, "%s",
                note + 1);
        at += strlen(note) + 1;
    }
    ss__buf_release(&notes);
    pthread_mutex_lock(&ahead->lock);
}

/* Wait for a change, or a tenth of a second; then ask if there is a point in it. */
static ss_status wait_a_while(struct ss_source_ahead *ahead, ss_err *err)
{
    enum { ASK_NANOSECONDS = 100000000, SECOND_NANOSECONDS = 1000000000 };
    const struct ss_stop *stop = &ahead->options.stop;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ASK_NANOSECONDS;
    until.tv_sec += until.tv_nsec / SECOND_NANOSECONDS;
    until.tv_nsec %= SECOND_NANOSECONDS;
    if (pthread_cond_timedwait(&ahead->changed, &ahead->lock, &until) == 0 ||
        stop->fn == NULL) {
        return SS_OK;
    }
    pthread_mutex_unlock(&ahead->lock);
    const bool stops = stop->fn(stop->user) != 0;
    pthread_mutex_lock(&ahead->lock);
    return stops ? ss__fail_file(err, ahead->name, SS_E_STOPPED, "stopped while waiting for it")
                 : SS_OK;
}

/* Wait for a change, under the lock; the job's end without what is waited for is an error. */
static ss_status wait_more(struct ss_source_ahead *ahead, ss_err *err)
{
    say_notes(ahead);
    if (!ahead->is_running) {
        if (ahead->status == SS_OK) {
            return ss__fail_file(err, ahead->name, SS_E_INTERNAL, "the reading ahead ended");
        }
        if (err != NULL) {
            *err = ahead->err;
        }
        return ahead->status;
    }
    return wait_a_while(ahead, err);
}

/* Whether all that was asked for has come, so that the thread has nothing to do. */
static bool is_idle_now(struct ss_source_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    const bool is_idle = ahead->is_idle;
    pthread_mutex_unlock(&ahead->lock);
    return is_idle;
}

/* Once in a file, when all of it has come, the next one may begin; without the lock. */
static void tell_idle(struct ss_source_ahead *ahead)
{
    if (!ahead->told_idle && ahead->options.when_idle != NULL && is_idle_now(ahead)) {
        ahead->told_idle = true;
        ahead->options.when_idle(ahead->options.user);
    }
}

/* ---- a stream ---- */

/* Take up to n bytes off the ring, to `out` unless that is NULL. */
static size_t take_bytes(struct ss_source_ahead *ahead, char *out, size_t n)
{
    size_t taken = 0;
    while (taken < n && ahead->n_ring > 0) {
        size_t part = ss__min_size(n - taken, ahead->n_ring);
        part = ss__min_size(part, SS_SOURCE_AHEAD_AHEAD_BYTES - ahead->ring_start);
        if (out != NULL) {
            memcpy(out + taken, ahead->ring + ahead->ring_start, part);
        }
        ahead->ring_start = (ahead->ring_start + part) % SS_SOURCE_AHEAD_AHEAD_BYTES;
        ahead->n_ring -= part;
        taken += part;
    }
    if (taken > 0) {
        pthread_cond_broadcast(&ahead->changed);
    }
    return taken;
}

ss_status ss_source_ahead_read(struct ss_source_ahead *ahead, void *out, size_t n,
                               size_t *n_read, ss_err *err)
{
    ss_status status = SS_OK;
    *n_read = 0;
    pthread_mutex_lock(&ahead->lock);
    while (status == SS_OK && ahead->n_ring == 0 &&
           (ahead->is_running || ahead->status != SS_OK)) {
        status = wait_more(ahead, err);
    }
    if (status == SS_OK) {
        *n_read = take_bytes(ahead, out, n);
    }
    pthread_mutex_unlock(&ahead->lock);
    tell_idle(ahead);
    return status;
}

ss_status ss_source_ahead_head(struct ss_source_ahead *ahead, struct ss__map *out, ss_err *err)
{
    ss_status status = SS_OK;
    pthread_mutex_lock(&ahead->lock);
    while (status == SS_OK && !ahead->has_head) {
        status = wait_more(ahead, err);
    }
    *out = ahead->map;
    pthread_mutex_unlock(&ahead->lock);
    return status;
}

/* ---- a map, by its plan ---- */

/* Under the lock. */
static void replace_plan(struct ss_source_ahead *ahead, struct ss_source_ranges *ranges)
{
    ss__free(ahead->plan.items);
    ahead->plan = *ranges;
    *ranges = (struct ss_source_ranges){.items = NULL};
    ahead->n_begun = ahead->n_taken = 0;
    ahead->at = ahead->plan.n == 0 ? 0 : ahead->plan.items[0].begin;
    ahead->n_ring = ahead->ring_start = 0;
    ahead->has_plan = true;
    ahead->is_idle = false;
    ahead->serial++;
    pthread_cond_broadcast(&ahead->changed);
}

static bool is_same_plan(const struct ss_source_ranges *a, const struct ss_source_ranges *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof *a->items) == 0);
}

void ss_source_ahead_plan(struct ss_source_ahead *ahead, struct ss_source_ranges *ranges)
{
    pthread_mutex_lock(&ahead->lock);
    if (ahead->has_plan && is_same_plan(&ahead->plan, ranges)) {
        ss__free(ranges->items);
        *ranges = (struct ss_source_ranges){.items = NULL};
    } else {
        replace_plan(ahead, ranges);
    }
    pthread_mutex_unlock(&ahead->lock);
}

/* Fetch [from, until) next, in place of the plan. */
static ss_status plan_one(struct ss_source_ahead *ahead, uint64_t from, uint64_t until,
                          ss_err *err)
{
    struct ss_source_ranges ranges = {.items = NULL};
    SS_GROW_OR_RETURN(ranges.items, ranges.room, 1);
    ranges.items[ranges.n++] = (struct ss_source_range){from, until};
    replace_plan(ahead, &ranges);
    return SS_OK;
}

/* Whether the plan, from where the reader is, will come to a byte. */
static bool will_come(const struct ss_source_ahead *ahead, uint64_t offset)
{
    for (size_t i = ahead->n_taken; ahead->has_plan && i < ahead->plan.n; i++) {
        const struct ss_source_range range = ahead->plan.items[i];
        const uint64_t begin =
            i == ahead->n_taken && ahead->at > range.begin ? ahead->at : range.begin;
        if (offset < range.end) {
            return offset >= begin;
        }
    }
    return false;
}

/* Move bytes off the ring, under the lock: those before `from` are dropped, those from there on
 * go into the map. How many went there. */
static uint64_t drain(struct ss_source_ahead *ahead, uint64_t from, uint64_t end)
{
    enum { STEP_BYTES = 1 << 20 };
    const struct ss_source_range range = ahead->plan.items[ahead->n_taken];
    const bool drops = ahead->at < from;
    const uint64_t limit = drops ? from : end;
    uint64_t n = (limit < range.end ? limit : range.end) - ahead->at;
    n = n > STEP_BYTES ? STEP_BYTES : n;
    char *out = drops ? NULL : (char *)(uintptr_t)ahead->map.data + ahead->at;
    const uint64_t n_taken = take_bytes(ahead, out, (size_t)n);
    ahead->at += n_taken;
    if (ahead->at == range.end && ++ahead->n_taken < ahead->plan.n) {
        ahead->at = ahead->plan.items[ahead->n_taken].begin;
    }
    return drops ? 0 : n_taken;
}

ss_status ss_source_ahead_need(struct ss_source_ahead *ahead, uint64_t from, uint64_t n,
                               uint64_t end, uint64_t *until, ss_err *err)
{
    enum { PIECE_BYTES = 1 << 20 };
    ss_status status = SS_OK;
    uint64_t wanted = from + n;
    pthread_mutex_lock(&ahead->lock);
    for (uint64_t at = from; status == SS_OK && at < wanted;) {
        if (!will_come(ahead, at)) {
            const uint64_t piece = wanted - at > PIECE_BYTES ? wanted - at : PIECE_BYTES;
            wanted = at + (piece < end - at ? piece : end - at);
            status = plan_one(ahead, at, wanted, err);
        } else if (ahead->n_ring == 0) {
            status = wait_more(ahead, err);
        } else {
            at += drain(ahead, at, end);
        }
        *until = at;
    }
    pthread_mutex_unlock(&ahead->lock);
    tell_idle(ahead);
    return status;
}
