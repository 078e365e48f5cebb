/* Writing an SAE as SAELens saves it: cfg.json and sae_weights.safetensors (sae_saelens.c).
 *
 * Nothing is rounded: thresholds are stored as they are, and each convention (what is
 * subtracted, which norm) is a key of the config. What the target has no architecture for is
 * refused by name. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae_priv.h"
#include "weights/weights.h"

static const char target_name[] = "saelens";
static const char format_version[] = "6.0.0"; /* whose keys these are */

enum { MAX_TENSORS = 8 };

/* An SAE on its way out: what is written, and the memory behind it. */
struct writer {
    const struct ss_sae *sae;
    const char *architecture;
    ss_sae_kind kind;
    double threshold;
    struct ss_weights_tensor_out tensors[MAX_TENSORS];
    size_t n_tensors;
    float *encoder, *zeros, *thresholds;
};

/* ---- what can be said ---- */

static const char *plain_architecture(ss_sae_kind kind)
{
    static const char *const names[SS_SAE_N_SAE_KINDS] = {
        [SS_SAE_VANILLA] = "standard",         [SS_SAE_TOPK] = "topk",
        [SS_SAE_JUMPRELU] = "jumprelu",        [SS_SAE_GATED] = "gated",
        [SS_SAE_PURSUIT] = "matching_pursuit",
    };
    return names[kind];
}

/* Transcoders exist with relu and jumprelu, each with and without a skip connection. */
static const char *transcoder_architecture(ss_sae_kind kind, bool has_skip)
{
    if (kind == SS_SAE_VANILLA) {
        return has_skip ? "skip_transcoder" : "transcoder";
    }
    if (kind == SS_SAE_JUMPRELU) {
        return has_skip ? "jumprelu_skip_transcoder" : "jumprelu_transcoder";
    }
    return NULL;
}

/* The target's name for the kind; a skip connection or an output of another width makes it one
 * of the transcoders. */
static ss_status find_architecture(struct writer *self, ss_err *err)
{
    const struct ss_sae *sae = self->sae;
    const struct ss_sae_parameters *p = &sae->parameters;
    SS_RETURN_IF_ERROR(
        ss_sae_effective_kind(sae, target_name, &self->kind, &self->threshold, err));
    if (self->kind == SS_SAE_BATCHTOPK) {
        return ss_sae_refuse_target(
            sae, target_name, err,
            "it keeps the %zu B largest activations of a batch of B rows and "
            "stores no threshold; choose a rule (`batchtopk`)",
            sae->activation.rule.top_k);
    }
    const bool needs_transcoder =
        (p->is_transcoder || p->has_skip) && self->kind != SS_SAE_TOPK;
    self->architecture = needs_transcoder ? transcoder_architecture(self->kind, p->has_skip)
                                          : plain_architecture(self->kind);
    if (self->architecture == NULL) {
        return ss_sae_refuse_target(sae, target_name, err, "it has no architecture for %s (%s)",
                                    ss_sae_kind_name(self->kind), sae->provenance.variant);
    }
    if (self->kind == SS_SAE_TOPK && (p->has_skip || p->width_out != p->width)) {
        return ss_sae_refuse_target(
            sae, target_name, err,
            "its topk has no skip connection and no output of another width");
    }
    return SS_OK;
}

/* ---- tensors ---- */

static void add(struct writer *self, const char *name, const float *data, uint64_t n,
                uint64_t m)
{
    self->tensors[self->n_tensors++] = (struct ss_weights_tensor_out){
        .name = name, .data = data, .n_dims = m == 0 ? 1 : 2, .shape = {n, m}};
}

static ss_status make_thresholds(struct writer *self, ss_err *err)
{
    const size_t n = self->sae->parameters.n_features;
    SS_ALLOC_OR_RETURN(self->thresholds, n);
    for (size_t f = 0; f < n; f++) {
        self->thresholds[f] = isfinite(self->threshold) ? (float)self->threshold
                                                        : self->sae->parameters.thresholds[f];
    }
    add(self, "threshold", self->thresholds, n, 0);
    return SS_OK;
}

/* Arrays are borrowed from the SAE but for what has to be made: the encoder the other way
 * round, and zeros for a bias that the target always has. */
static ss_status make_tensors(struct writer *self, ss_err *err)
{
    const struct ss_sae_parameters *p = &self->sae->parameters;
    const size_t n = p->n_features;
    add(self, "W_dec", p->decoder, n, p->width_out);
    add(self, "b_dec", p->decoder_bias, p->width_out, 0);
    if (self->kind != SS_SAE_PURSUIT) {
        SS_RETURN_IF_ERROR(ss_sae_transpose(p->encoder_rows, n, p->width, &self->encoder, err));
        add(self, "W_enc", self->encoder, p->width, n);
    }
    if (self->kind == SS_SAE_GATED) {
        add(self, "b_gate", p->gate_bias, n, 0);
        add(self, "b_mag", p->shifts, n, 0);
        add(self, "r_mag", p->log_gains, n, 0);
    } else if (self->kind != SS_SAE_PURSUIT) {
        SS_ALLOC_OR_RETURN(self->zeros, n);
        add(self, "b_enc", p->bias != NULL ? p->bias : self->zeros, n, 0);
    }
    if (self->kind == SS_SAE_JUMPRELU) {
        SS_RETURN_IF_ERROR(make_thresholds(self, err));
    }
    if (p->has_skip) {
        add(self, "W_skip", p->skip, p->width_out, p->width);
    }
    return SS_OK;
}

/* ---- config ---- */

static void put_pursuit(struct ss__json_writer *config, const struct ss_sae_rule *rule)
{
    ss__put_number(config, "residual_threshold", rule->residual_threshold);
    ss__put_count(config, "max_iterations", rule->n_steps);
    ss__put_bool(config, "stop_on_duplicate_support", rule->stops_on_same_support);
}

static void put_metadata(struct ss__json_writer *config, const struct ss_sae *sae)
{
    ss__put_open(config, "metadata", '{');
    ss__put_text(config, "sae_lens_version", format_version);
    ss__put_text(config, "model_name", sae->provenance.model_name);
    ss__put_close(config, '}');
}

static struct ss__json_writer make_config(const struct writer *self)
{
    static const char *const inputs[SS_SAE_N_SAE_INPUTS] = {
        [SS_SAE_INPUT_PLAIN] = "none",
        [SS_SAE_INPUT_LAYER_NORM] = "layer_norm",
        [SS_SAE_INPUT_ROOT_WIDTH] = "constant_norm_rescale",
    };
    const struct ss_sae *sae = self->sae;
    const struct ss_sae_parameters *p = &sae->parameters;
    struct ss__json_writer config = {.style = SS__JSON_INDENT_4};
    ss__put_open(&config, NULL, '{');
    ss__put_text(&config, "architecture", self->architecture);
    ss__put_count(&config, "d_in", p->width);
    ss__put_count(&config, "d_sae", p->n_features);
    ss__put_text(&config, "dtype", "float32");
    ss__put_text(&config, "device", "cpu");
    ss__put_bool(&config, "apply_b_dec_to_input", p->subtracted != NULL);
    ss__put_text(&config, "normalize_activations", inputs[p->input]);
    ss__put_text(&config, "reshape_activations", "none");
    put_metadata(&config, sae);
    if (self->kind == SS_SAE_TOPK) {
        ss__put_count(&config, "k", sae->activation.rule.top_k);
        ss__put_bool(&config, "rescale_acts_by_decoder_norm", false);
    }
    if (self->kind == SS_SAE_PURSUIT) {
        put_pursuit(&config, &sae->activation.rule);
    }
    if (strstr(self->architecture, "transcoder") != NULL) {
        ss__put_count(&config, "d_out", p->width_out);
    }
    ss__put_close(&config, '}');
    return config;
}

static ss_status write_saelens(const struct ss_sae *sae, const char *folder,
                               bool allows_rounding, struct ss_sae_written *written,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct writer writer = {.sae = sae};
    struct ss__json_writer config = {0};
    char *path = ss__path_join(folder, "sae_weights.safetensors");
    (void)allows_rounding; /* nothing of this format needs it */
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(find_architecture(&writer, err));
    SS_TRY(make_tensors(&writer, err));
    SS_TRY(ss_weights_safetensors_write(path, writer.tensors, writer.n_tensors, err));
    config = make_config(&writer);
    SS_TRY(ss_sae_write_json(folder, "cfg.json", &config, err));
    written->kind = writer.architecture;
out:
    ss__free(writer.encoder);
    ss__free(writer.zeros);
    ss__free(writer.thresholds);
    ss__free(path);
    return status;
}

const struct ss_sae_target ss_sae_saelens_target = {
    .name = "saelens",
    .files = {"sae_weights.safetensors", "cfg.json"},
    .write = write_saelens};
