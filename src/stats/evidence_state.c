/* The state of the evidence, as bytes: what a part of a run hands on. Little-endian; every
 * array is filled up with zeros to a multiple of 8 bytes.
 *
 *   "SSEVID01"
 *   u64 × N_HEAD         struct head
 *   of T texts, by half, key, variant:
 *     u64 key, u64 rest, u64 variant, u64 count (0: not known), u64 row, u32 file,
 *     u32 bytes of the text, u32 bytes of the kept columns, u32 features that fire
 *   u64 [F, 2]           rows in which a feature fires, by half
 *   of each list that is gathered in the pass:
 *     u32 [F] places, then of all places, best first: u32 text, f32 activation; of top texts
 *     also u64 row, u32 file
 *   the records of the texts: features, activations, embedding, text, kept columns
 *
 * Equal evidence has equal bytes, however it came about. Reading trusts nothing: sizes are
 * checked against the bytes that are there before memory is asked for. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "stats/evidence_priv.h"
#include "stats/state_bytes.h"

static const char magic[8] = {'S', 'S', 'E', 'V', 'I', 'D', '0', '1'};

enum { FLAG_DUPLICATES = 1, FLAG_EMBEDDINGS = 2, FLAG_TEXTS = 4, ALL_FLAGS = 7 };

/* Whole numbers only, without gaps. */
struct head {
    uint64_t n_features, width, seed, flags, sample_pool;
    uint64_t n_samples[SS_STATS_N_SAMPLES];
    uint64_t n_texts, n_rows[SS_STATS_N_HALVES], n_pool[SS_STATS_N_HALVES];
    uint64_t n_places[SS_STATS_N_GATHERED];
};

/* ---- saving ---- */

struct saving {
    const struct ss_stats_evidence *evidence;
    struct ss_stats_sink sink;
    struct ss__buf array;
};

/* An array, filled up to 8 bytes, so that the next one can be read where it lies. */
static ss_status put_bytes(struct saving *saving, const void *data, size_t n_bytes, ss_err *err)
{
    return ss_stats_sink_put(&saving->sink, data, n_bytes, err);
}

static ss_status put_array(struct saving *saving, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss__buf_check(&saving->array, err));
    SS_RETURN_IF_ERROR(put_bytes(saving, saving->array.data, saving->array.n_bytes, err));
    saving->array.n_bytes = 0;
    return SS_OK;
}

static struct head head_of(const struct ss_stats_evidence *evidence)
{
    const struct ss_stats_evidence_options *options = &evidence->options;
    struct head head = {
        .n_features = options->n_features,
        .width = options->width,
        .seed = options->seed,
        .flags = (options->keep_duplicates ? FLAG_DUPLICATES : 0U) |
                 (options->tells_embeddings ? FLAG_EMBEDDINGS : 0U) |
                 (options->has_texts ? FLAG_TEXTS : 0U),
        .sample_pool = options->sizes.n_pool,
        .n_texts = evidence->texts.n_held,
    };
    for (size_t i = 0; i < SS_STATS_N_SAMPLES; i++) {
        head.n_samples[i] = options->sizes.n_samples[i];
    }
    for (size_t half = 0; half < SS_STATS_N_HALVES; half++) {
        head.n_rows[half] = evidence->n_rows[half];
        head.n_pool[half] = evidence->pools[half].n;
    }
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        for (size_t f = 0; f < options->n_features; f++) {
            head.n_places[kind] += evidence->lists[kind].n[f];
        }
    }
    return head;
}

/* The numbers of all texts, a column after the other. */
enum column { KEY, REST, VARIANT, COUNT, ROW, FILE_INDEX, N_TEXT, N_KEPT, N_ACTIVE, N_COLUMNS };

static size_t column_bytes(enum column column)
{
    return column < FILE_INDEX ? sizeof(uint64_t) : sizeof(uint32_t);
}

static uint64_t column_of(const struct ss_stats_held *held, enum column column)
{
    const uint64_t values[N_COLUMNS] = {
        held->key.key, held->key.rest, held->variant, held->is_counted ? held->count : 0,
        held->row,     held->file,     held->n_text,  held->n_kept,
        held->n_active};
    return values[column];
}

static ss_status put_texts(struct saving *saving, ss_err *err)
{
    const struct ss_stats_evidence *evidence = saving->evidence;
    for (int column = 0; column < N_COLUMNS; column++) {
        for (size_t i = 0; i < evidence->texts.n_held; i++) {
            const uint64_t value =
                column_of(&evidence->texts.slots[evidence->order[i]], (enum column)column);
            ss__buf_add(&saving->array, &value, column_bytes((enum column)column));
        }
        SS_RETURN_IF_ERROR(put_array(saving, err));
    }
    return SS_OK;
}

/* What the places of a list hold. */
enum part { PLACE_TEXT, PLACE_ACTIVATION, PLACE_ROW, PLACE_FILE, N_PARTS };

static ss_status put_part(struct saving *saving, const struct ss_stats_lists *lists,
                          enum part part, ss_err *err)
{
    const struct ss_stats_evidence *evidence = saving->evidence;
    for (size_t f = 0; f < evidence->options.n_features; f++) {
        for (size_t i = lists->n[f]; i > 0; i--) { /* the worst one is first in memory */
            const size_t at = f * lists->k + i - 1;
            const struct ss_stats_entry *entry = &lists->entries[at];
            if (part == PLACE_TEXT) {
                ss__buf_add(&saving->array, &evidence->index_of[entry->slot], 4);
            } else if (part == PLACE_ACTIVATION) {
                ss__buf_add(&saving->array, &entry->activation, 4);
            } else if (part == PLACE_ROW) {
                ss__buf_add(&saving->array, &lists->positions[at].row, 8);
            } else {
                ss__buf_add(&saving->array, &lists->positions[at].file, 4);
            }
        }
    }
    return put_array(saving, err);
}

static ss_status put_lists(struct saving *saving, const struct ss_stats_lists *lists,
                           ss_err *err)
{
    const size_t n_features = saving->evidence->options.n_features;
    const int n_parts = lists->positions == NULL ? PLACE_ROW : N_PARTS;
    SS_RETURN_IF_ERROR(put_bytes(saving, lists->n, n_features * sizeof *lists->n, err));
    for (int part = 0; part < n_parts; part++) {
        SS_RETURN_IF_ERROR(put_part(saving, lists, (enum part)part, err));
    }
    return SS_OK;
}

/* In the order of texts: what is written does not show when a text came. */
static ss_status put_records(struct saving *saving, ss_err *err)
{
    const struct ss_stats_evidence *evidence = saving->evidence;
    for (size_t i = 0; i < evidence->texts.n_held; i++) {
        struct ss_stats_arrival text;
        SS_RETURN_IF_ERROR(ss_stats_held_read(&evidence->texts, evidence->order[i],
                                              &saving->array, &text, err));
        SS_RETURN_IF_ERROR(put_array(saving, err));
    }
    return SS_OK;
}

ss_status ss_stats_evidence_save(const struct ss_stats_evidence *evidence,
                                 ss_status (*write)(void *user, const void *data,
                                                    size_t n_bytes, ss_err *err),
                                 void *user, ss_err *err)
{
    ss_status status = SS_OK;
    struct saving saving = {.evidence = evidence, .sink = {write, user}};
    const struct head head = head_of(evidence);
    SS_TRY(put_bytes(&saving, magic, sizeof magic, err));
    SS_TRY(put_bytes(&saving, &head, sizeof head, err));
    SS_TRY(put_texts(&saving, err));
    SS_TRY(put_bytes(&saving, evidence->n_active,
                     2 * evidence->options.n_features * sizeof *evidence->n_active, err));
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        SS_TRY(put_lists(&saving, &evidence->lists[kind], err));
    }
    SS_TRY(put_records(&saving, err));
out:
    ss__buf_release(&saving.array);
    return status;
}

/* ---- loading ---- */

struct loading {
    const char *name;
    struct ss_stats_source source;
    struct head head;
    struct ss_stats_evidence *evidence;
    const uint8_t *columns[N_COLUMNS];
};

static ss_status fail_state(const struct loading *loading, const char *what, ss_err *err)
{
    return ss__fail_file(err, loading->name, SS_E_DATA,
                         "%s: this is not the state of an analysis, or it is damaged", what);
}

static const uint8_t *next_array(struct loading *loading, uint64_t n, size_t size)
{
    return ss_stats_source_next(&loading->source, n, size);
}

static uint64_t number_at(const uint8_t *array, size_t i, size_t size)
{
    return ss_stats_number_at(array, i, size);
}

static uint64_t text_number(const struct loading *loading, enum column column, size_t i)
{
    return number_at(loading->columns[column], i, column_bytes(column));
}

/* Sizes are compared with the bytes that are there: each feature has 16 of counts, each text 56
 * of numbers. Lists may be longer than what is in them, but not by a factor that lets a small
 * file ask for much memory. */
static ss_status load_head(struct loading *loading, ss_err *err)
{
    struct head *head = &loading->head;
    const uint8_t *begin = next_array(loading, 1, sizeof magic);
    const uint8_t *numbers = begin == NULL ? NULL : next_array(loading, 1, sizeof *head);
    if (numbers == NULL || memcmp(begin, magic, sizeof magic) != 0) {
        return fail_state(loading, "its head", err);
    }
    memcpy(head, numbers, sizeof *head);
    struct ss_stats_evidence_options options = {
        .n_features = (size_t)head->n_features,
        .width = (size_t)head->width,
        .sizes = {.n_pool = head->sample_pool},
        .seed = head->seed,
        .keep_duplicates = (head->flags & FLAG_DUPLICATES) != 0,
        .tells_embeddings = (head->flags & FLAG_EMBEDDINGS) != 0,
        .has_texts = (head->flags & FLAG_TEXTS) != 0,
    };
    const uint64_t n_bytes = (uint64_t)(loading->source.end - loading->source.at);
    bool fits = head->flags <= ALL_FLAGS && head->n_features <= n_bytes / 16 &&
                head->n_texts <= n_bytes / 56 && head->width <= n_bytes / 4;
    for (size_t i = 0; i < SS_STATS_N_SAMPLES; i++) {
        fits = fits && head->n_samples[i] <= UINT32_MAX;
        options.sizes.n_samples[i] = (uint32_t)head->n_samples[i];
    }
    for (size_t i = 0; i < SS_STATS_N_GATHERED; i++) {
        uint64_t most = 0; /* lists are not much longer than what is in them may be */
        fits = fits && ss__mul_u64(head->n_features, head->n_samples[i], &most) &&
               most / 512 <= n_bytes && head->n_places[i] <= most;
    }
    return fits ? ss_stats_evidence_new(&options, &loading->evidence, err)
                : fail_state(loading, "the sizes in its head", err);
}

static ss_status load_columns(struct loading *loading, ss_err *err)
{
    for (int column = 0; column < N_COLUMNS; column++) {
        loading->columns[column] =
            next_array(loading, loading->head.n_texts, column_bytes((enum column)column));
        if (loading->columns[column] == NULL) {
            return fail_state(loading, "its texts", err);
        }
    }
    return SS_OK;
}

static ss_status load_active(struct loading *loading, ss_err *err)
{
    struct ss_stats_evidence *evidence = loading->evidence;
    const size_t n = 2 * evidence->options.n_features;
    const uint8_t *active = next_array(loading, n, sizeof *evidence->n_active);
    if (active == NULL) {
        return fail_state(loading, "its counts", err);
    }
    memcpy(evidence->n_active, active, n * sizeof *evidence->n_active);
    memcpy(evidence->n_rows, loading->head.n_rows, sizeof evidence->n_rows);
    return SS_OK;
}

/* One feature's list, from `first` of all places of its kind on. */
static bool load_list(struct loading *loading, struct ss_stats_lists *lists, size_t feature,
                      uint64_t first, const uint8_t *parts[N_PARTS])
{
    const size_t n = lists->n[feature];
    for (size_t i = 0; i < n; i++) {
        const size_t at = (size_t)first + i, to = feature * lists->k + n - 1 - i;
        const uint32_t text = (uint32_t)number_at(parts[PLACE_TEXT], at, 4);
        const uint32_t bits = (uint32_t)number_at(parts[PLACE_ACTIVATION], at, 4);
        struct ss_stats_entry *entry = &lists->entries[to];
        entry->slot = text;
        memcpy(&entry->activation, &bits, sizeof bits);
        if (text >= loading->head.n_texts || !(entry->activation > 0) ||
            !isfinite(entry->activation)) {
            return false;
        }
        loading->evidence->texts.slots[text].n_lists++;
        if (lists->positions != NULL) {
            lists->positions[to] =
                (struct ss_stats_position){(uint32_t)number_at(parts[PLACE_FILE], at, 4),
                                           number_at(parts[PLACE_ROW], at, 8)};
        }
    }
    return true;
}

/* Texts are there already, so every entry must lead to one. */
static ss_status load_lists(struct loading *loading, ss_stats_sample_kind kind, ss_err *err)
{
    struct ss_stats_lists *lists = &loading->evidence->lists[kind];
    const uint64_t n_places = loading->head.n_places[kind];
    const uint8_t *counts =
        next_array(loading, loading->evidence->options.n_features, sizeof *lists->n);
    const uint8_t *parts[N_PARTS] = {NULL};
    bool fits = counts != NULL;
    for (int part = 0; fits && part < (lists->positions == NULL ? PLACE_ROW : N_PARTS);
         part++) {
        parts[part] = next_array(loading, n_places, part == PLACE_ROW ? 8 : 4);
        fits = parts[part] != NULL;
    }
    uint64_t first = 0;
    for (size_t f = 0; fits && f < loading->evidence->options.n_features; f++) {
        lists->n[f] = (uint32_t)number_at(counts, f, sizeof *lists->n);
        fits = lists->n[f] <= lists->k && lists->n[f] <= n_places - first &&
               load_list(loading, lists, f, first, parts);
        first += lists->n[f];
    }
    return fits && first == n_places ? SS_OK : fail_state(loading, "its lists", err);
}

/* A text and its record; texts come in their order. */
static ss_status load_text(struct loading *loading, size_t i, ss_err *err)
{
    struct ss_stats_evidence *evidence = loading->evidence;
    const size_t n_active = (size_t)text_number(loading, N_ACTIVE, i);
    const size_t n_text = (size_t)text_number(loading, N_TEXT, i);
    const size_t n_kept = (size_t)text_number(loading, N_KEPT, i);
    const size_t width = evidence->options.width;
    const uint8_t *record =
        next_array(loading, 8 * (uint64_t)n_active + 4 * (uint64_t)width + n_text + n_kept, 1);
    if (record == NULL) {
        return fail_state(loading, "a text", err);
    }
    const char *text = (const char *)record + 8 * n_active + 4 * width;
    const struct ss_stats_arrival arrival = {
        .key = {text_number(loading, KEY, i), text_number(loading, REST, i)},
        .variant = text_number(loading, VARIANT, i),
        .position = {(uint32_t)text_number(loading, FILE_INDEX, i),
                     text_number(loading, ROW, i)},
        .text = {text, n_text},
        .kept = {text + n_text, n_kept},
        .n_active = n_active,
        .features = (const uint32_t *)(const void *)record,
        .activations = (const float *)(const void *)(record + 4 * n_active),
        .embedding = (const float *)(const void *)(record + 8 * n_active),
    };
    bool fits = ss__utf8_valid_prefix(text, n_text) == n_text &&
                ss__utf8_valid_prefix(text + n_text, n_kept) == n_kept;
    for (size_t j = 0; fits && j < n_active; j++) {
        fits = arrival.features[j] < evidence->options.n_features &&
               arrival.activations[j] > 0 && isfinite(arrival.activations[j]);
    }
    for (size_t j = 0; fits && j < width; j++) {
        fits = isfinite(arrival.embedding[j]);
    }
    uint32_t slot = 0;
    if (!fits) {
        return fail_state(loading, "a text", err);
    }
    SS_RETURN_IF_ERROR(ss_stats_held_add(&evidence->texts, &arrival, &slot, err));
    evidence->texts.slots[slot].count = text_number(loading, COUNT, i);
    evidence->texts.slots[slot].n_lists = 1; /* until all lists are known */
    return i == 0 || ss_stats_held_compare(&evidence->texts.slots[i - 1],
                                           &evidence->texts.slots[i]) < 0
               ? SS_OK
               : fail_state(loading, "the order of its texts", err);
}

/* The first texts of each half. */
static ss_status load_pools(struct loading *loading, ss_err *err)
{
    struct ss_stats_evidence *evidence = loading->evidence;
    const size_t n = evidence->texts.n_held;
    size_t first = 0;
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        struct ss_stats_pool *pool = &evidence->pools[half];
        const uint64_t n_pool = loading->head.n_pool[half];
        while (first < n && ss_stats_key_half(evidence->texts.slots[first].key) < half) {
            first++;
        }
        if (n_pool > n - first || n_pool > evidence->options.sizes.n_pool) {
            return fail_state(loading, "its pool", err);
        }
        SS_GROW_OR_RETURN(pool->slots, pool->capacity, (size_t)n_pool);
        for (; pool->n < n_pool; pool->n++) { /* the largest key comes first in memory */
            const size_t slot = first + (size_t)n_pool - 1 - pool->n;
            struct ss_stats_held *held = &evidence->texts.slots[slot];
            if (ss_stats_key_half(held->key) != half) {
                return fail_state(loading, "its pool", err);
            }
            pool->slots[pool->n] = (uint32_t)slot;
            held->is_in_pool = true;
            held->n_lists++;
        }
    }
    return SS_OK;
}

/* Every text is in a list, and every list is in order: then more can be merged into it. */
static ss_status check_whole(struct loading *loading, ss_err *err)
{
    struct ss_stats_evidence *evidence = loading->evidence;
    for (size_t i = 0; i < evidence->texts.n_held; i++) {
        if (--evidence->texts.slots[i].n_lists == 0) {
            evidence->texts.slots[i].n_lists = 1;
            return fail_state(loading, "a text that no list has", err);
        }
    }
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        if (!ss_stats_lists_are_sorted(&evidence->lists[kind], evidence->options.n_features,
                                       evidence->texts.slots)) {
            return fail_state(loading, "the order of its lists", err);
        }
    }
    return loading->source.at == loading->source.end ? SS_OK
                                                     : fail_state(loading, "its end", err);
}

static ss_status load_all(struct loading *loading, ss_err *err)
{
    SS_RETURN_IF_ERROR(load_head(loading, err));
    SS_RETURN_IF_ERROR(load_columns(loading, err));
    SS_RETURN_IF_ERROR(load_active(loading, err));
    /* Records come last, but lists hold texts: so texts are made first. */
    const uint8_t *lists = loading->source.at;
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        const uint64_t n = loading->head.n_places[kind];
        const int n_parts = kind == SS_STATS_SAMPLE_TOP ? N_PARTS : PLACE_ROW;
        bool fits = next_array(loading, loading->head.n_features, sizeof(uint32_t)) != NULL;
        for (int part = 0; part < n_parts; part++) {
            fits = fits && next_array(loading, n, part == PLACE_ROW ? 8 : 4) != NULL;
        }
        if (!fits) {
            return fail_state(loading, "its lists", err);
        }
    }
    for (size_t i = 0; i < loading->head.n_texts; i++) {
        SS_RETURN_IF_ERROR(load_text(loading, i, err));
    }
    const uint8_t *end = loading->source.at;
    loading->source.at = lists;
    for (size_t kind = 0; kind < SS_STATS_N_GATHERED; kind++) {
        SS_RETURN_IF_ERROR(load_lists(loading, (ss_stats_sample_kind)kind, err));
    }
    loading->source.at = end;
    SS_RETURN_IF_ERROR(load_pools(loading, err));
    return check_whole(loading, err);
}

ss_status ss_stats_evidence_load(const void *data, size_t n_bytes, const char *name,
                                 struct ss_stats_evidence **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct loading loading = {.name = name, .source = {data, (const uint8_t *)data + n_bytes}};
    *out = NULL;
    SS_TRY(load_all(&loading, err));
    SS_TRY(ss_stats_evidence_finish(loading.evidence, err));
    *out = loading.evidence;
    loading.evidence = NULL;
out:
    ss_stats_evidence_free(loading.evidence);
    return status;
}
