/* A tokenizer folder: which file decides what.
 *
 *   tokenizer.json           vocabulary, added tokens; the whole pipeline for the generic class
 *   vocab.txt                the vocabulary where there is no tokenizer.json: of WordPiece,
 *   vocab.json, merges.txt   of byte-level BPE,
 *   sentencepiece.bpe.model  of Unigram
 *   tokenizer_config.json    the class and its settings, added tokens that override
 *   special_tokens_map.json  tokens with a role, where the config lists no added tokens
 *   added_tokens.json        older form of added tokens, likewise
 *   config.json              only for the class, where the above name none
 *
 * Loading fills a tokenizer in steps that need each other's results: class, model (vocabulary),
 * pipeline, added tokens, what these look like in normalised text, tables for the fast ways,
 * fingerprint. Files are trees that live as long as loading; what the tokenizer keeps is copied
 * into its own arena. docs/spec/encoders.md, §5. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "tokenizer/load_priv.h"

static const double ABSURD_LENGTH = 1e9; /* "no limit" is written as 10^30 */

/* The files that a kind of model has its vocabulary in where there is no tokenizer.json. */
static const struct {
    const struct ss_tokenizer_model *model;
    const char *vocab, *merges;
} vocab_files[] = {
    {&ss_tokenizer_bert_model, "vocab.txt", NULL},
    {&ss_tokenizer_bpe_model, "vocab.json", "merges.txt"},
    {&ss_tokenizer_unigram_model, "sentencepiece.bpe.model", NULL},
};
enum { N_VOCAB_FILES = sizeof vocab_files / sizeof vocab_files[0] };

/* ---- files ---- */

/* A file that is not there has no root; its path is set all the same, for messages. */
static ss_status open_json(const char *folder, const char *name,
                           struct ss_tokenizer_json_file *file, ss_err *err)
{
    file->path = ss__path_join(folder, name);
    if (file->path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_RETURN_IF_ERROR(ss__json_load_optional(file->path, &file->root, err));
    if (file->root != NULL && !ss__json_is_object(file->root)) {
        return ss__fail_file(err, file->path, SS_E_DATA,
                             "expected a JSON object at the top level");
    }
    return SS_OK;
}

static ss_status open_files(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const char *folder = loading->folder;
    SS_RETURN_IF_ERROR(open_json(folder, "tokenizer.json", &loading->tokenizer, err));
    SS_RETURN_IF_ERROR(open_json(folder, "tokenizer_config.json", &loading->config, err));
    SS_RETURN_IF_ERROR(
        open_json(folder, "special_tokens_map.json", &loading->special_map, err));
    SS_RETURN_IF_ERROR(open_json(folder, "added_tokens.json", &loading->added_map, err));
    return open_json(folder, "config.json", &loading->model_config, err);
}

/* Put the caller's arguments over the keys of tokenizer_config.json. The class is not among
 * them: the reference takes it from the files alone. */
static ss_status apply_arguments(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss__json *merged = NULL;
    if (ss__json_count(loading->options->arguments) == 0) {
        return SS_OK;
    }
    const ss_status status = ss__json_merge(loading->config.root, loading->options->arguments,
                                            "tokenizer_class", &merged, err);
    ss__json_free(loading->config.root);
    loading->config.root = merged;
    return status;
}

/* The path of a file of the folder, and whether it is there. */
static ss_status find_file(const struct ss_tokenizer_loading *loading, const char *name,
                           char **path, bool *found, ss_err *err)
{
    *path = ss__path_join(loading->folder, name);
    if (*path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    *found = ss__path_stat(*path) == SS__PATH_FILE;
    return SS_OK;
}

/* Where there is no tokenizer.json: the vocabulary of the class. */
static ss_status find_vocab(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_model *model = loading->class->model;
    bool has_vocab = false, has_merges = true;
    for (size_t i = 0; loading->tokenizer.root == NULL && i < N_VOCAB_FILES; i++) {
        if (vocab_files[i].model != model) {
            continue;
        }
        SS_RETURN_IF_ERROR(
            find_file(loading, vocab_files[i].vocab, &loading->vocab_path, &has_vocab, err));
        if (vocab_files[i].merges != NULL) {
            SS_RETURN_IF_ERROR(find_file(loading, vocab_files[i].merges, &loading->merges_path,
                                         &has_merges, err));
        }
        if (!has_vocab || !has_merges) {
            return ss__fail_file(
                err, loading->folder, SS_E_NOINPUT,
                "there is no tokenizer here: expected tokenizer.json, or %s%s%s for "
                "the class %s",
                vocab_files[i].vocab, vocab_files[i].merges == NULL ? "" : " and ",
                vocab_files[i].merges == NULL ? "" : vocab_files[i].merges,
                loading->class->name);
        }
    }
    return SS_OK;
}

/* Whether the folder holds a vocabulary of any kind. */
static ss_status need_some_vocab(const struct ss_tokenizer_loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    bool found = loading->tokenizer.root != NULL;
    for (size_t i = 0; i < N_VOCAB_FILES && !found; i++) {
        char *path = NULL;
        status = find_file(loading, vocab_files[i].vocab, &path, &found, err);
        ss__free(path);
        SS_TRY(status);
    }
    if (!found) {
        SS_FAIL_FILE(loading->folder, SS_E_NOINPUT,
                     "there is no tokenizer here: expected tokenizer.json, or vocab.txt, "
                     "vocab.json with merges.txt or sentencepiece.bpe.model together with "
                     "tokenizer_config.json");
    }
out:
    return status;
}

static void release_json(struct ss_tokenizer_json_file *file)
{
    ss__free(file->path);
    ss__json_free(file->root);
}

static void release_files(struct ss_tokenizer_loading *loading)
{
    release_json(&loading->tokenizer);
    release_json(&loading->config);
    release_json(&loading->special_map);
    release_json(&loading->added_map);
    release_json(&loading->model_config);
    ss__free(loading->vocab_path);
    ss__free(loading->merges_path);
    ss__free(loading->kept);
    ss__free(loading->own);
}

/* ---- scalars ---- */

/* The side that is cut off: of the settings, else what tokenizer.json says of truncation. */
static ss_status read_truncation_side(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config, *file = &loading->tokenizer;
    const char *side = NULL, *direction = "Right";
    SS_RETURN_IF_ERROR(
        ss__json_text(config->path, config->root, "truncation_side", &side, err));
    SS_RETURN_IF_ERROR(ss__json_text(file->path, ss__json_get(file->root, "truncation"),
                                     "direction", &direction, err));
    if (side != NULL && strcmp(side, "left") != 0 && strcmp(side, "right") != 0) {
        return ss__fail_file(err, config->path, SS_E_DATA,
                             "key 'truncation_side' is '%.40s', expected 'left' or 'right'",
                             side);
    }
    loading->self->truncates_left =
        side != NULL ? strcmp(side, "left") == 0 : strcmp(direction, "Left") == 0;
    return SS_OK;
}

/* model_max_length counts over the older max_len. An absurd number is how the reference writes
 * that there is no limit. */
static ss_status read_settings(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss_tokenizer_json_file *config = &loading->config;
    double length = 0;
    SS_RETURN_IF_ERROR(ss__json_number(config->path, config->root, "max_len", &length, err));
    SS_RETURN_IF_ERROR(
        ss__json_number(config->path, config->root, "model_max_length", &length, err));
    if (length >= 1 && length <= ABSURD_LENGTH) {
        loading->self->max_length = (size_t)length;
    }
    SS_RETURN_IF_ERROR(read_truncation_side(loading, err));
    SS_RETURN_IF_ERROR(ss__json_bool(config->path, config->root, "clean_up_tokenization_spaces",
                                     &loading->self->decoder.cleans_text, err));
    SS_RETURN_IF_ERROR(ss__json_bool(config->path, config->root, "split_special_tokens",
                                     &loading->self->added.splits_special_tokens, err));
    loading->self->has_types = loading->class->begin_type != 0;
    return SS_OK;
}

/* ---- the whole ---- */

/* Find out what the added tokens look like in normalised text, and index them. */
static ss_status index_added(struct ss_tokenizer *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf plain = {0};
    struct ss_tokenizer_normal_scratch scratch = {0};
    for (size_t i = 0; i < self->added.n_tokens; i++) {
        struct ss_tokenizer_added_token *token = &self->added.tokens[i];
        plain.n_bytes = 0;
        SS_TRY(ss_tokenizer_normalize(&self->normalizer, &scratch, token->text, token->n_bytes,
                                      &plain, err));
        token->n_plain = plain.n_bytes;
        token->plain = ss__arena_strndup(&self->added.texts,
                                         plain.data == NULL ? "" : plain.data, plain.n_bytes);
        if (token->plain == NULL) {
            status = ss__fail_nomem(err, "an added token");
            goto out;
        }
    }
    SS_TRY(ss_tokenizer_added_index(&self->added, err));
out:
    ss_tokenizer_normal_scratch_release(&scratch);
    ss__buf_release(&plain);
    return status;
}

/* A hash of all that decides the ids of a word: a scratch whose word cache is of another
 * tokenizer is emptied. Two tokenizers that are equal may share its words. */
static uint64_t fingerprint_of(const struct ss_tokenizer *self)
{
    const struct ss_tokenizer_charsmap *map = &self->charsmap;
    uint64_t steps = 0;
    for (size_t i = 0; i < self->normalizer.n_steps; i++) {
        const struct ss_tokenizer_normal_step *step = &self->normalizer.steps[i];
        const uint64_t parts[] = {steps,
                                  (uint64_t)step->kind,
                                  ss__hash64(step->from, step->n_from * sizeof *step->from),
                                  ss__hash64(step->to, step->n_to * sizeof *step->to),
                                  ss__hash64(map->units, map->n_units * sizeof *map->units),
                                  ss__hash64(map->text, map->n_text)};
        steps = ss__hash64(parts, sizeof parts);
    }
    const struct ss_tokenizer_bpe *bpe = &self->bpe;
    const struct ss_tokenizer_unigram *unigram = &self->unigram;
    const uint64_t parts[] = {
        ss__hash64(self->vocab.bytes, self->vocab.n_bytes),
        ss__hash64(self->vocab.texts, self->vocab.n_ids * sizeof *self->vocab.texts),
        steps,
        ss__hash64(self->splitters, self->n_splitters * sizeof *self->splitters),
        ss__hash64(self->prefix, strlen(self->prefix)),
        ss__hash64(bpe->prefix, strlen(bpe->prefix)),
        ss__hash64(bpe->suffix, strlen(bpe->suffix)),
        ss__hash64(bpe->merges, bpe->n_slots * sizeof *bpe->merges),
        ss__hash64(unigram->scores,
                   unigram->scores == NULL ? 0 : self->vocab.n_ids * sizeof *unigram->scores),
        (uint64_t)bpe->fuses_unknown << 4 | (uint64_t)bpe->falls_back_to_bytes << 3 |
            (uint64_t)bpe->takes_whole_words << 2 | (uint64_t)bpe->byte_level << 1 |
            (uint64_t)unigram->falls_back_to_bytes,
        (uint64_t)self->max_word_points,
        (uint64_t)self->unknown,
    };
    return ss__hash64(parts, sizeof parts);
}

/* The known classes can not do without some roles, which a config may set to null. */
static ss_status check_roles(const struct ss_tokenizer_loading *loading, ss_err *err)
{
    static const char *const keys[] = {"unk_token", "cls_token",  "sep_token", "bos_token",
                                       "eos_token", "mask_token", "pad_token"};
    const struct ss_tokenizer_class *class = loading->class;
    for (size_t i = 0; class->begin != NULL && i < sizeof keys / sizeof keys[0]; i++) {
        const bool needs = class->model == &ss_tokenizer_unigram_model || i == 0 ||
                           strcmp(keys[i], class->begin) == 0 ||
                           strcmp(keys[i], class->end) == 0;
        if (needs && ss_tokenizer_load_role_text(loading, keys[i]) == NULL) {
            return ss__fail_file(err, loading->config.path, SS_E_UNSUPPORTED,
                                 "key '%s' is null, but the class %s needs such a token",
                                 keys[i], class->name);
        }
    }
    return SS_OK;
}

/* In the order of the steps above; the generic class has its template from tokenizer.json, the
 * others stand begin and end around a text by their roles. */
static ss_status fill(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    SS_RETURN_IF_ERROR(read_settings(loading, err));
    SS_RETURN_IF_ERROR(check_roles(loading, err));
    SS_RETURN_IF_ERROR(ss_tokenizer_load_model(loading, err));
    if (loading->class->model == NULL) {
        SS_RETURN_IF_ERROR(ss_tokenizer_load_generic_pipeline(loading, err));
    } else {
        SS_RETURN_IF_ERROR(ss_tokenizer_load_supported_pipeline(loading, err));
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_load_added(loading, err));
    if (loading->class->begin == NULL) {
        SS_RETURN_IF_ERROR(ss_tokenizer_load_template(loading, err));
    }
    SS_RETURN_IF_ERROR(index_added(self, err));
    if (self->model == &ss_tokenizer_bert_model ||
        self->model == &ss_tokenizer_wordpiece_model) {
        SS_RETURN_IF_ERROR(ss_tokenizer_wordpiece_prepare(self, err));
    }
    ss_tokenizer_bpe_prepare(&self->bpe, &self->vocab);
    ss_tokenizer_words_prepare(self);
    self->fingerprint = fingerprint_of(self);
    return SS_OK;
}

/* From what is cheap and often wrong to what is expensive: the class and the keys are judged
 * before a vocabulary is read. */
ss_status ss_tokenizer_load(const char *folder, const struct ss_tokenizer_options *options,
                            struct ss_tokenizer **out, ss_err *err)
{
    static const struct ss_tokenizer_options defaults = {0};
    ss_status status = SS_OK;
    struct ss_tokenizer_loading loading = {.options = options == NULL ? &defaults : options,
                                           .folder = folder};
    *out = NULL;
    SS_ALLOC(loading.self, 1);
    SS_TRY(open_files(&loading, err));
    SS_TRY(apply_arguments(&loading, err));
    SS_TRY(need_some_vocab(&loading, err));
    SS_TRY(ss_tokenizer_choose_class(&loading, err));
    SS_TRY(find_vocab(&loading, err));
    SS_TRY(ss_tokenizer_check_config_keys(&loading, err));
    SS_TRY(ss_tokenizer_check_tokenizer_keys(&loading, err));
    status = fill(&loading, err);
    if (status != SS_OK) {
        ss__err_in_file(err, loading.tokenizer.root != NULL ? loading.tokenizer.path
                                                            : loading.vocab_path);
        goto out;
    }
    *out = loading.self;
    loading.self = NULL;
out:
    ss_tokenizer_free(loading.self);
    release_files(&loading);
    return status;
}

void ss_tokenizer_free(struct ss_tokenizer *self)
{
    if (self == NULL) {
        return;
    }
    ss_tokenizer_vocab_release(&self->vocab);
    ss_tokenizer_added_release(&self->added);
    ss__arena_release(&self->texts);
    ss_tokenizer_charsmap_release(&self->charsmap);
    ss__free(self->bpe.merges);
    ss__free(self->unigram.scores);
    ss__free(self);
}

size_t ss_tokenizer_max_length(const struct ss_tokenizer *self)
{
    return self->max_length;
}

bool ss_tokenizer_has_types(const struct ss_tokenizer *self)
{
    return self->has_types;
}

struct ss_tokenizer_special_ids ss_tokenizer_specials(const struct ss_tokenizer *self)
{
    return self->specials;
}
