/* Writing an SAE in the seed's format: config.json and sae.pt (sae_seed.c).
 *
 * That format has four kinds with fixed conventions: vanilla subtracts b_dec, adds b_enc;
 * jumprelu adds b_enc only and stores the logarithms of its thresholds; topk and batchtopk
 * subtract b_dec only. A relu without b_dec is a jumprelu with thresholds of 0. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae_priv.h"
#include "weights/weights.h"

static const char target_name[] = "seed";

/* exp of this is 0 in float32, as it is in the original: every positive h is above it. */
#define LOG_OF_ZERO (-200.0F)

enum { MAX_STEPS = 8 }; /* between a float's logarithm and the one whose exp it is */

struct writer {
    const struct ss_sae *sae;
    ss_sae_kind kind;
    double threshold;
    uint64_t n_rounded;
    float *encoder, *zeros, *logs;
};

/* ---- what can be said ---- */

static ss_status check_parts(const struct ss_sae *sae, ss_err *err)
{
    const struct ss_sae_parameters *p = &sae->parameters;
    if (p->input == SS_SAE_INPUT_ROOT_WIDTH) {
        return ss_sae_refuse_target(sae, target_name, err,
                                    "inputs are scaled to a norm of sqrt(%zu)", p->width);
    }
    if (p->is_transcoder || p->has_skip) {
        return ss_sae_refuse_target(sae, target_name, err,
                                    "it is a transcoder, whose output is not its input");
    }
    return SS_OK;
}

static bool subtracts(const struct ss_sae_parameters *p)
{
    return !ss_sae_is_zero(p->subtracted, p->width);
}

/* Subtracting b_dec does the same as before: it is subtracted already, or it is 0. */
static bool may_subtract(const struct ss_sae_parameters *p)
{
    return p->subtracted != NULL || ss_sae_is_zero(p->decoder_bias, p->width_out);
}

/* The target's topk and batchtopk have no b_enc and always subtract b_dec. */
static ss_status check_topk(const struct ss_sae *sae, const char *kind, ss_err *err)
{
    if (!ss_sae_is_zero(sae->parameters.bias, sae->parameters.n_features)) {
        return ss_sae_refuse_target(sae, target_name, err,
                                    "its %s adds no %s, and here it is not 0", kind,
                                    sae->provenance.labels->bias);
    }
    return may_subtract(&sae->parameters)
               ? SS_OK
               : ss_sae_refuse_target(sae, target_name, err,
                                      "its %s subtracts the decoder's bias, and here "
                                      "it is not 0 and not subtracted",
                                      kind);
}

static ss_status check_jumprelu(const struct ss_sae *sae, ss_err *err)
{
    return !subtracts(&sae->parameters)
               ? SS_OK
               : ss_sae_refuse_target(sae, target_name, err,
                                      "its jumprelu subtracts nothing from the input, "
                                      "and here %s is",
                                      sae->provenance.labels->subtracted);
}

/* The kind of the target that does the same; a relu that subtracts nothing is said as a
 * jumprelu. */
static ss_status find_kind(struct writer *self, ss_err *err)
{
    const struct ss_sae *sae = self->sae;
    SS_RETURN_IF_ERROR(check_parts(sae, err));
    SS_RETURN_IF_ERROR(
        ss_sae_effective_kind(sae, target_name, &self->kind, &self->threshold, err));
    if (self->kind == SS_SAE_VANILLA && !may_subtract(&sae->parameters)) {
        self->kind = SS_SAE_JUMPRELU;
        self->threshold = 0;
    }
    switch (self->kind) {
    case SS_SAE_VANILLA:
        return SS_OK;
    case SS_SAE_JUMPRELU:
        return check_jumprelu(sae, err);
    case SS_SAE_TOPK:
    case SS_SAE_BATCHTOPK:
        return check_topk(sae, ss_sae_kind_name(self->kind), err);
    default:
        return ss_sae_refuse_target(sae, target_name, err, "it has no kind for %s (%s)",
                                    ss_sae_kind_name(self->kind), sae->provenance.variant);
    }
    return SS_OK;
}

/* ---- thresholds ---- */

static float exp_of(float log)
{
    return (float)exp((double)log);
}

/* The float whose exp is nearest to a threshold: exp and log are rounded, so that the
 * logarithm's neighbours may come nearer. */
static float log_of(float threshold)
{
    if (!(threshold > 0)) {
        return LOG_OF_ZERO;
    }
    const float first = (float)log((double)threshold);
    float best = first;
    for (int direction = -1; direction <= 1; direction += 2) {
        float at = first;
        for (int step = 0; step < MAX_STEPS; step++) {
            at = nextafterf(at, direction < 0 ? -INFINITY : INFINITY);
            if (fabsf(exp_of(at) - threshold) < fabsf(exp_of(best) - threshold)) {
                best = at;
            }
        }
    }
    return best;
}

static float threshold_of(const struct writer *self, size_t feature)
{
    return isfinite(self->threshold) ? (float)self->threshold
                                     : self->sae->parameters.thresholds[feature];
}

/* Thresholds that come back changed are counted, and refused unless rounding is allowed:
 * activations between the two would differ from the source's. */
static ss_status make_logs(struct writer *self, bool allows_rounding, ss_err *err)
{
    size_t first = SIZE_MAX;
    const size_t n = self->sae->parameters.n_features;
    SS_ALLOC_OR_RETURN(self->logs, n);
    for (size_t f = 0; f < n; f++) {
        const float threshold = threshold_of(self, f);
        self->logs[f] = log_of(threshold);
        if (exp_of(self->logs[f]) != fmaxf(threshold, 0)) {
            first = first == SIZE_MAX ? f : first;
            self->n_rounded++;
        }
    }
    if (self->n_rounded > 0 && !allows_rounding) {
        return ss_sae_refuse_target(
            self->sae, target_name, err,
            "thresholds are stored as logarithms, and for %llu of %zu (the "
            "first is %.9g of feature %zu) there is no float32 whose exp it "
            "is; the nearest is a few units in the last place away, which "
            "may be allowed (`allow_rounding`)",
            (unsigned long long)self->n_rounded, n, (double)threshold_of(self, first), first);
    }
    return SS_OK;
}

/* ---- files ---- */

static ss_status write_weights(struct writer *self, const char *path, ss_err *err)
{
    const struct ss_sae_parameters *p = &self->sae->parameters;
    const size_t n = p->n_features, width = p->width;
    SS_ALLOC_OR_RETURN(self->zeros, n);
    SS_RETURN_IF_ERROR(ss_sae_transpose(p->encoder_rows, n, width, &self->encoder, err));
    const struct ss_weights_tensor_out tensors[] = {
        {"W_enc", self->encoder, 2, {width, n}, false},
        {"W_dec", p->decoder, 2, {n, width}, false},
        {"b_enc", p->bias != NULL ? p->bias : self->zeros, 1, {n, 0}, false},
        {"b_dec", p->decoder_bias, 1, {width, 0}, false},
        {"jumprelu.log_threshold", self->logs, 1, {n, 0}, false},
    };
    return ss_weights_torch_write(path, tensors, self->logs != NULL ? 5 : 4, err);
}

static struct ss__json_writer make_config(const struct writer *self)
{
    const struct ss_sae *sae = self->sae;
    const struct ss_sae_parameters *p = &sae->parameters;
    struct ss__json_writer config = {.style = SS__JSON_INDENT_4};
    ss__put_open(&config, NULL, '{');
    ss__put_text(&config, "sae_type", ss_sae_kind_name(self->kind));
    ss__put_count(&config, "act_size", p->width);
    ss__put_count(&config, "dict_size", p->n_features);
    ss__put_bool(&config, "input_unit_norm", p->input == SS_SAE_INPUT_LAYER_NORM);
    ss__put_text(&config, "dtype", "torch.float32");
    ss__put_text(&config, "device", "cpu");
    ss__put_text(&config, "model_name", sae->provenance.model_name);
    if (sae->activation.rule.top_k > 0) {
        ss__put_count(&config, "top_k", sae->activation.rule.top_k);
    }
    if (sae->provenance.config_num_examples > 0) {
        ss__put_count(&config, "num_examples", sae->provenance.config_num_examples);
    }
    ss__put_close(&config, '}');
    return config;
}

static ss_status write_seed(const struct ss_sae *sae, const char *folder, bool allows_rounding,
                            struct ss_sae_written *written, ss_err *err)
{
    ss_status status = SS_OK;
    struct writer writer = {.sae = sae};
    struct ss__json_writer config = {0};
    char *path = ss__path_join(folder, "sae.pt");
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(find_kind(&writer, err));
    if (writer.kind == SS_SAE_JUMPRELU) {
        SS_TRY(make_logs(&writer, allows_rounding, err));
    }
    SS_TRY(write_weights(&writer, path, err));
    config = make_config(&writer);
    SS_TRY(ss_sae_write_json(folder, "config.json", &config, err));
    *written = (struct ss_sae_written){ss_sae_kind_name(writer.kind), writer.n_rounded};
out:
    ss__free(writer.encoder);
    ss__free(writer.zeros);
    ss__free(writer.logs);
    ss__free(path);
    return status;
}

const struct ss_sae_target ss_sae_seed_target = {
    .name = "seed", .files = {"sae.pt", "config.json"}, .write = write_seed};
