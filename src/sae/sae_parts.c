/* An SAE from its parts, their release, and its facts.
 *
 * The same way leads from a checkpoint and from a training: parts are checked for what their
 * rule's kind reads, completed (packed encoder, gains, names), and moved into an object that
 * does not change any more. Docs: the three parts are described in sae_priv.h. */
#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "sae/sae_format.h"

/* ---- release ---- */

void ss_sae_parameters_release(struct ss_sae_parameters *p)
{
    float *const arrays[] = {p->subtracted, p->bias,         p->thresholds, p->gate_bias,
                             p->log_gains,  p->gains,        p->shifts,     p->encoder_rows,
                             p->decoder,    p->decoder_bias, p->skip,       p->magnitudes};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        ss__free(arrays[i]);
    }
    ss_tensor_matrix_release(&p->encoder);
    ss_sae_filter_free(p->filter);
    *p = (struct ss_sae_parameters){0};
}

void ss_sae_provenance_release(struct ss_sae_provenance *provenance)
{
    ss__free(provenance->path);
    ss__free(provenance->source);
    ss__free(provenance->commit);
    ss__free(provenance->model_name);
    ss__buf_release(&provenance->notes);
    ss__json_free(provenance->config);
    for (size_t i = 0; i < provenance->n_files; i++) {
        ss__free(provenance->files[i]);
    }
    ss__free(provenance->files);
    ss__free(provenance->facts);
    *provenance = (struct ss_sae_provenance){0};
}

void ss_sae_parts_release(struct ss_sae_parts *parts)
{
    ss_sae_parameters_release(&parts->parameters);
    ss_sae_provenance_release(&parts->provenance);
    parts->rule = (struct ss_sae_rule){0};
}

void ss_sae_free(ss_sae *sae)
{
    if (sae == NULL) {
        return;
    }
    ss_sae_activation_release(&sae->activation);
    ss_sae_parameters_release(&sae->parameters);
    ss_sae_provenance_release(&sae->provenance);
    ss__free(sae);
}

/* ---- making ---- */

/* What parts lack that the rule's kind reads, in words; NULL: nothing. Readers have checked
 * their files already; this is what callers of ss_sae_new are told. */
static const char *find_missing(const struct ss_sae_parameters *p,
                                const struct ss_sae_rule *rule)
{
    const ss_sae_kind kind = rule->kind;
    const bool needs_k = kind == SS_SAE_TOPK || kind == SS_SAE_BATCHTOPK ||
                         kind == SS_SAE_GROUPMAX || kind == SS_SAE_GATED_TOPK ||
                         kind == SS_SAE_LISTA || rule->caps_rows;
    const bool needs_decoder = kind == SS_SAE_PURSUIT || kind == SS_SAE_LISTA;
    return (unsigned)kind >= SS_SAE_N_SAE_KINDS  ? "a kind"
           : p->width == 0 || p->n_features == 0 ? "a width and a number of features"
           : p->width > INT32_MAX || p->n_features > INT32_MAX    ? "a size below 2^31"
           : p->encoder_rows == NULL && p->encoder.panels == NULL ? "an encoder"
           : needs_k && (rule->top_k == 0 || rule->top_k > p->n_features)
               ? "a k from 1 to the number of features"
           : kind == SS_SAE_GROUPMAX && p->n_features % rule->top_k != 0
               ? "a k that divides the number of features"
           : kind == SS_SAE_JUMPRELU && p->thresholds == NULL ? "thresholds"
           : kind == SS_SAE_GATED &&
                   (p->gate_bias == NULL || p->log_gains == NULL || p->shifts == NULL)
               ? "gate_bias, log_gains and shifts"
           : kind == SS_SAE_GATED_TOPK && (p->magnitudes == NULL || p->log_gains == NULL)
               ? "magnitudes and log_gains"
           : needs_decoder && p->decoder == NULL ? "a decoder"
           : p->input == SS_SAE_INPUT_LAYER_NORM && p->width == 1
               ? "a width above 1, for layer norm"
               : NULL;
}

/* The encoder is packed if it is not yet; gains are the exp of their logarithms. */
static ss_status complete_parameters(struct ss_sae_parameters *p, ss_err *err)
{
    p->width_out = p->width_out == 0 ? p->width : p->width_out;
    if (p->encoder.panels == NULL) {
        SS_RETURN_IF_ERROR(ss_tensor_matrix_new(p->n_features, p->width, SS_PRECISION_HIGHEST,
                                                &p->encoder, err));
        ss_tensor_matrix_fill(&p->encoder, 0, p->n_features, p->encoder_rows,
                              SS_TENSOR_OUT_BY_IN);
    }
    if (p->log_gains != NULL && p->gains == NULL) {
        SS_ALLOC_OR_RETURN(p->gains, p->n_features);
        for (size_t f = 0; f < p->n_features; f++) {
            p->gains[f] = (float)exp((double)p->log_gains[f]);
        }
    }
    return ss_sae_filter_init(p, err);
}

/* An SAE that was not read from a file is of the format "memory", with the names of SAELens for
 * its parts; texts that are absent become "", so that nobody has to ask for NULL. */
static ss_status complete_provenance(struct ss_sae_provenance *provenance,
                                     const struct ss_sae_rule *rule, ss_err *err)
{
    static const struct ss_sae_labels labels = {.encoder = "W_enc",
                                                .decoder = "W_dec",
                                                .subtracted = "b_dec",
                                                .bias = "b_enc",
                                                .threshold = "threshold",
                                                .gate_bias = "b_gate",
                                                .log_gain = "r_mag",
                                                .shift = "b_mag"};
    char **const texts[] = {&provenance->path, &provenance->source, &provenance->commit,
                            &provenance->model_name};
    const char **const names[] = {&provenance->format, &provenance->dtype,
                                  &provenance->variant};
    const char *const defaults[] = {"memory", "float32", ss_sae_kind_name(rule->kind)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (*texts[i] == NULL && (*texts[i] = ss__strdup("")) == NULL) {
            return ss__fail_nomem(err, "the names of an SAE");
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i] = *names[i] == NULL ? defaults[i] : *names[i];
    }
    provenance->labels = provenance->labels == NULL ? &labels : provenance->labels;
    return SS_OK;
}

ss_status ss_sae_new(struct ss_sae_parts *parts, ss_sae **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_sae *sae = NULL;
    *out = NULL;
    const char *missing = find_missing(&parts->parameters, &parts->rule);
    if (missing != NULL) {
        SS_FAIL(SS_E_USAGE, "an SAE cannot be made of these parts: expected %s", missing);
    }
    SS_ALLOC(sae, 1);
    sae->parameters = parts->parameters;
    sae->provenance = parts->provenance;
    parts->parameters = (struct ss_sae_parameters){0};
    parts->provenance = (struct ss_sae_provenance){0};
    SS_TRY(complete_parameters(&sae->parameters, err));
    SS_TRY(complete_provenance(&sae->provenance, &parts->rule, err));
    SS_TRY(ss_sae_activation_init(&sae->activation, &sae->parameters, &parts->rule,
                                  &sae->provenance, err));
    *out = sae;
    sae = NULL;
out:
    ss_sae_parts_release(parts);
    ss_sae_free(sae);
    return status;
}

/* ---- facts ---- */

/* Note a file that was read, for the manifest: its facts as they were `read`, or as they are
 * found at the path (NULL). Each array that could grow is kept, so that a failure leaks
 * neither. */
static ss_status add_file(struct ss_sae_provenance *provenance, const char *path,
                          const struct ss__file_facts *read, ss_err *err)
{
    ss_status status = SS_OK;
    char *copy = ss__strdup(path);
    char **files = ss__realloc(provenance->files, provenance->n_files + 1, sizeof *files);
    provenance->files = files != NULL ? files : provenance->files;
    struct ss__file_facts *facts =
        ss__realloc(provenance->facts, provenance->n_files + 1, sizeof *facts);
    provenance->facts = facts != NULL ? facts : provenance->facts;
    if (copy == NULL || files == NULL || facts == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    facts[provenance->n_files] = (struct ss__file_facts){.n_bytes = 0};
    if (read != NULL) {
        facts[provenance->n_files] = *read;
    } else {
        (void)ss__file_facts_at(path, &facts[provenance->n_files]);
    }
    provenance->files[provenance->n_files++] = copy;
    copy = NULL;
out:
    ss__free(copy);
    return status;
}

ss_status ss_sae_add_file(struct ss_sae_provenance *provenance, const char *path, ss_err *err)
{
    return add_file(provenance, path, NULL, err);
}

ss_status ss_sae_add_files(struct ss_sae_provenance *provenance,
                           const struct ss_sae_checkpoint *from, const char *document_path,
                           struct ss__json *document, ss_err *err)
{
    if (document != NULL) {
        provenance->config = ss__json_share(document);
        SS_RETURN_IF_ERROR(add_file(provenance, document_path, NULL, err));
    }
    const struct ss__file_facts facts = ss_weights_file_facts(from->weights, 0);
    return add_file(provenance, ss_weights_path(from->weights), &facts, err);
}

const char *ss_sae_activation_text(const ss_sae *sae,
                                   const struct ss_sae_activation *activation)
{
    return activation == NULL ? sae->activation.text.data : activation->text.data;
}

double ss_sae_activation_threshold(const ss_sae *sae,
                                   const struct ss_sae_activation *activation)
{
    const struct ss_sae_rule *rule =
        activation == NULL ? &sae->activation.rule : &activation->rule;
    if (ss_sae_uses_stored_threshold(rule)) {
        return rule->stored_threshold;
    }
    return ss_sae_needs_batchtopk_choice(rule) && rule->batchtopk == SS_BATCHTOPK_THRESHOLD
               ? rule->batchtopk_threshold
               : (double)NAN;
}

ss_status ss_sae_describe(const ss_sae *sae, struct ss_sae_info *out)
{
    const struct ss_sae_info info = {
        .struct_size = sizeof info,
        .path = sae->provenance.path,
        .source = sae->provenance.source,
        .commit = sae->provenance.commit,
        .format = sae->provenance.format,
        .kind = ss_sae_kind_name(sae->activation.rule.kind),
        .variant = sae->provenance.variant,
        .rule = sae->activation.text.data,
        .model_name = sae->provenance.model_name,
        .dtype = sae->provenance.dtype,
        .width = sae->parameters.width,
        .n_features = sae->parameters.n_features,
        .top_k = sae->activation.rule.top_k,
        .config_num_examples = sae->provenance.config_num_examples,
        .normalizes_input = sae->parameters.input != SS_SAE_INPUT_PLAIN,
    };
    return ss__result_write(out, &info, sizeof info);
}

const float *ss_sae_thresholds(const ss_sae *sae)
{
    return sae->parameters.thresholds;
}

struct ss__file_facts ss_sae_file_facts(const ss_sae *sae, size_t index)
{
    return sae->provenance.facts[index];
}

size_t ss_sae_n_files(const ss_sae *sae)
{
    return sae->provenance.n_files;
}

const char *ss_sae_file(const ss_sae *sae, size_t index)
{
    return sae->provenance.files[index];
}

const struct ss__json *ss_sae_config(const ss_sae *sae)
{
    return sae->provenance.config;
}

void ss_sparse_release(struct ss_sparse *sparse)
{
    ss__free(sparse->offsets);
    ss__free(sparse->features);
    ss__free(sparse->values);
    *sparse = (struct ss_sparse){0};
}
