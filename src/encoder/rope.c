/* Rotary positions (RoFormer): what a config says of them, and the tables of cosines and sines.
 *
 * Pair i of a head turns at position p by the angle p / (theta^(i / half) scaling_factor). The
 * reference rounds the frequency and the angle to float32 before it takes the cosine; at
 * position 8191 that moves an angle by up to 2.4e-4, so the same roundings are made here
 * (docs/numerics.md, "Encoders"). */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "encoder/transformer_priv.h"

enum { MAX_ROPE_ENTRIES = 1 << 24 }; /* 8192 positions of 64 pairs are 2^19 */

/* ---- configs ---- */

/* `rope_type` counts over `type`, its older name. "linear" divides positions by a factor; the
 * other types (dynamic, yarn, …) make the angle depend on a text's length, and are refused. */
ss_status ss_encoder_rope_read(const char *path, const struct ss__json *json,
                               struct ss_encoder_layer_kind *kind, ss_err *err)
{
    const char *type = "default";
    double fraction = 1;
    if (json != NULL && !ss__json_is_null(json) && !ss__json_is_object(json)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "the rotary positions ('rope_parameters') are no object");
    }
    SS_RETURN_IF_ERROR(ss__json_text(path, json, "type", &type, err));
    SS_RETURN_IF_ERROR(ss__json_text(path, json, "rope_type", &type, err));
    SS_RETURN_IF_ERROR(ss__json_number(path, json, "rope_theta", &kind->theta, err));
    if (strcmp(type, "linear") == 0) {
        SS_RETURN_IF_ERROR(ss__json_need(path, json, "factor", err));
        SS_RETURN_IF_ERROR(ss__json_number(path, json, "factor", &kind->scaling_factor, err));
    } else if (strcmp(type, "default") != 0) {
        return ss__fail_file(
            err, path, SS_E_UNSUPPORTED,
            "'rope_type' is '%s'; rotary positions of the types default and linear "
            "are read",
            type);
    }
    SS_RETURN_IF_ERROR(ss__json_number(path, json, "partial_rotary_factor", &fraction, err));
    if (fraction != 1) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'partial_rotary_factor' is %g; only 1 is read", fraction);
    }
    return SS_OK;
}

/* Only of kinds that a layer has: what is stated for others is without effect. */
static ss_status check_kinds(const char *path, const struct ss_encoder_config *config,
                             ss_err *err)
{
    for (size_t i = 0; i < config->n_layers; i++) {
        const struct ss_encoder_layer_kind *kind = &config->kinds[config->kind_of[i]];
        if (!(kind->theta >= 1 && kind->theta <= 1e15)) {
            return ss__fail_file(
                err, path, SS_E_DATA,
                "the base of the rotary positions ('rope_theta') of layer %zu is %g, "
                "expected 1 to 1e15",
                i, kind->theta);
        }
        if (!(kind->scaling_factor >= 1 && kind->scaling_factor <= 1e6)) {
            return ss__fail_file(
                err, path, SS_E_DATA,
                "the 'factor' of the rotary positions of layer %zu is %g, expected 1 "
                "to 1e6",
                i, kind->scaling_factor);
        }
    }
    return SS_OK;
}

/* Also bounds the tables, whose size would else be a product of two numbers of a file. */
ss_status ss_encoder_rope_check(const char *path, double fraction,
                                struct ss_encoder_config *config, ss_err *err)
{
    const size_t head_width = config->width / config->n_heads;
    SS_RETURN_IF_ERROR(check_kinds(path, config, err));
    if (!(fraction > 0 && fraction <= 1)) {
        return ss__fail_file(
            err, path, SS_E_UNSUPPORTED,
            "'rotary_emb_fraction' is %g; only rotary positions are read, of a "
            "fraction above 0 and up to 1",
            fraction);
    }
    const size_t rotary_width = (size_t)((double)head_width * fraction);
    config->rotary_half = rotary_width / 2;
    if (rotary_width == 0 || rotary_width % 2 != 0) {
        return ss__fail_file(
            err, path, SS_E_SHAPE,
            "%zu numbers of each head ('%s' %zu by '%s' %zu) would turn with the "
            "position; they turn in pairs",
            rotary_width, config->keys.width, config->width, config->keys.heads,
            config->n_heads);
    }
    if (config->n_positions > MAX_ROPE_ENTRIES / config->rotary_half) {
        return ss__fail_file(
            err, path, SS_E_DATA,
            "'%s' is %zu; with heads of %zu numbers at most %zu positions are read",
            config->keys.positions, config->n_positions, head_width,
            MAX_ROPE_ENTRIES / config->rotary_half);
    }
    return SS_OK;
}

/* ---- tables ---- */

/* As torch computes it in float32: the exponent, the power and its inverse are each rounded. */
static float frequency(const struct ss_encoder_layer_kind *kind, size_t i, size_t half)
{
    const float exponent = (float)(2 * i) / (float)(2 * half);
    const float wave = (float)pow((double)(float)kind->theta, (double)exponent);
    return (1.0F / wave) / (float)kind->scaling_factor;
}

static ss_status make_rope_table(const struct ss_encoder_config *config,
                                 const struct ss_encoder_layer_kind *kind, float **rope_tables,
                                 ss_err *err)
{
    const size_t half = config->rotary_half, n = config->n_positions;
    SS_ALLOC_ALIGNED_OR_RETURN(*rope_tables, 2 * n * half);
    for (size_t i = 0; i < half; i++) {
        const float per_position = frequency(kind, i, half);
        for (size_t p = 0; p < n; p++) {
            const float angle = (float)p * per_position;
            (*rope_tables)[p * half + i] = (float)cos((double)angle);
            (*rope_tables)[(n + p) * half + i] = (float)sin((double)angle);
        }
    }
    return SS_OK;
}

ss_status ss_encoder_rope_make(const struct ss_encoder_config *config,
                               float *rope_tables[SS_ENCODER_N_LAYER_KINDS], ss_err *err)
{
    for (size_t i = 0; i < config->n_layers; i++) {
        const uint8_t kind = config->kind_of[i];
        if (rope_tables[kind] == NULL) {
            SS_RETURN_IF_ERROR(
                make_rope_table(config, &config->kinds[kind], &rope_tables[kind], err));
        }
    }
    return SS_OK;
}
