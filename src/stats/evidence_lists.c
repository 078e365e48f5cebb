/* The lists of features: heaps with the worst entry first, so that nearly every fire costs one
 * comparison. What is worse depends on the kind of list, and is a total order of entries, so
 * that a list does not depend on the order in which rows come. */
#include "stats/evidence_priv.h"

ss_status ss_stats_lists_init(struct ss_stats_lists *lists, size_t n_features,
                              ss_stats_sample_kind kind, size_t k, ss_err *err)
{
    size_t n = 0;
    *lists = (struct ss_stats_lists){.kind = kind, .k = k};
    if (!ss__mul(n_features, k, &n) || n >= UINT32_MAX) {
        return ss__fail(err, SS_E_USAGE,
                        "%zu sample texts for each of %zu features are too many", k,
                        n_features);
    }
    SS_ALLOC_OR_RETURN(lists->entries, n);
    SS_ALLOC_OR_RETURN(lists->n, n_features);
    SS_ALLOC_OR_RETURN(lists->floors, n_features);
    if (kind == SS_STATS_SAMPLE_TOP) {
        SS_ALLOC_OR_RETURN(lists->positions, n);
    }
    return SS_OK;
}

void ss_stats_lists_release(struct ss_stats_lists *lists)
{
    ss__free(lists->entries);
    ss__free(lists->positions);
    ss__free(lists->n);
    ss__free(lists->floors);
    *lists = (struct ss_stats_lists){0};
}

/* What decides between two entries of a kind. */
struct rank {
    float activation;
    struct ss_stats_position position;
    struct ss_stats_key key;
    uint64_t variant;
};

/* The other kinds take the smallest keys, a sample that does not prefer strong activations. */
static bool is_by_activation(ss_stats_sample_kind kind)
{
    return kind == SS_STATS_SAMPLE_TOP || kind == SS_STATS_SAMPLE_STRONGEST;
}

static int compare_keys(const struct rank *a, const struct rank *b)
{
    const int by_key = ss_stats_key_compare(a->key, b->key);
    return by_key != 0 ? by_key : (a->variant > b->variant) - (a->variant < b->variant);
}

/* Of equal activations top lists take the earlier row, as struct ss_stats_top does; others the
 * smaller key, for positions would make the sample depend on how a dataset is ordered. */
static bool is_worse(ss_stats_sample_kind kind, const struct rank *a, const struct rank *b)
{
    if (is_by_activation(kind) && a->activation != b->activation) {
        return a->activation < b->activation;
    }
    if (kind == SS_STATS_SAMPLE_TOP) {
        return a->position.file != b->position.file ? a->position.file > b->position.file
                                                    : a->position.row > b->position.row;
    }
    return compare_keys(a, b) > 0;
}

/* A feature's list. */
struct heap {
    ss_stats_sample_kind kind;
    struct ss_stats_entry *entries;
    struct ss_stats_position *positions; /* or NULL */
    const struct ss_stats_held *slots;
};

static struct heap heap_of(const struct ss_stats_lists *lists, size_t feature,
                           const struct ss_stats_held *slots)
{
    return (struct heap){
        lists->kind, lists->entries + feature * lists->k,
        lists->positions == NULL ? NULL : lists->positions + feature * lists->k, slots};
}

static struct rank rank_at(const struct heap *heap, size_t i)
{
    const struct ss_stats_held *held = &heap->slots[heap->entries[i].slot];
    return (struct rank){.activation = heap->entries[i].activation,
                         .position = heap->positions == NULL ? (struct ss_stats_position){0, 0}
                                                             : heap->positions[i],
                         .key = held->key,
                         .variant = held->variant};
}

static struct rank rank_of(const struct ss_stats_candidate *candidate)
{
    return (struct rank){candidate->activation, candidate->position, candidate->key,
                         candidate->variant};
}

static bool is_worse_at(const struct heap *heap, size_t i, size_t j)
{
    const struct rank a = rank_at(heap, i), b = rank_at(heap, j);
    return is_worse(heap->kind, &a, &b);
}

static void swap(const struct heap *heap, size_t i, size_t j)
{
    const struct ss_stats_entry entry = heap->entries[i];
    heap->entries[i] = heap->entries[j];
    heap->entries[j] = entry;
    if (heap->positions != NULL) {
        const struct ss_stats_position position = heap->positions[i];
        heap->positions[i] = heap->positions[j];
        heap->positions[j] = position;
    }
}

/* Restore the heap below entry i, which may be too good for its place. */
static void sink(const struct heap *heap, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            worst = is_worse_at(heap, child, worst) ? child : worst;
        }
        if (worst == i) {
            return;
        }
        swap(heap, i, worst);
        i = worst;
    }
}

/* Restore it above entry i, which may be too bad. */
static void rise(const struct heap *heap, size_t i)
{
    while (i > 0 && is_worse_at(heap, i, (i - 1) / 2)) {
        swap(heap, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

/* The first test needs no other memory than the list's own; entries that pass it are compared
 * whole. */
bool ss_stats_lists_may_enter(const struct ss_stats_lists *lists,
                              const struct ss_stats_held *slots,
                              const struct ss_stats_candidate *candidate)
{
    if (lists->n[candidate->feature] < lists->k) {
        return true;
    }
    if (lists->k == 0) {
        return false;
    }
    const struct heap heap = heap_of(lists, candidate->feature, slots);
    if (is_by_activation(lists->kind)
            ? candidate->activation < heap.entries[0].activation
            : candidate->key.key > lists->floors[candidate->feature]) {
        return false;
    }
    const struct rank worst = rank_at(&heap, 0), rank = rank_of(candidate);
    return is_worse(lists->kind, &worst, &rank);
}

static void set(const struct heap *heap, size_t i, const struct ss_stats_candidate *candidate)
{
    heap->entries[i] = (struct ss_stats_entry){candidate->slot, candidate->activation};
    if (heap->positions != NULL) {
        heap->positions[i] = candidate->position;
    }
}

/* Top lists tell rows apart by what people see of them: the text alone. */
static bool is_same(const struct ss_stats_lists *lists, const struct ss_stats_held *a,
                    const struct ss_stats_held *b)
{
    return a == b || (lists->kind == SS_STATS_SAMPLE_TOP &&
                      (ss_stats_key_compare(a->key, b->key) == 0 ||
                       (lists->has_texts && a->n_text == 0 && b->n_text == 0)));
}

/* Where the list has the candidate's text; n if it has not. */
static size_t find(const struct ss_stats_lists *lists, const struct heap *heap, size_t n,
                   uint32_t slot)
{
    size_t i = 0;
    while (i < n && !is_same(lists, &heap->slots[heap->entries[i].slot], &heap->slots[slot])) {
        i++;
    }
    return i;
}

uint32_t ss_stats_lists_enter(struct ss_stats_lists *lists, const struct ss_stats_held *slots,
                              const struct ss_stats_candidate *candidate, bool keep_duplicates,
                              bool *enters)
{
    const struct heap heap = heap_of(lists, candidate->feature, slots);
    uint32_t *n = &lists->n[candidate->feature];
    const bool may_repeat = keep_duplicates && lists->kind == SS_STATS_SAMPLE_TOP;
    const size_t same = may_repeat ? *n : find(lists, &heap, *n, candidate->slot);
    uint32_t gone = SS_STATS_NO_TEXT;
    *enters = true;
    if (same < *n) {
        const struct rank there = rank_at(&heap, same), rank = rank_of(candidate);
        *enters = is_worse(lists->kind, &there, &rank);
        if (*enters) {
            gone = heap.entries[same].slot;
            set(&heap, same, candidate);
            sink(&heap, *n, same);
        }
    } else if (*n < lists->k) {
        set(&heap, *n, candidate);
        rise(&heap, (*n)++);
    } else {
        gone = heap.entries[0].slot;
        set(&heap, 0, candidate);
        sink(&heap, *n, 0);
    }
    lists->floors[candidate->feature] = slots[heap.entries[0].slot].key.key;
    return gone;
}

bool ss_stats_lists_are_sorted(struct ss_stats_lists *lists, size_t n_features,
                               const struct ss_stats_held *slots)
{
    for (size_t f = 0; f < n_features; f++) {
        const struct heap heap = heap_of(lists, f, slots);
        for (size_t i = 1; i < lists->n[f]; i++) {
            if (!is_worse_at(&heap, i - 1, i)) {
                return false;
            }
        }
        if (lists->n[f] > 0) {
            lists->floors[f] = slots[heap.entries[0].slot].key.key;
        }
    }
    return true;
}

/* An ascending row is a heap too, so a list that is sorted can go on. */
void ss_stats_lists_sort(struct ss_stats_lists *lists, size_t n_features,
                         const struct ss_stats_held *slots)
{
    for (size_t f = 0; f < n_features; f++) {
        const struct heap heap = heap_of(lists, f, slots);
        const size_t n = lists->n[f];
        for (size_t left = n; left > 1; left--) { /* a heap sort: the best first */
            swap(&heap, 0, left - 1);
            sink(&heap, left - 1, 0);
        }
        for (size_t i = 0; i < n / 2; i++) {
            swap(&heap, i, n - 1 - i);
        }
    }
}
