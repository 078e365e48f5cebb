/* The step that says what features mean: labels and their scores from a run's folder, and the
 * files that they go to. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/sized.h"
#include "encoder/encoder.h"
#include "folder/descriptions.h"
#include "run/describe_inputs.h"
#include "run/llm_step.h"
#include "saescope.h"

enum { SEED_TEXTS = 10, LABEL_KEYWORDS = 3 };

struct step {
    struct ss_run_describe_inputs inputs;
    struct ss_run_describe_model model, keyword_model, search_model;
    ss_encoder *searching; /* the encoder with layers of 8 bits */
    const struct ss_describe_options *options;
    ss_descriptions *descriptions;
    struct ss__buf stop_bytes; /* of the file of stop words */
    struct ss_text *stop_list;
    size_t n_stop, stop_room;
};

/* ---- keywords of the seed project ---- */

/* Top texts, each once, by the order in which they come. */
struct tops {
    struct ss_text *texts;
    float *embeddings;
    size_t *offsets;
    uint32_t *list;
    uint32_t *number_of; /* [texts of the evidence] + 1 */
    size_t n_texts;
};

static void release_tops(struct tops *tops)
{
    ss__free(tops->texts);
    ss__free(tops->embeddings);
    ss__free(tops->offsets);
    ss__free(tops->list);
    ss__free(tops->number_of);
}

static ss_status gather_tops(const struct ss_describe_evidence *evidence, struct tops *tops,
                             ss_err *err)
{
    size_t n = 0;
    SS_ALLOC_OR_RETURN(tops->offsets, evidence->n_features + 1);
    SS_ALLOC_OR_RETURN(tops->list, evidence->n_features * SEED_TEXTS);
    SS_ALLOC_OR_RETURN(tops->number_of, evidence->n_texts);
    SS_ALLOC_OR_RETURN(tops->texts, evidence->n_texts);
    for (size_t f = 0; f < evidence->n_features; f++) {
        const size_t *at =
            evidence->sample_offsets + f * SS_STATS_N_SAMPLES + (size_t)SS_STATS_SAMPLE_TOP;
        for (size_t i = at[0]; i < at[1] && i < at[0] + SEED_TEXTS; i++) {
            const uint32_t row = evidence->sample_texts[i];
            if (tops->number_of[row] == 0) {
                tops->texts[tops->n_texts] = evidence->texts[row];
                tops->number_of[row] = (uint32_t)++tops->n_texts;
            }
            tops->list[n++] = tops->number_of[row] - 1;
        }
        tops->offsets[f + 1] = n;
    }
    SS_ALLOC_OR_RETURN(tops->embeddings, tops->n_texts * evidence->width);
    for (size_t row = 0; row < evidence->n_texts; row++) {
        if (tops->number_of[row] != 0) {
            memcpy(tops->embeddings + (tops->number_of[row] - 1) * evidence->width,
                   evidence->embeddings + row * evidence->width,
                   evidence->width * sizeof(float));
        }
    }
    return SS_OK;
}

static ss_status make_seed_keywords(struct step *step, ss_err *err)
{
    ss_status status = SS_OK;
    struct tops tops = {0};
    const struct ss_describe_options *options = step->options;
    const struct ss_describe_evidence *evidence = &step->inputs.described;
    SS_TRY(gather_tops(evidence, &tops, err));
    step->keyword_model = (struct ss_run_describe_model){
        &step->inputs,
        options->keyword_model == NULL ? step->inputs.encoder : options->keyword_model};
    const struct ss_describe_lists lists = {.n_texts = tops.n_texts,
                                            .texts = tops.texts,
                                            .embeddings = tops.embeddings,
                                            .n_features = evidence->n_features,
                                            .offsets = tops.offsets,
                                            .list = tops.list};
    const struct ss_describe_seed_options seed = {
        .variant = options->seed_variant == SS_SEED_TUTORIAL ? SS_DESCRIBE_SEED_TUTORIAL
                                                             : SS_DESCRIBE_SEED_EXPLAINER,
        .list_model = ss_run_describe_embedder(&step->keyword_model),
        .model = ss_run_describe_embedder(&step->model),
        .is_one_model = options->keyword_model == NULL,
        .stop = options->progress};
    ss_describe_terms_release(&step->descriptions->terms);
    SS_TRY(ss_describe_seed(&lists, &seed, &step->descriptions->terms, err));
out:
    release_tops(&tops);
    return status;
}

/* ---- labels by contrast ---- */

enum { MAX_STOP_BYTES = 16 << 20 };

static ss_status read_stop_words(struct step *step, const char *path, ss_err *err)
{
    size_t begin = 0;
    SS_RETURN_IF_ERROR(ss__file_read(path, MAX_STOP_BYTES, &step->stop_bytes, err));
    const struct ss__buf *bytes = &step->stop_bytes;
    for (size_t i = 0; i <= bytes->n_bytes; i++) {
        if (i < bytes->n_bytes && strchr("\n\r\t ", bytes->data[i]) == NULL) {
            continue;
        }
        if (i > begin) {
            SS_GROW_OR_RETURN(step->stop_list, step->stop_room, step->n_stop + 1);
            step->stop_list[step->n_stop++] = (struct ss_text){bytes->data + begin, i - begin};
        }
        begin = i + 1;
    }
    return SS_OK;
}

static ss_status choose_stop_words(struct step *step, struct ss_describe_stop_words *out,
                                   ss_err *err)
{
    const char *given = step->options->stop_words;
    *out = (struct ss_describe_stop_words){.kind = SS_DESCRIBE_STOP_ENGLISH};
    if (given == NULL) {
        return SS_OK;
    }
    if (strcmp(given, "none") == 0 || strcmp(given, "auto") == 0) {
        out->kind = given[0] == 'n' ? SS_DESCRIBE_STOP_NONE : SS_DESCRIBE_STOP_AUTO;
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(read_stop_words(step, given, err));
    *out =
        (struct ss_describe_stop_words){SS_DESCRIBE_STOP_LIST, step->stop_list, step->n_stop};
    return SS_OK;
}

/* Where only the order of numbers counts, texts are embedded at the lowest precision: phrases
 * that are compared, some twenty for each that is kept, and sentences. What a label is scored
 * by is embedded as precisely as the texts. */
static ss_status open_search_model(struct step *step, ss_err *err)
{
    if (step->searching == NULL) {
        SS_RETURN_IF_ERROR(ss_encoder_at_precision(step->inputs.encoder, step->inputs.work,
                                                   SS_PRECISION_LOW, &step->searching, err));
        step->search_model = (struct ss_run_describe_model){&step->inputs, step->searching};
    }
    return SS_OK;
}

static ss_status make_contrast_labels(struct step *step, ss_err *err)
{
    SS_RETURN_IF_ERROR(open_search_model(step, err));
    struct ss_describe_contrast_options options = {
        .embedder = ss_run_describe_embedder(&step->search_model),
        .stop = step->options->progress};
    SS_RETURN_IF_ERROR(choose_stop_words(step, &options.stop_words, err));
    ss_describe_terms_release(&step->descriptions->terms);
    return ss_describe_contrast(step->inputs.view, &options, &step->descriptions->terms, err);
}

/* ---- the step ---- */

static ss_status open_step(struct step *step, const char *dir, const ss_encoder *encoder,
                           const char *method, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_run_describe_open(&step->inputs, dir, encoder, step->options, err));
    step->model = (struct ss_run_describe_model){&step->inputs, step->inputs.encoder};
    const size_t n = step->inputs.described.n_features;
    SS_RETURN_IF_ERROR(ss_folder_descriptions_new(n, &step->descriptions, err));
    step->descriptions->method = method;
    step->descriptions->is_plain = step->options->plain_similarity;
    step->descriptions->n_pool =
        ss__min_size(step->inputs.described.n_pool[SS_STATS_SCORE], SS_DESCRIBE_POOL);
    for (size_t f = 0; f < n; f++) {
        step->descriptions->counts[f] = step->inputs.run->features[f].n_fires;
        step->descriptions->rates[f] = step->inputs.rates[f];
    }
    return SS_OK;
}

static void close_step(struct step *step)
{
    ss_descriptions_free(step->descriptions);
    ss_encoder_at_precision_free(step->searching);
    ss_run_describe_close(&step->inputs);
    ss__buf_release(&step->stop_bytes);
    ss__free(step->stop_list);
}

/* Where a model was asked and stopped being asked, what it said is still written, soon. */
static bool was_stopped(const struct step *step)
{
    const struct ss_folder_llm *llm = step->descriptions->llm;
    return llm != NULL && llm->results.stopped == SS_E_STOPPED;
}

static void forget_stop(struct step *step)
{
    step->inputs.stop = (struct ss_progress_callback){0};
    ss_work_set_progress(step->inputs.work, step->inputs.stop);
}

static ss_status score_labels(struct step *step, bool without_tops, ss_err *err)
{
    const struct ss_describe_answers answers = ss_run_describe_answers(&step->inputs);
    const bool has_sentences = step->inputs.sae != NULL && !was_stopped(step);
    /* Labels that were searched for are many; those that a user gave are scored exactly. */
    struct ss_run_describe_model *sentences =
        step->searching != NULL ? &step->search_model : &step->model;
    const struct ss_describe_score_options options = {
        .embedder = ss_run_describe_embedder(&step->model),
        .answers = has_sentences ? &answers : NULL,
        .sentence_embedder = has_sentences ? ss_run_describe_embedder(sentences)
                                           : (struct ss_describe_embedder){0},
        .is_plain = step->options->plain_similarity,
        .without_tops = without_tops,
        .with_probe = true,
        .stop = step->inputs.stop};
    return ss_describe_score(step->inputs.view, step->descriptions->labels, &options,
                             step->descriptions->scores, err);
}

static ss_status make_labels(struct step *step, ss_err *err)
{
    ss_descriptions *descriptions = step->descriptions;
    const bool is_seed = step->options->method == SS_METHOD_SEED;
    if (is_seed) {
        SS_RETURN_IF_ERROR(make_seed_keywords(step, err));
    } else if (step->options->method == SS_METHOD_CONTRAST) {
        SS_RETURN_IF_ERROR(make_contrast_labels(step, err));
    }
    SS_RETURN_IF_ERROR(ss_describe_join(&descriptions->terms,
                                        is_seed ? LABEL_KEYWORDS : SIZE_MAX,
                                        &descriptions->arena, descriptions->labels, err));
    SS_RETURN_IF_ERROR(ss_folder_descriptions_finish(descriptions, err));
    if (step->options->llm != NULL) {
        SS_RETURN_IF_ERROR(ss_run_llm_describe(&step->inputs,
                                               ss_run_describe_embedder(&step->model),
                                               step->options, descriptions, err));
    }
    if (was_stopped(step)) {
        forget_stop(step);
    }
    if (step->options->llm != NULL && step->options->llm->dry_run) {
        return SS_OK;
    }
    if (!step->options->no_score &&
        (step->options->method != SS_METHOD_NONE || step->options->llm != NULL)) {
        SS_RETURN_IF_ERROR(score_labels(step, is_seed, err));
    }
    return SS_OK;
}

ss_status ss_describe_run(const char *run_dir, const ss_encoder *encoder,
                          const struct ss_describe_options *options, ss_descriptions **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_describe_options read = {.struct_size = sizeof read};
    struct step step = {.options = &read};
    if (out != NULL) {
        *out = NULL;
    }
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_describe_options, err));
    if (read.llm != NULL) {
        SS_TRY(ss_run_llm_check(read.llm, err));
    }
    SS_TRY(open_step(&step, run_dir, encoder, ss_run_method_name(step.options->method), err));
    SS_TRY(make_labels(&step, err));
    if (read.llm == NULL || !read.llm->dry_run) {
        SS_TRY(ss_folder_evidence_check(&step.inputs.evidence, err));
        SS_TRY(ss_run_describe_write(&step.inputs, step.options, step.descriptions, err));
    }
    if (read.llm != NULL && !read.llm->dry_run) {
        status = ss_run_llm_outcome(step.descriptions, err);
    }
    if (out != NULL) {
        *out = step.descriptions;
        step.descriptions = NULL;
    }
out:
    close_step(&step);
    return status;
}

/* ---- labels from elsewhere ---- */

static ss_status take_label(ss_descriptions *descriptions, size_t feature, struct ss_text text,
                            ss_err *err)
{
    if (feature >= descriptions->n_features) {
        return ss__fail(err, SS_E_USAGE, "there is no feature %zu: the run has %zu, from 0",
                        feature, descriptions->n_features);
    }
    if (descriptions->labels[feature].n_bytes > 0) {
        return ss__fail(err, SS_E_USAGE, "feature %zu has two labels", feature);
    }
    const char *copy = ss__arena_strndup(&descriptions->arena, text.data, text.n_bytes);
    if (copy == NULL) {
        return ss__fail_nomem(err, "labels");
    }
    descriptions->labels[feature] = (struct ss_text){copy, text.n_bytes};
    return SS_OK;
}

static ss_status read_labels(ss_descriptions *descriptions, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss__json *kept = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    const struct ss_dataset_options options = {
        .struct_size = sizeof options, .text_column = "label", .keep = "feature"};
    SS_TRY(ss_dataset_open(&path, 1, &options, &dataset, err));
    for (;;) {
        size_t feature = SIZE_MAX;
        SS_TRY(ss_dataset_next(dataset, &row, &has_row, err));
        if (!has_row) {
            break;
        }
        SS_TRY(ss__json_parse(path, row.kept.data, row.kept.n_bytes, &kept, err));
        const struct ss__json *value = ss__json_get(kept, "feature");
        uint64_t number = 0;
        if (ss__json_is_integer(value) && ss__json_integer(value) >= 0) {
            feature = (size_t)ss__json_integer(value);
        } else if (ss__json_is_string(value) &&
                   ss__parse_u64(ss__json_string(value), ss__json_string_bytes(value),
                                 &number)) {
            feature = (size_t)number;
        } else {
            status = ss__fail_file(err, path, SS_E_DATA,
                                   "row %zu has no number of a feature in the column 'feature'",
                                   (size_t)row.id);
            goto out;
        }
        ss__json_free(kept);
        kept = NULL;
        if (row.kind == SS_ROW_TEXT) {
            SS_TRY(take_label(descriptions, feature, row.text, err));
        }
    }
out:
    ss__json_free(kept);
    ss_dataset_close(dataset);
    return status;
}

ss_status ss_score_labels(const char *run_dir, const ss_encoder *encoder,
                          const struct ss_labels *labels,
                          const struct ss_describe_options *options, ss_descriptions **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_describe_options read = {.struct_size = sizeof read};
    struct ss_labels given = {.struct_size = sizeof given};
    struct step step = {.options = &read};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_describe_options, err));
    SS_TRY(SS_READ_OPTIONS(&given, labels, ss_labels, err));
    SS_TRY(open_step(&step, run_dir, encoder, "given", err));
    if (given.path != NULL) {
        SS_TRY(read_labels(step.descriptions, given.path, err));
    }
    for (size_t i = 0; i < given.n_labels; i++) {
        const char *text = given.labels[i].text;
        SS_TRY(take_label(step.descriptions, given.labels[i].feature,
                          (struct ss_text){text, strlen(text)}, err));
    }
    SS_TRY(score_labels(&step, false, err));
    SS_TRY(ss_folder_evidence_check(&step.inputs.evidence, err));
    *out = step.descriptions;
    step.descriptions = NULL;
out:
    close_step(&step);
    return status;
}
