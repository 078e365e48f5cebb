/* The keys of config.json as tables: those that any family reads, those of a family (family.c
 * and its config_*.c), those without effect on embeddings, and those that would make another
 * model. The lists follow transformers 5.24 and what published models carry. */
#include <string.h>

#include "base/json_write.h"
#include "encoder/config_priv.h"

/* Besides the names in struct ss_encoder_config_keys. */
static const char *const common_keys[] = {
    "model_type",
    "architectures",
    "vocab_size",
    "pad_token_id",
    "is_decoder",
    "position_embedding_type",
    "relative_attention_num_buckets",
    "tie_word_embeddings",
    "quantization_config",
};

/* Read by no one here: they speak of loading, of text generation, of training, or of heads that
 * embeddings do not pass. */
static const char *const harmless_keys[] = {
    /* of any config */
    "transformers_version",
    "name_or_path",
    "auto_map",
    "torch_dtype",
    "dtype",
    "num_labels",
    "id2label",
    "label2id",
    "problem_type",
    "task_specific_params",
    "finetuning_task",
    "return_dict",
    "use_return_dict",
    "output_hidden_states",
    "output_attentions",
    "output_past",
    "output_scores",
    "torchscript",
    "use_bfloat16",
    "tf_legacy_loss",
    "tokenizer_class",
    "prefix",
    "attn_implementation",
    "experts_implementation",
    "gradient_checkpointing",
    "use_cache",
    "chunk_size_feed_forward",
    "pruned_heads",
    "is_encoder_decoder",
    "add_cross_attention",
    "cross_attention_hidden_size",
    "tie_encoder_decoder",
    "tie_last_hidden_states",
    "xla_device",
    "bos_token_id",
    "eos_token_id",
    "sep_token_id",
    "cls_token_id",
    "unk_token_id",
    "mask_token_id",
    "decoder_start_token_id",
    "transformers.js_config",
    "sentence_transformers",
    "adapters",
    "adapter_fusion_models",
    "custom_pipelines",
    "use_auth_token",
    "model_max_length",
    "unpad_inputs",
    "use_memory_efficient_attention",
    "use_flash_attn",
    "language",
    "license",
    "revision",
    "library_name",
    "pipeline_tag",
    "train_batch_size",
    "max_seq_length",
    /* of generation */
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "num_return_sequences",
    "return_dict_in_generate",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    /* of training, of heads and of the pooler */
    "initializer_range",
    "initializer_factor",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "classifier_dropout_prob",
    "dropout",
    "attention_dropout",
    "qa_dropout",
    "seq_classif_dropout",
    "sinusoidal_pos_embds",
    "tie_weights_",
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "pooler_dropout",
    "pooler_hidden_act",
    "summary_activation",
    "summary_first_dropout",
    "summary_last_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "loss_type",
    "label_smoothing",
    "reorder_and_upcast_attn",
};

/* They have an effect, whatever the family. */
static const char *const refused_keys[] = {"per_layer_config", "is_causal"};

/* All names in a struct of names. */
static struct ss_encoder_key_list list_keys(const struct ss_encoder_config_keys *keys)
{
    _Static_assert(sizeof *keys % sizeof(const char *) == 0, "names only");
    return (struct ss_encoder_key_list){(const char *const *)(const void *)keys,
                                        sizeof *keys / sizeof(const char *)};
}

ss_status ss_encoder_config_check_keys(const struct ss_encoder_config_source *source,
                                       const struct ss_encoder_family *family,
                                       const struct ss__json *json, ss_err *err)
{
    const struct ss_encoder_config_keys keys = ss_encoder_family_keys(family, json);
    const struct ss_encoder_known_keys known = {
        .lists = {SS_ENCODER_KEY_LIST(common_keys), SS_ENCODER_KEY_LIST(harmless_keys),
                  family->own_keys, list_keys(&keys)},
        .refused = SS_ENCODER_KEY_LIST(refused_keys),
        .where = "",
    };
    return ss_encoder_keys_check(source->path, json, &known, &source->log, err);
}

/* ---- arguments ---- */

/* What says where files come from, which here the caller says. */
static const char *const loader_keys[] = {
    "cache_dir",  "force_download",  "local_files_only",  "proxies",
    "token",      "use_auth_token",  "revision",          "code_revision",
    "subfolder",  "resume_download", "trust_remote_code", "return_unused_kwargs",
    "_from_auto", "_from_pipeline",
};

/* Keys of the file that are read at one place, so that an argument can stand for them. */
static bool can_overlay(const struct ss_encoder_family *family, const struct ss__json *json,
                        const char *key)
{
    const struct ss_encoder_key_list common = SS_ENCODER_KEY_LIST(common_keys);
    const struct ss_encoder_config_keys keys = ss_encoder_family_keys(family, json);
    for (const struct ss_encoder_alias *a = family->aliases; a != NULL && a->alias != NULL;
         a++) {
        if (strcmp(a->alias, key) == 0) {
            return true;
        }
    }
    return ss_encoder_keys_have(list_keys(&keys), key) ||
           (ss_encoder_keys_have(common, key) && strcmp(key, "model_type") != 0);
}

/* Name arguments that the class does not know: it passes over them. */
static ss_status warn_unknown(const struct ss_encoder_config_source *source,
                              const struct ss_encoder_family *family,
                              const struct ss__json *json, ss_err *err)
{
    const struct ss_encoder_config_keys keys = ss_encoder_family_keys(family, json);
    const struct ss_encoder_known_keys known = {
        .lists = {SS_ENCODER_KEY_LIST(common_keys), SS_ENCODER_KEY_LIST(harmless_keys),
                  SS_ENCODER_KEY_LIST(loader_keys), list_keys(&keys)},
        .where = "in the arguments for the config, ",
    };
    return ss_encoder_keys_check(source->arguments->file, source->arguments->values, &known,
                                 &source->log, err);
}

ss_status ss_encoder_config_overlay(const struct ss_encoder_config_source *source,
                                    const struct ss_encoder_family *family,
                                    struct ss__json **json, ss_err *err)
{
    const struct ss_encoder_arguments *arguments = source->arguments;
    const struct ss_encoder_key_list refused = SS_ENCODER_KEY_LIST(refused_keys);
    struct ss__json *value = NULL, *merged = NULL;
    const char *name = NULL;
    if (arguments == NULL || ss__json_count(arguments->values) == 0) {
        return SS_OK;
    }
    SS_JSON_EACH_MEMBER (arguments->values, name, value) {
        const bool has_effect = ss_encoder_keys_have(family->own_keys, name) ||
                                ss_encoder_keys_have(refused, name) ||
                                strcmp(name, "model_type") == 0;
        if (has_effect && !can_overlay(family, *json, name)) {
            return ss__fail_file(
                err, arguments->file, SS_E_UNSUPPORTED,
                "'%s' sets '%.100s', which is not read there; set it in config.json",
                arguments->name, name);
        }
    }
    SS_RETURN_IF_ERROR(warn_unknown(source, family, *json, err));
    SS_RETURN_IF_ERROR(ss__json_merge(*json, arguments->values, NULL, &merged, err));
    ss__json_free(*json);
    *json = merged;
    return SS_OK;
}
