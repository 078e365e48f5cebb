/* The names in an SAE's weights file. Checkpoints wrap a state dict in dictionaries and modules
 * in one another, so that names begin with any number of labels: the tensors of one SAE are
 * those with one prefix before a name that every SAE has. Plain values lie beside them, or in
 * one of the dictionaries around. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "sae/sae_format.h"

/* More SAEs in one file than this are refused like two are. */
enum { MAX_PREFIXES = 64 };

/* Matrices that begin a format's encoder; of those of the second list only if there is none of
 * the first, because tied SAEs store the decoder alone and others have both. */
static const char *const encoders[] = {"W_enc", "w_enc", "encoder.weight", "W_gate.weight",
                                       "encoder_linear.weight"};
static const char *const decoders[] = {"W_dec", "w_dec", "decoder.weight",
                                       "decoder.linear.weight", "decoder_linear.weight"};
enum {
    N_ENCODERS = sizeof encoders / sizeof *encoders,
    N_DECODERS = sizeof decoders / sizeof *decoders
};

/* The length of what stands before `suffix`, which follows a '/' or '.'; SIZE_MAX if the name
 * has another end. */
static size_t prefix_bytes(const char *name, const char *suffix)
{
    const size_t n = strlen(name), n_suffix = strlen(suffix);
    const size_t at = n - n_suffix;
    if (n < n_suffix || strcmp(name + at, suffix) != 0 ||
        (at > 0 && name[at - 1] != '/' && name[at - 1] != '.')) {
        return SIZE_MAX;
    }
    return at;
}

struct prefixes {
    const struct ss_weights_tensor *tensors[MAX_PREFIXES];
    size_t n_bytes[MAX_PREFIXES];
    size_t n;
};

/* Note a prefix, unless it is there, or another name of the same numbers is: a training
 * checkpoint may hold its state dict twice, by reference. */
static void add_prefix(struct prefixes *found, const struct ss_weights_tensor *tensor,
                       size_t n_bytes)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct ss_weights_tensor *other = found->tensors[i];
        if ((found->n_bytes[i] == n_bytes && memcmp(other->name, tensor->name, n_bytes) == 0) ||
            (other->data == tensor->data && other->n_elements == tensor->n_elements)) {
            return;
        }
    }
    if (found->n < MAX_PREFIXES) {
        found->tensors[found->n] = tensor;
        found->n_bytes[found->n++] = n_bytes;
    }
}

static void find_prefixes(const struct ss_weights *weights, const char *const *suffixes,
                          size_t n_suffixes, struct prefixes *found)
{
    for (size_t t = 0; t < ss_weights_n(weights); t++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, t);
        for (size_t i = 0; tensor->n_dims == 2 && i < n_suffixes; i++) {
            const size_t n_bytes = prefix_bytes(tensor->name, suffixes[i]);
            if (n_bytes < SS_SAE_PREFIX_BYTES) {
                add_prefix(found, tensor, n_bytes);
            }
        }
    }
}

static ss_status refuse_several(const struct ss_sae_checkpoint *from,
                                const struct prefixes *found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    for (size_t i = 0; i < found->n && i < 4; i++) {
        ss__buf_printf(&list, "%s'%.100s'", i == 0 ? "" : ", ", found->tensors[i]->name);
    }
    SS_TRY(ss__buf_check(&list, err));
    SS_FAIL_FILE(ss_weights_path(from->weights), SS_E_DATA,
                 "this file holds the tensors of %zu SAEs or more (%.*s%s), and nothing says "
                 "which one is meant; save one of them alone",
                 found->n, (int)list.n_bytes, list.data, found->n > 4 ? ", ..." : "");
out:
    ss__buf_release(&list);
    return status;
}

ss_status ss_sae_find_prefix(struct ss_sae_checkpoint *from, ss_err *err)
{
    struct prefixes found = {0};
    from->prefix[0] = '\0';
    find_prefixes(from->weights, encoders, N_ENCODERS, &found);
    if (found.n == 0) {
        find_prefixes(from->weights, decoders, N_DECODERS, &found);
    }
    if (found.n > 1) {
        return refuse_several(from, &found, err);
    }
    if (found.n == 1) {
        memcpy(from->prefix, found.tensors[0]->name, found.n_bytes[0]);
        from->prefix[found.n_bytes[0]] = '\0';
    }
    return SS_OK;
}

/* ---- tensors ---- */

const struct ss_weights_tensor *ss_sae_tensor(const struct ss_sae_checkpoint *from,
                                              const char *name)
{
    char whole[SS_SAE_NAME_BYTES];
    (void)snprintf(whole, sizeof whole, "%s%s", from->prefix, name);
    return from->weights == NULL ? NULL : ss_weights_find(from->weights, whole);
}

const char *ss_sae_unprefixed_name(const struct ss_sae_checkpoint *from,
                                   const struct ss_weights_tensor *tensor)
{
    const size_t n = strlen(from->prefix);
    return strncmp(tensor->name, from->prefix, n) == 0 ? tensor->name + n : NULL;
}

/* ---- plain values ---- */

/* What is under HEAD NAME, head being the first n bytes of the prefix. */
static bool lookup(const struct ss_sae_checkpoint *from, size_t n_head, const char *name,
                   struct ss_sae_value *out)
{
    (void)snprintf(out->key, sizeof out->key, "%.*s%s", (int)n_head, from->prefix, name);
    out->text = ss_weights_metadata(from->weights, out->key);
    out->unreadable = ss_weights_unreadable(from->weights, out->key);
    return out->text != NULL || out->unreadable != NULL;
}

/* From the innermost dictionary outwards: k may lie beside the tensors or beside their state
 * dict. */
bool ss_sae_find_value(const struct ss_sae_checkpoint *from, const char *name,
                       struct ss_sae_value *out)
{
    *out = (struct ss_sae_value){0};
    if (from->weights == NULL) {
        return false;
    }
    for (size_t n = strlen(from->prefix);; n--) {
        const bool is_end = n == 0 || from->prefix[n - 1] == '/' || from->prefix[n - 1] == '.';
        if (is_end && lookup(from, n, name, out)) {
            return true;
        }
        if (n == 0) {
            return false;
        }
    }
}

bool ss_sae_has_value(const struct ss_sae_checkpoint *from, const char *name)
{
    struct ss_sae_value value;
    return ss_sae_find_value(from, name, &value);
}

/* A value that cannot be read (an object of some class) is another error than one of a wrong
 * kind. */
static ss_status refuse_value(const struct ss_sae_checkpoint *from,
                              const struct ss_sae_value *value, const char *expected,
                              ss_err *err)
{
    const char *file = ss_weights_path(from->weights);
    const ss_status status =
        value->text != NULL
            ? ss__fail_file(err, file, SS_E_DATA, "value '%s' is '%.80s', expected %s",
                            value->key, value->text, expected)
            : ss__fail_file(err, file, SS_E_UNSUPPORTED,
                            "value '%s' is %s, which is not understood; expected %s",
                            value->key, value->unreadable, expected);
    ss__err_about(err, value->key);
    return status;
}

ss_status ss_sae_value_text(const struct ss_sae_checkpoint *from, const char *name,
                            const char **out, ss_err *err)
{
    struct ss_sae_value value;
    *out = NULL;
    if (ss_sae_find_value(from, name, &value)) {
        if (value.text == NULL) {
            return refuse_value(from, &value, "a text", err);
        }
        *out = value.text;
    }
    return SS_OK;
}

ss_status ss_sae_value_number(const struct ss_sae_checkpoint *from, const char *name,
                              double *out, bool *is_there, ss_err *err)
{
    struct ss_sae_value value;
    *is_there = ss_sae_find_value(from, name, &value);
    if (*is_there &&
        (value.text == NULL || !ss__parse_double(value.text, strlen(value.text), out))) {
        return refuse_value(from, &value, "a number", err);
    }
    return SS_OK;
}

ss_status ss_sae_value_size(const struct ss_sae_checkpoint *from, const char *name, size_t *out,
                            ss_err *err)
{
    struct ss_sae_value value;
    double number = 0;
    if (!ss_sae_find_value(from, name, &value)) {
        const ss_status status = ss__fail_file(err, ss_weights_path(from->weights), SS_E_DATA,
                                               "value '%s' is missing", name);
        ss__err_about(err, name);
        return status;
    }
    if (value.text == NULL || !ss__parse_double(value.text, strlen(value.text), &number) ||
        !(number >= 1 && number <= INT32_MAX) || number != (double)(size_t)number) {
        return refuse_value(from, &value, "a whole number from 1 to 2147483647", err);
    }
    *out = (size_t)number;
    return SS_OK;
}

/* As Python takes them: a number is true if it is not 0. */
ss_status ss_sae_value_bool(const struct ss_sae_checkpoint *from, const char *name, bool *out,
                            ss_err *err)
{
    struct ss_sae_value value;
    double number = 0;
    if (!ss_sae_find_value(from, name, &value)) {
        return SS_OK;
    }
    if (value.text != NULL &&
        (strcmp(value.text, "true") == 0 || strcmp(value.text, "false") == 0)) {
        *out = strcmp(value.text, "true") == 0;
        return SS_OK;
    }
    if (value.text == NULL || !ss__parse_double(value.text, strlen(value.text), &number)) {
        return refuse_value(from, &value, "true or false", err);
    }
    *out = number != 0;
    return SS_OK;
}
