/* The architectures as tables: config keys, tensor names, how the body computes, position rule,
 * head. What the code does with a row is the same for all. Names after docs/spec/encoders.md
 * 2, 2.3 and 3; those of ModernBERT and Nomic-BERT after transformers 5.24. */
#include <string.h>

#include "encoder/transformer_priv.h"

/* ---- config keys ---- */

static const struct ss_encoder_config_keys bert_keys = {
    .width = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inner = "intermediate_size",
    .positions = "max_position_embeddings",
    .activation = "hidden_act",
    .eps = "layer_norm_eps",
    .types = "type_vocab_size",
};

static const struct ss_encoder_config_keys mpnet_keys = {
    .width = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inner = "intermediate_size",
    .positions = "max_position_embeddings",
    .activation = "hidden_act",
    .eps = "layer_norm_eps",
};

static const struct ss_encoder_config_keys distilbert_keys = {
    .width = "dim",
    .layers = "n_layers",
    .heads = "n_heads",
    .inner = "hidden_dim",
    .positions = "max_position_embeddings",
    .activation = "activation",
};

static const struct ss_encoder_config_keys modernbert_keys = {
    .width = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inner = "intermediate_size",
    .positions = "max_position_embeddings",
    .activation = "hidden_activation",
    .eps = "norm_eps",
};

/* Nomic-BERT as it was published, with GPT-2's names; its activation names the gate too. */
static const struct ss_encoder_config_keys nomic_keys = {
    .width = "n_embd",
    .layers = "n_layer",
    .heads = "n_head",
    .inner = "n_inner",
    .positions = "n_positions",
    .eps = "layer_norm_epsilon",
};

/* ---- what the classes set for keys that are not there ---- */

static const struct ss_encoder_config_defaults bert_defaults = {
    .width = 768,
    .layers = 12,
    .heads = 12,
    .inner = 3072,
    .vocab = 30522,
    .positions = 512,
    .types = 2,
    .activation = "gelu",
    .eps = 1e-12,
};

static const struct ss_encoder_config_defaults roberta_defaults = {
    .width = 768,
    .layers = 12,
    .heads = 12,
    .inner = 3072,
    .vocab = 50265,
    .positions = 512,
    .types = 2,
    .activation = "gelu",
    .eps = 1e-12,
};

static const struct ss_encoder_config_defaults mpnet_defaults = {
    .width = 768,
    .layers = 12,
    .heads = 12,
    .inner = 3072,
    .vocab = 30527,
    .positions = 512,
    .activation = "gelu",
    .eps = 1e-12,
};

/* The config has no key for the norm's eps: the class builds its layers with 1e-12. */
static const struct ss_encoder_config_defaults distilbert_defaults = {
    .width = 768,
    .layers = 6,
    .heads = 12,
    .inner = 3072,
    .vocab = 30522,
    .positions = 512,
    .activation = "gelu",
    .eps = 1e-12,
};

static const struct ss_encoder_config_defaults modernbert_defaults = {
    .width = 768,
    .layers = 22,
    .heads = 12,
    .inner = 1152,
    .vocab = 50368,
    .positions = 8192,
    .activation = "gelu",
    .eps = 1e-5,
};

/* As published: those of GPT-2, whose `n_inner` is four times the width. */
static const struct ss_encoder_config_defaults nomic_defaults = {
    .width = 768,
    .layers = 12,
    .heads = 12,
    .vocab = 50257,
    .positions = 1024,
    .eps = 1e-5,
};

/* Those of transformers' own class of the same name. */
static const struct ss_encoder_config_defaults nomic_native_defaults = {
    .width = 768,
    .layers = 12,
    .heads = 12,
    .inner = 3072,
    .vocab = 30528,
    .positions = 2048,
    .types = 2,
    .activation = "silu",
    .eps = 1e-12,
};

/* transformers maps these names to the class' own, and they win where a config has both. */
static const struct ss_encoder_alias distilbert_aliases[] = {
    {"hidden_size", "dim"},
    {"num_attention_heads", "n_heads"},
    {"num_hidden_layers", "n_layers"},
    {NULL, NULL},
};

/* ---- tensor names ---- */

/* The head of RoBERTa and its relatives; MPNet has the same, and both always apply the exact
 * GELU. */
#define LM_HEAD                                                                                \
    {                                                                                          \
        .dense = "lm_head.dense", .norm = "lm_head.layer_norm",                                \
        .decoder = "lm_head.decoder.weight",                                                   \
        .biases = {"lm_head.bias", "lm_head.decoder.bias"}, .gelu = true                       \
    }

static const struct ss_encoder_tensor_names mpnet_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .norm = "embeddings.LayerNorm",
    .layer_prefix = "encoder.layer.",
    .layer_tensors = {[SS_ENCODER_TENSOR_QUERY] = "attention.attn.q",
                      [SS_ENCODER_TENSOR_KEY] = "attention.attn.k",
                      [SS_ENCODER_TENSOR_VALUE] = "attention.attn.v",
                      [SS_ENCODER_TENSOR_CONTEXT] = "attention.attn.o",
                      [SS_ENCODER_TENSOR_NORM_1] = "attention.LayerNorm",
                      [SS_ENCODER_TENSOR_INNER] = "intermediate.dense",
                      [SS_ENCODER_TENSOR_OUTER] = "output.dense",
                      [SS_ENCODER_TENSOR_NORM_2] = "output.LayerNorm"},
    .distance_table = "encoder.relative_attention_bias.weight",
    .head = LM_HEAD,
};

#define BERT_BODY                                                                              \
    .words = "embeddings.word_embeddings", .positions = "embeddings.position_embeddings",      \
    .types = "embeddings.token_type_embeddings", .norm = "embeddings.LayerNorm",               \
    .layer_prefix = "encoder.layer.",                                                          \
    .layer_tensors = {[SS_ENCODER_TENSOR_QUERY] = "attention.self.query",                      \
                      [SS_ENCODER_TENSOR_KEY] = "attention.self.key",                          \
                      [SS_ENCODER_TENSOR_VALUE] = "attention.self.value",                      \
                      [SS_ENCODER_TENSOR_CONTEXT] = "attention.output.dense",                  \
                      [SS_ENCODER_TENSOR_NORM_1] = "attention.output.LayerNorm",               \
                      [SS_ENCODER_TENSOR_INNER] = "intermediate.dense",                        \
                      [SS_ENCODER_TENSOR_OUTER] = "output.dense",                              \
                      [SS_ENCODER_TENSOR_NORM_2] = "output.LayerNorm"}

static const struct ss_encoder_tensor_names bert_names = {
    BERT_BODY,
    .head = {.dense = "cls.predictions.transform.dense",
             .norm = "cls.predictions.transform.LayerNorm",
             .decoder = "cls.predictions.decoder.weight",
             .biases = {"cls.predictions.bias", "cls.predictions.decoder.bias"}},
};

/* RoBERTa, XLM-RoBERTa and CamemBERT. */
static const struct ss_encoder_tensor_names roberta_names = {BERT_BODY, .head = LM_HEAD};

/* (No token types, and no prefix below "transformer.".) */
static const struct ss_encoder_tensor_names distilbert_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .norm = "embeddings.LayerNorm",
    .layer_prefix = "transformer.layer.",
    .layer_tensors = {[SS_ENCODER_TENSOR_QUERY] = "attention.q_lin",
                      [SS_ENCODER_TENSOR_KEY] = "attention.k_lin",
                      [SS_ENCODER_TENSOR_VALUE] = "attention.v_lin",
                      [SS_ENCODER_TENSOR_CONTEXT] = "attention.out_lin",
                      [SS_ENCODER_TENSOR_NORM_1] = "sa_layer_norm",
                      [SS_ENCODER_TENSOR_INNER] = "ffn.lin1",
                      [SS_ENCODER_TENSOR_OUTER] = "ffn.lin2",
                      [SS_ENCODER_TENSOR_NORM_2] = "output_layer_norm"},
    .head = {.dense = "vocab_transform",
             .norm = "vocab_layer_norm",
             .decoder = "vocab_projector.weight",
             .biases = {"vocab_projector.bias"}},
};

static const struct ss_encoder_tensor_names modernbert_names = {
    .words = "embeddings.tok_embeddings",
    .norm = "embeddings.norm",
    .layer_prefix = "layers.",
    .layer_tensors = {[SS_ENCODER_TENSOR_QKV] = "attn.Wqkv",
                      [SS_ENCODER_TENSOR_CONTEXT] = "attn.Wo",
                      [SS_ENCODER_TENSOR_NORM_1] = "attn_norm",
                      [SS_ENCODER_TENSOR_INNER_GATE] = "mlp.Wi",
                      [SS_ENCODER_TENSOR_OUTER] = "mlp.Wo",
                      [SS_ENCODER_TENSOR_NORM_2] = "mlp_norm"},
    .final_norm = "final_norm",
    .head = {.dense = "head.dense",
             .norm = "head.norm",
             .decoder = "decoder.weight",
             .biases = {"decoder.bias"}},
};

#define NOMIC_HEAD                                                                             \
    {                                                                                          \
        .dense = "cls.predictions.transform.dense",                                            \
        .norm = "cls.predictions.transform.layer_norm",                                        \
        .decoder = "cls.predictions.decoder.weight", .biases = {                               \
            "cls.predictions.bias",                                                            \
            "cls.predictions.decoder.bias"                                                     \
        }                                                                                      \
    }

/* As published, and as transformers still writes it. */
static const struct ss_encoder_tensor_names nomic_names = {
    .words = "embeddings.word_embeddings",
    .types = "embeddings.token_type_embeddings",
    .norm = "emb_ln",
    .layer_prefix = "encoder.layers.",
    .layer_tensors = {[SS_ENCODER_TENSOR_QKV] = "attn.Wqkv",
                      [SS_ENCODER_TENSOR_CONTEXT] = "attn.out_proj",
                      [SS_ENCODER_TENSOR_NORM_1] = "norm1",
                      [SS_ENCODER_TENSOR_INNER] = "mlp.fc12",
                      [SS_ENCODER_TENSOR_GATE] = "mlp.fc11",
                      [SS_ENCODER_TENSOR_OUTER] = "mlp.fc2",
                      [SS_ENCODER_TENSOR_NORM_2] = "norm2"},
    .head = NOMIC_HEAD,
};

/* As transformers holds it in memory. */
static const struct ss_encoder_tensor_names nomic_native_names = {
    .words = "embeddings.word_embeddings",
    .types = "embeddings.token_type_embeddings",
    .norm = "embeddings.LayerNorm",
    .layer_prefix = "layers.",
    .layer_tensors = {[SS_ENCODER_TENSOR_QUERY] = "self_attn.q_proj",
                      [SS_ENCODER_TENSOR_KEY] = "self_attn.k_proj",
                      [SS_ENCODER_TENSOR_VALUE] = "self_attn.v_proj",
                      [SS_ENCODER_TENSOR_CONTEXT] = "self_attn.o_proj",
                      [SS_ENCODER_TENSOR_NORM_1] = "post_attention_layernorm",
                      [SS_ENCODER_TENSOR_INNER] = "mlp.gate_proj",
                      [SS_ENCODER_TENSOR_GATE] = "mlp.up_proj",
                      [SS_ENCODER_TENSOR_OUTER] = "mlp.down_proj",
                      [SS_ENCODER_TENSOR_NORM_2] = "post_mlp_layernorm"},
    .head = NOMIC_HEAD,
};

/* ---- bodies ---- */

/* The blocks of BERT: post-norm, biases everywhere. */
static const struct ss_encoder_body classic = {.has_norm_bias = true,
                                               .has_attention_bias = true,
                                               .has_inner_bias = true,
                                               .has_outer_bias = true,
                                               .has_head_dense_bias = true,
                                               .has_head_bias = true};

/* ModernBERT has no biases unless its config asks for some. */
static const struct ss_encoder_body modern = {.norms_first = true,
                                              .skips_a_norm = true,
                                              .is_gated = true,
                                              .has_rotary = true,
                                              .has_head_bias = true};

static const struct ss_encoder_body nomic = {.is_gated = true,
                                             .has_rotary = true,
                                             .has_norm_bias = true,
                                             .has_head_dense_bias = true,
                                             .has_head_bias = true};

/* ---- the table ---- */

/* One row for three names of one architecture, which differ in the size of their vocabulary. */
#define ROBERTA(DEFAULTS)                                                                      \
    .prefixes = {"roberta", "camembert"}, .keys = {&bert_keys}, .defaults = {DEFAULTS},        \
    .names = {&roberta_names}, .position_pad = 1, .pad_in_config = true, .body = &classic

static const struct ss_encoder_family families[] = {
    {
        .model_type = "mpnet",
        .prefixes = {"mpnet"},
        .keys = {&mpnet_keys},
        .defaults = {&mpnet_defaults},
        .names = {&mpnet_names},
        .position_pad = 1,
        .body = &classic,
    },
    {
        .model_type = "bert",
        .prefixes = {"bert"},
        .keys = {&bert_keys},
        .defaults = {&bert_defaults},
        .names = {&bert_names},
        .position_pad = -1,
        .body = &classic,
    },
    {
        .model_type = "roberta",
        ROBERTA(&roberta_defaults),
    },
    {
        .model_type = "xlm-roberta",
        ROBERTA(&bert_defaults),
    },
    {
        .model_type = "camembert",
        ROBERTA(&bert_defaults),
    },
    {
        .model_type = "distilbert",
        .prefixes = {"distilbert"},
        .keys = {&distilbert_keys},
        .defaults = {&distilbert_defaults},
        .aliases = distilbert_aliases,
        .names = {&distilbert_names},
        .position_pad = -1,
        .body = &classic,
    },
    {
        .model_type = "modernbert",
        .prefixes = {"model"},
        .keys = {&modernbert_keys},
        .defaults = {&modernbert_defaults},
        .own_keys = {ss_encoder_config_modern_keys, SS_ENCODER_N_MODERN_KEYS},
        .names = {&modernbert_names},
        .position_pad = -1,
        .body = &modern,
        .read = ss_encoder_config_read_modern,
    },
    {
        .model_type = "nomic_bert",
        .prefixes = {"nomic_bert", "bert"},
        .keys = {&nomic_keys, &bert_keys},
        .defaults = {&nomic_defaults, &nomic_native_defaults},
        .own_keys = {ss_encoder_config_nomic_keys, SS_ENCODER_N_NOMIC_KEYS},
        .names = {&nomic_names, &nomic_native_names},
        .position_pad = -1,
        .body = &nomic,
        .read = ss_encoder_config_read_nomic,
    },
};

enum { N_FAMILIES = sizeof families / sizeof families[0] };

const struct ss_encoder_family *ss_encoder_family_find(const char *model_type)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (strcmp(families[i].model_type, model_type) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

/* The alternative whose width the config has. Width is the key that no config leaves out. */
static size_t choose_layout(const struct ss_encoder_family *family, const struct ss__json *json)
{
    for (size_t i = 0; i < SS_ENCODER_N_LAYOUTS && family->keys[i] != NULL; i++) {
        if (ss__json_get(json, family->keys[i]->width) != NULL) {
            return i;
        }
    }
    /* with none, the one that the class of transformers has: the last */
    return family->keys[1] != NULL ? 1 : 0;
}

/* The struct holds names only, so it is walked as an array of them (as list_keys does,
 * config_keys.c). */
struct ss_encoder_config_keys ss_encoder_family_keys(const struct ss_encoder_family *family,
                                                     const struct ss__json *json)
{
    union {
        struct ss_encoder_config_keys keys;
        const char *names[sizeof(struct ss_encoder_config_keys) / sizeof(const char *)];
    } all = {.keys = *family->keys[choose_layout(family, json)]};
    for (const struct ss_encoder_alias *a = family->aliases; a != NULL && a->alias != NULL;
         a++) {
        for (size_t i = 0; i < sizeof all.names / sizeof all.names[0]; i++) {
            const bool is_it = all.names[i] != NULL && strcmp(all.names[i], a->key) == 0;
            if (is_it && ss__json_get(json, a->alias) != NULL) {
                all.names[i] = a->alias;
            }
        }
    }
    return all.keys;
}

const struct ss_encoder_config_defaults *
ss_encoder_family_defaults(const struct ss_encoder_family *family, const struct ss__json *json)
{
    return family->defaults[choose_layout(family, json)];
}

/* Kept beside the table, for a list with "and" is not worth code that makes one. */
const char *ss_encoder_family_list(void)
{
    return "mpnet, bert, distilbert, roberta, xlm-roberta, camembert, modernbert and "
           "nomic_bert";
}

/* Buffers, the pooler, and heads of tasks; a name that ends with a dot stands for all below,
 * one that begins with a dot for all such ends. */
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
    "head.",
    "decoder.",
    ".inv_freq",
};

static bool stands_for(const char *pattern, const char *name)
{
    const size_t n_pattern = strlen(pattern), n = strlen(name);
    if (pattern[n_pattern - 1] == '.') {
        return strncmp(name, pattern, n_pattern) == 0;
    }
    const bool is_end = pattern[0] == '.' && n > n_pattern;
    return strcmp(is_end ? name + n - n_pattern : name, pattern) == 0;
}

bool ss_encoder_family_ignores(const char *name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (stands_for(ignored[i], name)) {
            return true;
        }
    }
    return false;
}
