/* Keys of configs against tables: what is read, what has no effect on embeddings, what is
 * refused. A key that is in no table may be of a newer release and matter: it is named, so that
 * a wrong embedding does not come in silence. Whether that is a warning or an error follows the
 * reference, class by class. */
#include <string.h>

#include "base/json.h"
#include "encoder/config_priv.h"

enum { N_NAMED = 8 };

bool ss_encoder_keys_have(struct ss_encoder_key_list list, const char *key)
{
    for (size_t i = 0; i < list.n; i++) {
        if (list.names[i] != NULL && strcmp(list.names[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* null, false, "", [] and {} switch nothing on: a key with such a value is as good as
 * absent. */
bool ss_encoder_json_is_empty(const struct ss__json *value)
{
    const ss__json_tag tag = ss__json_tag_of(value);
    return tag == SS__JSON_IS_NULL || tag == SS__JSON_IS_FALSE ||
           (tag == SS__JSON_IS_STRING && ss__json_string_bytes(value) == 0) ||
           (tag >= SS__JSON_IS_ARRAY && ss__json_count(value) == 0);
}

/* The first eight are named; a config with a hundred unknown keys still gives one readable
 * line. */
void ss_encoder_names_add(struct ss__buf *list, size_t *n, const char *name)
{
    if (*n < N_NAMED) {
        ss__buf_printf(list, "%s'%.100s'", *n == 0 ? "" : ", ", name);
    }
    *n += 1;
}

void ss_encoder_names_end(struct ss__buf *list, size_t n)
{
    if (n > N_NAMED) {
        ss__buf_printf(list, " and %zu more", n - N_NAMED);
    }
}

/* In any of the lists. Tables are short, and a config is read once. */
static bool is_known(const struct ss_encoder_known_keys *known, const char *key)
{
    bool found = false;
    for (size_t i = 0; i < SS_ENCODER_N_KEY_LISTS; i++) {
        found = found || ss_encoder_keys_have(known->lists[i], key);
    }
    return found;
}

ss_status ss_encoder_keys_check(const char *file, const struct ss__json *object,
                                const struct ss_encoder_known_keys *known,
                                const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf names = {0};
    size_t n = 0;
    const char *key = NULL;
    struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER (object, key, value) {
        const bool is_refused = ss_encoder_keys_have(known->refused, key);
        if (is_refused && !ss_encoder_json_is_empty(value)) {
            status =
                ss__fail_file(err, file, SS_E_UNSUPPORTED,
                              "%s'%.100s' is set, which changes what is computed and is not "
                              "read",
                              known->where, key);
            ss__err_about(err, key);
            goto out;
        }
        if (!is_refused && key[0] != '_' && !is_known(known, key) &&
            !ss_encoder_json_is_empty(value)) {
            ss_encoder_names_add(&names, &n, key);
        }
    }
    ss_encoder_names_end(&names, n);
    SS_TRY(ss__buf_check(&names, err));
    if (n > 0 && known->refuses_others) {
        SS_FAIL_FILE(
            file, SS_E_UNSUPPORTED,
            "%sthe key%s %s %s not known here, so what is computed is not known either",
            known->where, n == 1 ? "" : "s", ss__buf_text(&names), n == 1 ? "is" : "are");
    }
    if (n > 0) {
        ss__log(log, SS_LEVEL_WARNING, "%.400s: %sthe key%s %s %s not known and not applied",
                file, known->where, n == 1 ? "" : "s", ss__buf_text(&names),
                n == 1 ? "is" : "are");
    }
out:
    ss__buf_release(&names);
    return status;
}

/* A key that is absent is what is expected. */
ss_status ss_encoder_json_expect(const char *file, const struct ss__json *json,
                                 struct ss_encoder_expected expected, ss_err *err)
{
    const char *value = expected.value;
    SS_RETURN_IF_ERROR(ss__json_text(file, json, expected.key, &value, err));
    if (strcmp(value, expected.value) != 0) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED, "'%s' is '%s'; only '%s' is read",
                             expected.key, value, expected.value);
    }
    return SS_OK;
}
