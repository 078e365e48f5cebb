/* The keys of tokenizer_config.json and of the caller's arguments: which are read, which the
 * reference does not act on where ids are concerned, and which it does and this room does not.
 * A key that is in none of these lists gets a warning that names it.
 *
 * Source  transformers 5.24: tokenization_utils_base.py, tokenization_utils_tokenizers.py and
 *         the constructors of the classes that are read */
#include <string.h>

#include "tokenizer/load_priv.h"

static const char *const read_keys[] = {
    "tokenizer_class",
    "model_max_length",
    "max_len",
    "truncation_side",
    "do_lower_case",
    "strip_accents",
    "tokenize_chinese_chars",
    "clean_text",
    "add_prefix_space",
    "clean_up_tokenization_spaces",
    "split_special_tokens",
    "added_tokens_decoder",
    "additional_special_tokens",
    "extra_special_tokens",
    "auto_map",
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
};

/* Without effect on ids: paths and names, chats, padding, what a call states anew, arguments of
 * older tokenizers in Python, and the way back from ids to text. */
static const char *const harmless_keys[] = {
    "add_bos_token",
    "add_eos_token",
    "backend",
    "bos_token_id",
    "chat_control_tokens",
    "chat_template",
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
    "cls_token_id",
    "cls_token_box",
    "cls_token_segment_id",
    "decode_with_prefix_space",
    "device",
    "do_basic_tokenize",
    "do_word_tokenize",
    "eos_token_id",
    "errors",
    "files_loaded",
    "from_slow",
    "full_tokenizer_file",
    "init_inputs",
    "is_local",
    "keep_accents",
    "legacy",
    "legacy_behaviour",
    "local_files_only",
    "lowercase",
    "mask_token_id",
    "max_length",
    "model_input_names",
    "model_type",
    "name_or_path",
    "never_split",
    "normalization",
    "only_label_first_subword",
    "pad_to_max_length",
    "pad_to_multiple_of",
    "pad_token_id",
    "pad_token_box",
    "pad_token_label",
    "pad_token_type_id",
    "padding",
    "padding_side",
    "processor_class",
    "remove_space",
    "response_schema",
    "response_template",
    "return_tensors",
    "return_token_type_ids",
    "revision",
    "sep_token_box",
    "sep_token_id",
    "sp_model_kwargs",
    "spaces_between_special_tokens",
    "special_tokens_map_file",
    "stride",
    "subfolder",
    "tokenizer_file",
    "tokenizer_type",
    "torch_dtype",
    "transformers_version",
    "trim_offsets",
    "truncation",
    "truncation_strategy",
    "trust_remote_code",
    "unk_token_id",
    "use_default_system_prompt",
    "use_fast",
    "verbose",
    "vocab_file",
    "vocab_size",
    "wordpiece_tokenizer_kwargs",
    "wordpieces_prefix",
    "merges_file",
    "tokenize_kwargs",
    "token",
    "cache_dir",
    "force_download",
    "mistral_format",
    "fix_mistral_regex",
    "use_regex",
    "do_normalize",
    "architectures",
};

/* Keys that the reference takes a vocabulary or a whole tokenizer from. */
static const char *const refused_keys[] = {"vocab",
                                           "merges",
                                           "tokenizer_object",
                                           "gguf_file",
                                           "tokenizer_truncation",
                                           "tokenizer_padding",
                                           "post_processor",
                                           "_json_truncation",
                                           "_spm_precompiled_charsmap",
                                           "model_specific_special_tokens"};

#define IS_AMONG(list, key) is_among(list, sizeof(list) / sizeof(list)[0], key)

static bool is_among(const char *const *list, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* Files of tokenizers by version of the library: only the usual one is read. */
static ss_status check_versions(const struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct ss__json *files = ss__json_get(loading->config.root, "fast_tokenizer_files");
    for (size_t i = 0; i < ss__json_count(files); i++) {
        const char *name = ss__json_string(ss__json_at(files, i));
        if (name == NULL || strcmp(name, "tokenizer.json") != 0) {
            return ss__fail_file(
                err, loading->config.path, SS_E_UNSUPPORTED,
                "key 'fast_tokenizer_files' lists '%.80s'; only tokenizer.json is read",
                name == NULL ? "" : name);
        }
    }
    return SS_OK;
}

/* Other keys that end in "_token" name special tokens of a model's own (load_extra.c). */
static ss_status check_key(const struct ss_tokenizer_loading *loading, const char *key,
                           const struct ss__json *value, ss_err *err)
{
    const size_t n = strlen(key);
    const bool is_token = n > 6 && strcmp(key + n - 6, "_token") == 0 &&
                          (ss__json_is_string(value) || ss__json_is_object(value));
    if (IS_AMONG(refused_keys, key) && !ss__json_is_null(value)) {
        return ss__fail_file(
            err, loading->config.path, SS_E_UNSUPPORTED,
            "key '%s' would replace a part of the tokenizer, which is not read", key);
    }
    if (!is_token && !ss__json_is_null(value) && !IS_AMONG(read_keys, key) &&
        !IS_AMONG(harmless_keys, key) && strcmp(key, "fast_tokenizer_files") != 0) {
        ss__log(&loading->options->log, SS_LEVEL_WARNING,
                "%s: key '%.80s' is not known, and not used", loading->config.path, key);
    }
    return SS_OK;
}

ss_status ss_tokenizer_check_config_keys(const struct ss_tokenizer_loading *loading,
                                         ss_err *err)
{
    const char *key = NULL;
    struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER (loading->config.root, key, value) {
        SS_RETURN_IF_ERROR(check_key(loading, key, value, err));
    }
    return check_versions(loading, err);
}

ss_status ss_tokenizer_check_tokenizer_keys(const struct ss_tokenizer_loading *loading,
                                            ss_err *err)
{
    static const char *const known[] = {"version",        "truncation", "padding",
                                        "added_tokens",   "normalizer", "pre_tokenizer",
                                        "post_processor", "decoder",    "model"};
    const struct ss_tokenizer_json_file *file = &loading->tokenizer;
    const char *key = NULL, *version = "1.0";
    struct ss__json *value = NULL;
    SS_RETURN_IF_ERROR(ss__json_text(file->path, file->root, "version", &version, err));
    if (strcmp(version, "1.0") != 0) {
        return ss__fail_file(err, file->path, SS_E_UNSUPPORTED,
                             "the version is '%.40s', expected '1.0'", version);
    }
    SS_JSON_EACH_MEMBER (file->root, key, value) {
        if (!IS_AMONG(known, key)) {
            ss__log(&loading->options->log, SS_LEVEL_WARNING,
                    "%s: key '%.80s' is not known, and not used", file->path, key);
        }
    }
    return SS_OK;
}
