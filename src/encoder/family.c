/* The architectures as one table: config keys, tensor names, position rule, head. What the code
 * does with a row is the same for all. Names after encoders.md 2, 2.3 and 3. */
#include <string.h>

#include "encoder/encoder_priv.h"

static const struct ss__family families[] = {
    {
        .model_type = "mpnet",
        .key_width = "hidden_size",
        .key_layers = "num_hidden_layers",
        .key_heads = "num_attention_heads",
        .key_inner = "intermediate_size",
        .key_activation = "hidden_act",
        .key_eps = "layer_norm_eps",
        .position_pad = 1,
        .layer_prefix = "encoder.layer.",
        .parts = {"attention.attn.q", "attention.attn.k", "attention.attn.v",
                  "attention.attn.o", "attention.LayerNorm", "intermediate.dense",
                  "output.dense", "output.LayerNorm"},
        .distance_table = "encoder.relative_attention_bias.weight",
        .head = {.dense = "lm_head.dense",
                 .norm = "lm_head.layer_norm",
                 .decoder = "lm_head.decoder.weight",
                 .biases = {"lm_head.bias", "lm_head.decoder.bias"},
                 .gelu = true},
    },
    {
        .model_type = "bert",
        .key_width = "hidden_size",
        .key_layers = "num_hidden_layers",
        .key_heads = "num_attention_heads",
        .key_inner = "intermediate_size",
        .key_activation = "hidden_act",
        .key_eps = "layer_norm_eps",
        .key_types = "type_vocab_size",
        .position_pad = -1,
        .layer_prefix = "encoder.layer.",
        .parts = {"attention.self.query", "attention.self.key", "attention.self.value",
                  "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense",
                  "output.dense", "output.LayerNorm"},
        .head = {.dense = "cls.predictions.transform.dense",
                 .norm = "cls.predictions.transform.LayerNorm",
                 .decoder = "cls.predictions.decoder.weight",
                 .biases = {"cls.predictions.bias", "cls.predictions.decoder.bias"}},
    },
    {
        .model_type = "distilbert",
        .key_width = "dim",
        .key_layers = "n_layers",
        .key_heads = "n_heads",
        .key_inner = "hidden_dim",
        .key_activation = "activation",
        .fixed_eps = 1e-12,
        .position_pad = -1,
        .layer_prefix = "transformer.layer.",
        .parts = {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                  "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"},
        .head = {.dense = "vocab_transform",
                 .norm = "vocab_layer_norm",
                 .decoder = "vocab_projector.weight",
                 .biases = {"vocab_projector.bias"}},
    },
};

enum { N_FAMILIES = sizeof families / sizeof families[0] };

const struct ss__family *ss__family_find(const char *model_type)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (strcmp(families[i].model_type, model_type) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

const char *ss__family_list(void)
{
    return "mpnet, bert and distilbert";
}

/* Buffers, the pooler, and heads of tasks; a name that ends with a dot stands for all below. */
static const char *const ignored[] = {
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "pooler.dense.weight",
    "pooler.dense.bias",
    "cls.predictions.",
    "cls.seq_relationship.",
    "lm_head.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "classifier.",
    "pre_classifier.",
    "qa_outputs.",
};

bool ss__family_ignores(const char *name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        const size_t n = strlen(ignored[i]);
        const bool is_prefix = ignored[i][n - 1] == '.';
        if (is_prefix ? strncmp(name, ignored[i], n) == 0 : strcmp(name, ignored[i]) == 0) {
            return true;
        }
    }
    return false;
}
