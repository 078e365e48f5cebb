/* Special tokens beyond those with a role: tokens that a model has by a name of its own, such
 * as "query_token", and lists. Where keys and files disagree, this is what the reference makes
 * of them:
 *
 *   names   keys that end with "_token": those whose value is an object, of the config and then
 *           of the map of special tokens, those whose value is a text, and the members of
 *           `extra_special_tokens` where that is an object; a name again takes the new value
 *   lists   `extra_special_tokens`; `additional_special_tokens` where the other is missing or
 *           empty, and beside an object; in the place of the latter what a SentencePiece file has
 */
#include <string.h>

#include "base/mem.h"
#include "tokenizer/load_priv.h"

static bool has_token_suffix(const char *key)
{
    static const char suffix[] = "_token";
    const size_t n = strlen(key), n_suffix = sizeof suffix - 1;
    return n > n_suffix && strcmp(key + n - n_suffix, suffix) == 0 &&
           !ss_tokenizer_load_is_role(key);
}

/* ---- tokens with names ---- */

/* A name keeps its place in the order, and takes the newer value. */
static ss_status put(struct ss_tokenizer_loading *loading, const char *key,
                     const struct ss__json *value, const char *text, ss_err *err)
{
    size_t i = 0;
    while (i < loading->n_own && strcmp(loading->own[i].key, key) != 0) {
        i++;
    }
    if (i == loading->n_own) {
        SS_GROW_OR_RETURN(loading->own, loading->own_capacity, loading->n_own + 1);
        loading->n_own++;
    }
    loading->own[i] = (struct ss_tokenizer_own_token){key, text, value};
    return SS_OK;
}

/* The keys of an object that name a token, or all; of texts, of objects, or both. */
static ss_status put_keys(struct ss_tokenizer_loading *loading, struct ss__json *object,
                          bool all, bool texts, bool objects, ss_err *err)
{
    const char *key = NULL;
    struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER (object, key, value) {
        const char *text = ss_tokenizer_load_token_text(value);
        const bool fits = ss__json_is_object(value) ? objects : texts;
        if (text != NULL && fits && (all || has_token_suffix(key))) {
            SS_RETURN_IF_ERROR(put(loading, key, value, text, err));
        }
    }
    return SS_OK;
}

/* A member of the map of special tokens, which is not read beside a list in the config. */
static struct ss__json *map_member(const struct ss_tokenizer_loading *loading, const char *key)
{
    return ss_tokenizer_load_lists_added(loading)
               ? NULL
               : ss__json_get(loading->special_map.root, key);
}

ss_status ss_tokenizer_load_own(struct ss_tokenizer_loading *loading, ss_err *err)
{
    static const char extra[] = "extra_special_tokens";
    const struct ss_tokenizer_class *class = loading->class;
    struct ss__json *config = loading->config.root;
    if (class->own_key != NULL) {
        SS_RETURN_IF_ERROR(put(loading, class->own_key, NULL, class->own_text, err));
    }
    SS_RETURN_IF_ERROR(put_keys(loading, config, false, false, true, err));
    if (!ss_tokenizer_load_lists_added(loading)) {
        SS_RETURN_IF_ERROR(
            put_keys(loading, loading->special_map.root, false, true, true, err));
    }
    SS_RETURN_IF_ERROR(put_keys(loading, config, false, true, false, err));
    SS_RETURN_IF_ERROR(put_keys(loading, ss__json_get(config, extra), true, true, true, err));
    return put_keys(loading, map_member(loading, extra), true, true, true, err);
}

bool ss_tokenizer_load_is_own(const struct ss_tokenizer_loading *loading, const char *text)
{
    for (size_t i = 0; i < loading->n_own; i++) {
        if (strcmp(loading->own[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- lists ---- */

/* A list of tokens; other values have none. */
static ss_status add_list(struct ss_tokenizer_loading *loading, const struct ss__json *list,
                          ss_err *err)
{
    for (size_t i = 0; ss__json_is_array(list) && i < ss__json_count(list); i++) {
        const struct ss__json *item = ss__json_at(list, i);
        const char *text = ss_tokenizer_load_token_text(item);
        if (text == NULL) {
            return ss__fail_file(err, loading->config.path, SS_E_DATA,
                                 "item %zu of a list of special tokens has no text", i);
        }
        SS_RETURN_IF_ERROR(ss_tokenizer_load_new_token(loading, item, text, false, err));
    }
    return SS_OK;
}

/* Tokens that a SentencePiece file has beside its ordinary pieces. */
static ss_status add_kept(struct ss_tokenizer_loading *loading, ss_err *err)
{
    for (size_t i = 0; i < loading->n_kept; i++) {
        const struct ss_tokenizer_kept_token *kept = &loading->kept[i];
        const struct ss_tokenizer_added_token token = {
            .text = kept->text.data, .n_bytes = kept->text.n_bytes, .special = kept->special};
        if (ss_tokenizer_added_find(&loading->self->added, token.text, token.n_bytes) == NULL) {
            SS_RETURN_IF_ERROR(ss_tokenizer_added_add(&loading->self->added,
                                                      &loading->self->vocab, &token, err));
        }
    }
    return SS_OK;
}

/* The list that is left where `extra_special_tokens` is none. */
static ss_status add_additional(struct ss_tokenizer_loading *loading,
                                const struct ss__json *list, ss_err *err)
{
    const char *const *more = loading->class->more_tokens;
    if (loading->has_kept) {
        SS_RETURN_IF_ERROR(add_kept(loading, err));
    } else if (list != NULL && !ss__json_is_null(list)) {
        SS_RETURN_IF_ERROR(add_list(loading, list, err));
    } else {
        for (; more != NULL && *more != NULL; more++) {
            SS_RETURN_IF_ERROR(ss_tokenizer_load_new_token(loading, NULL, *more, false, err));
        }
    }
    return SS_OK;
}

static ss_status add_lists(struct ss_tokenizer_loading *loading, ss_err *err)
{
    static const char extra_key[] = "extra_special_tokens",
                      additional_key[] = "additional_special_tokens";
    const struct ss__json *extra = ss__json_get(loading->config.root, extra_key);
    const struct ss__json *additional = ss__json_get(loading->config.root, additional_key);
    const struct ss__json *more = map_member(loading, extra_key);
    const bool is_empty = ss__json_count(extra) == 0;
    if (additional != NULL && is_empty) { /* it moves into the place of the other */
        extra = additional;
        additional = NULL;
    }
    if (map_member(loading, additional_key) != NULL) {
        additional = map_member(loading, additional_key);
    }
    if (ss__json_is_object(extra) || ss__json_is_object(more)) { /* tokens with names */
        extra = NULL;
    }
    if (extra == NULL && !ss__json_is_array(more)) {
        SS_RETURN_IF_ERROR(add_additional(loading, additional, err));
    }
    SS_RETURN_IF_ERROR(add_list(loading, extra, err));
    return add_list(loading, more, err);
}

ss_status ss_tokenizer_load_extra(struct ss_tokenizer_loading *loading, ss_err *err)
{
    for (size_t i = 0; i < loading->n_own; i++) {
        const struct ss_tokenizer_own_token *own = &loading->own[i];
        SS_RETURN_IF_ERROR(
            ss_tokenizer_load_new_token(loading, own->value, own->text, false, err));
    }
    return add_lists(loading, err);
}
