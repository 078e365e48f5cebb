/* The model: its kind, and the vocabulary of WordPiece. `model` of tokenizer.json, or the file
 * that a class has its vocabulary in. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/load_priv.h"

/* The kind of a model; older files do not name it. */
static const char *model_kind(const struct ss__json *model)
{
    if (ss_tokenizer_json_type(model)[0] != '\0') {
        return ss_tokenizer_json_type(model);
    }
    if (ss__json_get(model, "merges") != NULL) {
        return "BPE";
    }
    return ss__json_is_array(ss__json_get(model, "vocab")) ? "Unigram" : "WordPiece";
}

/* Settings of the model count for the generic class alone; known classes have their own. */
static ss_status read_wordpiece(struct ss_tokenizer_loading *loading,
                                const struct ss__json *model, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tokenizer *self = loading->self;
    const char *path = loading->tokenizer.path, *prefix = "##";
    self->model = &ss_tokenizer_bert_model;
    SS_TRY(ss_tokenizer_load_ids(loading, path, ss__json_get(model, "vocab"), err));
    if (loading->class->model == NULL) {
        loading->unknown_text = "[UNK]";
        SS_TRY(ss__json_text(path, model, "unk_token", &loading->unknown_text, err));
        SS_TRY(ss__json_text(path, model, "continuing_subword_prefix", &prefix, err));
        SS_TRY(ss__json_size(path, model, "max_input_chars_per_word", &self->max_word_points,
                             err));
        self->prefix = ss__arena_strndup(&self->texts, prefix, strlen(prefix));
        if (self->prefix == NULL) {
            status = ss__fail_nomem(err, "a prefix");
        }
    }
out:
    return status;
}

/* A word is looked up as a whole; one that is not there is the unknown token. */
static ss_status read_wordlevel(struct ss_tokenizer_loading *loading,
                                const struct ss__json *model, ss_err *err)
{
    const char *path = loading->tokenizer.path;
    loading->self->model = &ss_tokenizer_wordlevel_model;
    loading->unknown_text = "<unk>";
    SS_RETURN_IF_ERROR(ss_tokenizer_load_ids(loading, path, ss__json_get(model, "vocab"), err));
    return ss__json_text(path, model, "unk_token", &loading->unknown_text, err);
}

/* The length of a line without trailing white space of every kind. */
static size_t trimmed(const char *line, size_t n_bytes)
{
    while (n_bytes > 0) {
        size_t start = n_bytes - 1;
        uint32_t code_point = 0;
        while (start > 0 && ((uint8_t)line[start] & 0xC0) == 0x80) {
            start--;
        }
        (void)ss__utf8_decode(line + start, n_bytes - start, &code_point);
        if (!ss__is_white_space(code_point)) {
            break;
        }
        n_bytes = start;
    }
    return n_bytes;
}

/* One token per line, its id the line's number; of equal lines the last one counts. */
static ss_status read_text_vocab(struct ss_tokenizer_loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    int64_t id = 0;
    SS_TRY(ss__file_load(loading->vocab_path, &map, err));
    const char *text = (const char *)map.data;
    const size_t n_valid = ss__utf8_valid_prefix(text, map.n_bytes);
    if (n_valid < map.n_bytes) {
        status = ss__fail_file(err, loading->vocab_path, SS_E_DATA, "not valid UTF-8");
        ss__err_at_offset(err, n_valid);
        goto out;
    }
    for (size_t at = 0; at < map.n_bytes; id++) {
        const char *end = memchr(text + at, '\n', map.n_bytes - at);
        const size_t n = end == NULL ? map.n_bytes - at : (size_t)(end - (text + at));
        SS_TRY(ss_tokenizer_vocab_add(&loading->self->vocab, text + at, trimmed(text + at, n),
                                      id, err));
        at += n + 1;
    }
    if (id == 0) {
        SS_FAIL_FILE(loading->vocab_path, SS_E_DATA, "the vocabulary is empty");
    }
out:
    ss__map_release(&map);
    return status;
}

/* ---- all kinds ---- */

static const struct {
    const struct ss_tokenizer_model *model;
    ss_status (*read)(struct ss_tokenizer_loading *, const struct ss__json *, ss_err *);
} readers[] = {
    {&ss_tokenizer_bert_model, read_wordpiece},
    {&ss_tokenizer_wordlevel_model, read_wordlevel},
    {&ss_tokenizer_bpe_model, ss_tokenizer_load_bpe},
    {&ss_tokenizer_unigram_model, ss_tokenizer_load_unigram},
};

/* A class with a model of its own does not read another kind's vocabulary: that would give ids,
 * and wrong ones. */
static ss_status read_model(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const char *path = loading->tokenizer.path;
    const struct ss__json *model = ss__json_get(loading->tokenizer.root, "model");
    const struct ss_tokenizer_model *wanted = loading->class->model;
    if (!ss__json_is_object(model)) {
        return ss__fail_file(err, path, SS_E_DATA, "key 'model' is missing or not an object");
    }
    const char *name = model_kind(model);
    if (wanted != NULL && strcmp(wanted->name, name) != 0) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "the model is %.40s, but the class %s needs %s", name,
                             loading->class->name, wanted->name);
    }
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (strcmp(readers[i].model->name, name) == 0) {
            return readers[i].read(loading, model, err);
        }
    }
    return ss__fail_file(
        err, path, SS_E_UNSUPPORTED,
        "the tokenizer model is %.40s; WordPiece, WordLevel, BPE and Unigram are "
        "supported",
        name);
}

/* -1 is no unknown token: the models that need one say so where they read their settings. */
ss_status ss_tokenizer_load_model(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    self->max_word_points = SS_TOKENIZER_DEFAULT_MAX_WORD_POINTS;
    self->prefix = "##";
    self->bpe.prefix = self->bpe.suffix = "";
    self->bpe.unknown = self->unigram.unknown = self->unknown = -1;
    self->model = loading->class->model;
    if (loading->tokenizer.root != NULL) {
        return read_model(loading, err);
    }
    if (self->model == &ss_tokenizer_bpe_model) {
        return ss_tokenizer_load_bpe_files(loading, err);
    }
    return self->model == &ss_tokenizer_unigram_model
               ? ss_tokenizer_load_sentencepiece(loading, err)
               : read_text_vocab(loading, err);
}

ss_status ss_tokenizer_find_unknown(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    const char *text = loading->unknown_text;
    if (text == NULL) { /* not of WordPiece: the model has found it, or needs none */
        return SS_OK;
    }
    self->unknown = ss_tokenizer_trie_find(&self->vocab.trie, text, strlen(text));
    if (self->unknown < 0) {
        return ss__fail(err, SS_E_DATA, "the unknown token '%.80s' is not in the vocabulary",
                        text);
    }
    return SS_OK;
}
