/* Lists of top texts as bytes: what a part of a run hands on.
 *
 *   "SSTOPS01", u64 features F, u64 k, u64 1 where equal texts may stand in a list more than
 *   once, else 0, u64 entries E, u64 texts T, u64 notes N
 *   u32 [F]     entries of each feature's list
 *   of the entries, by feature, best first: u64 [E] row, f32 [E] activation, u32 [E] text,
 *   u32 [E] note, 2^32 - 1 for none
 *   u64 [T]     where each text ends, u64 [N] the same of notes
 *   the texts, the notes
 *
 * Texts are numbered by first use, so that equal lists have equal bytes. Reading trusts
 * nothing. */
#include <math.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "stats/state_bytes.h"
#include "stats/top_priv.h"

struct head {
    char magic[8];
    uint64_t n_features, k, keeps_duplicates, n_entries, n_texts, n_notes;
};

static const char magic[8] = {'S', 'S', 'T', 'O', 'P', 'S', '0', '1'};

/* ---- saving ---- */

/* New numbers for the texts, or the notes, that lists refer to. */
struct numbering {
    uint32_t *number_of; /* [n_slots] SS_STATS_TEXT_NONE: none yet */
    uint32_t *slots;     /* [n] by number */
    size_t n;
};

static ss_status numbering_init(struct numbering *numbering, const struct ss_stats_texts *texts,
                                ss_err *err)
{
    SS_ALLOC_OR_RETURN(numbering->number_of, texts->n_slots);
    SS_ALLOC_OR_RETURN(numbering->slots, texts->n_slots);
    for (size_t i = 0; i < texts->n_slots; i++) {
        numbering->number_of[i] = SS_STATS_TEXT_NONE;
    }
    return SS_OK;
}

static uint32_t number_of(struct numbering *numbering, uint32_t slot)
{
    if (slot == SS_STATS_TEXT_NONE) {
        return slot;
    }
    if (numbering->number_of[slot] == SS_STATS_TEXT_NONE) {
        numbering->number_of[slot] = (uint32_t)numbering->n;
        numbering->slots[numbering->n++] = slot;
    }
    return numbering->number_of[slot];
}

static ss_status put_ends(const struct ss_stats_sink *sink, const struct numbering *numbering,
                          const struct ss_stats_texts *texts, struct ss__buf *array,
                          ss_err *err)
{
    uint64_t end = 0;
    array->n_bytes = 0;
    for (size_t i = 0; i < numbering->n; i++) {
        end += ss_stats_texts_get(texts, numbering->slots[i]).n_bytes;
        ss__buf_add(array, &end, sizeof end);
    }
    SS_RETURN_IF_ERROR(ss__buf_check(array, err));
    return ss_stats_sink_put(sink, array->data, array->n_bytes, err);
}

static ss_status put_texts(const struct ss_stats_sink *sink, const struct numbering *numbering,
                           const struct ss_stats_texts *texts, ss_err *err)
{
    static const char zeros[8];
    size_t n_bytes = 0;
    for (size_t i = 0; i < numbering->n; i++) {
        const struct ss_text text = ss_stats_texts_get(texts, numbering->slots[i]);
        SS_RETURN_IF_ERROR(sink->write(sink->user, text.data, text.n_bytes, err));
        n_bytes += text.n_bytes;
    }
    return sink->write(sink->user, zeros, -n_bytes & 7, err);
}

/* The columns of all entries, in the order of the form. */
enum column { ROW, ACTIVATION, TEXT, NOTE, N_COLUMNS };
static const size_t column_bytes[N_COLUMNS] = {8, 4, 4, 4};

struct saving {
    const struct ss_stats_top *top;
    struct ss_stats_sink sink;
    struct numbering texts, notes;
    struct ss__buf columns[N_COLUMNS], ends;
    size_t n_entries;
};

static ss_status gather_columns(struct saving *saving, ss_err *err)
{
    const struct ss_stats_top *top = saving->top;
    for (size_t f = 0; f < top->n_features; f++) {
        for (size_t i = top->n_entries[f]; i > 0; i--) { /* the worst one is first in memory */
            const struct ss_stats_top_entry *entry = &top->entries[f * top->k + i - 1];
            const uint32_t text = number_of(&saving->texts, entry->text);
            const uint32_t note = number_of(&saving->notes, entry->note);
            ss__buf_add(&saving->columns[ROW], &entry->row, 8);
            ss__buf_add(&saving->columns[ACTIVATION], &entry->activation, 4);
            ss__buf_add(&saving->columns[TEXT], &text, 4);
            ss__buf_add(&saving->columns[NOTE], &note, 4);
            saving->n_entries++;
        }
    }
    for (size_t i = 0; i < N_COLUMNS; i++) {
        SS_RETURN_IF_ERROR(ss__buf_check(&saving->columns[i], err));
    }
    return SS_OK;
}

static ss_status put_all(struct saving *saving, ss_err *err)
{
    const struct ss_stats_top *top = saving->top;
    const struct ss_stats_sink *sink = &saving->sink;
    struct head head = {.n_features = top->n_features,
                        .k = top->k,
                        .keeps_duplicates = top->keep_duplicates,
                        .n_entries = saving->n_entries,
                        .n_texts = saving->texts.n,
                        .n_notes = saving->notes.n};
    memcpy(head.magic, magic, sizeof magic);
    SS_RETURN_IF_ERROR(ss_stats_sink_put(sink, &head, sizeof head, err));
    SS_RETURN_IF_ERROR(
        ss_stats_sink_put(sink, top->n_entries, top->n_features * sizeof *top->n_entries, err));
    for (size_t i = 0; i < N_COLUMNS; i++) {
        SS_RETURN_IF_ERROR(
            ss_stats_sink_put(sink, saving->columns[i].data, saving->columns[i].n_bytes, err));
    }
    SS_RETURN_IF_ERROR(put_ends(sink, &saving->texts, &top->texts, &saving->ends, err));
    SS_RETURN_IF_ERROR(put_ends(sink, &saving->notes, &top->notes, &saving->ends, err));
    SS_RETURN_IF_ERROR(put_texts(sink, &saving->texts, &top->texts, err));
    return put_texts(sink, &saving->notes, &top->notes, err);
}

ss_status ss_stats_top_save(const struct ss_stats_top *top,
                            ss_status (*write)(void *user, const void *data, size_t n_bytes,
                                               ss_err *err),
                            void *user, ss_err *err)
{
    ss_status status = SS_OK;
    struct saving saving = {.top = top, .sink = {write, user}};
    SS_TRY(numbering_init(&saving.texts, &top->texts, err));
    SS_TRY(numbering_init(&saving.notes, &top->notes, err));
    SS_TRY(gather_columns(&saving, err));
    SS_TRY(put_all(&saving, err));
out:
    for (size_t i = 0; i < N_COLUMNS; i++) {
        ss__buf_release(&saving.columns[i]);
    }
    ss__buf_release(&saving.ends);
    ss__free(saving.texts.number_of);
    ss__free(saving.texts.slots);
    ss__free(saving.notes.number_of);
    ss__free(saving.notes.slots);
    return status;
}

/* ---- loading ---- */

struct loading {
    const char *name;
    struct ss_stats_source source;
    struct head head;
    const uint8_t *counts, *columns[N_COLUMNS], *text_ends, *note_ends;
    struct ss_stats_top *top;
};

static ss_status fail_state(const struct loading *loading, const char *what, ss_err *err)
{
    return ss__fail_file(err, loading->name, SS_E_DATA,
                         "%s: this is not the state of top texts, or it is damaged", what);
}

static ss_status load_head(struct loading *loading, ss_err *err)
{
    struct ss_stats_source *source = &loading->source;
    struct head *head = &loading->head;
    const uint8_t *begin = ss_stats_source_next(source, 1, sizeof *head);
    if (begin != NULL) {
        memcpy(head, begin, sizeof *head);
    }
    uint64_t most = 0; /* lists are not much longer than what is in them may be */
    const uint64_t n_bytes = (uint64_t)(source->end - source->at);
    if (memcmp(head->magic, magic, sizeof magic) != 0 || head->keeps_duplicates > 1 ||
        !ss__mul_u64(head->n_features, head->k, &most) || most / 512 > n_bytes ||
        head->n_features > n_bytes / 4 || head->n_entries > most) {
        return fail_state(loading, "its head", err);
    }
    bool fits = true;
    loading->counts = ss_stats_source_next(source, head->n_features, 4);
    for (size_t i = 0; i < N_COLUMNS; i++) {
        loading->columns[i] = ss_stats_source_next(source, head->n_entries, column_bytes[i]);
        fits = fits && loading->columns[i] != NULL;
    }
    loading->text_ends = ss_stats_source_next(source, head->n_texts, 8);
    loading->note_ends = ss_stats_source_next(source, head->n_notes, 8);
    if (loading->counts == NULL || !fits || loading->text_ends == NULL ||
        loading->note_ends == NULL) {
        return fail_state(loading, "its arrays", err);
    }
    return ss_stats_top_new((size_t)head->n_features, (size_t)head->k,
                            head->keeps_duplicates == 1, &loading->top, err);
}

/* Texts go into slots of their numbers, each with a reference of ours. */
static ss_status load_texts(struct loading *loading, const uint8_t *ends, uint64_t n,
                            struct ss_stats_texts *texts, ss_err *err)
{
    const uint64_t n_bytes = n == 0 ? 0 : ss_stats_number_at(ends, (size_t)n - 1, 8);
    const char *data = (const char *)ss_stats_source_next(&loading->source, n_bytes, 1);
    uint64_t begin = 0;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t end = ss_stats_number_at(ends, (size_t)i, 8);
        uint32_t id = 0;
        if (data == NULL || end < begin || end > n_bytes) {
            return fail_state(loading, "its texts", err);
        }
        const struct ss_text text = {data + begin, (size_t)(end - begin)};
        SS_RETURN_IF_ERROR(ss_stats_texts_intern(texts, text, &id, err));
        if (id != i || ss__utf8_valid_prefix(text.data, text.n_bytes) != text.n_bytes) {
            return fail_state(loading, "a text is there twice, or is not UTF-8", err);
        }
        begin = end;
    }
    return data == NULL ? fail_state(loading, "its texts", err) : SS_OK;
}

static struct ss_stats_top_entry entry_at(const struct loading *loading, size_t i)
{
    struct ss_stats_top_entry entry = {
        .row = ss_stats_number_at(loading->columns[ROW], i, 8),
        .text = (uint32_t)ss_stats_number_at(loading->columns[TEXT], i, 4),
        .note = (uint32_t)ss_stats_number_at(loading->columns[NOTE], i, 4)};
    memcpy(&entry.activation, loading->columns[ACTIVATION] + 4 * i, 4);
    return entry;
}

/* Whether a number is the next one, or one that was used before. */
static bool is_next(uint32_t number, uint64_t *n_used)
{
    const bool is_new = number == *n_used;
    *n_used += is_new;
    return is_new || number < *n_used;
}

/* One feature's list, which is in order and has a text once. */
static bool load_list(struct loading *loading, size_t feature, size_t first, uint64_t n_used[2])
{
    struct ss_stats_top *top = loading->top;
    const size_t n = top->n_entries[feature];
    struct ss_stats_top_entry *list = top->entries + feature * top->k;
    for (size_t i = 0; i < n; i++) {
        const struct ss_stats_top_entry entry = entry_at(loading, first + i);
        struct ss_stats_top_entry *place = &list[n - 1 - i];
        bool fits = entry.activation > 0 && isfinite(entry.activation) &&
                    is_next(entry.text, &n_used[0]) && entry.text < loading->head.n_texts &&
                    (i == 0 || ss_stats_top_ranks_below(&entry, place + 1));
        if (entry.note != SS_STATS_TEXT_NONE) {
            fits =
                fits && is_next(entry.note, &n_used[1]) && entry.note < loading->head.n_notes;
        }
        for (size_t j = 0; fits && !top->keep_duplicates && j < i; j++) {
            fits = list[n - 1 - j].text != entry.text;
        }
        if (!fits) {
            return false;
        }
        *place = entry;
    }
    return true;
}

/* Lists take their references; those of load_texts are given up. */
static void take_references(struct ss_stats_top *top)
{
    for (size_t f = 0; f < top->n_features; f++) {
        const struct ss_stats_top_entry *list = top->entries + f * top->k;
        for (size_t i = 0; i < top->n_entries[f]; i++) {
            ss_stats_texts_retain(&top->texts, list[i].text);
            if (list[i].note != SS_STATS_TEXT_NONE) {
                ss_stats_texts_retain(&top->notes, list[i].note);
            }
        }
        if (top->n_entries[f] == top->k && top->k > 0) {
            top->thresholds[f] = list[0].activation;
        }
    }
    for (size_t i = top->texts.n_slots; i > 0; i--) {
        ss_stats_texts_unref(&top->texts, (uint32_t)i - 1);
    }
    for (size_t i = top->notes.n_slots; i > 0; i--) {
        ss_stats_texts_unref(&top->notes, (uint32_t)i - 1);
    }
}

static ss_status load_lists(struct loading *loading, ss_err *err)
{
    struct ss_stats_top *top = loading->top;
    uint64_t first = 0, n_used[2] = {0, 0};
    for (size_t f = 0; f < top->n_features; f++) {
        const uint64_t n = ss_stats_number_at(loading->counts, f, 4);
        if (n > top->k || n > loading->head.n_entries - first) {
            return fail_state(loading, "the lengths of its lists", err);
        }
        top->n_entries[f] = (uint32_t)n;
        if (!load_list(loading, f, (size_t)first, n_used)) {
            return fail_state(loading, "its lists", err);
        }
        first += n;
    }
    return first == loading->head.n_entries && n_used[0] == loading->head.n_texts &&
                   n_used[1] == loading->head.n_notes &&
                   loading->source.at == loading->source.end
               ? SS_OK
               : fail_state(loading, "its end", err);
}

ss_status ss_stats_top_load(const void *data, size_t n_bytes, const char *name,
                            struct ss_stats_top **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct loading loading = {.name = name, .source = {data, (const uint8_t *)data + n_bytes}};
    *out = NULL;
    SS_TRY(load_head(&loading, err));
    SS_TRY(load_texts(&loading, loading.text_ends, loading.head.n_texts, &loading.top->texts,
                      err));
    SS_TRY(load_texts(&loading, loading.note_ends, loading.head.n_notes, &loading.top->notes,
                      err));
    SS_TRY(load_lists(&loading, err));
    take_references(loading.top);
    *out = loading.top;
    loading.top = NULL;
out:
    ss_stats_top_free(loading.top);
    return status;
}
