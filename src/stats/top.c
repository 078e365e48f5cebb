/* The texts with the k largest activations of every feature.
 *
 * A feature's list is a binary min-heap: the root is the entry that the next one replaces.
 * `thresholds` holds the root's activation once the list is full, so that nearly every fire
 * costs one comparison. A list in ascending order is a min-heap as well, so that rows may be
 * added after finishing. */
#include <math.h>

#include "base/mem.h"
#include "stats/top_priv.h"

ss_status ss_stats_top_new(size_t n_features, size_t k, bool keep_duplicates,
                           struct ss_stats_top **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_top *top = NULL;
    size_t n_entries = 0;
    *out = NULL;
    if (!ss__mul(n_features, k, &n_entries) || n_entries >= UINT32_MAX) {
        status = ss__fail(err, SS_E_USAGE,
                          "`top_k`: %zu top texts for each of %zu features are too many; "
                          "at most %zu",
                          k, n_features, (UINT32_MAX - 1) / n_features);
        ss__err_about(err, "top_k");
        goto out;
    }
    SS_ALLOC(top, 1);
    top->n_features = n_features;
    top->k = k;
    top->keep_duplicates = keep_duplicates;
    SS_ALLOC(top->entries, n_entries);
    SS_ALLOC(top->n_entries, n_features);
    SS_ALLOC(top->thresholds, n_features);
    for (size_t f = 0; f < n_features; f++) {
        top->thresholds[f] = k == 0 ? INFINITY : 0.0F;
    }
    *out = top;
    top = NULL;
out:
    ss_stats_top_free(top);
    return status;
}

static void swap(struct ss_stats_top_entry *a, struct ss_stats_top_entry *b)
{
    const struct ss_stats_top_entry kept = *a;
    *a = *b;
    *b = kept;
}

/* Restore the heap below entry i, which may rank too high. */
static void sift_down(struct ss_stats_top_entry *heap, size_t n, size_t i)
{
    for (;;) {
        const size_t left = 2 * i + 1;
        size_t least = i;
        if (left < n && ss_stats_top_ranks_below(&heap[left], &heap[least])) {
            least = left;
        }
        if (left + 1 < n && ss_stats_top_ranks_below(&heap[left + 1], &heap[least])) {
            least = left + 1;
        }
        if (least == i) {
            return;
        }
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

/* Restore the heap above entry i, which may rank too low. */
static void sift_up(struct ss_stats_top_entry *heap, size_t i)
{
    while (i > 0 && ss_stats_top_ranks_below(&heap[i], &heap[(i - 1) / 2])) {
        swap(&heap[i], &heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

/* Texts are interned, so equal ones have equal ids; k is small. */
static size_t find_text(const struct ss_stats_top_entry *heap, size_t n, uint32_t text)
{
    size_t i = 0;
    while (i < n && heap[i].text != text) {
        i++;
    }
    return i;
}

static void retain_note(struct ss_stats_top *top, const struct ss_stats_top_entry *entry)
{
    if (entry->note != SS_STATS_TEXT_NONE) {
        ss_stats_texts_retain(&top->notes, entry->note);
    }
}

static void release_note(struct ss_stats_top *top, const struct ss_stats_top_entry *entry)
{
    if (entry->note != SS_STATS_TEXT_NONE) {
        ss_stats_texts_unref(&top->notes, entry->note);
    }
}

/* Put an entry into a feature's list if it belongs there; the list then refers to its text. */
static void insert(struct ss_stats_top *top, size_t feature, struct ss_stats_top_entry entry)
{
    struct ss_stats_top_entry *heap = top->entries + feature * top->k;
    uint32_t *n = &top->n_entries[feature];
    const size_t same = top->keep_duplicates ? *n : find_text(heap, *n, entry.text);
    if (same < *n) {
        if (ss_stats_top_ranks_below(&heap[same], &entry)) {
            retain_note(top, &entry);
            release_note(top, &heap[same]);
            heap[same] = entry;
            sift_down(heap, *n, same);
        }
    } else if (*n < top->k) {
        ss_stats_texts_retain(&top->texts, entry.text);
        retain_note(top, &entry);
        heap[*n] = entry;
        sift_up(heap, (*n)++);
    } else if (ss_stats_top_ranks_below(&heap[0], &entry)) {
        ss_stats_texts_retain(&top->texts, entry.text);
        ss_stats_texts_unref(&top->texts, heap[0].text);
        retain_note(top, &entry);
        release_note(top, &heap[0]);
        heap[0] = entry;
        sift_down(heap, *n, 0);
    }
    if (*n == top->k) {
        top->thresholds[feature] = heap[0].activation;
    }
}

/* Whether an activation of a row could enter a list, as far as that is cheap to know. */
static bool may_enter(const struct ss_stats_top *top, size_t feature, float activation,
                      uint64_t row)
{
    if (activation < top->thresholds[feature]) {
        return false;
    }
    const struct ss_stats_top_entry entry = {.row = row, .activation = activation};
    return top->n_entries[feature] < top->k ||
           ss_stats_top_ranks_below(&top->entries[feature * top->k], &entry);
}

/* A row's text is interned when the first list may take it, and let go of at the end of the
 * row: lists that took it hold it by references of their own. */
ss_status ss_stats_top_add(struct ss_stats_top *top, const struct ss_sparse *rows,
                           const struct ss_stats_row_texts *texts, ss_err *err)
{
    for (size_t r = 0; r < rows->n_rows; r++) {
        uint32_t text = SS_STATS_TEXT_NONE, note = SS_STATS_TEXT_NONE;
        const uint64_t row = texts->row_ids[r];
        for (size_t i = rows->offsets[r]; i < rows->offsets[r + 1]; i++) {
            const uint32_t feature = rows->features[i];
            const float activation = rows->values[i];
            if (!may_enter(top, feature, activation, row)) {
                continue;
            }
            if (text == SS_STATS_TEXT_NONE) {
                SS_RETURN_IF_ERROR(
                    ss_stats_texts_intern(&top->texts, texts->texts[r], &text, err));
                if (texts->notes != NULL) {
                    SS_RETURN_IF_ERROR(
                        ss_stats_texts_intern(&top->notes, texts->notes[r], &note, err));
                }
            }
            insert(top, feature, (struct ss_stats_top_entry){row, activation, text, note});
        }
        if (text != SS_STATS_TEXT_NONE) {
            ss_stats_texts_unref(&top->texts, text);
        }
        if (note != SS_STATS_TEXT_NONE) {
            ss_stats_texts_unref(&top->notes, note);
        }
    }
    return SS_OK;
}

/* Ids are of one table of texts only, so texts are interned again here. */
ss_status ss_stats_top_merge(struct ss_stats_top *top, const struct ss_stats_top *later,
                             ss_err *err)
{
    if (top->n_features != later->n_features || top->k != later->k ||
        top->keep_duplicates != later->keep_duplicates) {
        return ss__fail(err, SS_E_SHAPE,
                        "top texts of %zu features by %zu and of %zu by %zu cannot be merged",
                        top->n_features, top->k, later->n_features, later->k);
    }
    for (size_t f = 0; f < later->n_features; f++) {
        for (size_t i = 0; i < later->n_entries[f]; i++) {
            struct ss_stats_top_entry entry = later->entries[f * later->k + i];
            if (!may_enter(top, f, entry.activation, entry.row)) {
                continue;
            }
            const struct ss_text text = ss_stats_texts_get(&later->texts, entry.text);
            if (entry.note != SS_STATS_TEXT_NONE) {
                const struct ss_text note = ss_stats_texts_get(&later->notes, entry.note);
                SS_RETURN_IF_ERROR(ss_stats_texts_intern(&top->notes, note, &entry.note, err));
            }
            SS_RETURN_IF_ERROR(ss_stats_texts_intern(&top->texts, text, &entry.text, err));
            insert(top, f, entry);
            ss_stats_texts_unref(&top->texts, entry.text);
            release_note(top, &entry);
        }
    }
    return SS_OK;
}

size_t ss_stats_top_n_features(const struct ss_stats_top *top)
{
    return top->n_features;
}

size_t ss_stats_top_k(const struct ss_stats_top *top)
{
    return top->k;
}

bool ss_stats_top_keeps_duplicates(const struct ss_stats_top *top)
{
    return top->keep_duplicates;
}

size_t ss_stats_top_n(const struct ss_stats_top *top, size_t feature)
{
    return top->n_entries[feature];
}

/* Heap sort into descending order, then reversed. */
static void sort_list(struct ss_stats_top_entry *heap, size_t n)
{
    for (size_t left = n; left > 1; left--) {
        swap(&heap[0], &heap[left - 1]);
        sift_down(heap, left - 1, 0);
    }
    for (size_t i = 0; i < n / 2; i++) {
        swap(&heap[i], &heap[n - 1 - i]);
    }
}

void ss_stats_top_finish(struct ss_stats_top *top)
{
    for (size_t f = 0; f < top->n_features; f++) {
        sort_list(top->entries + f * top->k, top->n_entries[f]);
    }
}

struct ss_top_text ss_stats_top_at(const struct ss_stats_top *top, size_t feature, size_t rank)
{
    const size_t index = top->n_entries[feature] - 1 - rank;
    const struct ss_stats_top_entry *entry = &top->entries[feature * top->k + index];
    return (struct ss_top_text){.struct_size = sizeof(struct ss_top_text),
                                .activation = entry->activation,
                                .row = entry->row,
                                .text = ss_stats_texts_get(&top->texts, entry->text),
                                .kept = entry->note == SS_STATS_TEXT_NONE
                                            ? (struct ss_text){"", 0}
                                            : ss_stats_texts_get(&top->notes, entry->note)};
}

uint64_t ss_stats_top_text_bytes(const struct ss_stats_top *top)
{
    return top->texts.n_bytes;
}

void ss_stats_top_free(struct ss_stats_top *top)
{
    if (top == NULL) {
        return;
    }
    ss__free(top->entries);
    ss__free(top->n_entries);
    ss__free(top->thresholds);
    ss_stats_texts_release(&top->texts);
    ss_stats_texts_release(&top->notes);
    ss__free(top);
}
