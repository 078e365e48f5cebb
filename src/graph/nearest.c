/* k nearest neighbours: candidates from the search among distinct points, exact distances, then
 * each distinct point stands for its rows. */
#include "graph/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"

struct job {
    const struct ss_graph_points *points, *rows; /* rows: NULL: the points themselves */
    const struct ss_graph_kinds *kinds;          /* of the points */
    struct ss_graph_targets targets;             /* of the kinds */
    size_t n, k, n_found;                        /* of what is asked; candidates of each */
    uint32_t *ids;                               /* [n, n_found] */
    float *keys;                                 /* [n, n_found] */
    struct ss_graph_candidate **rooms; /* [threads, kinds] where a row is compared with all */
    double *scratch;                   /* [threads, 2, width] rows that are made */
    struct ss_graph_neighbours *out;   /* of the rows that are asked for: kinds, or `rows` */
};

static const double *first_of(const void *context, size_t kind, double *scratch)
{
    const struct job *job = context;
    return ss_graph_row_in(job->points, ss_graph_kind_row(job->kinds, kind), scratch);
}

/* The point that is looked from; among points, each kind is asked once. */
static const double *asked(const void *context, size_t row, double *scratch)
{
    const struct job *job = context;
    return job->rows != NULL ? ss_graph_row_in(job->rows, row, scratch)
                             : first_of(job, row, scratch);
}

static struct ss_graph_candidate candidate_of(const struct job *job, const double *x,
                                              uint32_t kind, double *scratch)
{
    const double *y = first_of(job, kind, scratch);
    return (struct ss_graph_candidate){ss_graph_distance2(x, y, job->points->width), kind};
}

/* Take the rows of kinds in the order of candidates until there are k; `self` is left out.
 * Kinds of one distance give their rows by id. */
static void take(const struct job *job, const struct ss_graph_candidate *candidates, size_t n,
                 uint32_t self, size_t row)
{
    struct ss_graph_neighbours *out = job->out;
    uint32_t *ids = out->ids + row * out->k;
    double *distances2 = out->distances2 + row * out->k;
    size_t n_taken = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_taken == out->k && candidates[i].key > distances2[out->k - 1]) {
            break;
        }
        const uint32_t kind = candidates[i].id;
        const uint32_t *members = job->kinds->members + job->kinds->offsets[kind];
        for (size_t m = 0; m < ss_graph_kind_size(job->kinds, kind); m++) {
            size_t at = n_taken;
            if (members[m] == self) {
                continue;
            }
            for (;
                 at > 0 && distances2[at - 1] == candidates[i].key && ids[at - 1] > members[m];
                 at--) {
                if (at < out->k) {
                    ids[at] = ids[at - 1];
                    distances2[at] = distances2[at - 1];
                }
            }
            if (at < out->k) {
                ids[at] = members[m];
                distances2[at] = candidates[i].key;
            }
            n_taken += n_taken < out->k;
            if (at == out->k) {
                break; /* rows of a kind rise */
            }
        }
    }
    for (; n_taken < out->k; n_taken++) {
        ids[n_taken] = SS_GRAPH_NONE;
        distances2[n_taken] = INFINITY;
    }
}

/* Whether k rows and all of their last distance are certain to be among the first n sorted
 * candidates, when the others are at least `others` away. */
static bool is_settled(const struct job *job, const struct ss_graph_candidate *candidates,
                       size_t n, double others)
{
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        n_rows += ss_graph_kind_size(job->kinds, candidates[i].id);
        if (n_rows > job->out->k) { /* one of them may be the row itself */
            return candidates[i].key < others;
        }
    }
    return others == INFINITY;
}

/* Candidates of a row, sorted: those found if they settle it, else all kinds. The row's own
 * kind is one of them. */
static size_t find_candidates(struct job *job, size_t row, size_t worker)
{
    struct ss_graph_candidate *room = job->rooms[worker];
    double *scratch = job->scratch + 2 * worker * job->points->width;
    double *other = scratch + job->points->width;
    const double *x = asked(job, row, scratch);
    const float *keys = job->keys + row * job->n_found;
    size_t n = 0;
    for (size_t i = 0; i < job->n_found && keys[i] < INFINITY; i++) {
        room[n++] = candidate_of(job, x, job->ids[row * job->n_found + i], other);
    }
    ss__sort(room, n, sizeof *room, ss_graph_candidate_compare);
    double others = INFINITY;
    if (n < job->kinds->n) {
        others = (double)keys[n - 1] - ss_graph_targets_error(&job->targets, x);
    }
    if (is_settled(job, room, n, others)) {
        return n;
    }
    for (uint32_t kind = 0; kind < job->kinds->n; kind++) {
        room[kind] = candidate_of(job, x, kind, other);
    }
    ss__sort(room, job->kinds->n, sizeof *room, ss_graph_candidate_compare);
    return job->kinds->n;
}

static void settle(void *context, size_t row, size_t worker)
{
    struct job *job = context;
    struct ss_graph_candidate *room = job->rooms[worker];
    const size_t n = find_candidates(job, row, worker);
    if (job->rows != NULL) {
        take(job, room, n, SS_GRAPH_NONE, row);
        return;
    }
    const uint32_t *members = job->kinds->members + job->kinds->offsets[row];
    for (size_t m = 0; m < ss_graph_kind_size(job->kinds, row); m++) {
        take(job, room, n, members[m], members[m]);
    }
}

static ss_status make_rooms(struct job *job, size_t n_threads, ss_err *err)
{
    SS_ALLOC_OR_RETURN(job->scratch, 2 * n_threads * job->points->width);
    SS_ALLOC_OR_RETURN(job->rooms, n_threads);
    for (size_t i = 0; i < n_threads; i++) {
        SS_ALLOC_OR_RETURN(job->rooms[i], job->kinds->n);
    }
    return SS_OK;
}

static void free_rooms(struct job *job, size_t n_threads)
{
    for (size_t i = 0; job->rooms != NULL && i < n_threads; i++) {
        ss__free(job->rooms[i]);
    }
    ss__free(job->rooms);
    ss__free(job->scratch);
}

static ss_status find(struct job *job, ss_work *work, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__pool *pool = ss_tensor_work_pool(work);
    const size_t n_threads = ss__pool_n_threads(pool);
    const struct ss_graph_rows targets = {first_of, job, job->kinds->n, job->points->width};
    SS_TRY(ss_graph_targets_new(&targets, &job->targets, err));
    /* Some more than are asked for, so that the last is clearly farther; and itself. */
    job->n_found = ss__min_size(job->kinds->n, job->k + job->k / 4 + 9);
    SS_ALLOC(job->ids, job->n * job->n_found);
    SS_ALLOC(job->keys, job->n * job->n_found);
    SS_TRY(make_rooms(job, n_threads, err));
    const struct ss_graph_search search = {.targets = &job->targets,
                                           .rows = {asked, job, job->n, job->points->width},
                                           .k = job->n_found,
                                           .ids = job->ids,
                                           .keys = job->keys};
    SS_TRY(ss_graph_search_run(&search, work, err));
    ss__pool_run(pool, job->n, settle, job);
    SS_TRY(ss_tensor_work_check(work, err));
out:
    free_rooms(job, n_threads);
    return status;
}

static ss_status nearest(ss_work *work, const struct ss_graph_points *points,
                         const struct ss_graph_points *rows, size_t k,
                         struct ss_graph_neighbours *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_kinds kinds = {0};
    struct job job = {.points = points, .rows = rows, .kinds = &kinds, .k = k, .out = out};
    *out = (struct ss_graph_neighbours){.n = rows == NULL ? points->n : rows->n, .k = k};
    SS_TRY(ss_graph_kinds_find(points, &kinds, err));
    SS_ALLOC(out->ids, out->n * k);
    SS_ALLOC(out->distances2, out->n * k);
    job.n = rows == NULL ? kinds.n : rows->n;
    if (job.n > 0 && kinds.n > 0) {
        SS_TRY(find(&job, work, err));
    }
out:
    ss_graph_targets_release(&job.targets);
    ss_graph_kinds_release(&kinds);
    ss__free(job.ids);
    ss__free(job.keys);
    if (status != SS_OK) {
        ss_graph_neighbours_release(out);
    }
    return status;
}

ss_status ss_graph_nearest(ss_work *work, const struct ss_graph_points *points, size_t k,
                           struct ss_graph_neighbours *out, ss_err *err)
{
    return nearest(work, points, NULL, k, out, err);
}

ss_status ss_graph_nearest_of(ss_work *work, const struct ss_graph_points *points,
                              const struct ss_graph_points *rows, size_t k,
                              struct ss_graph_neighbours *out, ss_err *err)
{
    return nearest(work, points, rows, k, out, err);
}

void ss_graph_neighbours_release(struct ss_graph_neighbours *neighbours)
{
    ss__free(neighbours->ids);
    ss__free(neighbours->distances2);
    *neighbours = (struct ss_graph_neighbours){0};
}
