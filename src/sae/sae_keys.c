/* What stands in an SAE's documents and files beside what is read: keys and tensors that a
 * format knows, those that must be off because they would change the rule, and a warning that
 * names the rest. */
#include <string.h>

#include "base/mem.h"
#include "sae/sae_format.h"

enum { MAX_NAMED = 5, NAME_BYTES = 80 };

static bool is_among(const char *const *names, const char *name)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct ss_sae_off_key *find_off(const struct ss_sae_keys *keys, const char *name)
{
    for (size_t i = 0; keys->off != NULL && keys->off[i].name != NULL; i++) {
        if (strcmp(keys->off[i].name, name) == 0) {
            return &keys->off[i];
        }
    }
    return NULL;
}

/* Every way in which configs write that something is not used; projects differ in it. */
static bool is_off(const struct ss__json *value)
{
    const char *text = ss__json_string(value);
    return ss__json_is_null(value) ||
           (ss__json_is_boolean(value) && !ss__json_is_true(value)) ||
           (ss__json_is_number(value) && ss__json_real(value) == 0) ||
           (text != NULL && (text[0] == '\0' || strcmp(text, "none") == 0)) ||
           ((ss__json_is_array(value) || ss__json_is_object(value)) &&
            ss__json_count(value) == 0);
}

/* ---- a list of names for one warning ---- */

struct unknown {
    struct ss__buf list;
    size_t n;
};

/* All are counted, a few are named: a hostile file may have a million keys. */
static void add_unknown(struct unknown *unknown, const char *name)
{
    if (unknown->n < MAX_NAMED) {
        ss__buf_printf(&unknown->list, "%s'%.*s'", unknown->n == 0 ? "" : ", ", NAME_BYTES,
                       name);
    }
    unknown->n++;
}

/* Keep a warning for when the SAE is read, if there is any, and release. Warnings end with a
 * NUL each, since one may hold any other byte of a name. */
static ss_status add_warning(struct unknown *unknown, struct ss_sae_checkpoint *from,
                             const char *file, const char *what, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__buf_check(&unknown->list, err));
    if (unknown->n > 0) {
        const bool is_one = unknown->n == 1;
        ss__buf_printf(&from->warnings,
                       "%s: the %s%s %.*s%s not known and passed over; if activations depend "
                       "on %s, they are wrong",
                       file, what, is_one ? "" : "s", (int)unknown->list.n_bytes,
                       unknown->list.data,
                       is_one                   ? " is"
                       : unknown->n > MAX_NAMED ? ", ... are"
                                                : " are",
                       is_one ? "it" : "them");
        ss__buf_add_byte(&from->warnings, '\0');
    }
out:
    ss__buf_release(&unknown->list);
    return status;
}

ss_status ss_sae_log_warnings(struct ss_sae_checkpoint *from, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss__buf_check(&from->warnings, err));
    for (size_t at = 0; at < from->warnings.n_bytes;) {
        const char *text = from->warnings.data + at;
        ss__log(from->log, SS_LEVEL_WARNING, "%s", text);
        at += strlen(text) + 1;
    }
    return SS_OK;
}

/* ---- keys ---- */

ss_status ss_sae_check_keys(struct ss_sae_checkpoint *from, const char *file,
                            const struct ss__json *object, const struct ss_sae_keys *keys,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct unknown unknown = {0};
    const char *key = NULL;
    const struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER (object, key, value) {
        const struct ss_sae_off_key *off = find_off(keys, key);
        if (off != NULL && !is_off(value)) {
            status = ss__fail_file(err, file, SS_E_UNSUPPORTED, "key '%s' is set, %s", key,
                                   off->why);
            ss__err_about(err, key);
            goto out;
        }
        if (off == NULL && !is_among(keys->read, key) && !is_among(keys->unused, key)) {
            add_unknown(&unknown, key);
        }
    }
    SS_TRY(add_warning(&unknown, from, file, "key", err));
out:
    ss__buf_release(&unknown.list);
    return status;
}

ss_status ss_sae_check_values(struct ss_sae_checkpoint *from, const char *folder,
                              const struct ss_sae_keys *keys, ss_err *err)
{
    ss_status status = SS_OK;
    struct unknown unknown = {0};
    for (size_t i = 0; ss_weights_key(from->weights, i) != NULL; i++) {
        const char *key = ss_weights_key(from->weights, i);
        const char *found = strstr(key, folder);
        const char *name = found == NULL ? NULL : found + strlen(folder);
        /* keys right below a folder of that name, not those of folders in it */
        if (found == NULL || (found != key && found[-1] != '/') || name[0] == '\0' ||
            strchr(name, '/') != NULL || is_among(keys->read, name) ||
            is_among(keys->unused, name)) {
            continue;
        }
        add_unknown(&unknown, key);
    }
    SS_TRY(add_warning(&unknown, from, ss_weights_path(from->weights), "value", err));
out:
    ss__buf_release(&unknown.list);
    return status;
}

/* ---- tensors ---- */

const char *ss_sae_unknown_tensor(const struct ss_sae_checkpoint *from,
                                  const char *const *known, size_t *index)
{
    for (; *index < ss_weights_n(from->weights); (*index)++) {
        const char *name = ss_sae_unprefixed_name(from, ss_weights_at(from->weights, *index));
        /* a name with '/' is of a dictionary beside the SAE's */
        if (name != NULL && strchr(name, '/') == NULL && !is_among(known, name)) {
            (*index)++;
            return name;
        }
    }
    return NULL;
}

ss_status ss_sae_check_tensors(struct ss_sae_checkpoint *from, const char *const *known,
                               ss_err *err)
{
    struct unknown unknown = {0};
    size_t index = 0;
    for (const char *name = NULL;
         (name = ss_sae_unknown_tensor(from, known, &index)) != NULL;) {
        add_unknown(&unknown, name);
    }
    return add_warning(&unknown, from, ss_weights_path(from->weights), "tensor", err);
}
