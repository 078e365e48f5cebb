/* What labels are made from: a run's evidence, and functions that embed. */
#include "run/describe_inputs.h"

#include "base/mem.h"
#include "folder/manifest_read.h"
#include "sae/sae.h"

/* ---- the evidence ---- */

static ss_status fill_rates(struct ss_run_describe_inputs *inputs, ss_err *err)
{
    const struct ss_run_info *info = &inputs->run->info;
    SS_ALLOC_OR_RETURN(inputs->rates, info->n_features);
    for (size_t f = 0; f < info->n_features; f++) {
        inputs->rates[f] = (double)inputs->run->features[f].n_fires / (double)info->n_rows_used;
    }
    return SS_OK;
}

static void show_evidence(struct ss_run_describe_inputs *inputs)
{
    const struct ss_folder_evidence *evidence = &inputs->evidence;
    inputs->described = (struct ss_describe_evidence){
        .n_features = evidence->n_features,
        .width = evidence->width,
        .n_texts = evidence->n_texts,
        .texts = evidence->texts,
        .embeddings = evidence->embeddings,
        .codes = &evidence->codes,
        .first = {evidence->first[0], evidence->first[1], evidence->first[2]},
        .n_pool = {evidence->n_pool[0], evidence->n_pool[1]},
        .sample_offsets = evidence->sample_offsets,
        .sample_texts = evidence->sample_texts,
        .sample_activations = evidence->sample_activations,
        .rates = inputs->rates,
    };
}

ss_status ss_run_describe_open(struct ss_run_describe_inputs *inputs, const char *dir,
                               const ss_encoder *encoder,
                               const struct ss_describe_options *options, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    *inputs = (struct ss_run_describe_inputs){
        .dir = dir, .stop = options->progress, .log = options->log};
    SS_RETURN_IF_ERROR(ss_folder_run_open_features(dir, &inputs->run, err));
    SS_RETURN_IF_ERROR(
        ss_folder_evidence_open(dir, inputs->run->info.n_features, &inputs->evidence, err));
    if (!inputs->evidence.has_texts) {
        return ss__fail_file(
            err, dir, SS_E_NOINPUT,
            "the run was made without texts: labels need an analysis with a `dataset`");
    }
    SS_RETURN_IF_ERROR(ss_work_new(options->n_threads, &inputs->work, err));
    ss_work_set_progress(inputs->work, options->progress);
    SS_RETURN_IF_ERROR(ss_run_describe_find_models(inputs, encoder, options, err));
    ss_encoder_describe(inputs->encoder, &info);
    if (info.width != inputs->evidence.width) {
        return ss__fail_file(err, info.path, SS_E_SHAPE,
                             "its embeddings have %zu numbers, those of %s %zu", info.width,
                             dir, inputs->evidence.width);
    }
    SS_RETURN_IF_ERROR(fill_rates(inputs, err));
    show_evidence(inputs);
    return ss_describe_view_new(&inputs->described, inputs->work, &inputs->view, err);
}

void ss_run_describe_close(struct ss_run_describe_inputs *inputs)
{
    ss_describe_view_free(inputs->view);
    ss_folder_evidence_release(&inputs->evidence);
    ss__free(inputs->rates);
    ss_encoder_free(inputs->own_encoder);
    ss_sae_free(inputs->own_sae);
    ss_work_free(inputs->work);
    ss_run_free(inputs->run);
    *inputs = (struct ss_run_describe_inputs){0};
}

/* ---- embedding ---- */

static ss_status embed(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err)
{
    const struct ss_run_describe_model *model = user;
    return ss_encoder_embed(model->encoder, model->inputs->work, texts, n, out, NULL, err);
}

struct ss_describe_embedder ss_run_describe_embedder(struct ss_run_describe_model *model)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(model->encoder, &info);
    return (struct ss_describe_embedder){.embed = embed, .user = model, .width = info.width};
}

static ss_status answer(void *user, const float *x, size_t n, float *out, ss_err *err)
{
    const struct ss_run_describe_inputs *inputs = user;
    return ss_sae_pre_activations(inputs->sae, inputs->work, x, n, out, err);
}

struct ss_describe_answers ss_run_describe_answers(struct ss_run_describe_inputs *inputs)
{
    return (struct ss_describe_answers){.answer = answer, .user = inputs};
}
