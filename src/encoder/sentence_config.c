/* The sentence config of a transformer, sentence_bert_config.json or by an older name: limits,
 * how the library calls the tokenizer and the model, and arguments for their loaders
 * (docs/spec/encoders.md 1). Keys in tables: read, without effect, refused.
 *
 *   tokenizer_args, processor_kwargs   count over tokenizer_config.json
 *   config_args, config_kwargs         count over config.json
 *   model_args, model_kwargs           how weights are loaded
 *
 * The older name counts where both are there. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/model_folder_priv.h"

const char *ss_encoder_model_folder_join(struct ss_encoder_model_folder *folder,
                                         const char *base, const char *name)
{
    char *joined = ss__path_join(base, name);
    const char *kept =
        joined == NULL ? NULL : ss__arena_strndup(&folder->arena, joined, strlen(joined));
    ss__free(joined);
    return kept;
}

/* The library looks for them in this order, and the first that says anything counts. */
static const char *const sentence_files[] = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
};

/* ---- keys ---- */

static const char *const read_keys[] = {
    "max_seq_length",  "do_lower_case",  "processing_kwargs", "transformer_task",
    "modality_config", "tokenizer_args", "processor_kwargs",  "config_args",
    "config_kwargs",   "model_args",     "model_kwargs",      "module_output_name",
};
/* What is for other tasks than embedding texts, or for running. */
static const char *const harmless_keys[] = {
    "query_length", "document_length", "query_expansion",    "unpad_inputs",
    "backend",      "cache_dir",       "model_name_or_path",
};
/* A tokenizer from elsewhere. */
static const char *const refused_keys[] = {"tokenizer_name_or_path"};
static const struct ss_encoder_known_keys known_keys = {
    .lists = {SS_ENCODER_KEY_LIST(read_keys), SS_ENCODER_KEY_LIST(harmless_keys)},
    .refused = SS_ENCODER_KEY_LIST(refused_keys),
    .where = "",
};

/* How weights are brought into memory does not change them; which file they are in does. */
static const char *const harmless_model_keys[] = {
    "torch_dtype",
    "dtype",
    "attn_implementation",
    "experts_implementation",
    "device_map",
    "max_memory",
    "low_cpu_mem_usage",
    "offload_folder",
    "offload_state_dict",
    "offload_buffers",
    "use_safetensors",
    "weights_only",
    "cache_dir",
    "force_download",
    "local_files_only",
    "proxies",
    "token",
    "use_auth_token",
    "revision",
    "code_revision",
    "resume_download",
    "subfolder",
    "trust_remote_code",
    "add_pooling_layer",
    "unpad_inputs",
    "use_memory_efficient_attention",
    "use_flash_attention_2",
    "output_loading_info",
    "state_dict",
    "tp_plan",
    "use_kernels",
    "provider",
    "export",
    "file_name",
    "ignore_mismatched_sizes",
    "config",
    "adapter_name",
};
static const struct ss_encoder_known_keys known_model_keys = {
    .lists = {SS_ENCODER_KEY_LIST(harmless_model_keys)},
    .refuses_others = true,
    .where = "in the arguments for the model, ",
};

/* Arguments of the call of the tokenizer; "max_length" and "truncation" are read. */
static const char *const call_keys[] = {
    "max_length",
    "truncation",
    "padding",
    "padding_side",
    "pad_to_multiple_of",
    "return_tensors",
    "return_attention_mask",
    "return_token_type_ids",
    "return_length",
    "verbose",
    "stride",
    "logits_to_keep",
};
static const char *const refused_call_keys[] = {
    "return_overflowing_tokens", "is_split_into_words", "text_pair", "text_target"};
static const struct ss_encoder_known_keys known_call_keys = {
    .lists = {SS_ENCODER_KEY_LIST(call_keys)},
    .refused = SS_ENCODER_KEY_LIST(refused_call_keys),
    .refuses_others = true,
    .where = "in 'processing_kwargs', ",
};

/* ---- what is called ---- */

/* The newer library can embed images and chats too: what texts go through must be the plain
 * way. */
static ss_status check_modalities(const char *file, const struct ss__json *json, ss_err *err)
{
    const struct ss__json *modalities = ss__json_get(json, "modality_config");
    const struct ss__json *text = ss__json_get(modalities, "text");
    if (ss__json_is_object(modalities) && !ss__json_is_object(text)) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED, "'modality_config' has no 'text'");
    }
    if (ss__json_get(modalities, "message") != NULL) {
        return ss__fail_file(
            err, file, SS_E_UNSUPPORTED,
            "'modality_config' has 'message': texts would go through a chat template, "
            "which is not read");
    }
    SS_RETURN_IF_ERROR(ss_encoder_json_expect(
        file, text, (struct ss_encoder_expected){"method", "forward"}, err));
    return ss_encoder_json_expect(
        file, text, (struct ss_encoder_expected){"method_output_name", "last_hidden_state"},
        err);
}

/* Arguments of the tokenizer's call, for all kinds of inputs and for texts. */
static ss_status check_call(const char *file, const struct ss__json *json,
                            const struct ss_log *log, ss_err *err)
{
    static const char *const parts[] = {"common", "text"};
    const struct ss__json *call = ss__json_get(json, "processing_kwargs");
    for (size_t i = 0; i < 2; i++) {
        const struct ss__json *part = ss__json_get(call, parts[i]);
        const struct ss__json *cuts = ss__json_get(part, "truncation");
        const struct ss__json *specials = ss__json_get(part, "add_special_tokens");
        const char *name = ss__json_string(cuts);
        if (ss__json_tag_of(cuts) == SS__JSON_IS_FALSE ||
            (name != NULL && strcmp(name, "longest_first") != 0 &&
             strcmp(name, "only_first") != 0)) {
            return ss__fail_file(
                err, file, SS_E_UNSUPPORTED,
                "'truncation' in 'processing_kwargs' is off; texts are always cut to what "
                "the model takes");
        }
        if (ss__json_tag_of(specials) == SS__JSON_IS_FALSE) {
            return ss__fail_file(
                err, file, SS_E_UNSUPPORTED,
                "'add_special_tokens' in 'processing_kwargs' is false, which is not read");
        }
        struct ss_encoder_known_keys known = known_call_keys;
        static const char *const special_keys[] = {"add_special_tokens"};
        known.lists[1] = (struct ss_encoder_key_list)SS_ENCODER_KEY_LIST(special_keys);
        SS_RETURN_IF_ERROR(ss_encoder_keys_check(file, part, &known, log, err));
    }
    return SS_OK;
}

/* ---- arguments ---- */

/* A view into the sentence config. */
static ss_status read_arguments(const struct ss_encoder_model_folder *folder,
                                const char *old_name, const char *new_name,
                                struct ss_encoder_arguments *out, ss_err *err)
{
    const char *name = ss__json_get(folder->sentence, old_name) != NULL ? old_name : new_name;
    struct ss__json *values = ss__json_get(folder->sentence, name);
    if (values != NULL && !ss__json_is_object(values)) {
        return ss__fail_file(err, folder->sentence_path, SS_E_DATA, "'%s' is not an object",
                             name);
    }
    *out = (struct ss_encoder_arguments){
        .name = name, .file = folder->sentence_path, .values = values};
    return SS_OK;
}

ss_status ss_encoder_sentence_config_read(struct ss_encoder_model_folder *folder,
                                          const struct ss_log *log, ss_err *err)
{
    const size_t n = sizeof sentence_files / sizeof sentence_files[0];
    for (size_t i = 0; i < n && ss__json_count(folder->sentence) == 0; i++) {
        ss__json_free(folder->sentence);
        folder->sentence = NULL;
        folder->sentence_path =
            ss_encoder_model_folder_join(folder, folder->transformer, sentence_files[i]);
        if (folder->sentence_path == NULL) {
            return ss__fail_nomem(err, "a path");
        }
        SS_RETURN_IF_ERROR(
            ss__json_load_optional(folder->sentence_path, &folder->sentence, err));
    }
    const char *file = folder->sentence_path;
    const struct ss__json *json = folder->sentence;
    SS_RETURN_IF_ERROR(ss_encoder_keys_check(file, json, &known_keys, log, err));
    SS_RETURN_IF_ERROR(ss_encoder_json_expect(
        file, json, (struct ss_encoder_expected){"transformer_task", "feature-extraction"},
        err));
    SS_RETURN_IF_ERROR(ss_encoder_json_expect(
        file, json, (struct ss_encoder_expected){"module_output_name", "token_embeddings"},
        err));
    SS_RETURN_IF_ERROR(check_modalities(file, json, err));
    SS_RETURN_IF_ERROR(check_call(file, json, log, err));
    SS_RETURN_IF_ERROR(read_arguments(folder, "tokenizer_args", "processor_kwargs",
                                      &folder->arguments.tokenizer, err));
    SS_RETURN_IF_ERROR(
        read_arguments(folder, "config_args", "config_kwargs", &folder->arguments.config, err));
    SS_RETURN_IF_ERROR(
        read_arguments(folder, "model_args", "model_kwargs", &folder->arguments.model, err));
    return ss_encoder_keys_check(file, folder->arguments.model.values, &known_model_keys, log,
                                 err);
}

/* ---- chat templates ---- */

/* Of the folder of more templates each counts, whatever its name. */
static ss_status has_templates(const char *folder, bool *found, ss_err *err)
{
    static const char ending[] = ".jinja";
    const size_t n_ending = sizeof ending - 1;
    char **names = NULL;
    size_t n = 0;
    *found = false;
    if (ss__path_stat(folder) != SS__PATH_FOLDER) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss__list_folder(folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const size_t n_name = strlen(names[i]);
        *found =
            *found || (n_name > n_ending && strcmp(names[i] + n_name - n_ending, ending) == 0);
    }
    ss__list_release(names, n);
    return SS_OK;
}

/* Where tokenizer_config.json or a file beside it has one; *where NULL: there is none. */
static ss_status find_chat_template(struct ss_encoder_model_folder *folder, const char **where,
                                    ss_err *err)
{
    ss_status status = SS_OK;
    bool has_more = false;
    struct ss__json *json = NULL;
    const char *config =
        ss_encoder_model_folder_join(folder, folder->path, "tokenizer_config.json");
    const char *file =
        ss_encoder_model_folder_join(folder, folder->path, "chat_template.jinja");
    const char *more =
        ss_encoder_model_folder_join(folder, folder->path, "additional_chat_templates");
    *where = NULL;
    if (config == NULL || file == NULL || more == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss__json_load_optional(config, &json, err));
    SS_TRY(has_templates(more, &has_more, err));
    const struct ss__json *stated = ss__json_get(json, "chat_template");
    if (stated != NULL && !ss__json_is_null(stated)) {
        *where = config;
    } else if (ss__path_stat(file) != SS__PATH_NONE) {
        *where = file;
    } else if (has_more) {
        *where = more;
    }
out:
    ss__json_free(json);
    return status;
}

/* Without modules.json the library puts each text through the tokenizer's chat template, if it
 * has one; a model that was saved with modules.json goes on as before there were any. */
ss_status ss_encoder_model_folder_refuse_chat(struct ss_encoder_model_folder *folder,
                                              ss_err *err)
{
    const char *where = NULL;
    if (!folder->is_plain) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(find_chat_template(folder, &where, err));
    return where == NULL
               ? SS_OK
               : ss__fail_file(err, where, SS_E_UNSUPPORTED,
                               "the tokenizer has a chat template ('chat_template'), and no "
                               "modules.json says that texts do without it: every text would "
                               "go through it, which is not read; add modules.json, or take "
                               "the template away");
}

/* ---- limits ---- */

/* Later statements count over earlier ones: the key of its own, the tokenizer's argument, the
 * arguments of every call, those for texts. */
ss_status ss_encoder_model_folder_limit(const struct ss_encoder_model_folder *folder,
                                        size_t *limit, ss_err *err)
{
    const char *file = folder->sentence_path;
    const struct ss__json *call = ss__json_get(folder->sentence, "processing_kwargs");
    const struct ss__json *tokenizer = folder->arguments.tokenizer.values;
    *limit = 0;
    SS_RETURN_IF_ERROR(ss__json_size(file, folder->sentence, "max_seq_length", limit, err));
    if (ss__json_get(tokenizer, "model_max_length") != NULL) {
        *limit = SIZE_MAX; /* null: none at all */
        SS_RETURN_IF_ERROR(ss__json_size(file, tokenizer, "model_max_length", limit, err));
    }
    SS_RETURN_IF_ERROR(
        ss__json_size(file, ss__json_get(call, "common"), "max_length", limit, err));
    return ss__json_size(file, ss__json_get(call, "text"), "max_length", limit, err);
}
