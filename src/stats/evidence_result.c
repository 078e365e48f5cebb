/* What was gathered, brought into its order and looked at: texts by half and key, lists best
 * first. Lists stay heaps in memory, worst first, so that a part that was finished can be
 * merged into. */
#include <stdlib.h>

#include "base/sort.h"
#include "stats/evidence_priv.h"

/* ---- finishing ---- */

/* Texts in lists that depend on texts alone: whoever is in one at the end was in it from its
 * first row on, in every part that has the text. Top lists decide by rows where activations are
 * equal. */
static void mark_counted(struct ss_stats_evidence *evidence)
{
    struct ss_stats_held *slots = evidence->texts.slots;
    for (size_t i = 0; i < evidence->texts.n_slots; i++) {
        slots[i].is_counted = slots[i].is_in_pool;
    }
    for (size_t kind = SS_STATS_SAMPLE_STRONGEST; kind < SS_STATS_N_GATHERED; kind++) {
        const struct ss_stats_lists *lists = &evidence->lists[kind];
        for (size_t f = 0; f < evidence->options.n_features; f++) {
            for (size_t i = 0; i < lists->n[f]; i++) {
                slots[lists->entries[f * lists->k + i].slot].is_counted = true;
            }
        }
    }
}

/* A slot with what it is sorted by. */
struct sorted {
    const struct ss_stats_held *held;
    uint32_t slot;
};

static int compare(const void *a, const void *b)
{
    return ss_stats_held_compare(((const struct sorted *)a)->held,
                                 ((const struct sorted *)b)->held);
}

/* Slots are numbered by when a text came; what is given out and saved is numbered by order
 * instead. */
static ss_status sort_texts(struct ss_stats_evidence *evidence, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_stats_held_texts *texts = &evidence->texts;
    struct sorted *sorted = NULL;
    size_t n = 0;
    ss__free(evidence->order);
    ss__free(evidence->index_of);
    evidence->order = evidence->index_of = NULL;
    SS_ALLOC(evidence->order, texts->n_held);
    SS_ALLOC(evidence->index_of, texts->n_slots);
    SS_ALLOC(sorted, texts->n_held);
    for (size_t i = 0; i < texts->n_slots; i++) {
        if (texts->slots[i].n_lists > 0) {
            sorted[n++] = (struct sorted){&texts->slots[i], (uint32_t)i};
        }
    }
    ss__sort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 0; i < n; i++) {
        evidence->order[i] = sorted[i].slot;
        evidence->index_of[sorted[i].slot] = (uint32_t)i;
    }
out:
    ss__free(sorted);
    return status;
}

ss_status ss_stats_evidence_finish(struct ss_stats_evidence *evidence, ss_err *err)
{
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        ss_stats_lists_sort(&evidence->lists[kind], evidence->options.n_features,
                            evidence->texts.slots);
    }
    mark_counted(evidence);
    return sort_texts(evidence, err);
}

/* ---- looking ---- */

const struct ss_stats_evidence_options *
ss_stats_evidence_options(const struct ss_stats_evidence *evidence)
{
    return &evidence->options;
}

size_t ss_stats_evidence_n_texts(const struct ss_stats_evidence *evidence)
{
    return evidence->texts.n_held;
}

void ss_stats_evidence_halves(const struct ss_stats_evidence *evidence,
                              size_t first[SS_STATS_N_HALVES + 1],
                              size_t n_pool[SS_STATS_N_HALVES])
{
    const size_t n = evidence->texts.n_held;
    size_t n_describe = 0;
    while (n_describe < n &&
           ss_stats_key_half(evidence->texts.slots[evidence->order[n_describe]].key) ==
               SS_STATS_DESCRIBE) {
        n_describe++;
    }
    first[SS_STATS_DESCRIBE] = 0;
    first[SS_STATS_SCORE] = n_describe;
    first[SS_STATS_N_HALVES] = n;
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        n_pool[half] = evidence->pools[half].n;
    }
}

ss_status ss_stats_evidence_text(const struct ss_stats_evidence *evidence, size_t index,
                                 struct ss__buf *memory, struct ss_stats_evidence_text *out,
                                 ss_err *err)
{
    const uint32_t slot = evidence->order[index];
    const struct ss_stats_held *held = &evidence->texts.slots[slot];
    struct ss_stats_arrival text;
    SS_RETURN_IF_ERROR(ss_stats_held_read(&evidence->texts, slot, memory, &text, err));
    *out = (struct ss_stats_evidence_text){
        .key = text.key,
        .position = text.position,
        .count = held->is_counted ? held->count : 0,
        .is_in_pool = held->is_in_pool,
        .text = text.text,
        .kept = text.kept,
        .n_active = text.n_active,
        .features = text.features,
        .activations = text.activations,
        .embedding = text.embedding,
    };
    return SS_OK;
}

size_t ss_stats_evidence_n_samples(const struct ss_stats_evidence *evidence, size_t feature,
                                   ss_stats_sample_kind kind)
{
    return evidence->lists[kind].n[feature];
}

struct ss_stats_sample ss_stats_evidence_sample(const struct ss_stats_evidence *evidence,
                                                size_t feature, ss_stats_sample_kind kind,
                                                size_t rank)
{
    const struct ss_stats_lists *lists = &evidence->lists[kind];
    const struct ss_stats_entry *entry =
        &lists->entries[feature * lists->k + lists->n[feature] - 1 - rank];
    return (struct ss_stats_sample){evidence->index_of[entry->slot], entry->activation};
}

uint64_t ss_stats_evidence_n_rows(const struct ss_stats_evidence *evidence, int half)
{
    return evidence->n_rows[half];
}

uint64_t ss_stats_evidence_n_active(const struct ss_stats_evidence *evidence, size_t feature,
                                    int half)
{
    return evidence->n_active[2 * feature + (size_t)half];
}
