/* Values of tokenizer.json that several parts of it have: types, and objects of tokens and
 * ids. */
#include <string.h>

#include "tokenizer/load_priv.h"

/* "" where there is none, which is no type's name. */
const char *ss_tokenizer_json_type(const struct ss__json *object)
{
    const struct ss__json *type =
        ss__json_is_object(object) ? ss__json_get(object, "type") : NULL;
    return ss__json_is_string(type) ? ss__json_string(type) : "";
}

bool ss_tokenizer_json_is_type(const struct ss__json *object, const char *name)
{
    return strcmp(ss_tokenizer_json_type(object), name) == 0;
}

ss_status ss_tokenizer_load_ids(struct ss_tokenizer_loading *loading, const char *path,
                                struct ss__json *vocab, ss_err *err)
{
    const char *text = NULL;
    struct ss__json *id = NULL;
    if (!ss__json_is_object(vocab) || ss__json_count(vocab) == 0) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "key 'model.vocab' is not an object with tokens");
    }
    SS_JSON_EACH_MEMBER (vocab, text, id) {
        if (!ss__json_is_integer(id)) {
            return ss__fail_file(err, path, SS_E_DATA,
                                 "the id of token '%.64s' is not a whole number", text);
        }
        SS_RETURN_IF_ERROR(ss_tokenizer_vocab_add(&loading->self->vocab, text, strlen(text),
                                                  ss__json_integer(id), err));
    }
    return SS_OK;
}
