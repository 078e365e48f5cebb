/* Opening an SAE of any format, its facts, and its release. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const struct ss_sae_format *const formats[] = {
    &ss_sae_seed_format,     &ss_sae_saelens_format, &ss_sae_gemma_format,
    &ss_sae_sparsify_format, &ss_sae_latent_format,  &ss_sae_dictionary_format,
    &ss_sae_saerch_format,   &ss_sae_openai_format,  &ss_sae_hypothesaes_format,
    &ss_sae_csr_format,
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* ---- which format ---- */

/* The index-th row of the table: formats that are read, then those that are refused. */
static const struct ss_sae_format *format_at(size_t index)
{
    return index < N_FORMATS ? formats[index] : &ss_sae_refused_formats[index - N_FORMATS];
}

static bool claims(const struct ss_sae_format *format, const struct ss_sae_place *place)
{
    return place->weights == NULL
               ? format->claims_config != NULL && format->claims_config(place)
               : format->claims_tensors != NULL && format->claims_tensors(place);
}

/* The format that claims the place, NULL if none; more than one is an error. */
static ss_status find_claim(const struct ss_sae_place *place,
                            const struct ss_sae_format **found, ss_err *err)
{
    *found = NULL;
    for (size_t i = 0; i < N_FORMATS + ss_sae_n_refused_formats; i++) {
        const struct ss_sae_format *format = format_at(i);
        if (!claims(format, place)) {
            continue;
        }
        if (*found != NULL) {
            return ss__fail_file(err, place->path, SS_E_DATA,
                                 "this may be an SAE of the format %s or %s; say which "
                                 "(--sae-format)",
                                 (*found)->name, format->name);
        }
        *found = format;
    }
    return SS_OK;
}

static void list_names(struct ss__buf *buf)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        ss__buf_printf(buf, "%s%s",
                       i == 0               ? ""
                       : i + 1 == N_FORMATS ? " and "
                                            : ", ",
                       formats[i]->name);
    }
}

static ss_status find_by_name(const char *name, const struct ss_sae_format **found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (strcmp(name, formats[i]->name) == 0) {
            *found = formats[i];
            goto out;
        }
    }
    list_names(&list);
    SS_TRY(ss__buf_check(&list, err));
    SS_FAIL(SS_E_USAGE, "there is no SAE format '%.80s'; known are %.*s", name,
            (int)list.n_bytes, list.data);
out:
    ss__buf_release(&list);
    return status;
}

/* A model's folder is not opened in search of an SAE. */
static bool is_model(const struct ss_sae_place *place)
{
    return ss__json_get(place->config, "model_type") != NULL ||
           ss_sae_place_has(place, "modules.json");
}

/* Tensors that several formats have, whose rule stands in a document beside them. */
static ss_status refuse_without_config(const struct ss_sae_place *place, ss_err *err)
{
    static const struct {
        const char *tensors[2];
        const char *formats, *document;
    } shared[] = {
        {{"W_enc", "W_dec"},
         "saes-for-sbert (jumprelu, topk, batchtopk, vanilla) and saelens",
         "config.json or cfg.json"},
        {{"encoder.weight", "W_dec"}, "sparsify and latent-sae", "cfg.json"},
        {{"W_gate.weight", "W_dec"}, "latent-sae", "cfg.json"},
    };
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (ss_sae_tensor(place, shared[i].tensors[0]) != NULL &&
            ss_sae_tensor(place, shared[i].tensors[1]) != NULL) {
            return ss__fail_file(err, place->path, SS_E_DATA,
                                 "its tensors are those of %s, and do not tell the rule; put "
                                 "the %s of its training beside it, and name the folder or say "
                                 "which format it is (--sae-format)",
                                 shared[i].formats, shared[i].document);
        }
    }
    return SS_OK;
}

static ss_status refuse_unknown(const struct ss_sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    list_names(&list);
    SS_TRY(ss__buf_check(&list, err));
    if (!place->is_module && is_model(place)) {
        SS_FAIL_FILE(place->path, SS_E_DATA,
                     "this is a sentence encoder or another model, not a sparse autoencoder; "
                     "give it with --model, and an SAE with --sae");
    }
    if (place->weights == NULL) {
        SS_TRY(ss_sae_refuse_above(place, err));
        SS_FAIL_FILE(place->path, SS_E_NOINPUT,
                     "this is no sparse autoencoder: expected a folder with %s, or files of "
                     "another of the formats %.*s",
                     formats[0]->files, (int)list.n_bytes, list.data);
    }
    SS_TRY(refuse_without_config(place, err));
    const size_t n = ss_weights_n(place->weights);
    SS_FAIL_FILE(place->path, SS_E_DATA,
                 "this is no sparse autoencoder of a format that is known (%.*s): %zu tensors, "
                 "the first '%.100s'",
                 (int)list.n_bytes, list.data, n,
                 n == 0 ? "" : ss_weights_at(place->weights, 0)->name);
out:
    ss__buf_release(&list);
    return status;
}

/* By the documents; else by the tensors of the file that was named, or of the only one. */
static ss_status find_format(struct ss_sae_place *place, const struct ss_sae_format **found,
                             ss_err *err)
{
    ss_status status = SS_OK;
    *found = NULL;
    if (place->options->format != NULL) {
        return find_by_name(place->options->format, found, err);
    }
    SS_TRY(find_claim(place, found, err));
    if (*found == NULL) {
        status = ss_sae_place_open(place, NULL, "a file of weights", err);
        if (status == SS_E_NOINPUT && place->file == NULL) {
            return refuse_unknown(place, err);
        }
        SS_TRY(status);
        SS_TRY(find_claim(place, found, err));
    }
    if (*found == NULL) {
        return refuse_unknown(place, err);
    }
out:
    return status;
}

/* Weights whose name claims an SAE, whatever is wrong with the documents beside them. */
static bool has_named_weights(const struct ss_sae_place *place)
{
    static const char *const names[] = {"sae.pt", "sae.safetensors", "sae_weights.safetensors",
                                        "ae.pt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (place->folder != NULL && ss_sae_place_has(place, names[i])) {
            return true;
        }
    }
    return false;
}

bool ss_sae_is_at(const char *path)
{
    struct ss_sae_place place = {0};
    const struct ss_sae_format *format = NULL;
    bool found = false;
    if (ss__path_look(path) == SS__PATH_NONE) {
        return false;
    }
    if (ss_sae_place_find(path, NULL, &place, NULL) != SS_OK) {
        found = has_named_weights(&place);
    } else if (place.is_module || !is_model(&place)) {
        found = has_named_weights(&place) || find_claim(&place, &format, NULL) != SS_OK ||
                format != NULL || find_format(&place, &format, NULL) == SS_OK;
    }
    ss_sae_place_release(&place);
    return found;
}

const char *ss_sae_format_of(struct ss_weights *weights)
{
    struct ss_sae_place place = {.path = "", .weights = weights};
    const struct ss_sae_format *format = NULL;
    return ss_sae_find_prefix(&place, NULL) == SS_OK &&
                   find_claim(&place, &format, NULL) == SS_OK && format != NULL
               ? format->name
               : NULL;
}

/* ---- opening ---- */

static ss_status read_place(struct ss_sae *sae, struct ss_sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_format *format = NULL;
    SS_TRY(find_format(place, &format, err));
    if (format->read == NULL) {
        SS_FAIL_FILE(place->path, SS_E_UNSUPPORTED,
                     "this is an SAE of %s, which is not read: %s", format->name,
                     format->refusal);
    }
    sae->format = format->name;
    SS_TRY(format->read(sae, place, err));
    if (format->tensors != NULL) {
        SS_TRY(ss_sae_check_tensors(place, format->tensors, err));
    }
    if (place->options->top_k != 0 && place->options->top_k != sae->top_k) {
        SS_FAIL_FILE(
            place->path, SS_E_USAGE,
            "a k of %zu is given (--sae-top-k), but the format %s stores what it needs",
            place->options->top_k, format->name);
    }
    SS_TRY(ss_sae_give_warnings(place, err));
out:
    if (status == SS_OK && place->weights != NULL) {
        status = ss_weights_check(place->weights, err);
    }
    status = ss_weights_explain(place->weights, status, err);
    if (status != SS_OK && place->weights != NULL) {
        ss__err_in_file(err, ss_weights_path(place->weights));
    }
    return status;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* A rule that was chosen for batch-top-k SAEs, where this is none. */
static void note_unused_rule(const ss_sae *sae, const struct ss_sae_place *place)
{
    const bool is_chosen = place->options->batchtopk_rule != SS_BATCHTOPK_REFUSE ||
                           place->options->batchtopk_threshold > 0;
    if (is_chosen && sae->kind != SS_SAE_BATCHTOPK) {
        ss__log(
            place->log, SS_LEVEL_WARNING,
            "%s: the rule that was chosen for batch-top-k SAEs (--batchtopk) has no effect: "
            "this SAE is a %s",
            place->path, ss_sae_kind_name(sae->kind));
    }
}

ss_status ss_sae_open_with_parts(const char *path, const struct ss_sae_options *options,
                                 bool keeps_parts, ss_sae **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_place place = {0};
    struct ss_sae *sae = NULL;
    *out = NULL;
    if (ss__path_look(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(path, SS_E_NOINPUT,
                     "there is no such folder or file; expected a folder with %s",
                     formats[0]->files);
    }
    SS_TRY(ss_sae_place_find(path, options, &place, err));
    SS_ALLOC(sae, 1);
    sae->keeps_parts = keeps_parts;
    sae->options = *place.options;
    sae->path = ss__strdup(path);
    sae->source = ss__strdup(or_empty(place.options->source));
    sae->commit = ss__strdup(or_empty(place.options->commit));
    if (sae->path == NULL || sae->source == NULL || sae->commit == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(read_place(sae, &place, err));
    SS_ALLOC(sae->floors, sae->n_features);
    SS_ALLOC(sae->nearest, sae->n_features);
    SS_ALLOC(sae->farthest, sae->n_features);
    SS_TRY(ss_sae_set_rule(sae, err));
    note_unused_rule(sae, &place);
    *out = sae;
    sae = NULL;
out:
    ss_sae_free(sae);
    ss_sae_place_release(&place);
    return status;
}

ss_status ss_sae_open(const char *path, const struct ss_sae_options *options, ss_sae **out,
                      ss_err *err)
{
    return ss_sae_open_with_parts(path, options, false, out, err);
}

void ss_sae_free(ss_sae *sae)
{
    if (sae == NULL) {
        return;
    }
    float *const vectors[] = {
        sae->subtracted, sae->bias,       sae->thresholds,   sae->gate_bias, sae->log_gains,
        sae->gains,      sae->shifts,     sae->encoder_rows, sae->decoder,   sae->decoder_bias,
        sae->skip,       sae->magnitudes, sae->floors,       sae->nearest,   sae->farthest};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        ss__free(vectors[i]);
    }
    ss_tensor_matrix_release(&sae->encoder);
    ss__free(sae->path);
    ss__free(sae->source);
    ss__free(sae->commit);
    ss__free(sae->model_name);
    ss__buf_release(&sae->notes);
    ss__buf_release(&sae->rule);
    ss__json_free(sae->config);
    for (size_t i = 0; i < sae->n_files; i++) {
        ss__free(sae->files[i]);
    }
    ss__free(sae->files);
    ss__free(sae->facts);
    ss__free(sae);
}

/* Note a file that was read, for the manifest. */
static ss_status add_file(struct ss_sae *sae, const char *path,
                          const struct ss__file_facts *read, ss_err *err)
{
    ss_status status = SS_OK;
    char *copy = ss__strdup(path);
    char **files = ss__realloc(sae->files, sae->n_files + 1, sizeof *files);
    sae->files = files != NULL ? files : sae->files;
    struct ss__file_facts *facts = ss__realloc(sae->facts, sae->n_files + 1, sizeof *facts);
    sae->facts = facts != NULL ? facts : sae->facts;
    if (copy == NULL || files == NULL || facts == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    facts[sae->n_files] = (struct ss__file_facts){.n_bytes = 0};
    if (read != NULL) {
        facts[sae->n_files] = *read;
    } else {
        (void)ss__file_facts_at(path, &facts[sae->n_files]);
    }
    sae->files[sae->n_files++] = copy;
    copy = NULL;
out:
    ss__free(copy);
    return status;
}

ss_status ss_sae_add_file(struct ss_sae *sae, const char *path, ss_err *err)
{
    return add_file(sae, path, NULL, err);
}

ss_status ss_sae_add_files(struct ss_sae *sae, const struct ss_sae_place *place,
                           const char *document_path, struct ss__json *document, ss_err *err)
{
    if (document != NULL) {
        sae->config = ss__json_share(document);
        SS_RETURN_IF_ERROR(add_file(sae, document_path, NULL, err));
    }
    const struct ss__file_facts facts = ss_weights_file_facts(place->weights, 0);
    return add_file(sae, ss_weights_path(place->weights), &facts, err);
}

void ss_sae_describe(const ss_sae *sae, struct ss_sae_info *out)
{
    *out = (struct ss_sae_info){
        .path = sae->path,
        .source = sae->source,
        .commit = sae->commit,
        .format = sae->format,
        .kind = ss_sae_kind_name(sae->kind),
        .variant = sae->variant,
        .rule = sae->rule.data,
        .model_name = sae->model_name,
        .dtype = sae->dtype,
        .width = sae->width,
        .n_features = sae->n_features,
        .top_k = sae->top_k,
        .config_num_examples = sae->config_num_examples,
        .normalizes_input = sae->input != SS_SAE_INPUT_PLAIN,
    };
}

const float *ss_sae_thresholds(const ss_sae *sae)
{
    return sae->thresholds;
}

struct ss__file_facts ss_sae_file_facts(const ss_sae *sae, size_t index)
{
    return sae->facts[index];
}

size_t ss_sae_n_files(const ss_sae *sae)
{
    return sae->n_files;
}

const char *ss_sae_file(const ss_sae *sae, size_t index)
{
    return sae->files[index];
}

const struct ss__json *ss_sae_config(const ss_sae *sae)
{
    return sae->config;
}

void ss_sparse_release(struct ss_sparse *sparse)
{
    ss__free(sparse->offsets);
    ss__free(sparse->features);
    ss__free(sparse->values);
    *sparse = (struct ss_sparse){0};
}
