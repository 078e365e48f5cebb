/* Merging of symbols: of the neighbours that can be merged those of the lowest rank are merged
 * first, the leftmost of equal ones, until none are left. Few symbols lie in a row that is
 * searched again for every merge; of many, candidates lie in a heap, so that they cost n log n.
 *
 * The heap is not updated when a merge makes candidates stale: a candidate that comes up is
 * compared with the symbols as they are now, and dropped if its pair is no more. Each merge
 * adds two candidates at most, which bounds the heap by 3 n. */
#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

enum { FIRST_SLOTS = 1 << 10, MAX_PROBES = 1 << 12 };
#define NO_RANK UINT32_MAX

/* ---- the table of merges ---- */

/* Ids are dense small numbers, so the product spreads them and its upper bits are folded in. */
static size_t slot_of(const struct ss_tokenizer_bpe *bpe, uint64_t pair)
{
    pair *= UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(pair ^ pair >> 29) & (bpe->n_slots - 1);
}

/* The slot of a pair, or the free one where it belongs; NULL far from its place, which only a
 * file made to collide comes to. */
static struct ss_tokenizer_merge *find_slot(const struct ss_tokenizer_bpe *bpe, uint64_t pair)
{
    size_t slot = slot_of(bpe, pair);
    for (size_t probes = 0; probes < MAX_PROBES; probes++) {
        struct ss_tokenizer_merge *merge = &bpe->merges[slot];
        if (merge->id < 0 || merge->pair == pair) {
            return merge;
        }
        slot = (slot + 1) & (bpe->n_slots - 1);
    }
    return NULL;
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* NULL if two ids can not be merged. */
static const struct ss_tokenizer_merge *find_merge(const struct ss_tokenizer_bpe *bpe,
                                                   int32_t left, int32_t right)
{
    const struct ss_tokenizer_merge *merge =
        bpe->n_slots == 0 ? NULL : find_slot(bpe, pair_of(left, right));
    return merge == NULL || merge->id < 0 ? NULL : merge;
}

/* At most half full: most probes end at once. */
static ss_status grow(struct ss_tokenizer_bpe *bpe, ss_err *err)
{
    struct ss_tokenizer_bpe bigger = {.n_slots =
                                          bpe->n_slots == 0 ? FIRST_SLOTS : bpe->n_slots * 2};
    SS_ALLOC_OR_RETURN(bigger.merges, bigger.n_slots);
    for (size_t slot = 0; slot < bigger.n_slots; slot++) {
        bigger.merges[slot].id = -1;
    }
    for (size_t slot = 0; slot < bpe->n_slots; slot++) {
        const struct ss_tokenizer_merge *merge = &bpe->merges[slot];
        struct ss_tokenizer_merge *place =
            merge->id < 0 ? NULL : find_slot(&bigger, merge->pair);
        if (merge->id >= 0 && place == NULL) {
            ss__free(bigger.merges);
            return ss__fail(err, SS_E_LIMIT, "the merges can not be indexed");
        }
        if (place != NULL) {
            *place = *merge;
        }
    }
    ss__free(bpe->merges);
    bpe->merges = bigger.merges;
    bpe->n_slots = bigger.n_slots;
    return SS_OK;
}

/* Of a pair that comes twice the later merge counts. */
ss_status ss_tokenizer_bpe_add_merge(struct ss_tokenizer_bpe *bpe, int32_t left, int32_t right,
                                     int32_t id, uint32_t rank, ss_err *err)
{
    if (bpe->n_merges * 2 >= bpe->n_slots) {
        SS_RETURN_IF_ERROR(grow(bpe, err));
    }
    struct ss_tokenizer_merge *place = find_slot(bpe, pair_of(left, right));
    if (place == NULL) {
        return ss__fail(err, SS_E_LIMIT, "the merges can not be indexed");
    }
    bpe->n_merges += place->id < 0;
    *place = (struct ss_tokenizer_merge){.pair = pair_of(left, right), .id = id, .rank = rank};
    return SS_OK;
}

/* ---- merging few ---- */

struct neighbours {
    uint32_t rank; /* of the merge of both; NO_RANK: none */
    int32_t id;
};

static struct neighbours neighbours_at(const struct ss_tokenizer_bpe *bpe, const int32_t *ids,
                                       size_t at)
{
    const struct ss_tokenizer_merge *merge = find_merge(bpe, ids[at], ids[at + 1]);
    return merge == NULL ? (struct neighbours){NO_RANK, -1}
                         : (struct neighbours){merge->rank, merge->id};
}

/* After a merge only the two pairs beside it are asked for anew. */
size_t ss_tokenizer_bpe_merge_few(const struct ss_tokenizer_bpe *bpe, int32_t *ids, size_t n)
{
    struct neighbours pairs[SS_TOKENIZER_BPE_FEW]; /* [n - 1] */
    for (size_t i = 0; i + 1 < n; i++) {
        pairs[i] = neighbours_at(bpe, ids, i);
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            best = pairs[i].rank < pairs[best].rank ? i : best;
        }
        if (pairs[best].rank == NO_RANK) {
            break;
        }
        ids[best] = pairs[best].id;
        n--;
        for (size_t i = best + 1; i < n; i++) {
            ids[i] = ids[i + 1];
            pairs[i - 1] = pairs[i];
        }
        if (best > 0) {
            pairs[best - 1] = neighbours_at(bpe, ids, best - 1);
        }
        if (best + 1 < n) {
            pairs[best] = neighbours_at(bpe, ids, best);
        }
    }
    return n;
}

/* ---- merging many ---- */

/* By rank, then by place: the order of the reference. */
static bool comes_first(const struct ss_tokenizer_candidate *a,
                        const struct ss_tokenizer_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push_candidate(struct ss_tokenizer_token_scratch *scratch,
                           struct ss_tokenizer_candidate candidate)
{
    struct ss_tokenizer_candidate *heap = scratch->candidates;
    size_t at = scratch->n_candidates++;
    for (; at > 0 && comes_first(&candidate, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = candidate;
}

/* The last one takes the place at the top and sinks to its own. */
static struct ss_tokenizer_candidate pop_candidate(struct ss_tokenizer_token_scratch *scratch)
{
    struct ss_tokenizer_candidate *heap = scratch->candidates;
    const struct ss_tokenizer_candidate top = heap[0], moving = heap[--scratch->n_candidates];
    size_t at = 0;
    for (size_t child = 1; child < scratch->n_candidates; child = 2 * at + 1) {
        child +=
            child + 1 < scratch->n_candidates && comes_first(&heap[child + 1], &heap[child]);
        if (!comes_first(&heap[child], &moving)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
    return top;
}

/* Push the merge of a symbol with the next one, if there is one. */
static void consider(const struct ss_tokenizer_bpe *bpe,
                     struct ss_tokenizer_token_scratch *scratch, uint32_t at)
{
    const struct ss_tokenizer_symbol *left = &scratch->symbols[at];
    const struct ss_tokenizer_merge *merge =
        find_merge(bpe, left->id, scratch->symbols[left->next].id);
    if (merge != NULL) {
        push_candidate(scratch, (struct ss_tokenizer_candidate){merge->rank, at, merge->id});
    }
}

/* Merge the symbol at `at` with the next; both are there. */
static void merge_at(const struct ss_tokenizer_bpe *bpe,
                     struct ss_tokenizer_token_scratch *scratch, uint32_t at, int32_t id)
{
    struct ss_tokenizer_symbol *symbols = scratch->symbols, *left = &symbols[at];
    struct ss_tokenizer_symbol *right = &symbols[left->next];
    left->id = id;
    left->next = right->next;
    right->id = -1;
    if (right->next != SS_TOKENIZER_NO_SYMBOL) {
        symbols[right->next].previous = at;
    }
    if (left->previous != SS_TOKENIZER_NO_SYMBOL) {
        consider(bpe, scratch, left->previous);
    }
    if (left->next != SS_TOKENIZER_NO_SYMBOL) {
        consider(bpe, scratch, at);
    }
}

/* A merge leaves candidates behind whose pair is gone. They are found out when they come to the
 * top, by what stands there then. */
ss_status ss_tokenizer_bpe_merge(const struct ss_tokenizer_bpe *bpe,
                                 struct ss_tokenizer_token_scratch *scratch, size_t n,
                                 ss_err *err)
{
    struct ss_tokenizer_symbol *symbols = scratch->symbols;
    SS_GROW_OR_RETURN(scratch->candidates, scratch->candidates_capacity,
                      3 * n); /* one, and two a merge */
    scratch->n_candidates = 0;
    symbols[0].previous = SS_TOKENIZER_NO_SYMBOL;
    symbols[n - 1].next = SS_TOKENIZER_NO_SYMBOL;
    for (uint32_t at = 0; at + 1 < n; at++) {
        consider(bpe, scratch, at);
    }
    while (scratch->n_candidates > 0) {
        const struct ss_tokenizer_candidate top = pop_candidate(scratch);
        const struct ss_tokenizer_symbol *left = &symbols[top.at];
        if (left->id < 0 || left->next == SS_TOKENIZER_NO_SYMBOL) {
            continue;
        }
        const struct ss_tokenizer_merge *merge =
            find_merge(bpe, left->id, symbols[left->next].id);
        if (merge != NULL && merge->id == top.id) { /* still the pair that it was */
            merge_at(bpe, scratch, top.at, top.id);
        }
    }
    return SS_OK;
}
