/* The folder of a sentence encoder: its modules and their files (docs/spec/encoders.md). */
#ifndef SS_ENCODER_MODEL_FOLDER_PRIV_H
#define SS_ENCODER_MODEL_FOLDER_PRIV_H

#include "encoder/config_priv.h"

/* ---- the folder (model_folder.c, sentence_config.c) ---- */

struct ss_encoder_step {
    const char *type; /* last component: "Pooling", "Dense", … */
    const char *path; /* its folder */
};

/* The modules of a folder and the files beside them. Strings belong to `arena`, but for `path`,
 * which is borrowed, and views into the documents. */
struct ss_encoder_model_folder {
    struct ss__arena arena;
    const char *path;
    const char *transformer;       /* folder of the transformer */
    struct ss_encoder_step *steps; /* after the transformer */
    size_t n_steps;
    bool is_plain;             /* no modules.json: mean pooling is understood */
    struct ss__json *sentence; /* sentence_*_config.json, nullable */
    const char *sentence_path;
    struct {
        struct ss_encoder_arguments tokenizer, config, model;
    } arguments;              /* of the sentence config */
    struct ss__json *prompts; /* config_sentence_transformers.json, nullable */
    const char *prompts_path;
};

/* Read what a folder says about its use (ss_encoder_model_folder_release, after errors too).
 *
 * Errors   SS_E_NOINPUT: no such folder; SS_E_DATA; SS_E_UNSUPPORTED: a module that is not the
 *          library's, an order other than transformer, pooling, others, or a key that is refused
 */
SS_MUST_USE ss_status ss_encoder_model_folder_read(const char *path, const struct ss_log *log,
                                                   struct ss_encoder_model_folder *out,
                                                   ss_err *err);
/* "base/name" in the folder's arena; NULL when memory ran out. An empty name gives the base. */
const char *ss_encoder_model_folder_join(struct ss_encoder_model_folder *folder,
                                         const char *base, const char *name);
/* Read the sentence config of folder->transformer, with its arguments (sentence_config.c). None
 * at all is no error. */
SS_MUST_USE ss_status ss_encoder_sentence_config_read(struct ss_encoder_model_folder *folder,
                                                      const struct ss_log *log, ss_err *err);
/* SS_E_UNSUPPORTED where texts would go through a chat template, which is not read: a tokenizer
 * that has one in a folder without modules.json. */
SS_MUST_USE ss_status
ss_encoder_model_folder_refuse_chat(struct ss_encoder_model_folder *folder, ss_err *err);
void ss_encoder_model_folder_release(struct ss_encoder_model_folder *folder);

/* The limit that the sentence config states in tokens, 0 if it states none, SIZE_MAX if it
 * states that there is none (docs/spec/encoders.md, §1.2, rule 1). */
SS_MUST_USE ss_status ss_encoder_model_folder_limit(
    const struct ss_encoder_model_folder *folder, size_t *limit, ss_err *err);

/* The prompt that the options and the folder ask for: a view of either, "" if none. Errors:
 * SS_E_USAGE for a name that the caller gave, SS_E_DATA for a default that the folder lacks. */
SS_MUST_USE ss_status ss_encoder_model_folder_prompt(
    const struct ss_encoder_model_folder *folder, const struct ss_encoder_options *options,
    const char **prompt, ss_err *err);

/* Values of an embedding that the options or the folder want kept; 0: all. May be more than
 * there are. */
SS_MUST_USE ss_status ss_encoder_model_folder_truncation(
    const struct ss_encoder_model_folder *folder, const struct ss_encoder_options *options,
    size_t *n_kept, ss_err *err);

#endif
