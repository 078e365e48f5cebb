/* The vocabulary of WordPiece: `model.vocab` of tokenizer.json, or vocab.txt. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/load_priv.h"

const char *ss__json_type(const json_t *object)
{
    const json_t *type = json_is_object(object) ? json_object_get(object, "type") : NULL;
    return json_is_string(type) ? json_string_value(type) : "";
}

bool ss__json_is_type(const json_t *object, const char *name)
{
    return strcmp(ss__json_type(object), name) == 0;
}

/* The kind of a model; older files do not name it. */
static const char *model_kind(const json_t *model)
{
    if (ss__json_type(model)[0] != '\0') {
        return ss__json_type(model);
    }
    if (json_object_get(model, "merges") != NULL) {
        return "BPE";
    }
    return json_is_array(json_object_get(model, "vocab")) ? "Unigram" : "WordPiece";
}

static ss_status read_json_vocab(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    const char *path = loading->tokenizer.path;
    const json_t *model = json_object_get(loading->tokenizer.root, "model");
    const char *text = NULL;
    json_t *id = NULL, *vocab = NULL;
    if (!json_is_object(model)) {
        SS_FAIL_FILE(path, SS_E_DATA, "key 'model' is missing or not an object");
    }
    if (strcmp(model_kind(model), ss__wordpiece_kind.name) != 0) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "the tokenizer model is %.40s; only WordPiece is supported",
                     model_kind(model));
    }
    vocab = json_object_get(model, "vocab");
    if (!json_is_object(vocab) || json_object_size(vocab) == 0) {
        SS_FAIL_FILE(path, SS_E_DATA, "key 'model.vocab' is not an object with tokens");
    }
    json_object_foreach(vocab, text, id)
    {
        if (!json_is_integer(id)) {
            SS_FAIL_FILE(path, SS_E_DATA, "the id of token '%.64s' is not a whole number",
                         text);
        }
        SS_TRY(ss__vocab_add(&loading->self->vocab, text, strlen(text), json_integer_value(id),
                             err));
    }
out:
    return status;
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
static ss_status read_text_vocab(struct ss__loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    int64_t id = 0;
    SS_TRY(ss__file_map(loading->vocab_path, &map, err));
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
        SS_TRY(ss__vocab_add(&loading->self->vocab, text + at, trimmed(text + at, n), id, err));
        at += n + 1;
    }
    if (id == 0) {
        SS_FAIL_FILE(loading->vocab_path, SS_E_DATA, "the vocabulary is empty");
    }
out:
    ss__map_release(&map);
    return status;
}

ss_status ss__load_vocab(struct ss__loading *loading, ss_err *err)
{
    return loading->tokenizer.root != NULL ? read_json_vocab(loading, err)
                                           : read_text_vocab(loading, err);
}
