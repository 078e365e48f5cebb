/* Adding rows and merging parts. Entries of lists are small and in memory; whole texts and
 * their embeddings wait in a file without a name (evidence_texts.c) until the pass knows which
 * of them count.
 *
 * A text is held while a list or a pool has it, counted by references. Which texts are held at
 * the end depends on the set of rows alone: pools and firing lists take the smallest keys, the
 * strongest by activation and key, top lists by activation and position. So the state of parts
 * that were merged is that of one run, byte for byte. */
#include "stats/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stats/evidence_priv.h"

ss_status ss_stats_evidence_new(const struct ss_stats_evidence_options *options,
                                struct ss_stats_evidence **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_evidence *made = NULL;
    *out = NULL;
    SS_ALLOC(made, 1);
    made->options = *options;
    SS_ALLOC(made->n_active, 2 * options->n_features);
    for (size_t i = 0; i < SS_STATS_N_GATHERED; i++) {
        SS_TRY(ss_stats_lists_init(&made->lists[i], options->n_features,
                                   (ss_stats_sample_kind)i, options->sizes.n_samples[i], err));
        made->lists[i].has_texts = options->has_texts;
    }
    SS_TRY(ss_stats_held_open(&made->texts, options->width, err));
    *out = made;
    made = NULL;
out:
    ss_stats_evidence_free(made);
    return status;
}

void ss_stats_evidence_free(struct ss_stats_evidence *evidence)
{
    if (evidence == NULL) {
        return;
    }
    for (size_t i = 0; i < SS_STATS_N_GATHERED; i++) {
        ss_stats_lists_release(&evidence->lists[i]);
    }
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        ss__free(evidence->pools[half].slots);
    }
    ss_stats_held_close(&evidence->texts);
    ss__free(evidence->n_active);
    ss__free(evidence->order);
    ss__free(evidence->index_of);
    ss__free(evidence);
}

/* ---- who holds a text ---- */

/* One list more has the text. */
static void hold(struct ss_stats_evidence *evidence, uint32_t slot)
{
    evidence->texts.slots[slot].n_lists++;
}

/* One fewer; the last one frees its slot, and its record is dead weight in the file. */
static void let_go(struct ss_stats_evidence *evidence, uint32_t slot)
{
    if (--evidence->texts.slots[slot].n_lists == 0) {
        ss_stats_held_forget(&evidence->texts, slot);
    }
}

/* A row, or a text of another part, on its way in. */
struct adding {
    const struct ss_stats_arrival *text;
    uint64_t count;
    uint32_t slot; /* SS_STATS_NO_TEXT until a list wants it */
};

static ss_status need_slot(struct ss_stats_evidence *evidence, struct adding *adding,
                           ss_err *err)
{
    if (adding->slot == SS_STATS_NO_TEXT) {
        SS_RETURN_IF_ERROR(
            ss_stats_held_add(&evidence->texts, adding->text, &adding->slot, err));
        SS_RETURN_IF_ERROR(ss_stats_held_count(&evidence->texts, adding->slot, adding->text,
                                               adding->count, err));
        hold(evidence, adding->slot); /* while it is on its way */
    }
    return SS_OK;
}

/* Begin with a text, which is counted if it is there. */
static ss_status start(struct ss_stats_evidence *evidence, struct adding *adding, ss_err *err)
{
    adding->slot =
        ss_stats_held_find(&evidence->texts, adding->text->key, adding->text->variant);
    if (adding->slot != SS_STATS_NO_TEXT) {
        hold(evidence, adding->slot);
        SS_RETURN_IF_ERROR(ss_stats_held_count(&evidence->texts, adding->slot, adding->text,
                                               adding->count, err));
    }
    return SS_OK;
}

/* No longer on its way: a text that no list took is forgotten here. */
static void end(struct ss_stats_evidence *evidence, const struct adding *adding)
{
    if (adding->slot != SS_STATS_NO_TEXT) {
        let_go(evidence, adding->slot);
    }
}

/* ---- the pool ---- */

/* By key and variant; both are of one half. */
static bool is_behind(const struct ss_stats_evidence *evidence, uint32_t a, uint32_t b)
{
    return ss_stats_held_compare(&evidence->texts.slots[a], &evidence->texts.slots[b]) > 0;
}

static void swap_slots(uint32_t *a, uint32_t *b)
{
    const uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

/* The root, which was replaced, goes down to its place. */
static void sink_pool(const struct ss_stats_evidence *evidence, struct ss_stats_pool *pool)
{
    for (size_t i = 0;;) {
        size_t last = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < pool->n; child++) {
            last = is_behind(evidence, pool->slots[child], pool->slots[last]) ? child : last;
        }
        if (last == i) {
            return;
        }
        swap_slots(&pool->slots[i], &pool->slots[last]);
        i = last;
    }
}

/* The last entry, which is new, goes up to its place. */
static void rise_pool(const struct ss_stats_evidence *evidence, struct ss_stats_pool *pool)
{
    for (size_t i = pool->n - 1;
         i > 0 && is_behind(evidence, pool->slots[i], pool->slots[(i - 1) / 2]);
         i = (i - 1) / 2) {
        swap_slots(&pool->slots[i], &pool->slots[(i - 1) / 2]);
    }
}

/* Whether a pool has room for a text, or one that is behind it. */
static bool pool_wants(const struct ss_stats_evidence *evidence,
                       const struct ss_stats_pool *pool, const struct ss_stats_arrival *text)
{
    if (pool->n < evidence->options.sizes.n_pool) {
        return true;
    }
    const struct ss_stats_held own = {.key = text->key, .variant = text->variant};
    return pool->n > 0 &&
           ss_stats_held_compare(&evidence->texts.slots[pool->slots[0]], &own) > 0;
}

/* Where the pool is full, the text with the largest key makes room. */
static ss_status add_to_pool(struct ss_stats_evidence *evidence, struct adding *adding,
                             ss_err *err)
{
    struct ss_stats_pool *pool = &evidence->pools[ss_stats_key_half(adding->text->key)];
    const bool is_there =
        adding->slot != SS_STATS_NO_TEXT && evidence->texts.slots[adding->slot].is_in_pool;
    if (is_there || !pool_wants(evidence, pool, adding->text)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(need_slot(evidence, adding, err));
    hold(evidence, adding->slot);
    evidence->texts.slots[adding->slot].is_in_pool = true;
    if (pool->n < evidence->options.sizes.n_pool) {
        SS_GROW_OR_RETURN(pool->slots, pool->capacity, pool->n + 1);
        pool->slots[pool->n++] = adding->slot;
        rise_pool(evidence, pool);
    } else {
        evidence->texts.slots[pool->slots[0]].is_in_pool = false;
        let_go(evidence, pool->slots[0]);
        pool->slots[0] = adding->slot;
        sink_pool(evidence, pool);
    }
    return SS_OK;
}

/* ---- lists ---- */

/* Offer a text to one list of a feature. */
static ss_status offer(struct ss_stats_evidence *evidence, struct adding *adding,
                       ss_stats_sample_kind kind, struct ss_stats_candidate *candidate,
                       ss_err *err)
{
    struct ss_stats_lists *lists = &evidence->lists[kind];
    bool enters = false;
    if (!ss_stats_lists_may_enter(lists, evidence->texts.slots, candidate)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(need_slot(evidence, adding, err));
    candidate->slot = adding->slot;
    const uint32_t gone = ss_stats_lists_enter(lists, evidence->texts.slots, candidate,
                                               evidence->options.keep_duplicates, &enters);
    if (enters) {
        hold(evidence, adding->slot);
    }
    if (gone != SS_STATS_NO_TEXT) {
        let_go(evidence, gone);
    }
    return SS_OK;
}

/* The lists that a fire may enter, by half. */
static const ss_stats_sample_kind kinds[SS_STATS_N_HALVES][3] = {
    {SS_STATS_SAMPLE_TOP, SS_STATS_SAMPLE_STRONGEST, SS_STATS_SAMPLE_FIRING_DESCRIBE},
    {SS_STATS_SAMPLE_TOP, SS_STATS_SAMPLE_FIRING_SCORE, SS_STATS_SAMPLE_FIRING_SCORE}};
static const size_t n_kinds[SS_STATS_N_HALVES] = {3, 2};

/* A text of the score half is never among the strongest, so that nothing it is scored on was
 * seen by whoever describes. */
static ss_status add_row(struct ss_stats_evidence *evidence,
                         const struct ss_stats_arrival *text, ss_err *err)
{
    const int half = ss_stats_key_half(text->key);
    struct adding adding = {.text = text, .count = 1, .slot = SS_STATS_NO_TEXT};
    struct ss_stats_candidate candidate = {.key = text->key,
                                           .variant = text->variant,
                                           .position = text->position,
                                           .slot = SS_STATS_NO_TEXT};
    SS_RETURN_IF_ERROR(start(evidence, &adding, err));
    SS_RETURN_IF_ERROR(add_to_pool(evidence, &adding, err));
    for (size_t i = 0; i < text->n_active; i++) {
        candidate.feature = text->features[i];
        candidate.activation = text->activations[i];
        evidence->n_active[2 * candidate.feature + (size_t)half]++;
        for (size_t j = 0; j < n_kinds[half]; j++) {
            SS_RETURN_IF_ERROR(offer(evidence, &adding, kinds[half][j], &candidate, err));
        }
    }
    evidence->n_rows[half]++;
    end(evidence, &adding);
    return SS_OK;
}

/* The first 8 bytes, big-endian, of the SHA-256 of an embedding: what tells texts apart, and
 * orders them, that are equal and have unequal embeddings. */
static uint64_t variant_of(const float *embedding, size_t width)
{
    const struct ss_text bytes = {(const char *)embedding, width * sizeof *embedding};
    const struct ss_text none = {"", 0};
    uint8_t digest[SS__SHA256_BYTES];
    uint64_t variant = 0;
    ss__sha256_of(bytes, none, digest);
    for (size_t i = 0; i < 8; i++) {
        variant = variant << 8 | digest[i];
    }
    return variant;
}

/* Rows are taken one by one; what the file has too much is looked at once for all of them. */
ss_status ss_stats_evidence_add(struct ss_stats_evidence *evidence,
                                const struct ss_stats_evidence_rows *rows, ss_err *err)
{
    const struct ss_stats_evidence_options *options = &evidence->options;
    const struct ss_sparse *codes = rows->codes;
    static const struct ss_text none = {"", 0};
    for (size_t r = 0; r < codes->n_rows; r++) {
        const struct ss_text text = options->has_texts ? rows->texts[r] : none;
        const float *embedding = rows->embeddings + r * options->width;
        const size_t begin = codes->offsets[r];
        const struct ss_stats_arrival arrival = {
            .key = ss_stats_key_of(options->seed, text, rows->numbers[r]),
            .variant = options->tells_embeddings ? variant_of(embedding, options->width) : 0,
            .position = rows->positions[r],
            .text = text,
            .kept = rows->kept == NULL ? none : rows->kept[r],
            .n_active = codes->offsets[r + 1] - begin,
            .features = codes->features + begin,
            .activations = codes->values + begin,
            .embedding = embedding,
        };
        SS_RETURN_IF_ERROR(add_row(evidence, &arrival, err));
    }
    return ss_stats_held_compact(&evidence->texts, err);
}

/* ---- merging ---- */

/* Everything that decides what is sampled: parts that differ in it are of different
 * analyses. */
static bool has_same_sizes(const struct ss_stats_evidence_options *a,
                           const struct ss_stats_evidence_options *b)
{
    return a->n_features == b->n_features && a->width == b->width && a->seed == b->seed &&
           a->keep_duplicates == b->keep_duplicates &&
           a->tells_embeddings == b->tells_embeddings && a->has_texts == b->has_texts &&
           memcmp(&a->sizes.n_samples, &b->sizes.n_samples, sizeof a->sizes.n_samples) == 0 &&
           a->sizes.n_pool == b->sizes.n_pool;
}

/* The texts of `other` as they arrive here: they are all held until the end, so that none is
 * let go of and comes back with half of its count. */
struct merging {
    struct ss_stats_evidence *into;
    const struct ss_stats_evidence *from;
    struct ss__buf memory;
    uint32_t *slots; /* [from->texts.n_slots] of `into` */
};

/* Bring a text of the other part into this one, once; where it is there already, its count is
 * added. */
static ss_status meet(struct merging *merging, uint32_t slot, bool may_add, ss_err *err)
{
    const struct ss_stats_held *held = &merging->from->texts.slots[slot];
    struct ss_stats_arrival text;
    struct adding adding = {.text = &text, .count = held->count, .slot = merging->slots[slot]};
    const bool is_known =
        adding.slot != SS_STATS_NO_TEXT ||
        ss_stats_held_find(&merging->into->texts, held->key, held->variant) != SS_STATS_NO_TEXT;
    if (adding.slot != SS_STATS_NO_TEXT || (!is_known && !may_add)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_stats_held_read(&merging->from->texts, slot, &merging->memory, &text, err));
    SS_RETURN_IF_ERROR(start(merging->into, &adding, err));
    SS_RETURN_IF_ERROR(need_slot(merging->into, &adding, err));
    merging->slots[slot] = adding.slot;
    return SS_OK;
}

static ss_status merge_pools(struct merging *merging, ss_err *err)
{
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        const struct ss_stats_pool *pool = &merging->from->pools[half];
        for (size_t i = 0; i < pool->n; i++) {
            const struct ss_stats_held *held = &merging->from->texts.slots[pool->slots[i]];
            const struct ss_stats_arrival text = {.key = held->key, .variant = held->variant};
            if (pool_wants(merging->into, &merging->into->pools[half], &text)) {
                SS_RETURN_IF_ERROR(meet(merging, pool->slots[i], true, err));
                struct adding adding = {.text = &text, .slot = merging->slots[pool->slots[i]]};
                SS_RETURN_IF_ERROR(add_to_pool(merging->into, &adding, err));
            }
        }
    }
    return SS_OK;
}

/* Entries of the other list are candidates here as rows are. */
static ss_status merge_list(struct merging *merging, ss_stats_sample_kind kind, size_t feature,
                            ss_err *err)
{
    const struct ss_stats_lists *lists = &merging->from->lists[kind];
    for (size_t i = 0; i < lists->n[feature]; i++) {
        const size_t at = feature * lists->k + i;
        const uint32_t slot = lists->entries[at].slot;
        const struct ss_stats_held *held = &merging->from->texts.slots[slot];
        struct ss_stats_candidate candidate = {.feature = feature,
                                               .key = held->key,
                                               .variant = held->variant,
                                               .activation = lists->entries[at].activation,
                                               .slot = SS_STATS_NO_TEXT};
        if (lists->positions != NULL) {
            candidate.position = lists->positions[at];
        }
        if (ss_stats_lists_may_enter(&merging->into->lists[kind], merging->into->texts.slots,
                                     &candidate)) {
            SS_RETURN_IF_ERROR(meet(merging, slot, true, err));
            struct adding adding = {.slot = merging->slots[slot]};
            SS_RETURN_IF_ERROR(offer(merging->into, &adding, kind, &candidate, err));
        }
    }
    return SS_OK;
}

static ss_status merge_texts(struct merging *merging, ss_err *err)
{
    const struct ss_stats_evidence *from = merging->from;
    for (size_t i = 0; i < from->texts.n_slots; i++) { /* counts of those that both have */
        if (from->texts.slots[i].n_lists > 0) {
            SS_RETURN_IF_ERROR(meet(merging, (uint32_t)i, false, err));
        }
    }
    SS_RETURN_IF_ERROR(merge_pools(merging, err));
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        for (size_t f = 0; f < from->options.n_features; f++) {
            SS_RETURN_IF_ERROR(merge_list(merging, (ss_stats_sample_kind)kind, f, err));
        }
    }
    return SS_OK;
}

ss_status ss_stats_evidence_merge(struct ss_stats_evidence *evidence,
                                  const struct ss_stats_evidence *other, ss_err *err)
{
    ss_status status = SS_OK;
    struct merging merging = {.into = evidence, .from = other};
    if (!has_same_sizes(&evidence->options, &other->options)) {
        SS_FAIL(SS_E_SHAPE, "evidence that was gathered with other options cannot be merged");
    }
    SS_ALLOC(merging.slots, other->texts.n_slots);
    for (size_t i = 0; i < other->texts.n_slots; i++) {
        merging.slots[i] = SS_STATS_NO_TEXT;
    }
    SS_TRY(merge_texts(&merging, err));
    for (size_t i = 0; i < other->texts.n_slots; i++) {
        if (merging.slots[i] != SS_STATS_NO_TEXT) {
            let_go(evidence, merging.slots[i]);
        }
    }
    for (size_t i = 0; i < 2 * evidence->options.n_features; i++) {
        evidence->n_active[i] += other->n_active[i];
    }
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        evidence->n_rows[half] += other->n_rows[half];
    }
    SS_TRY(ss_stats_held_compact(&evidence->texts, err));
out:
    ss__buf_release(&merging.memory);
    ss__free(merging.slots);
    return status;
}
