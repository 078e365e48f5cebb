/* The files of descriptions in a run's folder, and the records of how they were made: in
 * descriptions.run.json, which is written last, and in run.json. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "folder/descriptions.h"
#include "run/describe_inputs.h"
#include "run/steps.h"

static const char *const method_names[] = {
    [SS_METHOD_CONTRAST] = "contrast", [SS_METHOD_SEED] = "seed", [SS_METHOD_NONE] = "none"};
static const char *const variant_names[] = {
    [SS_SEED_EXPLAINER] = "explainer", [SS_SEED_TUTORIAL] = "tutorial"};

const char *ss_run_method_name(ss_label_method method)
{
    return method_names[method];
}

static const struct {
    const char *name;
    ss_status (*write)(const ss_descriptions *descriptions, const char *path, ss_err *err);
} outputs[] = {
    {SS_FOLDER_FILE_KEYWORDS, ss_folder_keywords_write},
    {SS_FOLDER_FILE_DESCRIPTIONS, ss_folder_descriptions_json_write},
    {SS_FOLDER_FILE_DESCRIPTIONS_CSV, ss_folder_descriptions_csv_write},
};

/* Files that labels are made from. */
static const char *const evidence[] = {SS_FOLDER_FILE_EVIDENCE_TEXTS, SS_FOLDER_FILE_EMBEDDINGS,
                                       SS_FOLDER_FILE_SAMPLES};

enum {
    N_OUTPUTS = sizeof outputs / sizeof outputs[0],
    N_EVIDENCE = sizeof evidence / sizeof evidence[0]
};

struct writing {
    const struct ss_run_describe_inputs *inputs;
    const struct ss_describe_options *options;
    const ss_descriptions *descriptions;
    char hashes[N_OUTPUTS][SS__SHA256_HEX_BYTES];
    char evidence[N_EVIDENCE][SS__SHA256_HEX_BYTES];
};

static ss_status hash_file(const struct writing *writing, const char *name, char *hex,
                           ss_err *err)
{
    struct ss__asking asking = {.stop = writing->inputs->stop};
    char *path = ss__path_join(writing->inputs->dir, name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    const ss_status status = ss__sha256_file(path, &asking, hex, err);
    ss__free(path);
    return status;
}

static ss_status write_outputs(struct writing *writing, ss_err *err)
{
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        char *path = ss__path_join(writing->inputs->dir, outputs[i].name);
        if (path == NULL) {
            return ss__fail_nomem(err, "a path");
        }
        const ss_status status = outputs[i].write(writing->descriptions, path, err);
        ss__free(path);
        SS_RETURN_IF_ERROR(status);
        SS_RETURN_IF_ERROR(hash_file(writing, outputs[i].name, writing->hashes[i], err));
    }
    return SS_OK;
}

/* ---- files of the pass that speak of labels, too ---- */

static ss_status draw(const struct ss_run *run, const char *path, ss_err *err)
{
    const struct ss_plot_options options = {.struct_size = sizeof options, .force = true};
    return ss_plot_density(run, path, &options, err);
}

static const struct {
    const char *name;
    ss_status (*write)(const struct ss_run *run, const char *path, ss_err *err);
} renewed[] = {
    {SS_FOLDER_FILE_FEATURES, ss_folder_features_csv_write},
    {"density.svg", draw},
    {"density.png", draw},
};

static ss_status renew_files(const struct writing *writing, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = writing->inputs->run;
    ss_folder_run_set_descriptions(run, writing->descriptions);
    for (size_t i = 0; i < sizeof renewed / sizeof renewed[0] && status == SS_OK; i++) {
        char *path = ss__path_join(writing->inputs->dir, renewed[i].name);
        status =
            path == NULL ? ss__fail_nomem(err, "a path") : renewed[i].write(run, path, err);
        ss__free(path);
    }
    run->descriptions = NULL;
    return status;
}

/* ---- records ---- */

static void put_hashes(struct ss__json_writer *writer, const struct writing *writing)
{
    ss__put_open(writer, "evidence", '{');
    for (size_t i = 0; i < N_EVIDENCE; i++) {
        ss__put_text(writer, evidence[i], writing->evidence[i]);
    }
    ss__put_close(writer, '}');
    ss__put_open(writer, "outputs", '{');
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        ss__put_text(writer, outputs[i].name, writing->hashes[i]);
    }
    ss__put_close(writer, '}');
}

static void put_how(struct ss__json_writer *writer, const struct writing *writing)
{
    const struct ss_describe_options *options = writing->options;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(writing->inputs->encoder, &info);
    ss__put_text(writer, "saescope_version", ss_version());
    ss__put_text(writer, "method", method_names[options->method]);
    if (options->method == SS_METHOD_SEED) {
        struct ss_encoder_info keywords = info;
        if (options->keyword_model != NULL) {
            ss_encoder_describe(options->keyword_model, &keywords);
        }
        ss__put_text(writer, "seed_variant", variant_names[options->seed_variant]);
        ss__put_text(writer, "keyword_model", keywords.name);
    } else if (options->method == SS_METHOD_CONTRAST) {
        ss__put_text(writer, "stop_words",
                     options->stop_words == NULL ? "english" : options->stop_words);
    }
    ss__put_text(writer, "similarity", options->plain_similarity ? "plain" : "centred");
    ss__put_bool(writer, "scores", !options->no_score && options->method != SS_METHOD_NONE);
    ss__put_bool(writer, "sentence_test", writing->inputs->sae != NULL);
    ss__put_text(writer, "model", info.name);
    ss__put_text(writer, "precision", info.precision);
    ss__put_count(writer, "sample_seed", writing->inputs->evidence.sample_seed);
    ss__put_count(writer, "pool", writing->descriptions->n_pool);
}

static ss_status put_record(struct ss__json_writer *writer, const struct writing *writing,
                            ss_err *err)
{
    ss__put_open(writer, NULL, '{');
    put_how(writer, writing);
    ss__put_open(writer, "counts", '{');
    for (int i = 0; i < SS_N_LABEL_STATUSES; i++) {
        ss__put_count(writer, ss_label_status_name((ss_label_status)i),
                      ss_descriptions_count(writing->descriptions, (ss_label_status)i));
    }
    ss__put_close(writer, '}');
    if (writing->descriptions->llm != NULL) {
        ss_folder_llm_put_record(writer, writing->descriptions->llm);
    }
    put_hashes(writer, writing);
    ss__put_close(writer, '}');
    return ss__buf_check(&writer->buf, err);
}

static ss_status write_run_file(const struct writing *writing, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {0};
    char *path = ss__path_join(writing->inputs->dir, SS_FOLDER_FILE_DESCRIPTIONS_RUN);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(put_record(&writer, writing, err));
    SS_TRY(ss__file_write(path, writer.buf.data, writer.buf.n_bytes, err));
out:
    ss__buf_release(&writer.buf);
    ss__free(path);
    return status;
}

/* The same in run.json, with the hash of features.csv as it is now. */
static ss_status record_step(const struct writing *writing, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.depth = 2};
    char hex[SS__SHA256_HEX_BYTES];
    const struct ss_run_output changed = {SS_FOLDER_FILE_FEATURES, hex};
    SS_TRY(put_record(&writer, writing, err));
    const char *record = ss__buf_text(&writer.buf);
    if (record == NULL) {
        SS_TRY(ss__fail_nomem(err, "a record"));
    }
    SS_TRY(hash_file(writing, changed.name, hex, err));
    SS_TRY(ss_run_steps_record(writing->inputs->dir, "labels", record + strspn(record, " \n"),
                               &changed, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}

ss_status ss_run_describe_write(const struct ss_run_describe_inputs *inputs,
                                const struct ss_describe_options *options,
                                const ss_descriptions *descriptions, ss_err *err)
{
    struct writing writing = {inputs, options, descriptions, {{0}}, {{0}}};
    ss__out_remove_stale(inputs->dir);
    for (size_t i = 0; i < N_EVIDENCE; i++) {
        SS_RETURN_IF_ERROR(hash_file(&writing, evidence[i], writing.evidence[i], err));
    }
    SS_RETURN_IF_ERROR(write_outputs(&writing, err));
    SS_RETURN_IF_ERROR(write_run_file(&writing, err));
    SS_RETURN_IF_ERROR(renew_files(&writing, err));
    return record_step(&writing, err);
}
