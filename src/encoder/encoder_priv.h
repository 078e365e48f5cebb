/* Inside the encoder room: the encoder, made of what a folder says (config_priv.h,
 * model_folder_priv.h), the weights bound to it (bind_priv.h) and the forward pass
 * (transformer_priv.h, modules_priv.h).
 * The formats are docs/spec/encoders.md; what the arithmetic promises is docs/numerics.md.
 *
 * Legend: S tokens, D width, H heads, F inner width of the feed-forward part.
 *
 * What holds for every function here: errors name the file and, where there is one, the key or
 * tensor (ss__err_about); SS_E_NOMEM is possible wherever an `ss_err` is; an open encoder is
 * not changed by running it, so any number of threads may use it, each with a workspace of its
 * own. */
#ifndef SS_ENCODER_PRIV_H
#define SS_ENCODER_PRIV_H

#include "encoder/modules_priv.h"
#include "encoder/transformer_priv.h"

/* ---- the encoder ---- */

struct ss_encoder {
    struct ss__arena arena; /* strings */
    const char *path, *name, *source, *commit, *prompt, *pooling_name;
    const char **files;
    struct ss__file_facts *facts; /* of them, when they were read */
    size_t n_files, files_capacity, facts_capacity;
    struct ss_encoder_config config;
    struct ss_tokenizer *tokenizer;
    struct ss_tokenizer *mask_tokenizer; /* for masks; often the same */
    struct ss_weights *weights;          /* open: the table of words stays in the file */
    struct ss_encoder_adapter *adapter;  /* merged into them; nullable */
    struct ss_encoder_transformer transformer;
    struct ss_encoder_pooling pooling;
    struct ss_encoder_module *modules;
    size_t n_modules;
    struct ss_encoder_mask_head head;
    bool has_head;
    size_t max_tokens;
    size_t n_prompt_ids; /* to be left out of pooling */
    size_t width;        /* of what is given out */
    size_t full_width;   /* before truncation */
    uint64_t n_parameters;
};

/* The tokenizer's scratch that `work` keeps, made if there is none yet; borrowed. Each call
 * that took it ends with ss_encoder_scratch_end, which drops what failed or grew too large.
 *
 * Errors   SS_E_NOMEM
 * Threads  those of `work` */
SS_MUST_USE ss_status ss_encoder_scratch(ss_work *work, struct ss_tokenizer_token_scratch **out,
                                         ss_err *err);
void ss_encoder_scratch_end(ss_work *work, ss_status status);

/* Remember a file that was read; a copy is kept. `facts` NULL: as it is now. */
SS_MUST_USE ss_status ss_encoder_add_file(ss_encoder *encoder, const char *path,
                                          const struct ss__file_facts *facts, ss_err *err);
/* The same for all files of a container. */
SS_MUST_USE ss_status ss_encoder_add_weights(ss_encoder *encoder,
                                             const struct ss_weights *weights, ss_err *err);

/* And for the folder's configuration and tokenizer: files that may have been read, since listing
 * one too many is harmless, the manifest only states what was there. */
SS_MUST_USE ss_status ss_encoder_add_config_files(ss_encoder *encoder,
                                                  const struct ss_encoder_model_folder *folder,
                                                  const char *weights_folder, ss_err *err);

#endif
