/* Added tokens and tokens with a role (begin, end, unknown, mask, ...), gathered from all files
 * in the order in which the reference adds them, since that order gives new tokens their ids.
 *
 * For each role the text is what the caller, the map of special tokens or the config says, else
 * that of the class; a null takes it away. Lists of tokens are sorted by id before they are
 * added, and of two with one id the later one read counts. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "tokenizer/load_priv.h"

/* Tokens with a role, in the reference's order, and what they are called if no file says. */
static const struct role {
    const char *key, *texts[SS_TOKENIZER_N_ROLE_SETS];
} roles[] = {
    {"bos_token", {NULL, NULL, "<s>", "<s>", "<s>"}},
    {"eos_token", {NULL, NULL, "</s>", "</s>", "</s>"}},
    {"unk_token", {NULL, "[UNK]", "<unk>", "[UNK]", "<unk>"}},
    {"sep_token", {NULL, "[SEP]", "<sep>", "</s>", "</s>"}},
    {"pad_token", {NULL, "[PAD]", "<pad>", "<pad>", "<pad>"}},
    {"cls_token", {NULL, "[CLS]", "<cls>", "<s>", "<s>"}},
    {"mask_token", {NULL, "[MASK]", "<mask>", "<mask>", "<mask>"}},
};
enum { N_ROLES = sizeof roles / sizeof roles[0] };

/* A token that a list names, before it is added. */
struct entry {
    int64_t id;
    size_t order;
    struct ss_tokenizer_added_token token; /* text borrowed from the JSON trees */
};
struct entries {
    struct entry *data;
    size_t n, capacity;
};

/* ---- reading one token ---- */

/* A token as an object with flags, or as its text alone. */
static ss_status read_token(const char *path, const struct ss__json *value, bool special,
                            struct ss_tokenizer_added_token *token, ss_err *err)
{
    *token = (struct ss_tokenizer_added_token){.special = special};
    const struct ss__json *text =
        ss__json_is_object(value) ? ss__json_get(value, "content") : value;
    if (!ss__json_is_string(text)) {
        return ss__fail_file(err, path, SS_E_DATA, "an added token has no text");
    }
    if (ss__json_is_object(value)) {
        SS_RETURN_IF_ERROR(ss__json_bool(path, value, "special", &token->special, err));
        SS_RETURN_IF_ERROR(ss__json_bool(path, value, "single_word", &token->single_word, err));
        SS_RETURN_IF_ERROR(ss__json_bool(path, value, "lstrip", &token->lstrip, err));
        SS_RETURN_IF_ERROR(ss__json_bool(path, value, "rstrip", &token->rstrip, err));
    }
    token->special = token->special || special;
    token->normalized = !token->special;
    SS_RETURN_IF_ERROR(ss__json_bool(path, ss__json_is_object(value) ? value : NULL,
                                     "normalized", &token->normalized, err));
    token->text = ss__json_string(text);
    token->n_bytes = ss__json_string_bytes(text);
    return SS_OK;
}

/* Keep a token under its id in the file; a later one with the same id replaces it. */
static ss_status keep(struct entries *entries, int64_t id,
                      const struct ss_tokenizer_added_token *token, ss_err *err)
{
    if (entries->n >= 2 * SS_TOKENIZER_MAX_ADDED_TOKENS) {
        return ss__fail(err, SS_E_LIMIT, "more than %d added tokens",
                        SS_TOKENIZER_MAX_ADDED_TOKENS);
    }
    SS_GROW_OR_RETURN(entries->data, entries->capacity, entries->n + 1);
    entries->data[entries->n] = (struct entry){.id = id, .order = entries->n, .token = *token};
    entries->n++;
    return SS_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- roles ---- */

bool ss_tokenizer_load_lists_added(const struct ss_tokenizer_loading *loading)
{
    return ss__json_is_object(ss__json_get(loading->config.root, "added_tokens_decoder"));
}

/* Where the token of a role is given: NULL if nowhere, a JSON null where it is taken away. The
 * map of special tokens holds over the config but not over the caller, and is read only where
 * the config lists no added tokens. */
static const struct ss__json *find_value(const struct ss_tokenizer_loading *loading,
                                         const char *key)
{
    const struct ss__json *value = ss__json_get(loading->options->arguments, key);
    if ((value == NULL || ss__json_is_null(value)) && !ss_tokenizer_load_lists_added(loading)) {
        value = ss__json_get(loading->special_map.root, key);
    }
    if (value == NULL) {
        value = ss__json_get(loading->config.root, key);
    }
    if (value == NULL && loading->class->roles == SS_TOKENIZER_ROLES_NONE &&
        strcmp(key, "pad_token") == 0) {
        value = ss__json_get(ss__json_get(loading->tokenizer.root, "padding"), key);
    }
    return value;
}

/* The text of a token that is given as an object or as its text; NULL if it is neither. */
const char *ss_tokenizer_load_token_text(const struct ss__json *value)
{
    return ss__json_string(ss__json_is_object(value) ? ss__json_get(value, "content") : value);
}

static const char *role_text(const struct ss_tokenizer_loading *loading,
                             const struct role *role)
{
    const struct ss__json *value = find_value(loading, role->key);
    const char *text = ss_tokenizer_load_token_text(value);
    const bool is_null = value != NULL && ss__json_is_null(value);
    return text != NULL || is_null ? text : role->texts[loading->class->roles];
}

static bool has_role(const struct ss_tokenizer_loading *loading, const char *text)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        const char *other = role_text(loading, &roles[i]);
        if (other != NULL && strcmp(other, text) == 0) {
            return true;
        }
    }
    return ss_tokenizer_load_is_own(loading, text);
}

bool ss_tokenizer_load_is_role(const char *key)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        if (strcmp(roles[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- reading lists of tokens ---- */

/* `added_tokens` of tokenizer.json: objects with an id. */
static ss_status read_added_list(const struct ss_tokenizer_json_file *file,
                                 struct entries *entries, ss_err *err)
{
    const struct ss__json *list = ss__json_get(file->root, "added_tokens");
    struct ss_tokenizer_added_token token;
    for (size_t i = 0; i < ss__json_count(list); i++) {
        const struct ss__json *value = ss__json_at(list, i);
        const struct ss__json *id = ss__json_get(value, "id");
        if (!ss__json_is_integer(id)) {
            return ss__fail_file(err, file->path, SS_E_DATA, "added token %zu has no id", i);
        }
        SS_RETURN_IF_ERROR(read_token(file->path, value, false, &token, err));
        SS_RETURN_IF_ERROR(keep(entries, ss__json_integer(id), &token, err));
    }
    return SS_OK;
}

/* `added_tokens_decoder` of tokenizer_config.json: id as text to token. */
static ss_status read_added_decoder(const struct ss_tokenizer_json_file *file,
                                    struct ss__json *object, struct entries *entries,
                                    ss_err *err)
{
    const char *key = NULL;
    struct ss__json *value = NULL;
    struct ss_tokenizer_added_token token;
    SS_JSON_EACH_MEMBER (object, key, value) {
        uint64_t id = 0;
        if (!ss__parse_u64(key, strlen(key), &id) || id > SS_TOKENIZER_MAX_VOCAB_ID) {
            return ss__fail_file(err, file->path, SS_E_DATA,
                                 "'%.40s' in added_tokens_decoder is not an id of 0 to %d", key,
                                 SS_TOKENIZER_MAX_VOCAB_ID);
        }
        SS_RETURN_IF_ERROR(read_token(file->path, value, false, &token, err));
        SS_RETURN_IF_ERROR(keep(entries, (int64_t)id, &token, err));
    }
    return SS_OK;
}

/* added_tokens.json: text to id; special where the text has a role. */
static ss_status read_added_map(const struct ss_tokenizer_loading *loading,
                                struct entries *entries, ss_err *err)
{
    const struct ss_tokenizer_json_file *file = &loading->added_map;
    const char *text = NULL;
    struct ss__json *id = NULL;
    struct ss_tokenizer_added_token token;
    SS_JSON_EACH_MEMBER (file->root, text, id) {
        if (!ss__json_is_integer(id)) {
            return ss__fail_file(err, file->path, SS_E_DATA,
                                 "the id of token '%.64s' is not a whole number", text);
        }
        const bool special = has_role(loading, text);
        token = (struct ss_tokenizer_added_token){
            .n_bytes = strlen(text), .special = special, .normalized = !special};
        token.text = text;
        SS_RETURN_IF_ERROR(keep(entries, ss__json_integer(id), &token, err));
    }
    return SS_OK;
}

/* ---- adding them ---- */

/* Add a token with its flags over older ones; a role makes it special. */
static ss_status add_token(struct ss_tokenizer_loading *loading,
                           struct ss_tokenizer_added_token token, ss_err *err)
{
    token.special = token.special || has_role(loading, token.text);
    return ss_tokenizer_added_add(&loading->self->added, &loading->self->vocab, &token, err);
}

/* Add by ascending id; of several with one id the last one read. */
static ss_status add_sorted(struct ss_tokenizer_loading *loading, struct entries *entries,
                            ss_err *err)
{
    if (entries->n > 0) {
        ss__sort(entries->data, entries->n, sizeof *entries->data, compare_entries);
    }
    for (size_t i = 0; i < entries->n; i++) {
        if (i + 1 == entries->n || entries->data[i + 1].id != entries->data[i].id) {
            SS_RETURN_IF_ERROR(add_token(loading, entries->data[i].token, err));
        }
    }
    return SS_OK;
}

/* The generic class takes the list of tokenizer.json in its own order first. Then, for all
 * classes, the config's list by id, or without one the older files. */
static ss_status add_listed(struct ss_tokenizer_loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct entries entries = {0};
    if (loading->class->model == NULL) { /* the list in its own order comes first */
        SS_TRY(read_added_list(&loading->tokenizer, &entries, err));
        for (size_t i = 0; i < entries.n; i++) {
            SS_TRY(ss_tokenizer_added_add(&loading->self->added, &loading->self->vocab,
                                          &entries.data[i].token, err));
        }
        entries.n = 0;
    }
    if (ss_tokenizer_load_lists_added(loading)) {
        SS_TRY(read_added_decoder(&loading->config,
                                  ss__json_get(loading->config.root, "added_tokens_decoder"),
                                  &entries, err));
    } else {
        SS_TRY(read_added_map(loading, &entries, err));
        SS_TRY(read_added_list(&loading->tokenizer, &entries, err));
    }
    SS_TRY(add_sorted(loading, &entries, err));
out:
    ss__free(entries.data);
    return status;
}

/* A text that was added before keeps its flags. */
ss_status ss_tokenizer_load_new_token(struct ss_tokenizer_loading *loading,
                                      const struct ss__json *value, const char *text,
                                      bool lstrip, ss_err *err)
{
    struct ss_tokenizer_added_token token = {.special = true, .lstrip = lstrip};
    if (ss_tokenizer_added_find(&loading->self->added, text, strlen(text)) != NULL) {
        return SS_OK;
    }
    if (ss__json_is_object(value)) {
        SS_RETURN_IF_ERROR(read_token(loading->config.path, value, true, &token, err));
    } else {
        token.text = text;
        token.n_bytes = strlen(text);
    }
    return ss_tokenizer_added_add(&loading->self->added, &loading->self->vocab, &token, err);
}

/* In the order of the table, by which new tokens get their ids. */
static ss_status add_roles(struct ss_tokenizer_loading *loading, ss_err *err)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        const char *text = role_text(loading, &roles[i]);
        if (text != NULL) {
            SS_RETURN_IF_ERROR(ss_tokenizer_load_new_token(
                loading, find_value(loading, roles[i].key), text,
                loading->class->mask_lstrip && strcmp(roles[i].key, "mask_token") == 0, err));
        }
    }
    return SS_OK;
}

/* ---- results ---- */

const char *ss_tokenizer_load_role_text(const struct ss_tokenizer_loading *loading,
                                        const char *key)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        if (strcmp(roles[i].key, key) == 0) {
            return role_text(loading, &roles[i]);
        }
    }
    return NULL;
}

int32_t ss_tokenizer_load_role_id(const struct ss_tokenizer_loading *loading, const char *key)
{
    const char *text = ss_tokenizer_load_role_text(loading, key);
    const struct ss_tokenizer_added_token *token =
        text == NULL ? NULL
                     : ss_tokenizer_added_find(&loading->self->added, text, strlen(text));
    return token == NULL ? -1 : token->id;
}

/* Own tokens come first, since a role makes a listed token special. */
ss_status ss_tokenizer_load_added(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    const struct ss_tokenizer_class *class = loading->class;
    SS_RETURN_IF_ERROR(ss_tokenizer_load_own(loading, err));
    SS_RETURN_IF_ERROR(add_listed(loading, err));
    SS_RETURN_IF_ERROR(add_roles(loading, err));
    SS_RETURN_IF_ERROR(ss_tokenizer_load_extra(loading, err));
    self->specials = (struct ss_tokenizer_special_ids){
        .pad = ss_tokenizer_load_role_id(loading, "pad_token"),
        .mask = ss_tokenizer_load_role_id(loading, "mask_token"),
        .unknown = ss_tokenizer_load_role_id(loading, "unk_token")};
    if (self->specials.unknown < 0) {
        self->specials.unknown = self->unknown;
    }
    if (class->begin != NULL) {
        self->specials.begin = self->begin[0] =
            ss_tokenizer_load_role_id(loading, class->begin);
        self->specials.end = self->end[0] = ss_tokenizer_load_role_id(loading, class->end);
        self->n_begin = self->specials.begin >= 0;
        self->n_end = self->specials.end >= 0;
    }
    return SS_OK;
}
