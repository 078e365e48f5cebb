/* The post-processor of the generic class: ids in front of a text and behind it. Only what is
 * put around one text is read, and only where the text stands once: pairs of texts are not
 * embedded. */
#include <string.h>

#include "tokenizer/load_priv.h"

static ss_status add_template_id(struct ss_tokenizer_loading *loading, bool before,
                                 const struct ss__json *id, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    int32_t *ids = before ? self->begin : self->end;
    size_t *n = before ? &self->n_begin : &self->n_end;
    const int64_t value = ss__json_is_integer(id) ? ss__json_integer(id) : -1;
    if (value < 0 || (size_t)value >= ss_tokenizer_n_vocab(self)) {
        return ss__fail_file(err, loading->tokenizer.path, SS_E_DATA,
                             "the post-processor adds an id that is not in the vocabulary");
    }
    if (*n >= SS_TOKENIZER_MAX_TEMPLATE_IDS) {
        return ss__fail_file(err, loading->tokenizer.path, SS_E_LIMIT,
                             "the post-processor adds more than %d tokens",
                             SS_TOKENIZER_MAX_TEMPLATE_IDS);
    }
    ids[(*n)++] = (int32_t)value;
    return SS_OK;
}

static ss_status read_template_part(struct ss_tokenizer_loading *loading,
                                    const struct ss__json *object, const struct ss__json *part,
                                    bool *before, ss_err *err)
{
    const char *path = loading->tokenizer.path;
    const struct ss__json *special = ss__json_get(part, "SpecialToken");
    const struct ss__json *sequence = ss__json_get(part, "Sequence");
    const char *name = NULL, *which = "A";
    size_t type = 0;
    SS_RETURN_IF_ERROR(
        ss__json_size(path, sequence == NULL ? special : sequence, "type_id", &type, err));
    loading->self->has_types = loading->self->has_types || type != 0;
    if (sequence != NULL) {
        SS_RETURN_IF_ERROR(ss__json_text(path, sequence, "id", &which, err));
        if (!*before || strcmp(which, "A") != 0) {
            return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                                 "the post-processor repeats the text, or wants a second one");
        }
        *before = false;
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss__json_text(path, special, "id", &name, err));
    const struct ss__json *entry =
        name == NULL ? NULL : ss__json_get(ss__json_get(object, "special_tokens"), name);
    const struct ss__json *ids = ss__json_get(entry, "ids");
    if (!ss__json_is_array(ids)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "the post-processor's template is not understood");
    }
    for (size_t i = 0; i < ss__json_count(ids); i++) {
        SS_RETURN_IF_ERROR(add_template_id(loading, *before, ss__json_at(ids, i), err));
    }
    return SS_OK;
}

/* What stands left of the text goes before it, the rest behind. */
static ss_status read_template(struct ss_tokenizer_loading *loading,
                               const struct ss__json *object, ss_err *err)
{
    const struct ss__json *single = ss__json_get(object, "single");
    bool before = true;
    for (size_t i = 0; i < ss__json_count(single); i++) {
        SS_RETURN_IF_ERROR(
            read_template_part(loading, object, ss__json_at(single, i), &before, err));
    }
    if (before) {
        return ss__fail_file(err, loading->tokenizer.path, SS_E_DATA,
                             "the post-processor's template has no place for the text");
    }
    return SS_OK;
}

/* BertProcessing and RobertaProcessing: `cls` and `sep`, each [text, id]. */
static ss_status read_pair(struct ss_tokenizer_loading *loading, const struct ss__json *object,
                           ss_err *err)
{
    const struct ss__json *begin = ss__json_get(object, "cls"),
                          *end = ss__json_get(object, "sep");
    SS_RETURN_IF_ERROR(add_template_id(loading, true, ss__json_at(begin, 1), err));
    return add_template_id(loading, false, ss__json_at(end, 1), err);
}

static ss_status read_processor(struct ss_tokenizer_loading *loading,
                                const struct ss__json *object, ss_err *err)
{
    if (ss_tokenizer_json_is_type(object, "TemplateProcessing")) {
        return read_template(loading, object, err);
    }
    if (ss_tokenizer_json_is_type(object, "BertProcessing") ||
        ss_tokenizer_json_is_type(object, "RobertaProcessing")) {
        return read_pair(loading, object, err);
    }
    if (object == NULL || ss__json_is_null(object) ||
        ss_tokenizer_json_is_type(object, "ByteLevel")) {
        return SS_OK; /* the last changes offsets alone */
    }
    return ss__fail_file(err, loading->tokenizer.path, SS_E_UNSUPPORTED,
                         "the post-processor '%.40s' is not supported",
                         ss_tokenizer_json_type(object));
}

/* Move the `n_old` ids at the front of a list behind the others. */
static void rotate(int32_t *ids, size_t n_old, size_t n)
{
    int32_t old[SS_TOKENIZER_MAX_TEMPLATE_IDS];
    memcpy(old, ids, n_old * sizeof *ids);
    memmove(ids, ids + n_old, (n - n_old) * sizeof *ids);
    memcpy(ids + n - n_old, old, n_old * sizeof *ids);
}

/* Each of a sequence puts its tokens around those of the ones before. What a template leaves is
 * several parts in the reference, around each of which the next would put its tokens. */
static ss_status read_sequence(struct ss_tokenizer_loading *loading,
                               const struct ss__json *list, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    bool has_parts = false;
    for (size_t i = 0; i < ss__json_count(list); i++) {
        const size_t n_old = self->n_begin;
        const struct ss__json *object = ss__json_at(list, i);
        if (has_parts && !ss_tokenizer_json_is_type(object, "ByteLevel")) {
            return ss__fail_file(err, loading->tokenizer.path, SS_E_UNSUPPORTED,
                                 "a post-processor stands behind a template");
        }
        has_parts = has_parts || ss_tokenizer_json_is_type(object, "TemplateProcessing");
        SS_RETURN_IF_ERROR(read_processor(loading, object, err));
        rotate(self->begin, n_old, self->n_begin);
    }
    return SS_OK;
}

/* `add_bos_token` and `add_eos_token` of the caller's arguments replace the post-processor if
 * they are there, even if they are false. Beside a tokenizer.json those of the config do not
 * count. */
static ss_status read_flags(struct ss_tokenizer_loading *loading, bool *found, ss_err *err)
{
    static const struct {
        const char *key, *role;
    } flags[] = {{"add_bos_token", "bos_token"}, {"add_eos_token", "eos_token"}};
    const struct ss__json *arguments = loading->options->arguments;
    struct ss_tokenizer *self = loading->self;
    *found = false;
    for (size_t i = 0; i < 2; i++) {
        bool adds = false;
        *found = *found || ss__json_get(arguments, flags[i].key) != NULL;
        SS_RETURN_IF_ERROR(
            ss__json_bool(loading->config.path, arguments, flags[i].key, &adds, err));
        const int32_t id = ss_tokenizer_load_role_id(loading, flags[i].role);
        if (adds && id >= 0) {
            (i == 0 ? self->begin : self->end)[0] = id;
            *(i == 0 ? &self->n_begin : &self->n_end) = 1;
        }
    }
    return SS_OK;
}

ss_status ss_tokenizer_load_template(struct ss_tokenizer_loading *loading, ss_err *err)
{
    struct ss_tokenizer *self = loading->self;
    const struct ss__json *object = ss__json_get(loading->tokenizer.root, "post_processor");
    bool has_flags = false;
    SS_RETURN_IF_ERROR(read_flags(loading, &has_flags, err));
    if (!has_flags && ss_tokenizer_json_is_type(object, "Sequence")) {
        SS_RETURN_IF_ERROR(read_sequence(loading, ss__json_get(object, "processors"), err));
    } else if (!has_flags) {
        SS_RETURN_IF_ERROR(read_processor(loading, object, err));
    }
    self->specials.begin = self->n_begin > 0 ? self->begin[0] : -1;
    self->specials.end = self->n_end > 0 ? self->end[self->n_end - 1] : -1;
    return SS_OK;
}
