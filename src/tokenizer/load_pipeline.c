/* Normaliser, words, pieces, template and decoder: as the known classes build them, or as
 * tokenizer.json describes them for the generic class. */
#include <string.h>

#include "base/mem.h"
#include "tokenizer/load_priv.h"

/* ---- the known classes ---- */

static void warn_setting(const struct ss_tokenizer_loading *loading, const char *what,
                         bool differs)
{
    if (differs) {
        ss__log(&loading->options->log, SS_LEVEL_WARNING,
                "%s: its %s is not used, and differs from what the class %s takes from "
                "tokenizer_config.json or its defaults",
                loading->tokenizer.path, what, loading->class->name);
    }
}

/* Say where tokenizer.json describes another pipeline than the one that is built. */
static ss_status compare_pipeline(const struct ss_tokenizer_loading *loading,
                                  const struct ss_tokenizer_bert_settings *settings,
                                  ss_err *err)
{
    const char *path = loading->tokenizer.path;
    const struct ss__json *normalizer = ss__json_get(loading->tokenizer.root, "normalizer");
    const struct ss__json *model = ss__json_get(loading->tokenizer.root, "model");
    const char *unknown = loading->unknown_text, *prefix = loading->self->prefix;
    struct ss_tokenizer_bert_settings other;
    size_t max_points = SS_TOKENIZER_DEFAULT_MAX_WORD_POINTS;
    SS_RETURN_IF_ERROR(ss__json_text(path, model, "unk_token", &unknown, err));
    SS_RETURN_IF_ERROR(ss__json_text(path, model, "continuing_subword_prefix", &prefix, err));
    SS_RETURN_IF_ERROR(
        ss__json_size(path, model, "max_input_chars_per_word", &max_points, err));
    warn_setting(loading, "unknown token", strcmp(unknown, loading->unknown_text) != 0);
    warn_setting(loading, "prefix of continuing pieces",
                 strcmp(prefix, loading->self->prefix) != 0);
    warn_setting(loading, "longest word", max_points != SS_TOKENIZER_DEFAULT_MAX_WORD_POINTS);
    if (!ss_tokenizer_json_is_type(normalizer, "BertNormalizer")) {
        warn_setting(loading, "normalizer", true);
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_read_bert_normalizer(path, normalizer, &other, err));
    const int strips = other.strip_accents < 0 ? other.lower : other.strip_accents;
    const int expected =
        settings->strip_accents < 0 ? settings->lower : settings->strip_accents;
    warn_setting(loading, "lower-casing", other.lower != settings->lower);
    warn_setting(loading, "stripping of accents", strips != expected);
    warn_setting(loading, "spacing of ideographs", other.cjk != settings->cjk);
    warn_setting(loading, "cleaning of text", other.clean != settings->clean);
    return SS_OK;
}

/* A BERT class builds its pipeline from tokenizer_config.json and takes only the vocabulary
 * from tokenizer.json, as the reference does; where the two differ, users are told. */
static ss_status load_bert(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config;
    struct ss_tokenizer *self = loading->self;
    struct ss_tokenizer_bert_settings settings = {.clean = true, .cjk = true, .lower = true};
    if (!loading->class->always_lowers) {
        SS_RETURN_IF_ERROR(
            ss__json_bool(config->path, config->root, "do_lower_case", &settings.lower, err));
    }
    if (loading->class->has_clean_text) {
        SS_RETURN_IF_ERROR(
            ss__json_bool(config->path, config->root, "clean_text", &settings.clean, err));
    }
    SS_RETURN_IF_ERROR(ss__json_bool(config->path, config->root, "tokenize_chinese_chars",
                                     &settings.cjk, err));
    SS_RETURN_IF_ERROR(ss_tokenizer_read_strip_accents(config->path, config->root,
                                                       &settings.strip_accents, err));
    if (loading->options->lower_case_first) {
        SS_RETURN_IF_ERROR(
            ss_tokenizer_normalizer_push(&self->normalizer, SS_TOKENIZER_STEP_LOWER, err));
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_push_bert(&self->normalizer, &settings, err));
    self->decoder.kind = SS_TOKENIZER_DECODER_WORDPIECE;
    self->decoder.affix = "##";
    self->decoder.cleans = true;
    loading->unknown_text = ss_tokenizer_load_role_text(loading, "unk_token");
    if (loading->tokenizer.root != NULL) {
        SS_RETURN_IF_ERROR(compare_pipeline(loading, &settings, err));
    }
    return SS_OK;
}

/* Say where tokenizer.json has a normaliser that the class does not take over. */
static void warn_normalizer(const struct ss_tokenizer_loading *loading, const char *kept)
{
    const struct ss__json *normalizer = ss__json_get(loading->tokenizer.root, "normalizer");
    const bool has_any = normalizer != NULL && !ss__json_is_null(normalizer);
    warn_setting(loading, "normalizer",
                 has_any && !ss_tokenizer_json_is_type(normalizer, kept));
}

/* Byte-level BPE with the words of GPT-2. */
static ss_status load_roberta(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config;
    struct ss_tokenizer *self = loading->self;
    bool space_first = false;
    SS_RETURN_IF_ERROR(
        ss__json_bool(config->path, config->root, "add_prefix_space", &space_first, err));
    if (loading->options->lower_case_first) {
        SS_RETURN_IF_ERROR(
            ss_tokenizer_normalizer_push(&self->normalizer, SS_TOKENIZER_STEP_LOWER, err));
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_add_byte_splitter(self, space_first, err));
    self->decoder.kind = SS_TOKENIZER_DECODER_BYTES;
    warn_normalizer(loading, "");
    return SS_OK;
}

/* Unigram over a precompiled map and Metaspace. */
static ss_status load_xlm_roberta(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config;
    struct ss_tokenizer *self = loading->self;
    bool prepend_first = true;
    SS_RETURN_IF_ERROR(
        ss__json_bool(config->path, config->root, "add_prefix_space", &prepend_first, err));
    if (loading->options->lower_case_first) {
        SS_RETURN_IF_ERROR(
            ss_tokenizer_normalizer_push(&self->normalizer, SS_TOKENIZER_STEP_LOWER, err));
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_load_charsmap(loading, err));
    SS_RETURN_IF_ERROR(ss_tokenizer_add_metaspace_splitters(self, prepend_first, err));
    self->decoder.kind = SS_TOKENIZER_DECODER_METASPACE;
    self->decoder.affix = "\xE2\x96\x81";
    self->decoder.keeps_first = !prepend_first;
    warn_normalizer(loading, "Precompiled");
    return SS_OK;
}

ss_status ss_tokenizer_load_supported_pipeline(struct ss_tokenizer_loading *loading,
                                               ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    if (self->model == &ss_tokenizer_bpe_model) {
        SS_RETURN_IF_ERROR(load_roberta(loading, err));
    } else if (self->model == &ss_tokenizer_unigram_model) {
        SS_RETURN_IF_ERROR(load_xlm_roberta(loading, err));
    } else {
        SS_RETURN_IF_ERROR(load_bert(loading, err));
    }
    return ss_tokenizer_find_unknown(loading, err);
}

/* ---- the generic class: decoder and the whole ---- */

/* For an unknown decoder the affix is its name, for the message. */
static ss_status keep_affix(struct ss_tokenizer_loading *loading, const char *text, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    self->decoder.affix = ss__arena_strndup(&self->texts, text, strlen(text));
    return self->decoder.affix == NULL ? ss__fail_nomem(err, "a decoder") : SS_OK;
}

/* A decoder that is not known is noted by its name, and is an error only where ids are to
 * become text: embeddings need none. */
static ss_status read_decoder(struct ss_tokenizer_loading *loading, ss_err *err)
{
    static const struct {
        const char *type;
        ss_tokenizer_decoder_kind kind;
        const char *key, *affix; /* of the affix, and what it is if the key is absent */
    } kinds[] = {
        {"WordPiece", SS_TOKENIZER_DECODER_WORDPIECE, "prefix", "##"},
        {"ByteLevel", SS_TOKENIZER_DECODER_BYTES, NULL, ""},
        {"Metaspace", SS_TOKENIZER_DECODER_METASPACE, "replacement", "\xE2\x96\x81"},
        {"BPEDecoder", SS_TOKENIZER_DECODER_SUFFIX, "suffix", "</w>"},
    };
    const char *path = loading->tokenizer.path, *scheme = "always";
    struct ss_tokenizer_decoder *decoder = &loading->self->decoder;
    const struct ss__json *object = ss__json_get(loading->tokenizer.root, "decoder");
    bool prefixes = true;
    if (object == NULL || ss__json_is_null(object)) {
        return SS_OK;
    }
    decoder->kind = SS_TOKENIZER_DECODER_UNKNOWN;
    const char *affix = ss_tokenizer_json_type(object);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (ss_tokenizer_json_is_type(object, kinds[i].type)) {
            decoder->kind = kinds[i].kind;
            affix = kinds[i].affix;
            if (kinds[i].key != NULL) {
                SS_RETURN_IF_ERROR(ss__json_text(path, object, kinds[i].key, &affix, err));
            }
        }
    }
    SS_RETURN_IF_ERROR(keep_affix(loading, affix, err));
    decoder->cleans = decoder->kind == SS_TOKENIZER_DECODER_WORDPIECE;
    SS_RETURN_IF_ERROR(ss__json_bool(path, object, "cleanup", &decoder->cleans, err));
    SS_RETURN_IF_ERROR(ss__json_text(path, object, "prepend_scheme", &scheme, err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, object, "add_prefix_space", &prefixes, err));
    decoder->keeps_first = strcmp(scheme, "never") == 0 || !prefixes;
    return SS_OK;
}

/* Whether WordPiece can take its own way over raw text. */
static bool is_bert_like(const struct ss_tokenizer_loading *loading)
{
    const struct ss__json *words = ss__json_get(loading->tokenizer.root, "pre_tokenizer");
    return loading->self->model == &ss_tokenizer_bert_model &&
           ss_tokenizer_json_is_type(words, "BertPreTokenizer") &&
           loading->self->normalizer.ascii != SS_TOKENIZER_ASCII_REWRITTEN;
}

/* WordPiece over BERT's words takes its own way over raw text; whatever is cut otherwise goes
 * through splitters. */
ss_status ss_tokenizer_load_generic_pipeline(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    SS_RETURN_IF_ERROR(ss_tokenizer_load_normalizer(loading, err));
    if (self->model == &ss_tokenizer_bert_model && !is_bert_like(loading)) {
        self->model = &ss_tokenizer_wordpiece_model;
    }
    if (self->model != &ss_tokenizer_bert_model) {
        SS_RETURN_IF_ERROR(ss_tokenizer_load_splitters(loading, err));
    }
    SS_RETURN_IF_ERROR(read_decoder(loading, err));
    return ss_tokenizer_find_unknown(loading, err);
}
