/* Opening an SAE of any format, its facts, and its release.
 *
 * Which format a checkpoint has is found in this order: the name that the user gave
 * (`sae_format`); the documents beside the weights; the tensors of the file. Every format is
 * asked each time, also those that are known and refused (sae_refused.c), so that a checkpoint
 * which two formats would read by different rules is an error and not the choice of whichever
 * comes first in the table. The rules of detection: docs/spec/sae-formats.md, §4. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sae_files.h"
#include "sae/sae_format.h"

/* Formats that are read. The order says nothing about detection, only how messages list them;
 * the first names the files that a folder is expected to have. */
static const struct ss_sae_format *const formats[] = {
    &ss_sae_seed_format,     &ss_sae_saelens_format, &ss_sae_gemma_format,
    &ss_sae_sparsify_format, &ss_sae_latent_format,  &ss_sae_dictionary_format,
    &ss_sae_saerch_format,   &ss_sae_openai_format,  &ss_sae_hypothesaes_format,
    &ss_sae_csr_format,
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* ---- which format ---- */

/* The index-th row of the table: formats that are read, then those that are refused. */
static const struct ss_sae_format *format_at(size_t index)
{
    return index < N_FORMATS ? formats[index] : &ss_sae_refused_formats[index - N_FORMATS];
}

/* Weights are opened only when no format claims the documents, so their being open tells which
 * of the two questions is asked. */
static bool claims(const struct ss_sae_format *format, const struct ss_sae_checkpoint *from)
{
    return from->weights == NULL
               ? format->claims_config != NULL && format->claims_config(from)
               : format->claims_tensors != NULL && format->claims_tensors(from);
}

/* The format that claims a checkpoint, NULL if none does; more than one is an error
 * (SS_E_DATA), since each would read the same numbers by another rule. */
static ss_status find_claim(const struct ss_sae_checkpoint *from,
                            const struct ss_sae_format **found, ss_err *err)
{
    *found = NULL;
    for (size_t i = 0; i < N_FORMATS + ss_sae_n_refused_formats; i++) {
        const struct ss_sae_format *format = format_at(i);
        if (!claims(format, from)) {
            continue;
        }
        if (*found != NULL) {
            return ss__fail_file(err, from->path, SS_E_DATA,
                                 "this may be an SAE of the format %s or %s; say which "
                                 "(`sae_format`)",
                                 (*found)->name, format->name);
        }
        *found = format;
    }
    return SS_OK;
}

/* "saes-for-sbert, saelens, … and sentence-transformers", for messages. A failed allocation
 * stays noted in the buffer, which the callers check. */
static void list_names(struct ss__buf *buf)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        ss__buf_printf(buf, "%s%s",
                       i == 0               ? ""
                       : i + 1 == N_FORMATS ? " and "
                                            : ", ",
                       formats[i]->name);
    }
}

static ss_status find_by_name(const char *name, const struct ss_sae_format **found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (strcmp(name, formats[i]->name) == 0) {
            *found = formats[i];
            goto out;
        }
    }
    list_names(&list);
    SS_TRY(ss__buf_check(&list, err));
    SS_FAIL(SS_E_USAGE, "there is no SAE format '%.80s'; known are %.*s", name,
            (int)list.n_bytes, list.data);
out:
    ss__buf_release(&list);
    return status;
}

/* A model's folder is not opened in search of an SAE: its weights file may be large, and its
 * tensors may have names that a format of SAEs has as well (encoder.weight). */
static bool is_model(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->config, "model_type") != NULL ||
           ss_sae_checkpoint_has_file(from, "modules.json");
}

/* Tensors that several formats have, whose rule stands in a document beside them. A guess would
 * be silent and wrong: W_enc and W_dec alone may be a jumprelu that subtracts nothing or a
 * top-k that subtracts b_dec. So the message says which formats it may be, and which document
 * would tell. */
static ss_status refuse_without_config(const struct ss_sae_checkpoint *from, ss_err *err)
{
    static const struct {
        const char *tensors[2];
        const char *formats, *document;
    } shared[] = {
        {{"W_enc", "W_dec"},
         "saes-for-sbert (jumprelu, topk, batchtopk, vanilla) and saelens",
         "config.json or cfg.json"},
        {{"encoder.weight", "W_dec"}, "sparsify and latent-sae", "cfg.json"},
        {{"W_gate.weight", "W_dec"}, "latent-sae", "cfg.json"},
    };
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (ss_sae_has_tensor(from, shared[i].tensors[0]) &&
            ss_sae_has_tensor(from, shared[i].tensors[1])) {
            return ss__fail_file(err, from->path, SS_E_DATA,
                                 "its tensors are those of %s, and do not tell the rule; put "
                                 "the %s of its training beside it, and name the folder or say "
                                 "which format it is (`sae_format`)",
                                 shared[i].formats, shared[i].document);
        }
    }
    return SS_OK;
}

/* Why nothing claims a checkpoint, the most useful reason first: it is another kind of model,
 * its SAEs lie in folders below, its tensors are known but their rule is not, or nothing is
 * known. */
static ss_status refuse_unknown(const struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    list_names(&list);
    SS_TRY(ss__buf_check(&list, err));
    if (!from->is_module && is_model(from)) {
        SS_FAIL_FILE(from->path, SS_E_DATA,
                     "this is a sentence encoder or another model, not a sparse autoencoder; "
                     "give it with `model`, and an SAE with `sae`");
    }
    if (from->weights == NULL) {
        SS_TRY(ss_sae_refuse_parent_folder(from, err));
        SS_FAIL_FILE(from->path, SS_E_NOINPUT,
                     "this is no sparse autoencoder: expected a folder with %s, or files of "
                     "another of the formats %.*s",
                     formats[0]->files, (int)list.n_bytes, list.data);
    }
    SS_TRY(refuse_without_config(from, err));
    const size_t n = ss_weights_n(from->weights);
    SS_FAIL_FILE(from->path, SS_E_DATA,
                 "this is no sparse autoencoder of a format that is known (%.*s): %zu tensors, "
                 "the first '%.100s'",
                 (int)list.n_bytes, list.data, n,
                 n == 0 ? "" : ss_weights_at(from->weights, 0)->name);
out:
    ss__buf_release(&list);
    return status;
}

/* By the name that was given; else by the documents; else by the tensors of the file that was
 * named, or of the only one in the folder, which is opened for it and stays open for the
 * reader. */
static ss_status find_format(struct ss_sae_checkpoint *from, const struct ss_sae_format **found,
                             ss_err *err)
{
    ss_status status = SS_OK;
    *found = NULL;
    if (from->options->format != NULL) {
        return find_by_name(from->options->format, found, err);
    }
    SS_TRY(find_claim(from, found, err));
    if (*found == NULL) {
        status = ss_sae_checkpoint_open_weights(from, NULL, "a file of weights", err);
        if (status == SS_E_NOINPUT && from->file == NULL) {
            return refuse_unknown(from, err);
        }
        SS_TRY(status);
        SS_TRY(find_claim(from, found, err));
    }
    if (*found == NULL) {
        return refuse_unknown(from, err);
    }
out:
    return status;
}

/* Weights whose name claims an SAE, whatever is wrong with the documents beside them: for such
 * a folder the error of opening it says more than that it is no SAE. */
static bool has_named_weights(const struct ss_sae_checkpoint *from)
{
    bool has = false;
    for (size_t i = 0; from->folder != NULL && ss__sae_weights_names[i] != NULL && !has; i++) {
        has = ss_sae_checkpoint_has_file(from, ss__sae_weights_names[i]);
    }
    return has;
}

/* A claim by two formats counts as an SAE, too: opening it then says what is unclear. */
bool ss_sae_is_at(const char *path)
{
    struct ss_sae_checkpoint from = {0};
    const struct ss_sae_format *format = NULL;
    bool found = false;
    if (ss__path_stat(path) == SS__PATH_NONE) {
        return false;
    }
    if (ss_sae_checkpoint_find(path, NULL, &from, NULL) != SS_OK) {
        found = has_named_weights(&from);
    } else if (from.is_module || !is_model(&from)) {
        found = has_named_weights(&from) || find_claim(&from, &format, NULL) != SS_OK ||
                format != NULL || find_format(&from, &format, NULL) == SS_OK;
    }
    ss_sae_checkpoint_release(&from);
    return found;
}

const char *ss_sae_format_of(struct ss_weights *weights)
{
    struct ss_sae_checkpoint from = {.path = "", .weights = weights};
    const struct ss_sae_format *format = NULL;
    return ss_sae_find_prefix(&from, NULL) == SS_OK &&
                   find_claim(&from, &format, NULL) == SS_OK && format != NULL
               ? format->name
               : NULL;
}

/* ---- opening ---- */

/* Warnings are given only once all has been read: an SAE that is refused needs none. At the end
 * the file is asked whether it changed while it was mapped, and so whether the numbers are of
 * one state (base/map.h); an error names the weights file unless it is about another. */
static ss_status read_checkpoint(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_format *format = NULL;
    SS_TRY(find_format(from, &format, err));
    if (format->read == NULL) {
        SS_FAIL_FILE(from->path, SS_E_UNSUPPORTED,
                     "this is an SAE of %s, which is not read: %s", format->name,
                     format->refusal);
    }
    sae->provenance.format = format->name;
    SS_TRY(format->read(sae, from, err));
    if (format->tensors != NULL) {
        SS_TRY(ss_sae_check_tensors(from, format->tensors, err));
    }
    if (from->options->top_k != 0 && from->options->top_k != sae->rule.top_k) {
        SS_FAIL_FILE(
            from->path, SS_E_USAGE,
            "a k of %zu is given (`sae_top_k`), but the format %s stores what it needs",
            from->options->top_k, format->name);
    }
    SS_TRY(ss_sae_log_warnings(from, err));
out:
    if (status == SS_OK && from->weights != NULL) {
        status = ss_weights_check(from->weights, err);
    }
    status = ss_weights_explain(from->weights, status, err);
    if (status != SS_OK && from->weights != NULL) {
        ss__err_in_file(err, ss_weights_path(from->weights));
    }
    return status;
}

/* A rule that was chosen for batch-top-k SAEs, where this is none. */
static void note_unused_rule(const ss_sae *sae, const struct ss_sae_checkpoint *from)
{
    const bool is_chosen = from->options->batchtopk_rule != SS_BATCHTOPK_REFUSE ||
                           from->options->batchtopk_threshold > 0;
    if (is_chosen && sae->activation.rule.kind != SS_SAE_BATCHTOPK) {
        ss__log(
            from->log, SS_LEVEL_WARNING,
            "%s: the rule that was chosen for batch-top-k SAEs (`batchtopk`) has no effect: "
            "this SAE is a %s",
            from->path, ss_sae_kind_name(sae->activation.rule.kind));
    }
}

/* A copy of a text, "" for NULL. */
static char *copy_text(const char *text)
{
    return ss__strdup(text == NULL ? "" : text);
}

ss_status ss_sae_open_with_weights(const char *path, const struct ss_sae_options *options,
                                   bool keeps_all, ss_sae **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_checkpoint from = {0};
    struct ss_sae_parts parts = {.parameters.keeps_all = keeps_all};
    struct ss_sae_provenance *provenance = &parts.provenance;
    *out = NULL;
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(path, SS_E_NOINPUT,
                     "there is no such folder or file; expected a folder with %s",
                     formats[0]->files);
    }
    SS_TRY(ss_sae_checkpoint_find(path, options, &from, err));
    provenance->path = copy_text(path);
    provenance->source = copy_text(from.options->source);
    provenance->commit = copy_text(from.options->commit);
    if (provenance->path == NULL || provenance->source == NULL || provenance->commit == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(read_checkpoint(&parts, &from, err));
    /* Options of the user, not of the checkpoint: they are resolved when the rule is bound. */
    parts.rule.batchtopk = from.options->batchtopk_rule;
    parts.rule.batchtopk_threshold = from.options->batchtopk_threshold;
    parts.rule.calibration_rows = from.options->calibration_rows;
    parts.rule.batch_rows = from.options->batch_rows;
    SS_TRY(ss_sae_new(&parts, out, err));
    note_unused_rule(*out, &from);
out:
    ss_sae_parts_release(&parts);
    ss_sae_checkpoint_release(&from);
    return status;
}

ss_status ss_sae_open(const char *path, const struct ss_sae_options *options, ss_sae **out,
                      ss_err *err)
{
    return ss_sae_open_with_weights(path, options, false, out, err);
}

ss_status ss_sae_open_decoder(const char *path, const struct ss_sae_options *options,
                              ss_sae **out, const float **decoder, size_t *width_out,
                              ss_err *err)
{
    *decoder = NULL;
    *width_out = 0;
    SS_RETURN_IF_ERROR(ss_sae_open_with_weights(path, options, true, out, err));
    *decoder = (*out)->parameters.decoder;
    *width_out = (*out)->parameters.width_out;
    return *decoder != NULL
               ? SS_OK
               : ss__fail_file(err, path, SS_E_UNSUPPORTED, "this kind of SAE has no decoder");
}
