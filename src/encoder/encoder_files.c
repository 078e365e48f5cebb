/* The files that an encoder was read from, each with its size and time, for the manifest of a
 * run. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "encoder/encoder_priv.h"

ss_status ss_encoder_add_file(ss_encoder *encoder, const char *path,
                              const struct ss__file_facts *facts, ss_err *err)
{
    struct ss__file_facts now = {.n_bytes = 0};
    if (facts == NULL && ss__file_facts_at(path, &now)) {
        facts = &now;
    }
    SS_GROW_OR_RETURN(encoder->facts, encoder->facts_capacity, encoder->n_files + 1);
    SS_GROW_OR_RETURN(encoder->files, encoder->files_capacity, encoder->n_files + 1);
    const char *kept = ss__arena_strndup(&encoder->arena, path, strlen(path));
    if (kept == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    encoder->facts[encoder->n_files] = facts == NULL ? now : *facts;
    encoder->files[encoder->n_files++] = kept;
    return SS_OK;
}

/* A sharded container has an index besides its shards; of a single file the two paths are
 * one. */
ss_status ss_encoder_add_weights(ss_encoder *encoder, const struct ss_weights *weights,
                                 ss_err *err)
{
    const char *index = ss_weights_path(weights);
    if (strcmp(index, ss_weights_file(weights, 0)) != 0) {
        SS_RETURN_IF_ERROR(ss_encoder_add_file(encoder, index, NULL, err));
    }
    for (size_t i = 0; i < ss_weights_n_files(weights); i++) {
        const struct ss__file_facts facts = ss_weights_file_facts(weights, i);
        SS_RETURN_IF_ERROR(
            ss_encoder_add_file(encoder, ss_weights_file(weights, i), &facts, err));
    }
    return SS_OK;
}

size_t ss_encoder_n_files(const ss_encoder *encoder)
{
    return encoder->n_files;
}

const char *ss_encoder_file(const ss_encoder *encoder, size_t index)
{
    return encoder->files[index];
}

struct ss__file_facts ss_encoder_file_facts(const ss_encoder *encoder, size_t index)
{
    return encoder->facts[index];
}

/* Those of `names` that are in a folder. */
static ss_status add_present(ss_encoder *encoder, const char *folder, const char *const *names,
                             ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; names[i] != NULL; i++) {
        char *path = ss__path_join(folder, names[i]);
        if (path == NULL) {
            return ss__fail_nomem(err, "a path");
        }
        if (ss__path_stat(path) == SS__PATH_FILE) {
            status = ss_encoder_add_file(encoder, path, NULL, err);
        }
        ss__free(path);
        if (status != SS_OK) {
            return status;
        }
    }
    return status;
}

ss_status ss_encoder_add_config_files(ss_encoder *encoder,
                                      const struct ss_encoder_model_folder *folder,
                                      const char *weights_folder, ss_err *err)
{
    static const char *const weights_names[] = {"config.json", NULL};
    static const char *const root_names[] = {"modules.json",
                                             "config_sentence_transformers.json", NULL};
    static const char *const transformer_names[] = {"config.json",
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "added_tokens.json",
                                                    "vocab.txt",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "sentencepiece.bpe.model",
                                                    NULL};
    static const char *const pooling_names[] = {"config.json", NULL};
    if (!folder->is_plain) {
        SS_RETURN_IF_ERROR(add_present(encoder, folder->path, root_names, err));
        SS_RETURN_IF_ERROR(add_present(encoder, folder->steps[0].path, pooling_names, err));
    }
    if (folder->sentence != NULL) {
        SS_RETURN_IF_ERROR(ss_encoder_add_file(encoder, folder->sentence_path, NULL, err));
    }
    SS_RETURN_IF_ERROR(add_present(encoder, folder->transformer, transformer_names, err));
    if (strcmp(weights_folder, folder->transformer) != 0) {
        SS_RETURN_IF_ERROR(add_present(encoder, weights_folder, weights_names, err));
    }
    return SS_OK;
}
