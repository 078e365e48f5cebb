/* Ward's tree, in rounds. Ward's method is reducible: what two mutually nearest clusters become
 * is not nearer to a third than the nearer of them was. So all mutually nearest pairs can be
 * joined at once, and whoever's nearest was not joined keeps it. For the others there is a list
 * of what was near at the last search: everything else, and whatever it became, is farther than
 * the list's radius, so the nearest of what the list has become is the answer if it lies within.
 * Only who is left is searched for again, all of a round in one product.
 *
 * A cluster's slot is that of its smallest distinct point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph/clusters.h"
#include "graph/nearest.h"

enum { LISTED = 16 };

struct slot {
    double size;
    double *centre;   /* [width] NULL: that of its point */
    uint32_t nearest; /* slot */
    double key;       /* squared height of a join with it */
    uint32_t into;    /* the slot that it was joined into; itself while it lives */
    uint32_t node;    /* in the tree under way */
    uint32_t n_listed;
    double radius; /* squared height of a join with any cluster not on the list, at least */
};

struct ward {
    const struct ss_graph_points *points;
    struct ss_graph_kinds kinds; /* distinct points */
    struct slot *slots;          /* [kinds] */
    uint32_t *listed;            /* [kinds, LISTED] */
    struct ss_graph_targets targets;
    uint32_t *columns;   /* [targets] slot of each */
    uint32_t *column_of; /* [kinds] */
    float *sizes;        /* [targets] */
    size_t n_columns, n_alive;
    uint32_t *pending; /* [n_pending] slots to be searched for */
    size_t n_pending;
    uint32_t *found; /* [kinds, LISTED] of the search */
    float *keys;
    float *scratch;              /* [width] */
    struct ss_graph_join *joins; /* as they come; node ids are those of the moment */
    size_t n_joins;
};

static const double *centre_of(const struct ward *ward, size_t slot)
{
    return ward->slots[slot].centre != NULL
               ? ward->slots[slot].centre
               : ss_graph_row(ward->points, ss_graph_kind_row(&ward->kinds, slot));
}

/* Half the squared height of the join of two clusters. */
static double key_of(const struct ward *ward, size_t a, size_t b)
{
    const double x = ward->slots[a].size;
    const double y = ward->slots[b].size;
    return x * y / (x + y) *
           ss_graph_distance2(centre_of(ward, a), centre_of(ward, b), ward->points->width);
}

static uint32_t alive_of(struct ward *ward, uint32_t slot)
{
    while (ward->slots[slot].into != slot) {
        ward->slots[slot].into = ward->slots[ward->slots[slot].into].into;
        slot = ward->slots[slot].into;
    }
    return slot;
}

/* ---- nearest clusters ---- */

static const double *pending_centre(const void *context, size_t row, double *scratch)
{
    const struct ward *ward = context;
    (void)scratch;
    return centre_of(ward, ward->pending[row]);
}

static void rank(const void *context, size_t row, size_t from, size_t n, float *keys)
{
    const struct ward *ward = context;
    const uint32_t slot = ward->pending[row];
    const float size = (float)ward->slots[slot].size;
    const float *sizes = ward->sizes + from;
    for (size_t j = 0; j < n; j++) {
        keys[j] *= size * sizes[j] / (size + sizes[j]);
    }
    const size_t self = ward->column_of[slot];
    if (self >= from && self < from + n) {
        keys[self - from] = INFINITY;
    }
}

static void consider(const struct ward *ward, struct slot *slot, uint32_t self, uint32_t other)
{
    const double key = key_of(ward, self, other);
    if (key < slot->key || (key == slot->key && other < slot->nearest)) {
        slot->key = key;
        slot->nearest = other;
    }
}

/* Bound of the search's error: the weight of a join is at most the smaller of its sizes. */
static double error_of(const struct ward *ward, uint32_t self)
{
    return ward->slots[self].size *
           ss_graph_targets_error(&ward->targets, centre_of(ward, self));
}

static void settle(void *context, size_t row, size_t worker)
{
    struct ward *ward = context;
    const uint32_t self = ward->pending[row];
    struct slot *slot = &ward->slots[self];
    const float *keys = ward->keys + row * LISTED;
    uint32_t *listed = ward->listed + (size_t)self * LISTED;
    double last = 0;
    (void)worker;
    slot->key = INFINITY;
    slot->nearest = SS_GRAPH_NONE;
    slot->n_listed = 0;
    for (size_t i = 0; i < LISTED && keys[i] < INFINITY; i++) {
        const uint32_t other = ward->columns[ward->found[row * LISTED + i]];
        /* Where numbers leave the range of float32, what is dead may seem near. */
        if (other != self && ward->slots[other].into == other) {
            listed[slot->n_listed++] = other;
            consider(ward, slot, self, other);
        }
        last = (double)keys[i];
    }
    slot->radius = INFINITY;
    if (slot->n_listed + 1 < ward->n_alive) {
        slot->radius = last * (1 - 0x1p-20) - error_of(ward, self);
    }
    if (slot->key < slot->radius) {
        return;
    }
    for (size_t c = 0; c < ward->n_columns; c++) {
        const uint32_t other = ward->columns[c];
        if (other != self && ward->slots[other].into == other) {
            consider(ward, slot, self, other);
        }
    }
}

static ss_status search_pending(struct ward *ward, ss_work *work, ss_err *err)
{
    const struct ss_graph_search search = {
        .targets = &ward->targets,
        .rows = {pending_centre, ward, ward->n_pending, ward->points->width},
        .k = LISTED,
        .rank = rank,
        .rank_context = ward,
        .ids = ward->found,
        .keys = ward->keys};
    SS_RETURN_IF_ERROR(ss_graph_search_run(&search, work, err));
    ss__pool_run(ss_tensor_work_pool(work), ward->n_pending, settle, ward);
    return ss_tensor_work_check(work, err);
}

/* The nearest by what the list has become; false where it cannot say. */
static bool is_listed(struct ward *ward, uint32_t self)
{
    struct slot *slot = &ward->slots[self];
    const uint32_t *listed = ward->listed + (size_t)self * LISTED;
    slot->key = INFINITY;
    slot->nearest = SS_GRAPH_NONE;
    for (size_t i = 0; i < slot->n_listed; i++) {
        consider(ward, slot, self, alive_of(ward, listed[i]));
    }
    return slot->key < slot->radius;
}

/* ---- joins ---- */

static ss_status join(struct ward *ward, uint32_t a, uint32_t b, ss_err *err)
{
    struct slot *left = &ward->slots[a];
    struct slot *right = &ward->slots[b];
    const double size = left->size + right->size;
    double *centre = left->centre != NULL ? left->centre : right->centre;
    if (centre == NULL) {
        SS_ALLOC_OR_RETURN(centre, ward->points->width);
    }
    const double *x = centre_of(ward, a);
    const double *y = centre_of(ward, b);
    for (size_t j = 0; j < ward->points->width; j++) {
        centre[j] = (left->size * x[j] + right->size * y[j]) / size;
    }
    ward->joins[ward->n_joins] =
        (struct ss_graph_join){left->node, right->node, (uint32_t)size, sqrt(2 * left->key)};
    if (right->centre != centre) {
        ss__free(right->centre);
    }
    left->centre = centre;
    right->centre = NULL;
    left->size = size;
    left->node = (uint32_t)(ward->points->n + ward->n_joins++);
    right->into = a;
    const size_t column = ward->column_of[a];
    ss_graph_targets_set(&ward->targets, column, centre, ward->scratch);
    ward->sizes[column] = (float)size;
    ward->targets.norms[ward->column_of[b]] = INFINITY;
    ward->n_alive--;
    return SS_OK;
}

/* Join all mutually nearest pairs; then note who needs another nearest one. */
static ss_status join_round(struct ward *ward, ss_err *err)
{
    const size_t n_joins = ward->n_joins;
    for (uint32_t s = 0; s < ward->kinds.n; s++) {
        const struct slot *slot = &ward->slots[s];
        if (slot->into == s && slot->nearest > s && slot->nearest != SS_GRAPH_NONE &&
            ward->slots[slot->nearest].nearest == s) {
            const uint32_t other = slot->nearest;
            SS_RETURN_IF_ERROR(join(ward, s, other, err));
            ward->slots[s].nearest = SS_GRAPH_NONE;
            ward->slots[other].nearest = SS_GRAPH_NONE;
        }
    }
    ward->n_pending = 0;
    for (uint32_t s = 0; s < ward->kinds.n; s++) {
        const struct slot *slot = &ward->slots[s];
        if (slot->into != s) {
            continue;
        }
        const uint32_t nearest = slot->nearest;
        const bool is_new = nearest == SS_GRAPH_NONE;
        const bool is_lost = !is_new && ward->slots[nearest].nearest == SS_GRAPH_NONE;
        /* No pair at all: equal heights have led in a circle; looking at all again ends it. */
        if (is_new || (is_lost && !is_listed(ward, s)) || ward->n_joins == n_joins) {
            ward->pending[ward->n_pending++] = s;
        }
    }
    return SS_OK;
}

/* ---- the columns of the product ---- */

static const double *column_centre(const void *context, size_t column, double *scratch)
{
    const struct ward *ward = context;
    (void)scratch;
    return centre_of(ward, ward->columns[column]);
}

static ss_status make_columns(struct ward *ward, ss_err *err)
{
    ss_graph_targets_release(&ward->targets);
    ward->n_columns = 0;
    for (uint32_t s = 0; s < ward->kinds.n; s++) {
        if (ward->slots[s].into == s) {
            ward->column_of[s] = (uint32_t)ward->n_columns;
            ward->sizes[ward->n_columns] = (float)ward->slots[s].size;
            ward->columns[ward->n_columns++] = s;
        }
    }
    return ss_graph_targets_new(
        &(struct ss_graph_rows){column_centre, ward, ward->n_columns, ward->points->width},
        &ward->targets, err);
}

/* ---- the whole ---- */

/* Equal points are joined first, at height 0. */
static void join_equal(struct ward *ward)
{
    for (uint32_t s = 0; s < ward->kinds.n; s++) {
        const uint32_t *members = ward->kinds.members + ward->kinds.offsets[s];
        uint32_t node = members[0];
        for (uint32_t i = 1; i < ss_graph_kind_size(&ward->kinds, s); i++) {
            ward->joins[ward->n_joins] = (struct ss_graph_join){node, members[i], i + 1, 0};
            node = (uint32_t)(ward->points->n + ward->n_joins++);
        }
        ward->slots[s] =
            (struct slot){.size = ss_graph_kind_size(&ward->kinds, s), .into = s, .node = node};
        ward->pending[s] = s;
    }
    ward->n_alive = ward->kinds.n;
    ward->n_pending = ward->n_alive > 1 ? ward->n_alive : 0;
}

static ss_status open_ward(struct ward *ward, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_graph_kinds_find(ward->points, &ward->kinds, err));
    const size_t n = ward->kinds.n;
    SS_ALLOC_OR_RETURN(ward->slots, n);
    SS_ALLOC_OR_RETURN(ward->listed, n * LISTED);
    SS_ALLOC_OR_RETURN(ward->columns, n);
    SS_ALLOC_OR_RETURN(ward->column_of, n);
    SS_ALLOC_OR_RETURN(ward->sizes, n);
    SS_ALLOC_OR_RETURN(ward->pending, n);
    SS_ALLOC_OR_RETURN(ward->found, n * LISTED);
    SS_ALLOC_OR_RETURN(ward->keys, n * LISTED);
    SS_ALLOC_OR_RETURN(ward->scratch, ward->points->width);
    join_equal(ward);
    return make_columns(ward, err);
}

static void close_ward(struct ward *ward)
{
    for (size_t s = 0; ward->slots != NULL && s < ward->kinds.n; s++) {
        ss__free(ward->slots[s].centre);
    }
    ss__free(ward->slots);
    ss__free(ward->listed);
    ss__free(ward->columns);
    ss__free(ward->column_of);
    ss__free(ward->sizes);
    ss__free(ward->pending);
    ss__free(ward->found);
    ss__free(ward->keys);
    ss__free(ward->scratch);
    ss_graph_targets_release(&ward->targets);
    ss_graph_kinds_release(&ward->kinds);
}

ss_status ss_graph_ward(ss_work *work, const struct ss_graph_points *points,
                        struct ss_graph_join *joins, ss_err *err)
{
    ss_status status = SS_OK;
    struct ward ward = {.points = points, .joins = joins};
    SS_TRY(open_ward(&ward, err));
    while (ward.n_alive > 1) {
        if (ward.n_pending > 0) {
            SS_TRY(search_pending(&ward, work, err));
        }
        SS_TRY(join_round(&ward, err));
        if (ward.n_alive * 2 < ward.n_columns) {
            SS_TRY(make_columns(&ward, err));
        }
    }
    SS_TRY(ss_graph_joins_sort(joins, points->n, err));
out:
    close_ward(&ward);
    return status;
}
