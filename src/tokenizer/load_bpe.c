/* Byte-pair encoding from files: `model` of tokenizer.json, or vocab.json with merges.txt.
 *
 * Merges are pairs of tokens by falling precedence: ["a", "b"], or "a b" in older files and on
 * the lines of merges.txt, where lines that begin with "#version" are left out. What a pair
 * merges into is the text of both, without the prefix of the second. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "tokenizer/load_priv.h"

enum { MAX_AFFIX_BYTES = 16, MAX_MERGES = 1 << 24 };

/* Merges on their way into the table. */
struct adding {
    struct ss_tokenizer *self;
    const char *path;
    uint32_t rank;
    struct ss__buf merged; /* the text of the pair in work */
};

/* Both tokens of a merge, and what it makes, have to be in the vocabulary. */
static ss_status find_token(const struct adding *adding, const char *text, size_t n_bytes,
                            int32_t *id, ss_err *err)
{
    *id = ss_tokenizer_trie_find(&adding->self->vocab.trie, text, n_bytes);
    if (*id < 0) {
        return ss__fail_file(err, adding->path, SS_E_DATA,
                             "merge %u needs the token '%.*s', which is not in the vocabulary",
                             adding->rank + 1, (int)ss__min_size(n_bytes, 64), text);
    }
    return SS_OK;
}

/* The rank is the place in the file: of two merges that are possible in a word the earlier one
 * is made first (bpe_merge.c). */
static ss_status add_merge(struct adding *adding, struct ss_text left, struct ss_text right,
                           ss_err *err)
{
    int32_t ids[3];
    const size_t n_prefix = strlen(adding->self->bpe.prefix);
    SS_RETURN_IF_ERROR(find_token(adding, left.data, left.n_bytes, &ids[0], err));
    SS_RETURN_IF_ERROR(find_token(adding, right.data, right.n_bytes, &ids[1], err));
    if (right.n_bytes < n_prefix || adding->rank >= MAX_MERGES) {
        return ss__fail_file(err, adding->path, SS_E_DATA,
                             "merge %u is not one that can be read", adding->rank + 1);
    }
    adding->merged.n_bytes = 0;
    ss__buf_add(&adding->merged, left.data, left.n_bytes);
    ss__buf_add(&adding->merged, right.data + n_prefix, right.n_bytes - n_prefix);
    SS_RETURN_IF_ERROR(ss__buf_check(&adding->merged, err));
    SS_RETURN_IF_ERROR(
        find_token(adding, adding->merged.data, adding->merged.n_bytes, &ids[2], err));
    SS_RETURN_IF_ERROR(ss_tokenizer_bpe_add_merge(&adding->self->bpe, ids[0], ids[1], ids[2],
                                                  adding->rank, err));
    adding->rank++;
    return SS_OK;
}

/* "left right", with one space. */
static ss_status add_line(struct adding *adding, const char *line, size_t n_bytes, ss_err *err)
{
    static const char version[] = "#version";
    if (n_bytes >= sizeof version - 1 && memcmp(line, version, sizeof version - 1) == 0) {
        return SS_OK;
    }
    const char *space = memchr(line, ' ', n_bytes);
    const size_t n_left = space == NULL ? n_bytes : (size_t)(space - line);
    if (space == NULL || memchr(space + 1, ' ', n_bytes - n_left - 1) != NULL) {
        return ss__fail_file(err, adding->path, SS_E_DATA,
                             "merge %u is '%.*s', expected two tokens with a space between",
                             adding->rank + 1, (int)ss__min_size(n_bytes, 64), line);
    }
    return add_merge(adding, (struct ss_text){line, n_left},
                     (struct ss_text){space + 1, n_bytes - n_left - 1}, err);
}

/* Newer files have pairs, which allow tokens with a space; older ones have lines. */
static ss_status add_item(struct adding *adding, const struct ss__json *item, ss_err *err)
{
    const struct ss__json *left = ss__json_at(item, 0), *right = ss__json_at(item, 1);
    if (ss__json_is_string(item)) {
        return add_line(adding, ss__json_string(item), ss__json_string_bytes(item), err);
    }
    if (ss__json_count(item) != 2 || !ss__json_is_string(left) || !ss__json_is_string(right)) {
        return ss__fail_file(err, adding->path, SS_E_DATA, "merge %u is not a pair of tokens",
                             adding->rank + 1);
    }
    return add_merge(
        adding, (struct ss_text){ss__json_string(left), ss__json_string_bytes(left)},
        (struct ss_text){ss__json_string(right), ss__json_string_bytes(right)}, err);
}

/* Empty where there is none, so that nobody has to ask for NULL. */
static ss_status read_affix(struct ss_tokenizer_loading *loading, const struct ss__json *model,
                            const char *key, const char **affix, ss_err *err)
{
    ss_status status = SS_OK;
    const char *text = "";
    struct ss_tokenizer *self = loading->self;
    SS_TRY(ss__json_text(loading->tokenizer.path, model, key, &text, err));
    if (strlen(text) > MAX_AFFIX_BYTES) {
        SS_FAIL_FILE(loading->tokenizer.path, SS_E_LIMIT,
                     "'%s' has %zu bytes, at most %d are "
                     "read",
                     key, strlen(text), MAX_AFFIX_BYTES);
    }
    *affix = ss__arena_strndup(&self->texts, text, strlen(text));
    if (*affix == NULL) {
        status = ss__fail_nomem(err, "an affix");
    }
out:
    return status;
}

/* What only the generic class reads. */
static ss_status read_settings(struct ss_tokenizer_loading *loading,
                               const struct ss__json *model, ss_err *err)
{
    const char *path = loading->tokenizer.path, *unknown = NULL;
    struct ss_tokenizer *self = loading->self;
    struct ss_tokenizer_bpe *bpe = &self->bpe;
    double dropout = 0;
    SS_RETURN_IF_ERROR(
        read_affix(loading, model, "continuing_subword_prefix", &bpe->prefix, err));
    SS_RETURN_IF_ERROR(read_affix(loading, model, "end_of_word_suffix", &bpe->suffix, err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, model, "fuse_unk", &bpe->fuses_unknown, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(path, model, "byte_fallback", &bpe->falls_back_to_bytes, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(path, model, "ignore_merges", &bpe->takes_whole_words, err));
    SS_RETURN_IF_ERROR(ss__json_number(path, model, "dropout", &dropout, err));
    if (dropout != 0) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "the model has a dropout of %g: its ids are different every time",
                             dropout);
    }
    SS_RETURN_IF_ERROR(ss__json_text(path, model, "unk_token", &unknown, err));
    if (unknown != NULL) {
        bpe->unknown = ss_tokenizer_trie_find(&self->vocab.trie, unknown, strlen(unknown));
        if (bpe->unknown < 0) {
            return ss__fail_file(err, path, SS_E_DATA,
                                 "the unknown token '%.80s' is not in the vocabulary", unknown);
        }
    }
    return SS_OK;
}

/* The vocabulary first: merges name tokens of it. */
ss_status ss_tokenizer_load_bpe(struct ss_tokenizer_loading *loading,
                                const struct ss__json *model, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__json *merges = ss__json_get(model, "merges");
    struct adding adding = {.self = loading->self, .path = loading->tokenizer.path};
    loading->self->model = &ss_tokenizer_bpe_model;
    SS_TRY(ss_tokenizer_load_ids(loading, adding.path, ss__json_get(model, "vocab"), err));
    if (loading->class->model == NULL) {
        SS_TRY(read_settings(loading, model, err));
    }
    if (!ss__json_is_array(merges)) {
        SS_FAIL_FILE(adding.path, SS_E_DATA, "key 'model.merges' is not a list");
    }
    for (size_t i = 0; i < ss__json_count(merges); i++) {
        SS_TRY(add_item(&adding, ss__json_at(merges, i), err));
    }
out:
    ss__buf_release(&adding.merged);
    return status;
}

/* A line of merges.txt without its end, which may be CR LF. */
static ss_status add_lines(struct adding *adding, const char *text, size_t n_bytes, ss_err *err)
{
    for (size_t at = 0; at < n_bytes;) {
        const char *end = memchr(text + at, '\n', n_bytes - at);
        const size_t n = end == NULL ? n_bytes - at : (size_t)(end - (text + at));
        const bool has_cr = end != NULL && n > 0 && text[at + n - 1] == '\r';
        SS_RETURN_IF_ERROR(add_line(adding, text + at, n - has_cr, err));
        at += n + 1;
    }
    return SS_OK;
}

/* vocab.json and merges.txt, as folders without tokenizer.json have them. */
ss_status ss_tokenizer_load_bpe_files(struct ss_tokenizer_loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *vocab = NULL;
    struct ss__map merges = {0};
    struct adding adding = {.self = loading->self, .path = loading->merges_path};
    SS_TRY(ss__json_load(loading->vocab_path, &vocab, err));
    SS_TRY(ss_tokenizer_load_ids(loading, loading->vocab_path, vocab, err));
    SS_TRY(ss__file_load(loading->merges_path, &merges, err));
    SS_TRY(add_lines(&adding, (const char *)merges.data, merges.n_bytes, err));
out:
    ss__buf_release(&adding.merged);
    ss__map_release(&merges);
    ss__json_free(vocab);
    return status;
}
