/* The step that finds families: from the counts in a run's folder to its files. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/stop.h"
#include "describe/meaning.h"
#include "folder/coactivation_file.h"
#include "folder/families_file.h"
#include "folder/manifest_read.h"
#include "folder/results.h"
#include "run/describe_inputs.h"
#include "run/directions.h"
#include "run/families_pictures.h"
#include "run/families_words.h"
#include "run/steps.h"
#include "saescope.h"
#include "tensor/tensor.h"
#include "weights/weights.h"

#define PAIRS_Q 0.01

struct step {
    const char *dir;
    const struct ss_families_options *options;
    ss_run *run;
    ss_descriptions *descriptions;
    ss_work *work;
    struct ss_folder_coactivation coactivation;
    struct ss_folder_evidence evidence; /* while texts are looked at */
    struct ss__arena arena;             /* of phrases */
    double *keyword_scores;
    struct ss_folder_families families;
};

/* ---- what it works from ---- */

/* Labels are beside the point: without them families have numbers only. */
static ss_status open_labels(struct step *step, ss_err *err)
{
    const ss_status status = ss_descriptions_open(step->dir, &step->descriptions, err);
    if (status == SS_E_NOINPUT) {
        return SS_OK;
    }
    if (status == SS_OK && step->descriptions->n_features != step->run->info.n_features) {
        return ss__fail_file(
            err, step->dir, SS_E_DATA,
            "%s is of %zu features, the run of %zu: run saescope describe again",
            SS_FOLDER_FILE_DESCRIPTIONS, step->descriptions->n_features,
            step->run->info.n_features);
    }
    return status;
}

static ss_status read_keyword_score(const char *path, const struct ss__json *item, size_t f,
                                    double *score, ss_err *err)
{
    const struct ss__json *keywords = ss__json_get(item, "keywords");
    const struct ss__json *first = ss__json_at(keywords, 0);
    const struct ss__json *id = ss__json_get(item, "feature_id");
    if (!ss__json_is_integer(id) || ss__json_integer(id) != (int64_t)f ||
        (first != NULL && !ss__json_is_number(ss__json_at(first, 1)))) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "item %zu is not feature %zu with a list of [keyword, score]", f,
                             f);
    }
    *score = first == NULL ? 0 : ss__json_real(ss__json_at(first, 1));
    return isfinite(*score) ? SS_OK
                            : ss__fail_file(err, path, SS_E_DATA,
                                            "the score of feature %zu is not finite", f);
}

/* The best keyword's score of every feature, 0 without keywords. */
static ss_status read_keyword_scores(struct step *step, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    const size_t n = step->run->info.n_features;
    char *path = ss__path_join(step->dir, SS_FOLDER_FILE_KEYWORDS);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(step->dir, SS_E_NOINPUT,
                     "this run has no keywords, whose scores choose the features of this rule; "
                     "run saescope describe with the method seed first");
    }
    SS_TRY(ss__json_load(path, &root, err));
    if (!ss__json_is_array(root) || ss__json_count(root) != n) {
        SS_FAIL_FILE(path, SS_E_DATA, "not a list of the run's %zu features", n);
    }
    SS_ALLOC(step->keyword_scores, n);
    for (size_t f = 0; f < n; f++) {
        SS_TRY(
            read_keyword_score(path, ss__json_at(root, f), f, &step->keyword_scores[f], err));
    }
out:
    ss__json_free(root);
    ss__free(path);
    return status;
}

static ss_status check_options(const struct ss_families_options *options, ss_err *err)
{
    if ((unsigned)options->rule >= SS_N_FAMILY_RULES ||
        (unsigned)options->score >= SS_N_FAMILY_SCORES) {
        return ss__fail(err, SS_E_USAGE, "there is no such rule of families");
    }
    if (!(options->largest_q >= 0 && options->largest_q <= 1) || !(options->tau >= 0) ||
        !(options->least_lift >= 0) || !isfinite(options->tau) ||
        !(options->most_parent_rate >= 0 && options->most_parent_rate <= 1) ||
        !(options->least_phi >= -1 && options->least_phi <= 1)) {
        return ss__fail(err, SS_E_USAGE,
                        "options of families: q, rates of parents and phi lie between 0 and 1, "
                        "lift and tau are 0 or more");
    }
    return SS_OK;
}

static void set_options(struct step *step)
{
    const struct ss_families_options *given = step->options;
    struct ss_graph_family_options *options = &step->families.options;
    ss_graph_family_defaults((ss_graph_rule)given->rule, options);
    options->score = (ss_graph_score)given->score;
    options->largest_q = given->largest_q > 0 ? given->largest_q : options->largest_q;
    options->least_lift = given->least_lift > 0 ? given->least_lift : options->least_lift;
    options->least_count = given->least_count > 0 ? given->least_count : options->least_count;
    options->tau = given->tau > 0 ? given->tau : options->tau;
    options->most_parent_rate =
        given->most_parent_rate > 0 ? given->most_parent_rate : options->most_parent_rate;
    options->pool = ss_tensor_work_pool(step->work);
    options->keyword_scores = step->keyword_scores;
    step->families.table = &step->coactivation.table;
    step->families.descriptions = step->descriptions;
    step->families.dir = step->dir;
    step->families.work = step->work;
    step->families.log = &given->log;
    step->families.least_phi = given->least_phi != 0 ? given->least_phi : NAN;
}

static ss_status open_step(struct step *step, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_options(step->options, err));
    SS_RETURN_IF_ERROR(ss_folder_run_open_features(step->dir, &step->run, err));
    SS_RETURN_IF_ERROR(ss_folder_coactivation_open(step->dir, step->run->info.n_features,
                                                   &step->coactivation, err));
    SS_RETURN_IF_ERROR(open_labels(step, err));
    if (step->options->rule == SS_FAMILIES_SEED_KEYWORDS) {
        SS_RETURN_IF_ERROR(read_keyword_scores(step, err));
    }
    SS_RETURN_IF_ERROR(ss_work_new(step->options->n_threads, &step->work, err));
    ss_work_set_progress(step->work, step->options->progress);
    set_options(step);
    return SS_OK;
}

static void close_step(struct step *step)
{
    ss_graph_families_release(&step->families.found);
    ss_graph_significant_release(&step->families.significant);
    ss__free(step->families.held_out.families);
    ss__free(step->families.names);
    ss__arena_release(&step->arena);
    ss_folder_evidence_release(&step->evidence);
    ss__free(step->keyword_scores);
    ss_folder_coactivation_release(&step->coactivation);
    ss_descriptions_free(step->descriptions);
    ss_work_free(step->work);
    ss_run_free(step->run);
}

/* ---- the step ---- */

/* Evidence, too, is beside the point. */
static ss_status open_evidence(struct step *step, ss_err *err)
{
    ss_err why = {0};
    const ss_status status =
        ss_folder_evidence_open(step->dir, step->run->info.n_features, &step->evidence, &why);
    return status == SS_OK || status == SS_E_NOINPUT ? SS_OK : ss__fail_as(err, &why);
}

static double meaning_of(const void *context, uint32_t parent, uint32_t child)
{
    return ss_describe_meaning_of(context, parent, child);
}

static ss_status hold_out(struct step *step, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_folder_families *families = &step->families;
    struct ss_describe_meaning *words = NULL;
    SS_TRY(ss_run_families_meaning(&step->evidence, &words, err));
    const struct ss_graph_meaning meaning = {meaning_of, words};
    SS_TRY(ss_graph_hold_out(families->table, &families->options, &families->found,
                             words == NULL ? NULL : &meaning, &families->held_out, err));
out:
    ss_describe_meaning_free(words);
    return status;
}

/* Where there are texts and the encoder; else families have the labels of their parents alone. */
static ss_status name_families(struct step *step, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_families_options *options = step->options;
    struct ss_run_own_encoder found = {.dir = step->dir,
                                       .run = step->run,
                                       .work = step->work,
                                       .width = step->evidence.width,
                                       .stop = options->progress,
                                       .log = options->log};
    ss_err why = {0};
    if (options->no_labels || !step->evidence.has_texts) {
        return SS_OK;
    }
    status = ss_run_own_encoder_find(&found, options->encoder, &why);
    if (status == SS_E_NOINPUT && options->encoder == NULL) {
        ss__log(&options->log, SS_LEVEL_NOTICE, "no phrases of families: %s", why.message);
        status = SS_OK;
        goto out;
    }
    if (status != SS_OK) {
        SS_TRY(ss__fail_as(err, &why));
    }
    SS_ALLOC(step->families.names, step->families.found.n);
    SS_TRY(ss_run_families_name(
        &(struct ss_run_families_naming){&step->evidence, step->run, &step->families.found,
                                         found.encoder, step->work, options->progress,
                                         &step->arena},
        step->families.names, err));
out:
    ss_encoder_free(found.own);
    return status;
}

static ss_status find_families(struct step *step, ss_err *err)
{
    struct ss_folder_families *families = &step->families;
    SS_RETURN_IF_ERROR(open_evidence(step, err));
    SS_RETURN_IF_ERROR(
        ss_graph_make_families(families->table, &families->options, &families->found, err));
    if (families->options.rule == SS_GRAPH_PARENTS) {
        SS_RETURN_IF_ERROR(hold_out(step, err));
    }
    SS_RETURN_IF_ERROR(name_families(step, err));
    SS_RETURN_IF_ERROR(ss_folder_evidence_check(&step->evidence, err));
    ss_folder_evidence_release(&step->evidence);
    SS_RETURN_IF_ERROR(ss_graph_find_significant(families->table, SS_GRAPH_ALL, PAIRS_Q,
                                                 families->options.pool, &families->significant,
                                                 err));
    return ss_weights_check(step->coactivation.weights, err);
}

/* The matrix only when it is asked for. */
static const struct {
    const char *name;
    ss_status (*write)(const struct ss_folder_families *families, const char *path,
                       ss_err *err);
} outputs[] = {
    {SS_FOLDER_FILE_MATRIX, ss_folder_matrix_write},
    {SS_FOLDER_FILE_FAMILIES, ss_folder_families_write},
    {SS_FOLDER_FILE_FAMILY_LISTS, ss_folder_family_lists_write},
    {SS_FOLDER_FILE_PAIRS, ss_folder_pairs_write},
    {SS_FOLDER_FILE_NEIGHBOURS, ss_run_neighbours_write},
    {"families.svg", ss_run_family_trees_draw},
    {"families.png", ss_run_family_trees_draw},
    {"family_maps.svg", ss_run_family_maps_draw},
    {"family_maps.png", ss_run_family_maps_draw},
    {"coactivation.svg", ss_run_coactivation_map_draw},
    {"coactivation.png", ss_run_coactivation_map_draw},
    {"coactivation_ward.svg", ss_run_ward_map_draw},
    {"coactivation_ward.png", ss_run_ward_map_draw},
};
enum { N_OUTPUTS = sizeof outputs / sizeof outputs[0] };

/* An older file goes where none is made; it stays where making one fails. */
static ss_status write_file(const struct step *step, size_t i, const char *path, ss_err *err)
{
    struct ss__file_facts before, now;
    const bool was_there = ss__file_facts_at(path, &before);
    SS_RETURN_IF_ERROR(outputs[i].write(&step->families, path, err));
    if (was_there && ss__file_facts_at(path, &now) && ss__file_is_same(&before, &now)) {
        (void)unlink(path);
    }
    return SS_OK;
}

static ss_status write_files(const struct step *step, char hashes[][SS__SHA256_HEX_BYTES],
                             ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    for (size_t i = step->options->matrix ? 0 : 1; i < N_OUTPUTS; i++) {
        path = ss__path_join(step->dir, outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        hashes[i][0] = '\0';
        SS_TRY(write_file(step, i, path, err));
        if (ss__path_stat(path) != SS__PATH_NONE) {
            SS_TRY(ss__sha256_file(path, NULL, hashes[i], err));
        }
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}

static void add_number(struct ss__buf *record, const char *name, double value)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    ss__buf_printf(record, ",\n      \"%s\": ", name);
    ss__buf_add(record, text, ss__format_double(value, text));
}

static ss_status write_record(const struct step *step, char hashes[][SS__SHA256_HEX_BYTES],
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf record = {0};
    const struct ss_graph_family_options *options = &step->families.options;
    ss__buf_add_text(&record, "{\n      \"saescope_version\": ");
    ss__json_add_string(&record, ss_version(), strlen(ss_version()), false);
    ss__buf_printf(&record, ",\n      \"rule\": \"%s\"", ss_graph_rule_name(options->rule));
    if (options->rule == SS_GRAPH_PARENTS) {
        ss__buf_printf(&record, ",\n      \"score\": \"%s\"",
                       ss_graph_score_name(options->score));
        add_number(&record, "q", options->largest_q);
        ss__buf_printf(&record, ",\n      \"count\": %" PRIu64, options->least_count);
        add_number(&record, "lift", options->least_lift);
        add_number(&record, "parent_rate", options->most_parent_rate);
    } else {
        add_number(&record, "tau", options->tau);
    }
    ss__buf_printf(&record, ",\n      \"families\": %zu,\n      \"outputs\": {",
                   step->families.found.n);
    const size_t first = step->options->matrix ? 0 : 1;
    for (size_t i = first; i < N_OUTPUTS; i++) {
        if (hashes[i][0] != '\0') {
            ss__buf_printf(&record, "%s\n        \"%s\": \"%s\"", i == first ? "" : ",",
                           outputs[i].name, hashes[i]);
        }
    }
    ss__buf_add_text(&record, "\n      }\n    }");
    if (ss__buf_text(&record) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a record"));
    }
    SS_TRY(ss_run_steps_record(step->dir, "families", record.data, NULL, err));
out:
    ss__buf_release(&record);
    return status;
}

static void fill_info(const struct step *step, struct ss_families_info *out)
{
    const struct ss_graph_families *found = &step->families.found;
    const struct ss_graph_held_out_all *held_out = &step->families.held_out;
    const bool is_parents = step->families.options.rule == SS_GRAPH_PARENTS;
    struct ss_families_info info = {
        .struct_size = sizeof info,
        .n_families = found->n,
        .n_parents = found->n_parents,
        .n_dead = found->n_dead,
        .n_rare = found->n_rare,
        .n_without = found->n_without,
        .n_held_out = held_out->sum.n,
        .median_lift = is_parents ? held_out->median_lift : NAN,
        .lift = is_parents ? held_out->sum.lift : NAN,
        .lift_low = is_parents ? held_out->sum.lift_low : NAN,
        .lift_high = is_parents ? held_out->sum.lift_high : NAN,
        .n_meant = held_out->sum.n_meant,
        .meaning = is_parents ? held_out->sum.meaning : NAN,
        .meaning_low = is_parents ? held_out->sum.meaning_low : NAN,
        .meaning_high = is_parents ? held_out->sum.meaning_high : NAN,
    };
    for (size_t i = 0; i < found->n; i++) {
        info.n_trees += found->families[i].round == 0;
        info.n_largest = ss__max_size(info.n_largest, found->families[i].n);
    }
    (void)ss__result_write(out, &info, sizeof info);
}

enum { N_PARTS = 3 }; /* that progress is told in */

ss_status ss_families_run(const char *run_dir, const struct ss_families_options *options,
                          struct ss_families_info *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_families_options read = {.struct_size = sizeof read};
    char hashes[N_OUTPUTS][SS__SHA256_HEX_BYTES];
    struct step step = {.dir = run_dir, .options = &read};
    struct ss__step told;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_families_options, err));
    ss__step_begin(&told, read.progress, "families", "part");
    SS_TRY(ss__step_tell(&told, 0, N_PARTS, err));
    SS_TRY(open_step(&step, err));
    SS_TRY(ss__step_tell(&told, 1, N_PARTS, err));
    SS_TRY(find_families(&step, err));
    SS_TRY(ss__step_tell(&told, 2, N_PARTS, err));
    SS_TRY(write_files(&step, hashes, err));
    SS_TRY(write_record(&step, hashes, err));
    SS_TRY(ss__step_tell(&told, N_PARTS, N_PARTS, err));
    if (out != NULL) {
        fill_info(&step, out);
    }
out:
    close_step(&step);
    return status;
}
