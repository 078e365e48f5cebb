/* The thread that reads ahead, and the ring between it and the reader.
 *
 * The reader's calls and the thread share everything below `lock`. A job is one file; within it
 * the parts of the plan come one after the other through the ring. A change of plan raises
 * `serial`, at which the thread drops what it is reading. */
#include "dataset/ahead.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dataset/ahead_priv.h"

bool ss__is_remote(const char *path)
{
    return strncmp(path, "hf:", 3) == 0 || strncasecmp(path, "http://", 7) == 0 ||
           strncasecmp(path, "https://", 8) == 0;
}

/* ---- the thread's side of the ring ---- */

/* Put bytes into the ring, waiting while it is full; false when they are not wanted any more.
 */
static bool put_bytes(struct ss__ahead *ahead, uint64_t serial, const char *data, size_t n)
{
    pthread_mutex_lock(&ahead->lock);
    while (n > 0 && !ahead->stops && ahead->serial == serial) {
        const size_t used = ahead->n_ring;
        const size_t at = (ahead->ring_start + used) % SS__AHEAD_AHEAD_BYTES;
        size_t part = ss__min_size(n, SS__AHEAD_AHEAD_BYTES - used);
        part = ss__min_size(part, SS__AHEAD_AHEAD_BYTES - at);
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
    struct ss__ahead *ahead;
    uint64_t serial;
};

static ss_status take(void *user, const void *data, size_t n, bool *enough, ss_err *err)
{
    const struct putting *putting = user;
    (void)err;
    *enough = !put_bytes(putting->ahead, putting->serial, data, n);
    return SS_OK;
}

ss_status ss__ahead_pull(struct ss__ahead *ahead, struct ss__net_remote *remote,
                         struct ss__range range, uint64_t serial, ss_err *err)
{
    struct putting putting = {ahead, serial};
    const uint64_t n = range.end == SS_NOWHERE ? SS_NOWHERE : range.end - range.begin;
    return ss__net_remote_read(remote, range.begin, n, take, &putting, err);
}

bool ss__ahead_next_range(struct ss__ahead *ahead, struct ss__range *range, uint64_t *serial)
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

void ss__ahead_say_head(struct ss__ahead *ahead, struct ss__map map)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->map = map;
    ahead->has_head = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

/* ---- the thread ---- */

static void finish_job(struct ss__ahead *ahead, ss_status status, const ss_err *err)
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
    struct ss__ahead *ahead = user;
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
        const ss_status status = ss__ahead_job(ahead, &err);
        pthread_mutex_lock(&ahead->lock);
        finish_job(ahead, status, &err);
    }
    pthread_mutex_unlock(&ahead->lock);
    ss__ahead_release_client(ahead);
    return NULL;
}

/* Sentences of the client wait for the thread that reads. */
void ss__ahead_note(void *user, ss_level level, const char *sentence)
{
    struct ss__ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    if (ahead->notes.n_bytes < 4096) {
        ss__buf_add_byte(&ahead->notes, level == SS_LEVEL_WARNING ? 'W' : 'N');
        ss__buf_add(&ahead->notes, sentence, strlen(sentence) + 1);
    }
    pthread_mutex_unlock(&ahead->lock);
}

int ss__ahead_is_stopped(void *user)
{
    struct ss__ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    const bool stops = ahead->stops || ahead->quits;
    pthread_mutex_unlock(&ahead->lock);
    return stops || (ahead->options.is_interrupted != NULL &&
                     atomic_load(ahead->options.is_interrupted));
}

/* ---- beginning and ending ---- */

ss_status ss__ahead_new(const struct ss__ahead_options *options, struct ss__ahead **out,
                        ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__ahead *ahead = NULL;
    *out = NULL;
    SS_ALLOC(ahead, 1);
    ahead->options = *options;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    *out = ahead;
out:
    return status;
}

static ss_status start_thread(struct ss__ahead *ahead, ss_err *err)
{
    ss_status status = SS_OK;
    if (ahead->has_thread) {
        return SS_OK;
    }
    if (ahead->ring == NULL) {
        SS_ALLOC(ahead->ring, SS__AHEAD_AHEAD_BYTES);
    }
    if (pthread_create(&ahead->thread, NULL, work, ahead) != 0) {
        SS_FAIL(SS_E_NOMEM, "no thread could be started to read ahead");
    }
    ahead->has_thread = true;
out:
    return status;
}

void ss__ahead_stop(struct ss__ahead *ahead)
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
    ahead->plan = (struct ss__ranges){.items = NULL};
    ss__free(ahead->name);
    ss__free(ahead->column);
    ahead->name = ahead->column = NULL;
    ahead->told_idle = false;
}

static ss_status begin(struct ss__ahead *ahead, const char *name, const char *column,
                       bool is_map, ss_err *err)
{
    ss_status status = SS_OK;
    ss__ahead_stop(ahead);
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
        ss__ahead_stop(ahead);
    }
    return status;
}

ss_status ss__ahead_stream(struct ss__ahead *ahead, const char *name, ss_err *err)
{
    return begin(ahead, name, NULL, false, err);
}

ss_status ss__ahead_map(struct ss__ahead *ahead, const char *name, const char *column,
                        ss_err *err)
{
    return begin(ahead, name, column, true, err);
}

void ss__ahead_free(struct ss__ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    ss__ahead_stop(ahead);
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

const char *ss__ahead_name(const struct ss__ahead *ahead)
{
    return ahead->name;
}

/* Whether all that was asked for has come, so that the thread has nothing to do. */
static bool is_idle_now(struct ss__ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    const bool is_idle = ahead->is_idle;
    pthread_mutex_unlock(&ahead->lock);
    return is_idle;
}

/* ---- the reader's side ---- */

/* Say what the client noted; the lock is given up meanwhile. */
static void say_notes(struct ss__ahead *ahead)
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
static ss_status wait_a_while(struct ss__ahead *ahead, ss_err *err)
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
static ss_status wait_more(struct ss__ahead *ahead, ss_err *err)
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

/* Once in a file, when all of it has come, the next one may begin; without the lock. */
static void tell_idle(struct ss__ahead *ahead)
{
    if (!ahead->told_idle && ahead->options.when_idle != NULL && is_idle_now(ahead)) {
        ahead->told_idle = true;
        ahead->options.when_idle(ahead->options.user);
    }
}

/* Take up to n bytes off the ring, to `out` unless that is NULL. */
static size_t take_bytes(struct ss__ahead *ahead, char *out, size_t n)
{
    size_t taken = 0;
    while (taken < n && ahead->n_ring > 0) {
        size_t part = ss__min_size(n - taken, ahead->n_ring);
        part = ss__min_size(part, SS__AHEAD_AHEAD_BYTES - ahead->ring_start);
        if (out != NULL) {
            memcpy(out + taken, ahead->ring + ahead->ring_start, part);
        }
        ahead->ring_start = (ahead->ring_start + part) % SS__AHEAD_AHEAD_BYTES;
        ahead->n_ring -= part;
        taken += part;
    }
    if (taken > 0) {
        pthread_cond_broadcast(&ahead->changed);
    }
    return taken;
}

ss_status ss__ahead_read(struct ss__ahead *ahead, void *out, size_t n, size_t *n_read,
                         ss_err *err)
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

ss_status ss__ahead_head(struct ss__ahead *ahead, struct ss__map *out, ss_err *err)
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

/* ---- the plan ---- */

/* Under the lock. */
static void replace_plan(struct ss__ahead *ahead, struct ss__ranges *ranges)
{
    ss__free(ahead->plan.items);
    ahead->plan = *ranges;
    *ranges = (struct ss__ranges){.items = NULL};
    ahead->n_begun = ahead->n_taken = 0;
    ahead->at = ahead->plan.n == 0 ? 0 : ahead->plan.items[0].begin;
    ahead->n_ring = ahead->ring_start = 0;
    ahead->has_plan = true;
    ahead->is_idle = false;
    ahead->serial++;
    pthread_cond_broadcast(&ahead->changed);
}

static bool is_same_plan(const struct ss__ranges *a, const struct ss__ranges *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof *a->items) == 0);
}

void ss__ahead_plan(struct ss__ahead *ahead, struct ss__ranges *ranges)
{
    pthread_mutex_lock(&ahead->lock);
    if (ahead->has_plan && is_same_plan(&ahead->plan, ranges)) {
        ss__free(ranges->items);
        *ranges = (struct ss__ranges){.items = NULL};
    } else {
        replace_plan(ahead, ranges);
    }
    pthread_mutex_unlock(&ahead->lock);
}

/* Fetch [from, until) next, in place of the plan. */
static ss_status plan_one(struct ss__ahead *ahead, uint64_t from, uint64_t until, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__ranges ranges = {.items = NULL};
    SS_GROW(ranges.items, ranges.room, 1);
    ranges.items[ranges.n++] = (struct ss__range){from, until};
    replace_plan(ahead, &ranges);
out:
    return status;
}

/* Whether the plan, from where the reader is, will come to a byte. */
static bool will_come(const struct ss__ahead *ahead, uint64_t offset)
{
    for (size_t i = ahead->n_taken; ahead->has_plan && i < ahead->plan.n; i++) {
        const struct ss__range range = ahead->plan.items[i];
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
static uint64_t drain(struct ss__ahead *ahead, uint64_t from, uint64_t end)
{
    enum { STEP_BYTES = 1 << 20 };
    const struct ss__range range = ahead->plan.items[ahead->n_taken];
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

ss_status ss__ahead_need(struct ss__ahead *ahead, uint64_t from, uint64_t n, uint64_t end,
                         uint64_t *until, ss_err *err)
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
