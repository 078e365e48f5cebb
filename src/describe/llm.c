/* The questions of a run, in two rounds: descriptions of all features, then numbers for texts of
 * the other half that score them. What comes out of an answer goes to a place of its own, so
 * that the order of answers does not matter. */
#include "describe/llm.h"

#include <math.h>
#include <string.h>

#include "describe/feature_sets.h"
#include "describe/llm_priv.h"

enum { UNANSWERED = UINT8_MAX };

/* A description that was asked for. */
struct candidate {
    ss_describe_llm_failure failure;
    const char *why; /* in the arena */
    char key[SS_DESCRIBE_LLM_KEY_BYTES];
    struct ss_text label, description;
    const char *kind;
};

struct rounds {
    const struct ss_describe_llm_input *input;
    const struct ss_describe_llm_options *options;
    struct ss_describe_llm_results *results;
    struct ss_describe_llm_client *client;
    struct ss_describe_llm_question *questions; /* of the round */
    size_t n_questions, questions_room;
    struct candidate *candidates; /* [n_features, n_candidates] */
    uint8_t *numbers;             /* [n_features, purposes, MAX_SCORED] */
    float *shares;                /* [n_features, MAX_SCORED] of detection; NaN: not said */
};

static struct candidate *candidate_of(const struct rounds *rounds, size_t feature, size_t index)
{
    return &rounds->candidates[feature * rounds->options->n_candidates + index];
}

static uint8_t *numbers_of(const struct rounds *rounds, size_t feature,
                           ss_describe_llm_purpose purpose)
{
    return rounds->numbers + (feature * SS_DESCRIBE_LLM_N_PURPOSES + (size_t)purpose) *
                                 SS_DESCRIBE_LLM_MAX_SCORED;
}

static struct ss_describe_llm_question question_at(const void *user, size_t i)
{
    const struct rounds *rounds = user;
    return rounds->questions[i];
}

static ss_status add_question(struct rounds *rounds, size_t feature,
                              ss_describe_llm_purpose purpose, size_t index, ss_err *err)
{
    SS_GROW_OR_RETURN(rounds->questions, rounds->questions_room, rounds->n_questions + 1);
    rounds->questions[rounds->n_questions++] =
        (struct ss_describe_llm_question){feature, purpose, index};
    return SS_OK;
}

/* ---- asking ---- */

/* Texts that a purpose has of a feature. */
static size_t n_all_texts(const struct rounds *rounds, size_t feature,
                          ss_describe_llm_purpose purpose)
{
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    if (purpose != SS_DESCRIBE_LLM_FUZZING) {
        return plan->n_scored[feature];
    }
    return plan->n_marked == NULL ? 0 : plan->n_marked[feature];
}

static size_t n_texts_of(const struct rounds *rounds,
                         const struct ss_describe_llm_question *question)
{
    return ss__min_size(SS_DESCRIBE_LLM_TEXTS,
                        n_all_texts(rounds, question->feature, question->purpose) -
                            question->index * SS_DESCRIBE_LLM_TEXTS);
}

/* Texts of one question of a label's score. */
static struct ss_describe_llm_texts
scored_texts(const struct rounds *rounds, const struct ss_describe_llm_question *question)
{
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    const size_t begin = question->index * SS_DESCRIBE_LLM_TEXTS;
    return (struct ss_describe_llm_texts){
        .texts = rounds->input->evidence->texts,
        .shown = plan->scored + question->feature * SS_DESCRIBE_LLM_MAX_SCORED + begin,
        .n = n_texts_of(rounds, question)};
}

/* Stands for a label that is not known yet, as long as it may be. */
static struct ss_text placeholder(size_t n_bytes)
{
    static const char words[] =
        "property property property property property property property property property "
        "property property property property property property property property property "
        "property property property property property property property property property "
        "property property property property property property property property property";
    return (struct ss_text){words, ss__min_size(n_bytes, sizeof words - 1)};
}

static ss_status ask(const void *user, size_t i, size_t n_halved,
                     struct ss_describe_llm_prompt *out, ss_err *err)
{
    const struct rounds *rounds = user;
    const struct ss_describe_llm_question *question = &rounds->questions[i];
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    const size_t feature = question->feature;
    (void)err; /* memory that runs out shows in the prompt */
    if (question->purpose == SS_DESCRIBE_LLM_DESCRIBE) {
        const struct ss_describe_llm_texts texts = {
            rounds->input->evidence->texts, plan->shown + feature * SS_DESCRIBE_LLM_MAX_SHOWN,
            plan->n_shown[feature]};
        const struct ss_text none = {"", 0};
        out->candidate = question->index;
        ss_describe_llm_ask_label(
            &texts, (size_t)1 << n_halved,
            rounds->options->with_hints ? rounds->input->labels[feature] : none, out);
        return SS_OK;
    }
    const struct ss_describe_llm_result *result = &rounds->results->features[feature];
    const bool is_known = result->failure == SS_DESCRIBE_LLM_ANSWERED;
    const struct ss_text label =
        is_known ? result->label : placeholder(SS_DESCRIBE_LLM_LABEL_CHARACTERS);
    const struct ss_text description =
        is_known ? result->description : placeholder(SS_DESCRIBE_LLM_DESCRIPTION_CHARACTERS);
    if (question->purpose == SS_DESCRIBE_LLM_FUZZING) {
        ss_describe_llm_ask_marked(rounds->input->evidence->texts,
                                   plan->marked + feature * SS_DESCRIBE_LLM_MAX_MARKED +
                                       question->index * SS_DESCRIBE_LLM_TEXTS,
                                   n_texts_of(rounds, question), label, description, out);
        return SS_OK;
    }
    const struct ss_describe_llm_texts texts = scored_texts(rounds, question);
    ss_describe_llm_ask_numbers(&texts, question->purpose, label, description, out);
    return SS_OK;
}

/* ---- taking ---- */

static ss_status copy_text(struct rounds *rounds, const struct ss__buf *from,
                           struct ss_text *out, ss_err *err)
{
    out->data = ss__arena_strndup(&rounds->results->arena, from->data, from->n_bytes);
    out->n_bytes = from->n_bytes;
    return out->data == NULL ? ss__fail_nomem(err, "descriptions") : SS_OK;
}

static ss_status take_words(struct rounds *rounds, struct candidate *candidate,
                            struct ss_text content, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_describe_llm_words words = {0};
    bool is_good = false;
    SS_TRY(ss_describe_llm_read_words(content, &words, &is_good, err));
    if (!is_good) {
        candidate->failure = SS_DESCRIBE_LLM_UNREADABLE;
        goto out;
    }
    candidate->kind = words.kind;
    SS_TRY(copy_text(rounds, &words.label, &candidate->label, err));
    SS_TRY(copy_text(rounds, &words.description, &candidate->description, err));
out:
    ss_describe_llm_words_release(&words);
    return status;
}

static ss_status take_description(struct rounds *rounds,
                                  const struct ss_describe_llm_question *question,
                                  const struct ss_describe_llm_outcome *outcome, ss_err *err)
{
    struct candidate *candidate = candidate_of(rounds, question->feature, question->index);
    candidate->failure = outcome->failure;
    memcpy(candidate->key, outcome->key, sizeof candidate->key);
    if (outcome->why[0] != '\0') {
        candidate->why =
            ss__arena_strndup(&rounds->results->arena, outcome->why, strlen(outcome->why));
        if (candidate->why == NULL) {
            return ss__fail_nomem(err, "an error message");
        }
    }
    return outcome->failure == SS_DESCRIBE_LLM_ANSWERED
               ? take_words(rounds, candidate, outcome->content, err)
               : SS_OK;
}

static ss_status take_numbers(struct rounds *rounds,
                              const struct ss_describe_llm_question *question,
                              const struct ss_describe_llm_outcome *outcome, ss_err *err)
{
    uint8_t numbers[SS_DESCRIBE_LLM_TEXTS];
    const size_t n = n_texts_of(rounds, question);
    bool is_good = false;
    if (outcome->failure == SS_DESCRIBE_LLM_ANSWERED) {
        SS_RETURN_IF_ERROR(ss_describe_llm_read_numbers(outcome->content, n,
                                                        ss_describe_llm_most(question->purpose),
                                                        numbers, &is_good, err));
    }
    if (is_good) {
        memcpy(numbers_of(rounds, question->feature, question->purpose) +
                   question->index * SS_DESCRIBE_LLM_TEXTS,
               numbers, n);
    }
    if (is_good && question->purpose == SS_DESCRIBE_LLM_DETECTION) {
        memcpy(rounds->shares + question->feature * SS_DESCRIBE_LLM_MAX_SCORED +
                   question->index * SS_DESCRIBE_LLM_TEXTS,
               outcome->shares, ss__min_size(n, outcome->n_shares) * sizeof *outcome->shares);
    }
    return SS_OK;
}

static ss_status take(void *user, size_t i, const struct ss_describe_llm_outcome *outcome,
                      ss_err *err)
{
    struct rounds *rounds = user;
    const struct ss_describe_llm_question *question = &rounds->questions[i];
    rounds->results->n_questions++;
    rounds->results->n_failed[outcome->failure]++;
    return question->purpose == SS_DESCRIBE_LLM_DESCRIBE
               ? take_description(rounds, question, outcome, err)
               : take_numbers(rounds, question, outcome, err);
}

static ss_status ask_round(struct rounds *rounds, ss_err *err)
{
    const struct ss_describe_llm_questions questions = {
        .n = rounds->n_questions, .at = question_at, .ask = ask, .take = take, .user = rounds};
    return rounds->n_questions == 0 ? SS_OK
                                    : ss_describe_llm_ask_all(rounds->client, &questions, err);
}

/* ---- descriptions ---- */

static size_t n_scoring_questions(const struct rounds *rounds, size_t feature,
                                  ss_describe_llm_purpose purpose)
{
    return rounds->options->asks[purpose]
               ? ss__divide_up(n_all_texts(rounds, feature, purpose), SS_DESCRIBE_LLM_TEXTS)
               : 0;
}

static ss_status ask_descriptions(struct rounds *rounds, ss_err *err)
{
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    size_t n_later = 0;
    for (size_t f = 0; f < plan->n_features; f++) {
        for (size_t c = 0; plan->n_shown[f] > 0 && c < rounds->options->n_candidates; c++) {
            SS_RETURN_IF_ERROR(add_question(rounds, f, SS_DESCRIBE_LLM_DESCRIBE, c, err));
        }
        for (int p = SS_DESCRIBE_LLM_DETECTION; p < SS_DESCRIBE_LLM_N_PURPOSES; p++) {
            n_later += n_scoring_questions(rounds, f, (ss_describe_llm_purpose)p);
        }
    }
    ss_describe_llm_client_expect(rounds->client, rounds->n_questions + n_later);
    return ask_round(rounds, err);
}

static void take_candidate(struct rounds *rounds, size_t feature, size_t index)
{
    const struct candidate *candidate = candidate_of(rounds, feature, index);
    struct ss_describe_llm_result *result = &rounds->results->features[feature];
    *result =
        (struct ss_describe_llm_result){.failure = candidate->failure,
                                        .why = candidate->why == NULL ? "" : candidate->why,
                                        .label = candidate->label,
                                        .description = candidate->description,
                                        .kind = candidate->kind};
    memcpy(result->key, candidate->key, sizeof result->key);
}

/* Areas of one candidate of every feature on the half that describes. */
static ss_status score_candidates(struct rounds *rounds, size_t index, struct ss_text *labels,
                                  struct ss_describe_score *scores, ss_err *err)
{
    const struct ss_describe_llm_input *input = rounds->input;
    const struct ss_describe_score_options options = {.embedder = input->embedder,
                                                      .is_plain = input->is_plain};
    for (size_t f = 0; f < input->plan->n_features; f++) {
        const struct candidate *candidate = candidate_of(rounds, f, index);
        labels[f] = candidate->failure == SS_DESCRIBE_LLM_ANSWERED ? candidate->label
                                                                   : (struct ss_text){"", 0};
    }
    return ss_describe_score(input->view, labels, &options, scores, err);
}

/* Of several, the one whose label tells the describing texts apart best; of equal ones the
 * first. */
static ss_status choose_candidates(struct rounds *rounds, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = rounds->input->plan->n_features;
    struct ss_text *labels = NULL;
    struct ss_describe_score *scores = NULL;
    double *best = NULL;
    SS_ALLOC(labels, n);
    SS_ALLOC(scores, n);
    SS_ALLOC(best, n);
    if (ss_describe_llm_client_is_stopped(rounds->client)) {
        /* what was answered is used: it is not to be stopped for the same reason */
        ss__pool_set_stop(rounds->input->view->pool, (struct ss_progress_callback){0});
    }
    for (size_t c = 0; c < rounds->options->n_candidates; c++) {
        SS_TRY(score_candidates(rounds, c, labels, scores, err));
        for (size_t f = 0; f < n; f++) {
            const bool is_answered =
                candidate_of(rounds, f, c)->failure == SS_DESCRIBE_LLM_ANSWERED;
            const double area = isnan(scores[f].describe_auc) ? 0 : scores[f].describe_auc;
            const bool is_first =
                rounds->results->features[f].failure != SS_DESCRIBE_LLM_ANSWERED;
            if (is_answered && (is_first || area > best[f])) {
                best[f] = area;
                take_candidate(rounds, f, c);
            }
        }
    }
out:
    ss__free(labels);
    ss__free(scores);
    ss__free(best);
    return status;
}

static ss_status take_descriptions(struct rounds *rounds, ss_err *err)
{
    struct ss_describe_llm_results *results = rounds->results;
    for (size_t f = 0; f < results->n_features; f++) {
        take_candidate(rounds, f, 0);
        results->features[f].failure = rounds->input->plan->n_shown[f] == 0
                                           ? SS_DESCRIBE_LLM_NO_TEXTS
                                           : results->features[f].failure;
    }
    if (rounds->options->n_candidates > 1) {
        SS_RETURN_IF_ERROR(choose_candidates(rounds, err));
    }
    for (size_t f = 0; f < results->n_features; f++) {
        const ss_describe_llm_failure failure = results->features[f].failure;
        results->n_described += failure == SS_DESCRIBE_LLM_ANSWERED;
        results->n_missing +=
            failure != SS_DESCRIBE_LLM_ANSWERED && failure != SS_DESCRIBE_LLM_NO_TEXTS;
    }
    return SS_OK;
}

/* ---- scores ---- */

static ss_status ask_numbers(struct rounds *rounds, ss_err *err)
{
    rounds->n_questions = 0;
    for (size_t f = 0; f < rounds->results->n_features; f++) {
        const ss_describe_llm_failure failure = rounds->results->features[f].failure;
        const bool is_asked = failure == SS_DESCRIBE_LLM_ANSWERED ||
                              (rounds->options->is_dry && failure != SS_DESCRIBE_LLM_NO_TEXTS);
        for (int p = SS_DESCRIBE_LLM_DETECTION; is_asked && p < SS_DESCRIBE_LLM_N_PURPOSES;
             p++) {
            const size_t n = n_scoring_questions(rounds, f, (ss_describe_llm_purpose)p);
            for (size_t i = 0; i < n; i++) {
                SS_RETURN_IF_ERROR(add_question(rounds, f, (ss_describe_llm_purpose)p, i, err));
            }
        }
    }
    return ask_round(rounds, err);
}

/* Areas of the probabilities that the server said. */
static void score_shares(const struct rounds *rounds, size_t feature,
                         struct ss_describe_llm_detection *out)
{
    const size_t begin = feature * SS_DESCRIBE_LLM_MAX_SCORED;
    const struct ss_describe_llm_shown *scored = rounds->input->plan->scored + begin;
    for (size_t kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        float positives[SS_DESCRIBE_LLM_MAX_SCORED], negatives[SS_DESCRIBE_LLM_MAX_SCORED];
        size_t n_positives = 0, n_negatives = 0;
        for (size_t i = 0; i < rounds->input->plan->n_scored[feature]; i++) {
            const float share = rounds->shares[begin + i];
            if (isnan(share)) {
                continue;
            }
            if (scored[i].strength > 0) {
                positives[n_positives++] = share;
            } else if (scored[i].kind == kind) {
                negatives[n_negatives++] = share;
            }
        }
        if (n_positives > 1 && n_negatives > 1) {
            out->auc[kind] = ss_describe_auc_of(positives, n_positives, negatives, n_negatives);
        }
    }
}

static void score_detection(struct rounds *rounds, size_t feature)
{
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    const struct ss_describe_llm_shown *scored =
        plan->scored + feature * SS_DESCRIBE_LLM_MAX_SCORED;
    const uint8_t *numbers = numbers_of(rounds, feature, SS_DESCRIBE_LLM_DETECTION);
    struct ss_describe_llm_result *result = &rounds->results->features[feature];
    struct ss_describe_llm_detection *out = &result->detection;
    size_t n[1 + SS_DESCRIBE_N_NEGATIVES] = {0};
    size_t k[1 + SS_DESCRIBE_N_NEGATIVES] = {0};
    for (size_t i = 0; i < plan->n_scored[feature]; i++) {
        const size_t kind = scored[i].strength > 0 ? 0 : 1 + scored[i].kind;
        out->n_unanswered += numbers[i] == UNANSWERED;
        n[kind] += numbers[i] != UNANSWERED;
        k[kind] += numbers[i] == 1;
    }
    out->tpr = ss_describe_share_of(k[0], n[0]);
    for (size_t kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        out->fpr[kind] = ss_describe_share_of(k[1 + kind], n[1 + kind]);
    }
    const double tpr = out->tpr.value;
    const double fpr = out->fpr[SS_DESCRIBE_RANDOM].value;
    const double rate = rounds->input->evidence->rates[feature];
    const double found = tpr * rate + fpr * (1 - rate);
    out->balanced_accuracy = (tpr + 1 - fpr) / 2;
    out->f1 = 2 * tpr / (1 + tpr + fpr);
    out->precision = found > 0 ? tpr * rate / found : NAN;
    result->has_detection = true;
    score_shares(rounds, feature, out);
}

static void score_fuzzing(struct rounds *rounds, size_t feature)
{
    const struct ss_describe_llm_marked *marked =
        rounds->input->plan->marked + feature * SS_DESCRIBE_LLM_MAX_MARKED;
    const uint8_t *numbers = numbers_of(rounds, feature, SS_DESCRIBE_LLM_FUZZING);
    struct ss_describe_llm_result *result = &rounds->results->features[feature];
    struct ss_describe_llm_fuzzing *out = &result->fuzzing;
    size_t n[2] = {0}, k[2] = {0};
    for (size_t i = 0; i < rounds->input->plan->n_marked[feature]; i++) {
        out->n_unanswered += numbers[i] == UNANSWERED;
        n[marked[i].is_strong] += numbers[i] != UNANSWERED;
        k[marked[i].is_strong] += numbers[i] == 1;
    }
    out->strong = ss_describe_share_of(k[1], n[1]);
    out->weak = ss_describe_share_of(k[0], n[0]);
    out->balanced_accuracy =
        n[0] > 0 && n[1] > 0 ? (out->strong.value + 1 - out->weak.value) / 2 : NAN;
    result->has_fuzzing = true;
}

static double pearson(const float *x, const float *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        mx += (double)x[i] / (double)n;
        my += (double)y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double dx = (double)x[i] - mx;
        const double dy = (double)y[i] - my;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static ss_status score_simulation(struct rounds *rounds, size_t feature, ss_err *err)
{
    const struct ss_describe_llm_plan *plan = rounds->input->plan;
    const float *activations = plan->activations + feature * SS_DESCRIBE_LLM_MAX_SCORED;
    const uint8_t *numbers = numbers_of(rounds, feature, SS_DESCRIBE_LLM_SIMULATION);
    struct ss_describe_llm_result *result = &rounds->results->features[feature];
    struct ss_describe_llm_simulation *out = &result->simulation;
    float x[SS_DESCRIBE_LLM_MAX_SCORED], y[SS_DESCRIBE_LLM_MAX_SCORED];
    for (size_t i = 0; i < plan->n_scored[feature]; i++) {
        out->n_unanswered += numbers[i] == UNANSWERED;
        if (numbers[i] != UNANSWERED) {
            x[out->n] = numbers[i];
            y[out->n++] = activations[i];
        }
    }
    result->has_simulation = true;
    out->pearson = pearson(x, y, out->n);
    out->spearman = NAN;
    return out->n < 2 ? SS_OK : ss_describe_spearman(x, y, out->n, &out->spearman, err);
}

static ss_status score_answers(struct rounds *rounds, ss_err *err)
{
    for (size_t f = 0; f < rounds->results->n_features; f++) {
        const bool is_scored =
            rounds->results->features[f].failure == SS_DESCRIBE_LLM_ANSWERED &&
            rounds->input->plan->n_scored[f] > 0;
        if (is_scored && rounds->options->asks[SS_DESCRIBE_LLM_DETECTION]) {
            score_detection(rounds, f);
        }
        if (is_scored && rounds->options->asks[SS_DESCRIBE_LLM_SIMULATION]) {
            SS_RETURN_IF_ERROR(score_simulation(rounds, f, err));
        }
        if (is_scored && rounds->options->asks[SS_DESCRIBE_LLM_FUZZING] &&
            n_all_texts(rounds, f, SS_DESCRIBE_LLM_FUZZING) > 0) {
            score_fuzzing(rounds, f);
        }
    }
    return SS_OK;
}

/* ---- all ---- */

static ss_status init_rounds(struct rounds *rounds, ss_err *err)
{
    struct ss_describe_llm_results *results = rounds->results;
    const size_t n = rounds->input->plan->n_features;
    const size_t n_numbers = SS_DESCRIBE_LLM_N_PURPOSES * SS_DESCRIBE_LLM_MAX_SCORED;
    results->n_features = n;
    SS_ALLOC_OR_RETURN(results->features, n);
    SS_ALLOC_OR_RETURN(rounds->candidates, n * rounds->options->n_candidates);
    SS_ALLOC_OR_RETURN(rounds->numbers, n * n_numbers);
    memset(rounds->numbers, UNANSWERED, n * n_numbers);
    SS_ALLOC_OR_RETURN(rounds->shares, n * SS_DESCRIBE_LLM_MAX_SCORED);
    for (size_t i = 0; i < n * SS_DESCRIBE_LLM_MAX_SCORED; i++) {
        rounds->shares[i] = NAN;
    }
    for (size_t i = 0; i < n * rounds->options->n_candidates; i++) {
        rounds->candidates[i].failure = SS_DESCRIBE_LLM_NOT_ASKED;
        rounds->candidates[i].label.data = rounds->candidates[i].description.data = "";
    }
    return ss_describe_llm_client_new(rounds->options, &rounds->client, err);
}

/* The first prompt as it would be sent. */
static ss_status show_prompt(struct rounds *rounds, ss_err *err)
{
    struct ss_describe_llm_prompt prompt = {0};
    struct ss__buf *out = &rounds->results->prompt; /* terminated */
    for (size_t i = 0; i < rounds->n_questions && out->n_bytes == 0; i++) {
        SS_RETURN_IF_ERROR(ask(rounds, i, 0, &prompt, err));
        ss__buf_add(out, prompt.system.data, prompt.system.n_bytes);
        ss__buf_add_text(out, "\n\n");
        ss__buf_add(out, prompt.user.data, prompt.user.n_bytes);
        ss_describe_llm_prompt_release(&prompt);
    }
    return ss__buf_text(out) == NULL ? ss__fail_nomem(err, "a prompt") : SS_OK;
}

ss_status ss_describe_llm(const struct ss_describe_llm_input *input,
                          const struct ss_describe_llm_options *options,
                          struct ss_describe_llm_results *results, ss_err *err)
{
    ss_status status = SS_OK;
    struct rounds rounds = {.input = input, .options = options, .results = results};
    *results = (struct ss_describe_llm_results){0};
    SS_TRY(init_rounds(&rounds, err));
    SS_TRY(ask_descriptions(&rounds, err));
    if (options->is_dry) {
        SS_TRY(show_prompt(&rounds, err));
    }
    SS_TRY(take_descriptions(&rounds, err));
    SS_TRY(ask_numbers(&rounds, err));
    SS_TRY(score_answers(&rounds, err));
    ss_describe_llm_client_sum(rounds.client, results);
out:
    ss_describe_llm_client_free(rounds.client);
    ss__free(rounds.questions);
    ss__free(rounds.candidates);
    ss__free(rounds.numbers);
    ss__free(rounds.shares);
    if (status != SS_OK) {
        ss_describe_llm_results_release(results);
    }
    return status;
}

void ss_describe_llm_results_release(struct ss_describe_llm_results *results)
{
    ss__free(results->features);
    ss__arena_release(&results->arena);
    ss__buf_release(&results->prompt);
    *results = (struct ss_describe_llm_results){0};
}
