/* Which texts a feature shows: arrays KIND_offsets [n_features + 1], KIND_texts and KIND_values
 * for the kinds
 *
 *   top     the largest activations
 *   firing  any texts in which it fires: of the half that labels are scored on, by key
 *   miss    texts in which it nearly fires, with pre-activations: of the same half
 *
 * Without evidence there are only the first. */
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "web/pages_priv.h"

enum { TOP, FIRING, MISS, N_KINDS, NAME_BYTES = 32 };
static const char *const kind_names[N_KINDS] = {"top", "firing", "miss"};
static const ss_stats_sample_kind sample_kinds[N_KINDS] = {
    SS_STATS_SAMPLE_TOP, SS_STATS_SAMPLE_FIRING_SCORE, SS_STATS_SAMPLE_MISS_SCORE};

struct list {
    uint32_t *offsets, *texts; /* [n_features + 1], [n] */
    float *values;             /* [n] */
    size_t n, texts_capacity, values_capacity;
};

struct ss_web_lists {
    size_t n_features;
    struct list kinds[N_KINDS];
};

struct building {
    const struct ss_web_source *source;
    struct ss_web_texts *texts;
    struct ss_web_lists *lists;
    struct ss__arena *arena;
};

static ss_status add(const struct building *building, int kind, const struct ss_web_text *text,
                     float value, ss_err *err)
{
    struct list *list = &building->lists->kinds[kind];
    void *texts = list->texts, *values = list->values;
    uint32_t number = 0;
    SS_RETURN_IF_ERROR(ss_web_texts_add(building->texts, text, &number, err));
    const bool has_texts =
        ss__grow(&texts, &list->texts_capacity, list->n + 1, sizeof *list->texts);
    list->texts = texts;
    if (!has_texts ||
        !ss__grow(&values, &list->values_capacity, list->n + 1, sizeof *list->values)) {
        return ss__fail_nomem(err, "lists of texts");
    }
    list->values = values;
    list->texts[list->n] = number;
    list->values[list->n++] = value;
    return SS_OK;
}

static ss_status add_tops(const struct building *building, size_t feature, size_t n_most,
                          ss_err *err)
{
    const struct ss_web_source *source = building->source;
    const struct ss_run *run = source->run;
    const size_t n = run->top_offsets[feature + 1] - run->top_offsets[feature];
    const struct ss_folder_samples samples =
        source->has_evidence
            ? ss_folder_evidence_samples(&source->evidence, feature, SS_STATS_SAMPLE_TOP)
            : (struct ss_folder_samples){0};
    for (size_t i = 0; i < n && i < n_most; i++) {
        const struct ss_top_text *top = &run->tops[run->top_offsets[feature] + i];
        struct ss_web_text text = {.row = top->row};
        if (i < samples.n && source->evidence.has_texts) {
            const struct ss_web_text known =
                ss_web_text_of_evidence(&source->evidence, samples.texts[i]);
            if (known.text.n_bytes == top->text.n_bytes &&
                memcmp(known.text.data, top->text.data, top->text.n_bytes) == 0) {
                text = known;
            }
        }
        text.text = top->text;
        SS_RETURN_IF_ERROR(add(building, TOP, &text, top->activation, err));
    }
    return SS_OK;
}

static ss_status add_samples(const struct building *building, size_t feature, int kind,
                             size_t n_most, ss_err *err)
{
    const struct ss_folder_evidence *evidence = &building->source->evidence;
    const struct ss_folder_samples samples =
        ss_folder_evidence_samples(evidence, feature, sample_kinds[kind]);
    for (size_t i = 0; i < samples.n && i < n_most; i++) {
        struct ss_web_text text = ss_web_text_of_evidence(evidence, samples.texts[i]);
        if (!evidence->has_texts) {
            const char *name =
                ss__arena_printf(building->arena, "row %llu", (unsigned long long)text.row);
            if (name == NULL) {
                return ss__fail_nomem(err, "names of rows");
            }
            text.text = (struct ss_text){name, strlen(name)};
        }
        SS_RETURN_IF_ERROR(add(building, kind, &text, samples.activations[i], err));
    }
    return SS_OK;
}

static ss_status add_feature(const struct building *building, const struct ss_web_level *level,
                             size_t feature, ss_err *err)
{
    SS_RETURN_IF_ERROR(add_tops(building, feature, level->n_tops, err));
    for (int kind = FIRING; kind < N_KINDS && building->source->has_evidence; kind++) {
        SS_RETURN_IF_ERROR(add_samples(building, feature, kind, level->n_samples, err));
    }
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct list *list = &building->lists->kinds[kind];
        list->offsets[feature + 1] = (uint32_t)list->n;
        if (list->n > UINT32_MAX / 2) {
            return ss__fail(err, SS_E_LIMIT, "more than 2^31 texts of features");
        }
    }
    return SS_OK;
}

ss_status ss_web_lists_new(const struct ss_web_source *source, const struct ss_web_level *level,
                           struct ss_web_texts *texts, struct ss__arena *arena,
                           struct ss_web_lists **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_lists *lists = NULL;
    *out = NULL;
    SS_ALLOC(lists, 1);
    lists->n_features = source->run->info.n_features;
    const struct building building = {source, texts, lists, arena};
    for (int kind = 0; kind < N_KINDS; kind++) {
        SS_ALLOC(lists->kinds[kind].offsets, lists->n_features + 1);
    }
    for (size_t f = 0; f < lists->n_features; f++) {
        SS_TRY(ss__check_stop(source->asking, err));
        SS_TRY(add_feature(&building, level, f, err));
    }
    *out = lists;
    lists = NULL;
out:
    ss_web_lists_free(lists);
    return status;
}

void ss_web_lists_free(struct ss_web_lists *lists)
{
    for (int kind = 0; lists != NULL && kind < N_KINDS; kind++) {
        ss__free(lists->kinds[kind].offsets);
        ss__free(lists->kinds[kind].texts);
        ss__free(lists->kinds[kind].values);
    }
    ss__free(lists);
}

ss_status ss_web_lists_put(const struct ss_web_lists *lists, struct ss_web_zip *zip,
                           ss_err *err)
{
    char name[NAME_BYTES];
    for (int kind = 0; kind < N_KINDS; kind++) {
        const struct list *list = &lists->kinds[kind];
        if (kind != TOP && list->n == 0) {
            continue;
        }
        ss__snprintf(name, sizeof name, "%s_offsets", kind_names[kind]);
        SS_RETURN_IF_ERROR(
            ss_web_zip_add_array(zip, name, "<u4", list->offsets, lists->n_features + 1, err));
        ss__snprintf(name, sizeof name, "%s_texts", kind_names[kind]);
        SS_RETURN_IF_ERROR(ss_web_zip_add_array(zip, name, "<u4", list->texts, list->n, err));
        ss__snprintf(name, sizeof name, "%s_values", kind_names[kind]);
        SS_RETURN_IF_ERROR(ss_web_zip_add_array(zip, name, "<f4", list->values, list->n, err));
    }
    return SS_OK;
}
