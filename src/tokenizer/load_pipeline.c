/* Normaliser, words, pieces, template and decoder: as the known classes build them, or as
 * tokenizer.json describes them for the generic class. */
#include <string.h>

#include "base/mem.h"
#include "tokenizer/load_priv.h"

enum {
    KNOWN_MAX_WORD_POINTS = 100, /* of the known classes, whatever tokenizer.json says */
    MAX_SEQUENCE_DEPTH = 4
};

/* ---- the BERT normaliser ---- */

struct bert_settings {
    bool clean, cjk, lower;
    int strip_accents; /* -1: as `lower` */
};

static ss_status push_bert(struct ss__normalizer *normalizer,
                           const struct bert_settings *settings, ss_err *err)
{
    ss_status status = SS_OK;
    const bool strips =
        settings->strip_accents < 0 ? settings->lower : settings->strip_accents > 0;
    const struct {
        bool on;
        ss__step step;
    } plan[] = {
        {settings->clean, SS__STEP_CLEAN}, {settings->cjk, SS__STEP_SPACE_CJK},
        {strips, SS__STEP_DECOMPOSE},      {strips, SS__STEP_STRIP_ACCENTS},
        {settings->lower, SS__STEP_LOWER},
    };
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        if (plan[i].on) {
            SS_TRY(ss__normalizer_push(normalizer, plan[i].step, err));
        }
    }
out:
    return status;
}

/* strip_accents: true, false, or null or absent. */
static ss_status read_strip_accents(const char *path, const json_t *object, int *value,
                                    ss_err *err)
{
    ss_status status = SS_OK;
    const json_t *found = json_object_get(object, "strip_accents");
    bool strips = false;
    *value = -1;
    if (found != NULL && !json_is_null(found)) {
        SS_TRY(ss__json_bool(path, object, "strip_accents", &strips, err));
        *value = strips;
    }
out:
    return status;
}

static ss_status read_bert_normalizer(const char *path, const json_t *object,
                                      struct bert_settings *settings, ss_err *err)
{
    ss_status status = SS_OK;
    *settings = (struct bert_settings){.clean = true, .cjk = true, .lower = true};
    SS_TRY(ss__json_bool(path, object, "clean_text", &settings->clean, err));
    SS_TRY(ss__json_bool(path, object, "handle_chinese_chars", &settings->cjk, err));
    SS_TRY(ss__json_bool(path, object, "lowercase", &settings->lower, err));
    SS_TRY(read_strip_accents(path, object, &settings->strip_accents, err));
out:
    return status;
}

/* ---- the known classes ---- */

static void warn_setting(const struct ss__loading *loading, const char *what, bool differs)
{
    if (differs) {
        ss__log(&loading->options->log, SS_LEVEL_WARNING,
                "%s: its %s is not used, and differs from what the class %s takes from "
                "tokenizer_config.json or its defaults",
                loading->tokenizer.path, what, loading->class->name);
    }
}

/* Say where tokenizer.json describes another pipeline than the one that is built. */
static ss_status compare_pipeline(const struct ss__loading *loading,
                                  const struct bert_settings *settings, ss_err *err)
{
    ss_status status = SS_OK;
    const char *path = loading->tokenizer.path;
    const json_t *normalizer = json_object_get(loading->tokenizer.root, "normalizer");
    const json_t *model = json_object_get(loading->tokenizer.root, "model");
    const char *unknown = loading->unknown_text, *prefix = loading->self->prefix;
    struct bert_settings other;
    size_t max_points = KNOWN_MAX_WORD_POINTS;
    SS_TRY(ss__json_text(path, model, "unk_token", &unknown, err));
    SS_TRY(ss__json_text(path, model, "continuing_subword_prefix", &prefix, err));
    SS_TRY(ss__json_size(path, model, "max_input_chars_per_word", &max_points, err));
    warn_setting(loading, "unknown token", strcmp(unknown, loading->unknown_text) != 0);
    warn_setting(loading, "prefix of continuing pieces",
                 strcmp(prefix, loading->self->prefix) != 0);
    warn_setting(loading, "longest word", max_points != KNOWN_MAX_WORD_POINTS);
    if (!ss__json_is_type(normalizer, "BertNormalizer")) {
        warn_setting(loading, "normalizer", true);
        goto out;
    }
    SS_TRY(read_bert_normalizer(path, normalizer, &other, err));
    const int strips = other.strip_accents < 0 ? other.lower : other.strip_accents;
    const int expected =
        settings->strip_accents < 0 ? settings->lower : settings->strip_accents;
    warn_setting(loading, "lower-casing", other.lower != settings->lower);
    warn_setting(loading, "stripping of accents", strips != expected);
    warn_setting(loading, "spacing of ideographs", other.cjk != settings->cjk);
    warn_setting(loading, "cleaning of text", !other.clean);
out:
    return status;
}

static ss_status set_prefix(struct ss__tokenizer *self, const char *pieces, const char *decoder,
                            ss_err *err)
{
    self->prefix = ss__strdup(pieces);
    self->decoder.prefix = ss__strdup(decoder);
    return self->prefix == NULL || self->decoder.prefix == NULL
               ? ss__fail_nomem(err, "a prefix")
               : SS_OK;
}

ss_status ss__load_known_pipeline(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__json_file *config = &loading->config;
    struct ss__tokenizer *self = loading->self;
    struct bert_settings settings = {.clean = true, .cjk = true, .lower = true};
    SS_TRY(ss__json_bool(config->path, config->root, "do_lower_case", &settings.lower, err));
    SS_TRY(ss__json_bool(config->path, config->root, "tokenize_chinese_chars", &settings.cjk,
                         err));
    SS_TRY(read_strip_accents(config->path, config->root, &settings.strip_accents, err));
    if (loading->options->lower_case_first) {
        SS_TRY(ss__normalizer_push(&self->normalizer, SS__STEP_LOWER, err));
    }
    SS_TRY(push_bert(&self->normalizer, &settings, err));
    SS_TRY(set_prefix(self, "##", "##", err));
    self->max_word_points = KNOWN_MAX_WORD_POINTS;
    self->decoder.cleans = true;
    SS_TRY(ss__load_role_text(loading, "unk_token", &loading->unknown_text, err));
    if (loading->tokenizer.root != NULL) {
        SS_TRY(compare_pipeline(loading, &settings, err));
    }
out:
    return status;
}

/* ---- the generic class: normaliser ---- */

static ss_status push_simple(struct ss__normalizer *normalizer, const char *path,
                             const json_t *object, ss_err *err)
{
    static const struct {
        const char *type;
        ss__step step;
    } simple[] = {
        {"Lowercase", SS__STEP_LOWER},
        {"NFD", SS__STEP_DECOMPOSE},
        {"StripAccents", SS__STEP_STRIP_MARKS},
    };
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (ss__json_is_type(object, simple[i].type)) {
            return ss__normalizer_push(normalizer, simple[i].step, err);
        }
    }
    return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                         "the normalizer '%.40s' is not supported; BertNormalizer, Lowercase, "
                         "NFD, StripAccents and sequences of them are",
                         ss__json_type(object));
}

static ss_status push_normalizer(struct ss__normalizer *normalizer, const char *path,
                                 const json_t *object, unsigned depth, ss_err *err)
{
    ss_status status = SS_OK;
    struct bert_settings settings;
    if (depth > MAX_SEQUENCE_DEPTH) {
        SS_FAIL_FILE(path, SS_E_LIMIT, "normalizers are nested too deeply");
    }
    if (ss__json_is_type(object, "BertNormalizer")) {
        SS_TRY(read_bert_normalizer(path, object, &settings, err));
        SS_TRY(push_bert(normalizer, &settings, err));
    } else if (ss__json_is_type(object, "Sequence")) {
        const json_t *list = json_object_get(object, "normalizers");
        for (size_t i = 0; i < json_array_size(list); i++) {
            SS_TRY(push_normalizer(normalizer, path, json_array_get(list, i), depth + 1, err));
        }
    } else {
        SS_TRY(push_simple(normalizer, path, object, err));
    }
out:
    return status;
}

/* Whether lower-casing stands in the normaliser by itself. */
static bool has_lowercase(const json_t *normalizer)
{
    const json_t *list = json_object_get(normalizer, "normalizers");
    if (ss__json_is_type(normalizer, "Lowercase")) {
        return true;
    }
    for (size_t i = 0; ss__json_is_type(normalizer, "Sequence") && i < json_array_size(list);
         i++) {
        if (ss__json_is_type(json_array_get(list, i), "Lowercase")) {
            return true;
        }
    }
    return false;
}

static ss_status read_generic_normalizer(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__normalizer *normalizer = &loading->self->normalizer;
    const json_t *object = json_object_get(loading->tokenizer.root, "normalizer");
    if (loading->options->lower_case_first && !has_lowercase(object)) {
        SS_TRY(ss__normalizer_push(normalizer, SS__STEP_LOWER, err));
    }
    if (object != NULL && !json_is_null(object)) {
        SS_TRY(push_normalizer(normalizer, loading->tokenizer.path, object, 0, err));
    }
out:
    return status;
}

/* ---- the generic class: decoder and the whole ---- */

static ss_status read_decoder(struct ss__loading *loading, const char **prefix, ss_err *err)
{
    ss_status status = SS_OK;
    const char *path = loading->tokenizer.path;
    struct ss__decoder *decoder = &loading->self->decoder;
    const json_t *object = json_object_get(loading->tokenizer.root, "decoder");
    if (object == NULL || json_is_null(object)) {
        decoder->joins_with_spaces = true;
        return SS_OK;
    }
    if (!ss__json_is_type(object, "WordPiece")) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "the decoder '%.40s' is not supported; WordPiece is",
                     ss__json_type(object));
    }
    decoder->cleans = true;
    SS_TRY(ss__json_bool(path, object, "cleanup", &decoder->cleans, err));
    SS_TRY(ss__json_text(path, object, "prefix", prefix, err));
out:
    return status;
}

ss_status ss__load_generic_pipeline(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__tokenizer *self = loading->self;
    const char *path = loading->tokenizer.path;
    const json_t *words = json_object_get(loading->tokenizer.root, "pre_tokenizer");
    const json_t *model = json_object_get(loading->tokenizer.root, "model");
    const char *prefix = "##", *decoder_prefix = "##";
    if (!ss__json_is_type(words, "BertPreTokenizer")) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "the pre-tokenizer '%.40s' is not supported; BertPreTokenizer is",
                     ss__json_type(words));
    }
    SS_TRY(read_generic_normalizer(loading, err));
    loading->unknown_text = "[UNK]";
    self->max_word_points = KNOWN_MAX_WORD_POINTS;
    SS_TRY(ss__json_text(path, model, "unk_token", &loading->unknown_text, err));
    SS_TRY(ss__json_text(path, model, "continuing_subword_prefix", &prefix, err));
    SS_TRY(ss__json_size(path, model, "max_input_chars_per_word", &self->max_word_points, err));
    SS_TRY(read_decoder(loading, &decoder_prefix, err));
    SS_TRY(set_prefix(self, prefix, decoder_prefix, err));
out:
    return status;
}

/* ---- the generic class: template ---- */

static ss_status add_template_id(struct ss__loading *loading, bool before, const json_t *id,
                                 ss_err *err)
{
    struct ss__tokenizer *self = loading->self;
    int32_t *ids = before ? self->begin : self->end;
    size_t *n = before ? &self->n_begin : &self->n_end;
    const json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    if (value < 0 || (size_t)value >= ss__tokenizer_n_vocab(self)) {
        return ss__fail_file(err, loading->tokenizer.path, SS_E_DATA,
                             "the post-processor adds an id that is not in the vocabulary");
    }
    if (*n >= SS__MAX_TEMPLATE_IDS) {
        return ss__fail_file(err, loading->tokenizer.path, SS_E_LIMIT,
                             "the post-processor adds more than %d tokens",
                             SS__MAX_TEMPLATE_IDS);
    }
    ids[(*n)++] = (int32_t)value;
    return SS_OK;
}

static ss_status read_template_part(struct ss__loading *loading, const json_t *object,
                                    const json_t *part, bool *before, ss_err *err)
{
    ss_status status = SS_OK;
    const char *path = loading->tokenizer.path;
    const json_t *special = json_object_get(part, "SpecialToken");
    const char *name = NULL;
    if (json_object_get(part, "Sequence") != NULL) {
        if (!*before) {
            SS_FAIL_FILE(path, SS_E_UNSUPPORTED, "the post-processor repeats the text");
        }
        *before = false;
        return SS_OK;
    }
    SS_TRY(ss__json_text(path, special, "id", &name, err));
    const json_t *entry =
        name == NULL ? NULL : json_object_get(json_object_get(object, "special_tokens"), name);
    const json_t *ids = json_object_get(entry, "ids");
    if (!json_is_array(ids)) {
        SS_FAIL_FILE(path, SS_E_DATA, "the post-processor's template is not understood");
    }
    for (size_t i = 0; i < json_array_size(ids); i++) {
        SS_TRY(add_template_id(loading, *before, json_array_get(ids, i), err));
    }
out:
    return status;
}

static ss_status read_template(struct ss__loading *loading, const json_t *object, ss_err *err)
{
    ss_status status = SS_OK;
    const json_t *single = json_object_get(object, "single");
    bool before = true;
    for (size_t i = 0; i < json_array_size(single); i++) {
        SS_TRY(read_template_part(loading, object, json_array_get(single, i), &before, err));
    }
    if (before) {
        SS_FAIL_FILE(loading->tokenizer.path, SS_E_DATA,
                     "the post-processor's template has no place for the text");
    }
out:
    return status;
}

ss_status ss__load_template(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__tokenizer *self = loading->self;
    const json_t *object = json_object_get(loading->tokenizer.root, "post_processor");
    if (ss__json_is_type(object, "TemplateProcessing")) {
        SS_TRY(read_template(loading, object, err));
    } else if (ss__json_is_type(object, "BertProcessing") ||
               ss__json_is_type(object, "RobertaProcessing")) {
        const json_t *begin = json_object_get(object, "cls"),
                     *end = json_object_get(object, "sep");
        SS_TRY(add_template_id(loading, true, json_array_get(begin, 1), err));
        SS_TRY(add_template_id(loading, false, json_array_get(end, 1), err));
    } else if (object != NULL && !json_is_null(object)) {
        SS_FAIL_FILE(loading->tokenizer.path, SS_E_UNSUPPORTED,
                     "the post-processor '%.40s' is not supported", ss__json_type(object));
    }
    self->specials.begin = self->n_begin > 0 ? self->begin[0] : -1;
    self->specials.end = self->n_end > 0 ? self->end[self->n_end - 1] : -1;
out:
    return status;
}
