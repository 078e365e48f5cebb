/* POST /api/v1/steer: what a text would be near if features of it were weaker or stronger.
 *
 * {"row": N or "text": "…", "changes": [{"feature": 3, "activation": 1.5}, …], "keep_error": false,
 *  "limit": 10}. The activations z of the text become z' by the changes, each at most twice what the
 * run saw of the feature; the SAE's decoder gives y and y' back, and the texts of the run come by
 * the cosine of their embeddings with y, and with y'. With keep_error the part of the embedding x
 * that the SAE does not give back stays: x, and x + y' - y, take their places. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "web/viewer_priv.h"

enum { MAX_CHANGES = 64, DEFAULT_LIMIT = 10, MAX_LIMIT = 100 };
static const double most_factor = 2;

struct change {
    size_t feature;
    float before, after;
};

struct question {
    struct ss__json *document;
    bool has_row, has_text, keep_error;
    size_t row, limit, n_changes;
    struct ss_text text;
    struct change changes[MAX_CHANGES];
};

/* ---- what is asked ---- */

static const char *read_change(const struct ss_web_api *api, const struct ss__json *item,
                               struct question *question)
{
    const struct ss__json *number = ss__json_get(item, "feature");
    const struct ss__json *value = ss__json_get(item, "activation");
    const int64_t feature = ss__json_integer(number);
    const struct ss_run *run = api->source.run;
    if (ss__json_count(item) != 2 || !ss__json_is_integer(number) || feature < 0 ||
        (uint64_t)feature >= run->info.n_features) {
        return "A change is not {\"feature\": ID, \"activation\": NUMBER}.";
    }
    const double most = most_factor * (double)run->features[feature].max_activation;
    const double after = ss__json_real(value);
    if (!ss__json_is_number(value) || !(after >= 0 && after <= most)) {
        return "An activation is not from 0 to twice the largest of its feature.";
    }
    for (size_t i = 0; i < question->n_changes; i++) {
        if (question->changes[i].feature == (size_t)feature) {
            return "A feature is changed twice.";
        }
    }
    question->changes[question->n_changes++] =
        (struct change){.feature = (size_t)feature, .after = (float)after};
    return NULL;
}

static const char *read_question(const struct ss_web_call *call, struct question *question)
{
    const struct ss__json *changes = NULL, *item = NULL;
    size_t i = 0;
    *question = (struct question){.limit = DEFAULT_LIMIT};
    const struct ss_web_member members[] = {
        {.key = "row",
         .wrong = "row is not a number.",
         .count = &question->row,
         .most = SIZE_MAX,
         .is_there = &question->has_row},
        {.key = "text",
         .wrong = "text is not a text.",
         .text = &question->text,
         .is_there = &question->has_text},
        {.key = "changes",
         .wrong = "changes is not a list of up to 64.",
         .list = &changes,
         .most = MAX_CHANGES},
        {.key = "keep_error",
         .wrong = "keep_error is not true or false.",
         .flag = &question->keep_error},
        {.key = "limit",
         .wrong = "limit is not a number from 1 to 100.",
         .count = &question->limit,
         .least = 1,
         .most = MAX_LIMIT},
    };
    const char *why = ss_web_read_body(call->body, members, sizeof members / sizeof members[0],
                                       &question->document);
    if (why == NULL && question->has_row == question->has_text) {
        why = "Either a row or a text is steered.";
    }
    SS_JSON_EACH (changes, i, item) {
        why = why == NULL ? read_change(call->api, item, question) : why;
    }
    return why;
}

/* ---- codes ---- */

/* A row of codes as a struct of its own, with space for the changes. */
static ss_status copy_codes(const struct ss_sparse *from, size_t row, struct ss_sparse *to,
                            ss_err *err)
{
    const size_t first = from->offsets[row], n = from->offsets[row + 1] - first;
    SS_ALLOC_OR_RETURN(to->offsets, 2);
    SS_ALLOC_OR_RETURN(to->features, n + MAX_CHANGES);
    SS_ALLOC_OR_RETURN(to->values, n + MAX_CHANGES);
    memcpy(to->features, from->features + first, n * sizeof *to->features);
    memcpy(to->values, from->values + first, n * sizeof *to->values);
    to->n_rows = 1;
    to->offsets[1] = n;
    return SS_OK;
}

static void apply(struct change *change, struct ss_sparse *codes)
{
    size_t i = 0;
    while (i < codes->offsets[1] && codes->features[i] != change->feature) {
        i++;
    }
    if (i == codes->offsets[1]) { /* its order does not matter: sums are of single numbers */
        codes->features[codes->offsets[1]++] = (uint32_t)change->feature;
        codes->values[i] = 0;
    }
    change->before = codes->values[i];
    codes->values[i] = change->after;
}

/* ---- the answer ---- */

/* The embedding of a text, what the SAE gives back of it, and of it steered, [width] each. */
struct vectors {
    size_t width;
    float *x, *y, *steered;
    struct ss_sparse codes, changed;
};

static void release_vectors(struct vectors *vectors)
{
    ss__free(vectors->x);
    ss__free(vectors->y);
    ss__free(vectors->steered);
    ss_sparse_release(&vectors->codes);
    ss_sparse_release(&vectors->changed);
}

/* The embedding and its codes: of the row, or of the text. */
static ss_status find_vectors(struct ss_web_api *api, const struct question *question,
                              size_t text, struct vectors *vectors, ss_err *err)
{
    const struct ss_folder_evidence *evidence = &api->source.evidence;
    vectors->width = evidence->width;
    SS_ALLOC_ALIGNED_OR_RETURN(vectors->x, vectors->width);
    SS_ALLOC_ALIGNED_OR_RETURN(vectors->y, vectors->width);
    SS_ALLOC_ALIGNED_OR_RETURN(vectors->steered, vectors->width);
    if (question->has_row) {
        memcpy(vectors->x, evidence->embeddings + text * vectors->width,
               vectors->width * sizeof *vectors->x);
        SS_RETURN_IF_ERROR(ss_web_need_sae(api, err));
        SS_RETURN_IF_ERROR(copy_codes(&evidence->codes, text, &vectors->codes, err));
        return copy_codes(&evidence->codes, text, &vectors->changed, err);
    }
    SS_RETURN_IF_ERROR(ss_web_need_encoder(api, err));
    SS_RETURN_IF_ERROR(ss_web_encode_texts(api, &question->text, 1, vectors->x, err));
    SS_RETURN_IF_ERROR(copy_codes(&api->codes, 0, &vectors->codes, err));
    return copy_codes(&api->codes, 0, &vectors->changed, err);
}

static ss_status steer(const struct ss_web_api *api, struct question *question,
                       struct vectors *vectors, ss_err *err)
{
    for (size_t i = 0; i < question->n_changes; i++) {
        apply(&question->changes[i], &vectors->changed);
    }
    SS_RETURN_IF_ERROR(ss_web_decode(api, vectors->x, &vectors->codes, vectors->y, err));
    SS_RETURN_IF_ERROR(
        ss_web_decode(api, vectors->x, &vectors->changed, vectors->steered, err));
    return SS_OK;
}

static void put_error(struct ss__json_writer *writer, const struct vectors *vectors)
{
    double square = 0, difference = 0;
    for (size_t i = 0; i < vectors->width; i++) {
        const double x = (double)vectors->x[i], e = x - (double)vectors->y[i];
        square += x * x;
        difference += e * e;
    }
    ss__put_open(writer, "reconstruction", '{');
    ss__put_number(writer, "cosine", ss_web_cosine(vectors->x, vectors->y, vectors->width));
    ss_web_put_finite(writer, "error", square > 0 ? difference / square : NAN);
    ss__put_close(writer, '}');
}

/* With keep_error, what the SAE does not give back is there before and after. */
static void keep_error(struct vectors *vectors)
{
    for (size_t i = 0; i < vectors->width; i++) {
        const double change = (double)vectors->steered[i] - (double)vectors->y[i];
        vectors->steered[i] = (float)((double)vectors->x[i] + change);
        vectors->y[i] = vectors->x[i];
    }
}

static void put_changes(struct ss__json_writer *writer, const struct question *question)
{
    ss__put_open(writer, "changes", '[');
    for (size_t i = 0; i < question->n_changes; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "feature", question->changes[i].feature);
        ss_web_put_float(writer, "before", question->changes[i].before);
        ss_web_put_float(writer, "after", question->changes[i].after);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

/* Cosines of all texts of the run before and after. */
struct scores {
    const struct ss_folder_evidence *evidence;
    double *values[2];
    uint32_t *texts;
};

static void put_list(struct ss__json_writer *writer, const struct scores *scores, int after,
                     size_t limit)
{
    const double *own = scores->values[after], *other = scores->values[!after];
    const size_t n = ss_run_cosines_largest(scores->evidence, own, limit, scores->texts);
    ss__put_open(writer, after ? "after" : "before", '[');
    for (size_t i = 0; i < n; i++) {
        const uint32_t text = scores->texts[i];
        const size_t rank = ss_run_cosines_rank(scores->evidence, other, text) + 1;
        ss__put_open(writer, NULL, '{');
        ss_web_put_where(writer, scores->evidence, text);
        ss__put_number(writer, "cosine", own[text]);
        ss__put_number(writer, after ? "cosine_before" : "cosine_after", other[text]);
        ss__put_count(writer, after ? "rank_before" : "rank_after", rank);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static ss_status put_lists(struct ss_web_api *api, const struct vectors *vectors, size_t limit,
                           struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    struct scores scores = {.evidence = &api->source.evidence};
    SS_TRY(ss_web_need_cosines(api, err));
    SS_ALLOC(scores.values[0], scores.evidence->n_texts);
    SS_ALLOC(scores.values[1], scores.evidence->n_texts);
    SS_ALLOC(scores.texts, limit);
    ss_run_cosines_with(&api->cosines, vectors->y, scores.values[0]);
    ss_run_cosines_with(&api->cosines, vectors->steered, scores.values[1]);
    ss__put_count(writer, "n_texts", scores.evidence->n_texts);
    put_list(writer, &scores, 0, limit);
    put_list(writer, &scores, 1, limit);
out:
    ss__free(scores.values[0]);
    ss__free(scores.values[1]);
    ss__free(scores.texts);
    return status;
}

static ss_status put_steered(struct ss_web_call *call, struct question *question, size_t text,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct vectors vectors = {0};
    struct ss__json_writer *writer = &call->writer;
    SS_TRY(find_vectors(call->api, question, text, &vectors, err));
    SS_TRY(steer(call->api, question, &vectors, err));
    SS_TRY(ss_web_put_active(writer, &vectors.codes, 0, SIZE_MAX, err));
    put_error(writer, &vectors);
    if (question->keep_error) {
        keep_error(&vectors);
    }
    put_changes(writer, question);
    ss__put_number(writer, "moved_cosine",
                   ss_web_cosine(vectors.y, vectors.steered, vectors.width));
    SS_TRY(put_lists(call->api, &vectors, question->limit, writer, err));
out:
    release_vectors(&vectors);
    return status;
}

void ss_web_answer_steer(struct ss_web_call *call)
{
    const struct ss_folder_evidence *evidence = &call->api->source.evidence;
    struct question question;
    ss_err err = {0};
    const char *why = read_question(call, &question);
    if (why != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (ss_web_need_texts(call->api, &err) != SS_OK) {
        ss_web_refuse(call, 404, err.message);
    } else {
        const size_t text = question.has_row ? ss_web_find_row(evidence, question.row) : 0;
        if (text == evidence->n_texts) {
            ss_web_refuse(call, 404, "The run did not keep this row.");
        } else if (put_steered(call, &question, text, &err) != SS_OK) {
            ss_web_refuse_error(call, &err);
        }
    }
    ss__json_free(question.document);
}
