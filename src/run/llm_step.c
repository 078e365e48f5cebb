/* The step that asks a language model, between labels and their scores. */
#include "run/llm_step.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "net/net.h"
#include "run/llm_access.h"
#include "run/llm_files.h"

enum { DEFAULT_JOBS = 4, MAX_JOBS = 256, MAX_CANDIDATES = 16, N_LISTED = 8 };

/* ---- options ---- */

static bool is_amount(double x)
{
    return isfinite(x) && x >= 0;
}

ss_status ss_run_llm_check(const struct ss_llm_options *given, ss_err *err)
{
    struct ss_llm_options options = {.struct_size = sizeof options};
    struct ss_run_llm_access access;
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&options, given, ss_llm_options, err));
    if (options.model == NULL || options.model[0] == '\0') {
        return ss__fail(err, SS_E_USAGE, "`llm` needs `llm_model`, the model's name there");
    }
    if (ss__utf8_valid_prefix(options.model, strlen(options.model)) != strlen(options.model)) {
        return ss__fail(err, SS_E_USAGE, "`llm_model` is not UTF-8");
    }
    if (!is_amount(options.price_in) || !is_amount(options.price_out) ||
        !is_amount(options.max_cost) || !is_amount(options.answer_seconds)) {
        return ss__fail(err, SS_E_USAGE, "`llm_price` and `max_cost` are amounts from 0 on");
    }
    if (options.max_cost > 0 && !(options.price_in + options.price_out > 0)) {
        return ss__fail(err, SS_E_USAGE,
                        "`max_cost` needs `llm_price`, the prices of a million tokens in and "
                        "out");
    }
    if (options.n_jobs > MAX_JOBS || options.n_candidates > MAX_CANDIDATES) {
        return ss__fail(err, SS_E_USAGE,
                        "at most %d `llm_jobs` and %d `llm_candidates` are possible", MAX_JOBS,
                        MAX_CANDIDATES);
    }
    const ss_status status = ss_run_llm_access_init(&access, &options, err);
    ss_run_llm_access_release(&access);
    return status;
}

/* ---- what leaves the machine ---- */

static void say_what_leaves(const struct ss_folder_llm *llm,
                            const struct ss_run_llm_access *access,
                            const struct ss_describe_llm_options *options)
{
    char count[SS__COUNTED_TEXT_BYTES];
    ss__format_counted(llm->n_texts, "text", count);
    if (options->is_dry || options->only_cached) {
        ss__log(&options->log, SS_LEVEL_NOTICE, "%s: nothing is sent to %s (%s in the prompts)",
                options->is_dry ? "dry run" : "offline", access->host, count);
    } else {
        ss__log(&options->log, SS_LEVEL_NOTICE, "up to %s of the dataset will be sent to %s%s",
                count, access->host, access->is_local ? ", which is this machine" : "");
    }
}

/* ---- asking ---- */

struct work {
    struct ss_llm_options options;
    struct ss_run_llm_access access;
    struct ss_run_llm_files files;
    struct ss_describe_llm_plan plan;
};

static struct ss_describe_llm_options asked(struct work *work,
                                            const struct ss_describe_options *options)
{
    const struct ss_llm_options *llm = &work->options;
    const struct ss_net_options net = ss_net_options_from_environment();
    const bool is_offline = llm->offline || net.offline;
    return (struct ss_describe_llm_options){
        .api = work->access.api,
        .url = work->access.url,
        .model = llm->model,
        .secret = work->access.secret,
        .effort = llm->reasoning_effort,
        .n_jobs = llm->n_jobs == 0 ? DEFAULT_JOBS : llm->n_jobs,
        .answer_seconds = llm->answer_seconds,
        .n_candidates = llm->n_candidates == 0 ? 1 : llm->n_candidates,
        .asks = {[SS_DESCRIBE_LLM_DESCRIBE] = true,
                 [SS_DESCRIBE_LLM_DETECTION] = llm->detection,
                 [SS_DESCRIBE_LLM_SIMULATION] = llm->simulation,
                 [SS_DESCRIBE_LLM_FUZZING] = llm->fuzzing},
        .with_shares = llm->logprobs,
        .with_hints = llm->hints,
        .only_cached = is_offline && !work->access.is_local,
        .is_dry = llm->dry_run,
        .asks_again = llm->ask_again,
        .limits = {llm->price_in, llm->price_out, llm->max_cost, llm->max_calls,
                   llm->max_tokens},
        .answers = work->files.known,
        .hooks = llm->dry_run ? (struct ss_describe_llm_hooks){0}
                              : ss_run_llm_files_hooks(&work->files),
        .log = options->log,
        .progress = options->progress};
}

/* Labels and sentences of the features that have them. */
static void use_results(ss_descriptions *descriptions)
{
    const struct ss_describe_llm_results *results = &descriptions->llm->results;
    for (size_t f = 0; f < results->n_features; f++) {
        const struct ss_describe_llm_result *result = &results->features[f];
        if (result->failure != SS_DESCRIBE_LLM_ANSWERED) {
            continue;
        }
        descriptions->labels[f] = result->label;
        descriptions->sentences[f] = result->description;
        descriptions->methods[f] = "llm";
    }
}

/* "3 refused, 1 unreadable" */
static ss_status list_failures(ss_descriptions *descriptions, ss_err *err)
{
    struct ss__buf text = {0};
    struct ss_folder_llm *llm = descriptions->llm;
    for (int i = SS_DESCRIBE_LLM_ANSWERED + 1; i < SS_DESCRIBE_LLM_N_FAILURES; i++) {
        const uint64_t n = llm->results.n_failed[i];
        if (n > 0) {
            ss__buf_printf(&text, "%s%" PRIu64 " %s", text.n_bytes == 0 ? "" : ", ", n,
                           ss_describe_llm_failure_name((ss_describe_llm_failure)i));
        }
    }
    const char *terminated = ss__buf_text(&text);
    llm->failures = terminated == NULL
                        ? NULL
                        : ss__arena_strndup(&descriptions->arena, terminated, text.n_bytes);
    ss__buf_release(&text);
    return llm->failures == NULL ? ss__fail_nomem(err, "a list") : SS_OK;
}

static ss_status note_service(ss_descriptions *descriptions, const struct work *work,
                              ss_err *err)
{
    struct ss_folder_llm *llm = descriptions->llm;
    memcpy(llm->host, work->access.host, sizeof llm->host);
    llm->model = ss__arena_strndup(&descriptions->arena, work->options.model,
                                   strlen(work->options.model));
    llm->api = ss_describe_llm_api_name(work->access.api);
    llm->has_price = work->options.price_in + work->options.price_out > 0;
    llm->failures = "";
    return llm->model == NULL ? ss__fail_nomem(err, "a name") : SS_OK;
}

/* For fuzzing, if it is asked for and the SAE is there. */
static ss_status mark_sentences(struct work *work, struct ss_run_describe_inputs *inputs,
                                struct ss_describe_embedder embedder,
                                const struct ss_describe_options *options, ss_err *err)
{
    if (!work->options.fuzzing) {
        return SS_OK;
    }
    if (inputs->sae == NULL) {
        ss__log(&options->log, SS_LEVEL_WARNING,
                "no fuzzing: it needs the run's SAE, which is gone, or was not opened for want "
                "of a sentence test");
        return SS_OK;
    }
    const struct ss_describe_llm_marking with = {.evidence = &inputs->described,
                                                 .embedder = embedder,
                                                 .answers = ss_run_describe_answers(inputs),
                                                 .stop = options->progress};
    return ss_describe_llm_plan_mark(&work->plan, &with, err);
}

ss_status ss_run_llm_describe(struct ss_run_describe_inputs *inputs,
                              struct ss_describe_embedder embedder,
                              const struct ss_describe_options *options,
                              ss_descriptions *descriptions, ss_err *err)
{
    ss_status status = SS_OK;
    struct work work = {.options = {.struct_size = sizeof work.options},
                        .files = SS_RUN_LLM_FILES_CLOSED};
    size_t n_texts = 0;
    SS_TRY(SS_READ_OPTIONS(&work.options, options->llm, ss_llm_options, err));
    SS_TRY(ss_run_llm_access_init(&work.access, &work.options, err));
    const struct ss_run_llm_files_options files = {.run_dir = inputs->dir,
                                                   .cache_dir = work.options.cache_dir,
                                                   .logs_prompts = work.options.log_prompts,
                                                   .only_reads = work.options.dry_run,
                                                   .log = options->log};
    SS_ALLOC(descriptions->llm, 1);
    SS_TRY(note_service(descriptions, &work, err));
    SS_TRY(ss_describe_llm_plan_make(inputs->view, &work.plan, err));
    SS_TRY(ss_describe_llm_plan_texts(&work.plan, inputs->described.n_texts,
                                      work.options.detection || work.options.simulation ||
                                          work.options.fuzzing,
                                      &n_texts, err));
    descriptions->llm->n_texts = n_texts;
    SS_TRY(mark_sentences(&work, inputs, embedder, options, err));
    SS_TRY(ss_run_llm_files_open(&work.files, &files, err));
    const struct ss_describe_llm_options asking = asked(&work, options);
    say_what_leaves(descriptions->llm, &work.access, &asking);
    const struct ss_describe_llm_input input = {.view = inputs->view,
                                                .evidence = &inputs->described,
                                                .plan = &work.plan,
                                                .labels = descriptions->labels,
                                                .embedder = embedder,
                                                .is_plain = options->plain_similarity};
    SS_TRY(ss_describe_llm(&input, &asking, &descriptions->llm->results, err));
    SS_TRY(ss_run_llm_files_finish(&work.files, err));
    SS_TRY(list_failures(descriptions, err));
    use_results(descriptions);
out:
    ss_describe_llm_plan_release(&work.plan);
    ss_run_llm_files_release(&work.files);
    ss_run_llm_access_release(&work.access);
    return status;
}

/* ---- what came of it ---- */

/* "3, 7, 12 and 5 more": features without a description. */
static void list_missing(const struct ss_describe_llm_results *results, struct ss__buf *out)
{
    size_t n = 0;
    for (size_t f = 0; f < results->n_features; f++) {
        const ss_describe_llm_failure failure = results->features[f].failure;
        if (failure == SS_DESCRIBE_LLM_ANSWERED || failure == SS_DESCRIBE_LLM_NO_TEXTS) {
            continue;
        }
        if (n++ < N_LISTED) {
            ss__buf_printf(out, "%s%zu", n == 1 ? "" : ", ", f);
        }
    }
    if (n > N_LISTED) {
        ss__buf_printf(out, " and %zu more", n - N_LISTED);
    }
}

/* More than one in a hundred. */
static bool is_much(uint64_t n, uint64_t of)
{
    return n * 100 > of;
}

ss_status ss_run_llm_outcome(const ss_descriptions *descriptions, ss_err *err)
{
    const struct ss_folder_llm *llm = descriptions->llm;
    const struct ss_describe_llm_results *results = &llm->results;
    if (results->stopped != SS_OK) {
        if (err != NULL) {
            *err = results->why_stopped;
        }
        return results->stopped;
    }
    const uint64_t n_all = results->n_described + results->n_missing;
    const uint64_t n_failed =
        results->n_questions - results->n_failed[SS_DESCRIBE_LLM_ANSWERED];
    if (!is_much(results->n_missing, n_all) && !is_much(n_failed, results->n_questions)) {
        return SS_OK;
    }
    struct ss__buf missing = {0};
    list_missing(results, &missing);
    const char *list = ss__buf_text(&missing);
    const ss_status status = ss__fail(
        err, SS_E_NETWORK,
        "%" PRIu64 " of %" PRIu64 " features have no description by the model%s%s; of %" PRIu64
        " questions: %s. They keep the labels made without it; the same command asks again "
        "where there was no answer",
        results->n_missing, n_all, results->n_missing == 0 ? "" : ": ",
        list == NULL ? "" : list, results->n_questions, llm->failures);
    ss__buf_release(&missing);
    return status;
}
