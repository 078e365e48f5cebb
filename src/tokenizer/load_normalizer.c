/* The normaliser: of tokenizer.json for the generic class, or as the known classes make it.
 * Each normalizer of the file becomes one or several steps over code points (normalize.c);
 * those that are not in the table are refused by name, since leaving one out would change ids
 * without a word. */
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/load_priv.h"

enum { MAX_SEQUENCE_DEPTH = 4, MAX_TEXT_BYTES = 64 };

/* ---- the BERT normaliser ---- */

/* The five steps of BertNormalizer in its order; docs/spec/encoders.md, §6.1 to 6.3. */
ss_status ss_tokenizer_push_bert(struct ss_tokenizer_normalizer *normalizer,
                                 const struct ss_tokenizer_bert_settings *settings, ss_err *err)
{
    const bool strips =
        settings->strip_accents < 0 ? settings->lower : settings->strip_accents > 0;
    const struct {
        bool on;
        ss_tokenizer_step step;
    } plan[] = {
        {settings->clean, SS_TOKENIZER_STEP_CLEAN},
        {settings->cjk, SS_TOKENIZER_STEP_SPACE_CJK},
        {strips, SS_TOKENIZER_STEP_DECOMPOSE},
        {strips, SS_TOKENIZER_STEP_STRIP_ACCENTS},
        {settings->lower, SS_TOKENIZER_STEP_LOWER},
    };
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        if (plan[i].on) {
            SS_RETURN_IF_ERROR(ss_tokenizer_normalizer_push(normalizer, plan[i].step, err));
        }
    }
    return SS_OK;
}

/* strip_accents: true, false, or null or absent. */
ss_status ss_tokenizer_read_strip_accents(const char *path, const struct ss__json *object,
                                          int *value, ss_err *err)
{
    const struct ss__json *found = ss__json_get(object, "strip_accents");
    bool strips = false;
    *value = -1;
    if (found != NULL && !ss__json_is_null(found)) {
        SS_RETURN_IF_ERROR(ss__json_bool(path, object, "strip_accents", &strips, err));
        *value = strips;
    }
    return SS_OK;
}

ss_status ss_tokenizer_read_bert_normalizer(const char *path, const struct ss__json *object,
                                            struct ss_tokenizer_bert_settings *settings,
                                            ss_err *err)
{
    *settings = (struct ss_tokenizer_bert_settings){.clean = true, .cjk = true, .lower = true};
    SS_RETURN_IF_ERROR(ss__json_bool(path, object, "clean_text", &settings->clean, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(path, object, "handle_chinese_chars", &settings->cjk, err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, object, "lowercase", &settings->lower, err));
    return ss_tokenizer_read_strip_accents(path, object, &settings->strip_accents, err);
}

/* ---- the generic class: normaliser ---- */

/* A normalizer that is being read. */
struct reading {
    struct ss_tokenizer *self;
    const char *path;
    const struct ss__json *object;
};

static ss_status push(const struct reading *reading, ss_tokenizer_step kind, ss_err *err)
{
    return ss_tokenizer_normalizer_push(&reading->self->normalizer, kind, err);
}

/* The code points of a text, kept with the tokenizer. */
static ss_status read_points(const struct reading *reading, const char *text,
                             const uint32_t **points, size_t *n, ss_err *err)
{
    uint32_t *out = NULL;
    const size_t n_bytes = strlen(text);
    *n = 0;
    if (n_bytes > MAX_TEXT_BYTES) {
        return ss__fail_file(
            err, reading->path, SS_E_LIMIT,
            "the normalizer '%.40s' has a text of %zu bytes, at most %d are read",
            ss_tokenizer_json_type(reading->object), n_bytes, MAX_TEXT_BYTES);
    }
    out = ss__arena_alloc(&reading->self->texts, (n_bytes + 1) * sizeof *out);
    if (out == NULL) {
        return ss__fail_nomem(err, "a normalizer");
    }
    for (size_t at = 0; at < n_bytes; ++*n) {
        at += ss__max_size(ss__utf8_decode(text + at, n_bytes - at, &out[*n]), 1);
    }
    *points = out;
    return SS_OK;
}

/* NFC is NFD and then composing; NFKC the same of NFKD (UAX #15). */
static ss_status push_composed(const struct reading *reading, ss_err *err)
{
    const bool more = ss_tokenizer_json_is_type(reading->object, "NFKC");
    SS_RETURN_IF_ERROR(push(
        reading, more ? SS_TOKENIZER_STEP_DECOMPOSE_MORE : SS_TOKENIZER_STEP_DECOMPOSE, err));
    return push(reading, SS_TOKENIZER_STEP_COMPOSE, err);
}

static ss_status push_strip(const struct reading *reading, ss_err *err)
{
    bool left = true, right = true;
    SS_RETURN_IF_ERROR(ss__json_bool(reading->path, reading->object, "strip_left", &left, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(reading->path, reading->object, "strip_right", &right, err));
    if (left) {
        SS_RETURN_IF_ERROR(push(reading, SS_TOKENIZER_STEP_STRIP_LEFT, err));
    }
    if (right) {
        SS_RETURN_IF_ERROR(push(reading, SS_TOKENIZER_STEP_STRIP_RIGHT, err));
    }
    return SS_OK;
}

/* Nothing is put before an empty text (normalize.c). */
static ss_status push_prepend(const struct reading *reading, ss_err *err)
{
    struct ss_tokenizer_normal_step step = {.kind = SS_TOKENIZER_STEP_PREPEND};
    const char *text = "";
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, reading->object, "prepend", &text, err));
    SS_RETURN_IF_ERROR(read_points(reading, text, &step.to, &step.n_to, err));
    return ss_tokenizer_normalizer_push_step(&reading->self->normalizer, &step, err);
}

/* The one regular expression that is read, runs of two or more spaces, is that of models
 * converted from SentencePiece. */
static ss_status push_replace(const struct reading *reading, ss_err *err)
{
    struct ss_tokenizer_normal_step step = {.kind = SS_TOKENIZER_STEP_REPLACE};
    const struct ss__json *pattern = ss__json_get(reading->object, "pattern");
    const char *from = NULL, *regex = NULL, *to = "";
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, pattern, "String", &from, err));
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, pattern, "Regex", &regex, err));
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, reading->object, "content", &to, err));
    if (from == NULL && regex != NULL && strcmp(regex, " {2,}") == 0) {
        step.kind = SS_TOKENIZER_STEP_REPLACE_SPACES;
    } else if (from == NULL || from[0] == '\0') {
        return ss__fail_file(
            err, reading->path, SS_E_UNSUPPORTED,
            "a normalizer replaces the pattern '%.80s'; read are texts that are not "
            "empty and the regular expression ' {2,}'",
            regex == NULL ? "" : regex);
    } else {
        SS_RETURN_IF_ERROR(read_points(reading, from, &step.from, &step.n_from, err));
    }
    SS_RETURN_IF_ERROR(read_points(reading, to, &step.to, &step.n_to, err));
    return ss_tokenizer_normalizer_push_step(&reading->self->normalizer, &step, err);
}

static ss_status push_map(struct ss_tokenizer *self, ss_err *err)
{
    const struct ss_tokenizer_normal_step step = {.kind = SS_TOKENIZER_STEP_CHARSMAP,
                                                  .map = &self->charsmap};
    return ss_tokenizer_normalizer_push_step(&self->normalizer, &step, err);
}

/* SentencePiece's map of characters in base64 (charsmap.c). The steps point to the tokenizer's
 * only one. */
static ss_status push_precompiled(const struct reading *reading, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__json *text = ss__json_get(reading->object, "precompiled_charsmap");
    const size_t n_text = ss__json_string_bytes(text); /* 0 unless it is a string */
    uint8_t *data = NULL;
    size_t n_bytes = 0;
    if (reading->self->charsmap.units != NULL) {
        SS_FAIL_FILE(reading->path, SS_E_UNSUPPORTED,
                     "the normalizer has more than one precompiled map");
    }
    SS_ALLOC(data, n_text + 1);
    if (!ss__base64_decode(ss__json_string(text), n_text, data, n_text, &n_bytes)) {
        SS_FAIL_FILE(reading->path, SS_E_DATA,
                     "the precompiled map of characters is not base64");
    }
    SS_TRY(ss_tokenizer_charsmap_parse((const char *)data, n_bytes, &reading->self->charsmap,
                                       err));
    SS_TRY(push_map(reading->self, err));
out:
    ss__free(data);
    return status;
}

/* Normalizers that are one step, or that a function reads. */
static ss_status push_simple(const struct reading *reading, ss_err *err)
{
    static const struct {
        const char *type;
        ss_status (*read)(const struct reading *, ss_err *);
        ss_tokenizer_step step;
    } simple[] = {
        {"Lowercase", NULL, SS_TOKENIZER_STEP_LOWER},
        {"NFD", NULL, SS_TOKENIZER_STEP_DECOMPOSE},
        {"NFKD", NULL, SS_TOKENIZER_STEP_DECOMPOSE_MORE},
        {"NFC", push_composed, 0},
        {"NFKC", push_composed, 0},
        {"StripAccents", NULL, SS_TOKENIZER_STEP_STRIP_MARKS},
        {"ByteLevel", NULL, SS_TOKENIZER_STEP_BYTES},
        {"Nmt", NULL, SS_TOKENIZER_STEP_NMT},
        {"Strip", push_strip, 0},
        {"Prepend", push_prepend, 0},
        {"Replace", push_replace, 0},
        {"Precompiled", push_precompiled, 0},
    };
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (ss_tokenizer_json_is_type(reading->object, simple[i].type)) {
            return simple[i].read != NULL ? simple[i].read(reading, err)
                                          : push(reading, simple[i].step, err);
        }
    }
    return ss__fail_file(err, reading->path, SS_E_UNSUPPORTED,
                         "the normalizer '%.40s' is not supported; BertNormalizer, ByteLevel, "
                         "Lowercase, "
                         "NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Strip, "
                         "StripAccents and sequences of them are",
                         ss_tokenizer_json_type(reading->object));
}

/* Sequences may hold sequences; the depth is bounded, since this recurses. */
static ss_status push_normalizer(const struct reading *reading, unsigned depth, ss_err *err)
{
    struct ss_tokenizer_bert_settings settings;
    if (depth > MAX_SEQUENCE_DEPTH) {
        return ss__fail_file(err, reading->path, SS_E_LIMIT,
                             "normalizers are nested too deeply");
    }
    if (ss_tokenizer_json_is_type(reading->object, "BertNormalizer")) {
        SS_RETURN_IF_ERROR(
            ss_tokenizer_read_bert_normalizer(reading->path, reading->object, &settings, err));
        SS_RETURN_IF_ERROR(ss_tokenizer_push_bert(&reading->self->normalizer, &settings, err));
    } else if (ss_tokenizer_json_is_type(reading->object, "Sequence")) {
        const struct ss__json *list = ss__json_get(reading->object, "normalizers");
        for (size_t i = 0; i < ss__json_count(list); i++) {
            const struct reading part = {reading->self, reading->path, ss__json_at(list, i)};
            SS_RETURN_IF_ERROR(push_normalizer(&part, depth + 1, err));
        }
    } else {
        SS_RETURN_IF_ERROR(push_simple(reading, err));
    }
    return SS_OK;
}

/* Whether lower-casing stands in the normaliser by itself. */
static bool has_lowercase(const struct ss__json *normalizer)
{
    const struct ss__json *list = ss__json_get(normalizer, "normalizers");
    if (ss_tokenizer_json_is_type(normalizer, "Lowercase")) {
        return true;
    }
    for (size_t i = 0;
         ss_tokenizer_json_is_type(normalizer, "Sequence") && i < ss__json_count(list); i++) {
        if (ss_tokenizer_json_is_type(ss__json_at(list, i), "Lowercase")) {
            return true;
        }
    }
    return false;
}

/* The sentence config's lower-casing goes before all steps, unless they have one of their
 * own. */
ss_status ss_tokenizer_load_normalizer(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss__json *object = ss__json_get(loading->tokenizer.root, "normalizer");
    const struct reading reading = {loading->self, loading->tokenizer.path, object};
    if (loading->options->lower_case_first && !has_lowercase(object)) {
        SS_RETURN_IF_ERROR(push(&reading, SS_TOKENIZER_STEP_LOWER, err));
    }
    if (object != NULL && !ss__json_is_null(object)) {
        SS_RETURN_IF_ERROR(push_normalizer(&reading, 0, err));
    }
    return SS_OK;
}

/* The map of the first Precompiled normaliser, alone or in a sequence. */
static const struct ss__json *find_precompiled(const struct ss__json *normalizer)
{
    const struct ss__json *list = ss__json_get(normalizer, "normalizers");
    if (ss_tokenizer_json_is_type(normalizer, "Precompiled")) {
        return normalizer;
    }
    for (size_t i = 0;
         ss_tokenizer_json_is_type(normalizer, "Sequence") && i < ss__json_count(list); i++) {
        if (ss_tokenizer_json_is_type(ss__json_at(list, i), "Precompiled")) {
            return ss__json_at(list, i);
        }
    }
    return NULL;
}

/* The map of tokenizer.json or, without that file, of the SentencePiece file, which was read
 * with the model. */
ss_status ss_tokenizer_load_charsmap(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss__json *root = loading->tokenizer.root;
    const struct reading reading = {loading->self, loading->tokenizer.path,
                                    find_precompiled(ss__json_get(root, "normalizer"))};
    if (reading.object != NULL) {
        return push_precompiled(&reading, err);
    }
    return loading->self->charsmap.units == NULL ? SS_OK : push_map(loading->self, err);
}
