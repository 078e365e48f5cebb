/* Formats of SAE checkpoints: where one lies, the table of formats, and what their readers
 * share. A format is one file with one row: it says whether a checkpoint is its own and fills
 * the canonical form (sae_priv.h). How to add one: docs/extending.md.
 *
 * A reader does four things, in this order: it refuses keys that would change the rule and
 * notes those it does not know; reads sizes and k; opens the weights; and has the tensors of
 * its form read and checked (ss_sae_read_form). Messages name the file, and the key or tensor
 * in it. All functions here are called by one thread, while an SAE is opened. */
#ifndef SS_SAE_FORMAT_H
#define SS_SAE_FORMAT_H

#include "sae/sae_priv.h"
#include "weights/weights.h"

/* ---- checkpoints ---- */

enum { SS_SAE_PREFIX_BYTES = 256, SS_SAE_NAME_BYTES = 512 };

/* What a user pointed at: a folder, or a file in it, with the small documents beside it. Owned
 * but for what is said to be borrowed (ss_sae_checkpoint_release). */
struct ss_sae_checkpoint {
    const char *path; /* as given, borrowed */
    char *folder;
    bool is_module;                /* of the model that was pointed at */
    char *file;                    /* of weights, if one was named, else NULL */
    struct ss__json *config, *cfg; /* config.json and cfg.json, NULL if absent */
    char *config_path, *cfg_path;
    struct ss_weights *weights;       /* NULL until opened */
    char prefix[SS_SAE_PREFIX_BYTES]; /* of the tensors' names: "state_dict/module." */
    const struct ss_log *log;
    struct ss_sae_options read;
    const struct ss_sae_options *options; /* = &read */
    struct ss__buf warnings; /* to be given when the SAE is read; a NUL ends each */
    struct ss__asking asking;
};

/* Look at a path and read the documents beside it. The folder of a sentence-transformers model
 * stands for its SparseAutoEncoder module. `path` is borrowed until the release, `options`
 * (NULL: the defaults) for the call. Release after success and failure. Errors: SS_E_DATA for a
 * document that is no JSON object, SS_E_IO, SS_E_USAGE for options of another version,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_checkpoint_find(const char *path,
                                             const struct ss_sae_options *options,
                                             struct ss_sae_checkpoint *from, ss_err *err);
void ss_sae_checkpoint_release(struct ss_sae_checkpoint *from);
/* Whether the checkpoint's folder has a file of that name (no folder, no dangling link). */
bool ss_sae_checkpoint_has_file(const struct ss_sae_checkpoint *from, const char *name);

/* Open the file that was named, or the first of `names` (NULL-terminated, as `expected` tells
 * in words) that is in the folder; without names, the only weights file of the folder. Does
 * nothing when weights are open. Errors: SS_E_NOINPUT (none is there), SS_E_DATA (several, or
 * no weights), and those of ss_weights_open. */
SS_MUST_USE ss_status ss_sae_checkpoint_open_weights(struct ss_sae_checkpoint *from,
                                                     const char *const *names,
                                                     const char *expected, ss_err *err);

/* Refuse a folder that has SAEs in folders below it, with their names (SS_E_NOINPUT).
 * SS_OK where there are none. */
SS_MUST_USE ss_status ss_sae_refuse_parent_folder(const struct ss_sae_checkpoint *from,
                                                  ss_err *err);

/* Set the prefix of names: checkpoints wrap a state dict, and wrapped modules its names. Done
 * by opening, so that readers name tensors as their project does. Errors: SS_E_DATA where the
 * tensors of several SAEs are in the file. */
SS_MUST_USE ss_status ss_sae_find_prefix(struct ss_sae_checkpoint *from, ss_err *err);
/* A tensor by its name without the prefix, or NULL; borrowed from the open weights. */
const struct ss_weights_tensor *ss_sae_tensor(const struct ss_sae_checkpoint *from,
                                              const char *name);
static inline bool ss_sae_has_tensor(const struct ss_sae_checkpoint *from, const char *name)
{
    return ss_sae_tensor(from, name) != NULL;
}
/* A tensor's name without the prefix, NULL if it has another. */
const char *ss_sae_unprefixed_name(const struct ss_sae_checkpoint *from,
                                   const struct ss_weights_tensor *tensor);

/* A plain value of a torch file, in one of the dictionaries around the tensors. The texts are
 * borrowed from the open weights. */
struct ss_sae_value {
    char key[SS_SAE_NAME_BYTES];
    const char *text;       /* NULL if it cannot be read; */
    const char *unreadable; /* then this says what it is */
};
/* The value of that name in the innermost dictionary that has it, from the one that holds the
 * tensors outwards. false, and an empty *out, if none has. */
bool ss_sae_find_value(const struct ss_sae_checkpoint *from, const char *name,
                       struct ss_sae_value *out);
bool ss_sae_has_value(const struct ss_sae_checkpoint *from, const char *name);
/* A value of a kind; what is there and is not of it (SS_E_DATA), or cannot be read
 * (SS_E_UNSUPPORTED), is refused by name. Where it is absent, text is NULL, is_there false, a
 * bool stays as it is, and a size (from 1 to INT32_MAX) is an error. Texts are borrowed from
 * the open weights. */
SS_MUST_USE ss_status ss_sae_value_text(const struct ss_sae_checkpoint *from, const char *name,
                                        const char **out, ss_err *err);
SS_MUST_USE ss_status ss_sae_value_number(const struct ss_sae_checkpoint *from,
                                          const char *name, double *out, bool *is_there,
                                          ss_err *err);
SS_MUST_USE ss_status ss_sae_value_size(const struct ss_sae_checkpoint *from, const char *name,
                                        size_t *out, ss_err *err);
SS_MUST_USE ss_status ss_sae_value_bool(const struct ss_sae_checkpoint *from, const char *name,
                                        bool *out, ss_err *err);

/* ---- the table ---- */

/* A row of the table of formats: how one is recognised, and read or refused. */
struct ss_sae_format {
    const char *name;
    const char *files; /* in words, for messages */
    /* Whether the documents, or else the tensors, are those of this format; either may be
     * NULL. The second is asked only when no format claims the documents. */
    bool (*claims_config)(const struct ss_sae_checkpoint *from);
    bool (*claims_tensors)(const struct ss_sae_checkpoint *from);
    /* Fill `sae` and note the files. NULL in formats that are known and refused. */
    ss_status (*read)(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from, ss_err *err);
    const char *refusal; /* why */
    /* Tensors that its files may hold; one of another name is warned of. NULL: any may be. */
    const char *const *tensors;
};

extern const struct ss_sae_format ss_sae_seed_format, ss_sae_saelens_format,
    ss_sae_gemma_format, ss_sae_sparsify_format, ss_sae_latent_format, ss_sae_dictionary_format,
    ss_sae_saerch_format, ss_sae_openai_format, ss_sae_hypothesaes_format, ss_sae_csr_format;
extern const struct ss_sae_format ss_sae_refused_formats[];
extern const size_t ss_sae_n_refused_formats;

/* Note a file that was read, with its size and hash, for the manifest. Copies `path`. Errors:
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_add_file(struct ss_sae_provenance *provenance, const char *path,
                                      ss_err *err);
/* Note the weights file and a document (nullable), which becomes the config: it is shared, not
 * copied. The hash of the weights is that of the mapping that was read. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_add_files(struct ss_sae_provenance *provenance,
                                       const struct ss_sae_checkpoint *from,
                                       const char *document_path, struct ss__json *document,
                                       ss_err *err);

/* ---- what is known of keys and tensors ---- */

/* A key that would change the rule, and must be absent, null, false, 0, empty or "none". */
struct ss_sae_off_key {
    const char *name;
    const char *why; /* "... is set, WHY" */
};
/* The keys of an object; all lists end with NULL and may be NULL. */
struct ss_sae_keys {
    const char *const *read;   /* a reader looks at these */
    const char *const *unused; /* and these say nothing about activations */
    const struct ss_sae_off_key *off;
};
/* Refuse what must be off (SS_E_UNSUPPORTED, by name and reason), and note what is not known,
 * to be warned of once the SAE is read. `object` may be NULL, which has no keys. Nothing of a
 * config is passed over in silence: a key is read, known to say nothing about activations,
 * refused, or warned of. */
SS_MUST_USE ss_status ss_sae_check_keys(struct ss_sae_checkpoint *from, const char *file,
                                        const struct ss__json *object,
                                        const struct ss_sae_keys *keys, ss_err *err);
/* The same of values in a dictionary of a torch file ("config/"), of which none must be off. */
SS_MUST_USE ss_status ss_sae_check_values(struct ss_sae_checkpoint *from, const char *folder,
                                          const struct ss_sae_keys *keys, ss_err *err);
/* The name of the next of the SAE's tensors, from *index on, that is not known, or NULL. */
const char *ss_sae_unknown_tensor(const struct ss_sae_checkpoint *from,
                                  const char *const *known, size_t *index);
/* Give the warnings that were noted, one message each. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_log_warnings(struct ss_sae_checkpoint *from, ss_err *err);
/* Warn of tensors that are not known: what a newer version stores beside the rest may change
 * the rule. */
SS_MUST_USE ss_status ss_sae_check_tensors(struct ss_sae_checkpoint *from,
                                           const char *const *known, ss_err *err);

/* ---- configs ---- */

/* A count that must be there, from 1 to INT32_MAX. */
SS_MUST_USE ss_status ss_sae_need_size(const char *file, const struct ss__json *config,
                                       const char *key, size_t *value, ss_err *err);
/* The encoder's name in the config, "" where `key` is absent or no text. */
SS_MUST_USE ss_status ss_sae_set_model_name(struct ss_sae_parts *sae,
                                            const struct ss__json *config, const char *key,
                                            ss_err *err);
/* Refuse k above the number of features; `key` is what holds it. */
SS_MUST_USE ss_status ss_sae_check_top_k(const struct ss_sae_parts *sae, const char *file,
                                         const char *key, ss_err *err);
/* Refuse layer norm of a width of 1, which has no spread. */
SS_MUST_USE ss_status ss_sae_check_input(const struct ss_sae_parts *sae, const char *file,
                                         const char *key, ss_err *err);

/* Width, number of features and k of the configs that sparsify began: d_in, num_latents or
 * expansion_factor, k, in cfg.json. */
SS_MUST_USE ss_status ss_sae_read_expansion(struct ss_sae_parts *sae,
                                            const struct ss_sae_checkpoint *from, ss_err *err);
/* The factor in SAELens' activation_scaler.json beside cfg.json, which a training multiplies
 * inputs by until it takes it into the weights; 0 if there is none. The file is noted for the
 * manifest. Errors: SS_E_UNSUPPORTED for a whitening, SS_E_DATA. */
SS_MUST_USE ss_status ss_sae_read_scaler(struct ss_sae_parts *sae,
                                         struct ss_sae_checkpoint *from, double *factor,
                                         ss_err *err);
/* Say so if the `dtype` of a config is not that of the weights. */
void ss_sae_compare_dtype(const struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                          const char *file, const struct ss__json *config);

/* ---- tensors ---- */

/* The names and layouts of the parts of one form, without the prefix. All texts are static. */
struct ss_sae_names {
    const char *encoder;
    ss_tensor_layout encoder_layout;
    const char *decoder; /* NULL: the encoder again */
    ss_tensor_layout
        decoder_layout;       /* SS_TENSOR_IN_BY_OUT is [L, O], SS_TENSOR_OUT_BY_IN is [O, L] */
    const char *bias;         /* [L] or NULL */
    const char *decoder_bias; /* [O] or NULL */
};

typedef enum ss_sae_threshold_form {
    SS_SAE_NO_THRESHOLD,
    SS_SAE_THRESHOLD_EACH,     /* [L] */
    SS_SAE_THRESHOLD_EACH_LOG, /* [L], of its logarithm */
    SS_SAE_THRESHOLD_ALL       /* [] */
} ss_sae_threshold_form;

/* What one kind of SAE of a format stores and does: a value, which readers copy and
 * complete. */
struct ss_sae_form {
    const char *variant; /* as the config calls it */
    ss_sae_kind kind;
    const struct ss_sae_names *names;
    const struct ss_sae_labels *labels;
    bool subtracts_bias, adds_bias;
    ss_sae_threshold_form threshold_form;
    const char *threshold;
    bool folds_norms;      /* h counts in units of its decoder's norm */
    bool keeps_unit_norms; /* but not if all norms are 1 */
    double input_factor;   /* inputs are multiplied by it first; 0: they are not */
};

/* Set kind, labels and variant, and read all tensors of a form into the canonical SAE. Every
 * tensor is checked, also those that are not used: a file of which a part is broken is not
 * trusted with the rest.
 *
 * sae      parameters.width, n_features and, for transcoders, width_out are known; owns what is
 *          read, also on error (ss_sae_parts_release)
 * from     its weights are open
 * Errors   SS_E_DATA (a tensor is missing), SS_E_SHAPE, SS_E_NONFINITE, SS_E_UNSUPPORTED (a
 *          dtype), SS_E_NOMEM; all name the tensor */
SS_MUST_USE ss_status ss_sae_read_form(struct ss_sae_parts *sae,
                                       const struct ss_sae_checkpoint *from,
                                       const struct ss_sae_form *form, ss_err *err);

/* Parts of that, for forms of their own: a vector [n], and a number that is stored as [] or
 * [1]. Numbers are widened to f32 and have to be finite. Gives *out (ss__free). */
SS_MUST_USE ss_status ss_sae_need_vector(const struct ss_sae_checkpoint *from, const char *name,
                                         size_t n, float **out, ss_err *err);
SS_MUST_USE ss_status ss_sae_need_scalar(const struct ss_sae_checkpoint *from, const char *name,
                                         double *out, ss_err *err);
/* A matrix as rows [size[0], size[1]]; with SS_TENSOR_IN_BY_OUT the file has it the other way
 * round, [size[1], size[0]]. Gives *out (ss__free). */
SS_MUST_USE ss_status ss_sae_need_rows(const struct ss_sae_checkpoint *from, const char *name,
                                       ss_tensor_layout layout, const size_t size[2],
                                       float **out, ss_err *err);
/* sae->parameters.log_gains from a tensor [L], and sae->parameters.gains, their exp. Errors:
 * SS_E_NONFINITE where exp leaves the range of float32. */
SS_MUST_USE ss_status ss_sae_read_gains(struct ss_sae_parts *sae,
                                        const struct ss_sae_checkpoint *from, const char *name,
                                        ss_err *err);
/* Width and number of features from the shape of the encoder's matrix, for formats whose config
 * does not say them. Errors: SS_E_DATA (no such tensor), SS_E_SHAPE (no matrix, or a side of 0
 * or beyond INT32_MAX). */
SS_MUST_USE ss_status ss_sae_set_shape(struct ss_sae_parts *sae,
                                       const struct ss_sae_checkpoint *from, const char *name,
                                       ss_tensor_layout layout, ss_err *err);

#endif
