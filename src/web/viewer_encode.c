/* POST /api/v1/encode: {"texts": ["…"], "top": 64} → of each text its tokens, whether it was cut,
 * how many features fire, and the strongest of them, by falling activation. */
#include "web/viewer_encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "run/run_models.h"

enum { MAX_TEXTS = 16, MAX_TOP = 256, DEFAULT_TOP = 64 };

struct ss_web_models {
    struct ss_run_models run;
    size_t width, max_tokens;
    struct ss_sparse codes;
};

void ss_web_models_free(struct ss_web_models *models)
{
    if (models != NULL) {
        ss_sparse_release(&models->codes);
        ss_run_models_close(&models->run);
    }
    ss__free(models);
}

static ss_status open_models(struct ss_web_api *api, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_progress_callback stop = {0};
    if (api->models != NULL) {
        return SS_OK;
    }
    SS_ALLOC_OR_RETURN(api->models, 1);
    if (api->source.asking != NULL) {
        stop = api->source.asking->stop;
    }
    const ss_status status =
        ss_run_models_open(api->source.folder, 0, stop, &api->models->run, err);
    if (status != SS_OK) {
        ss_web_models_free(api->models);
        api->models = NULL;
        return status;
    }
    ss_encoder_describe(api->models->run.encoder, &info);
    api->models->width = info.width;
    api->models->max_tokens = info.max_tokens;
    return SS_OK;
}

/* ---- what is asked ---- */

struct question {
    struct ss__json *document;
    struct ss_text texts[MAX_TEXTS];
    size_t n_texts, top;
};

static const char *read_texts(const struct ss__json *list, struct question *question)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    if (!ss__json_is_array(list) || ss__json_count(list) == 0 ||
        ss__json_count(list) > MAX_TEXTS) {
        return "texts is not a list of 1 to 16 texts.";
    }
    SS_JSON_EACH (list, i, item) {
        if (!ss__json_is_string(item)) {
            return "texts is not a list of texts.";
        }
        question->texts[question->n_texts++] =
            (struct ss_text){ss__json_string(item), ss__json_string_bytes(item)};
    }
    return NULL;
}

static const char *read_question(struct ss_text body, struct question *question)
{
    const char *key = NULL;
    const struct ss__json *value = NULL;
    question->top = DEFAULT_TOP;
    if (ss__json_parse("request", body.data, body.n_bytes, &question->document, NULL) !=
            SS_OK ||
        !ss__json_is_object(question->document)) {
        return "The body is no JSON object.";
    }
    SS_JSON_EACH_MEMBER (question->document, key, value) {
        if (strcmp(key, "top") == 0) {
            const int64_t top = ss__json_integer(value);
            if (!ss__json_is_integer(value) || top < 1 || top > MAX_TOP) {
                return "top is not a number from 1 to 256.";
            }
            question->top = (size_t)top;
        } else if (strcmp(key, "texts") != 0) {
            return "A member of the object is not known.";
        }
    }
    return read_texts(ss__json_get(question->document, "texts"), question);
}

/* ---- the answer ---- */

struct firing {
    uint32_t feature;
    float value;
};

static int by_activation(const void *left, const void *right)
{
    const struct firing *a = left, *b = right;
    if (a->value != b->value) {
        return a->value > b->value ? -1 : 1;
    }
    return (a->feature > b->feature) - (a->feature < b->feature);
}

static ss_status put_features(const struct ss_sparse *codes, size_t row, size_t top,
                              struct ss__json_writer *writer, ss_err *err)
{
    const size_t first = codes->offsets[row], n = codes->offsets[row + 1] - first;
    struct firing *firing = NULL;
    SS_ALLOC_OR_RETURN(firing, n);
    for (size_t i = 0; i < n; i++) {
        firing[i] = (struct firing){codes->features[first + i], codes->values[first + i]};
    }
    qsort(firing, n, sizeof *firing, by_activation);
    ss__put_count(writer, "n_active", n);
    ss__put_open(writer, "features", '[');
    for (size_t i = 0; i < n && i < top; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "feature", firing[i].feature);
        ss__put_number(writer, "activation", (double)firing[i].value);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    ss__free(firing);
    return SS_OK;
}

static ss_status put_tokens(const struct ss_web_models *models, struct ss_text text,
                            struct ss__json_writer *writer, ss_err *err)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    SS_RETURN_IF_ERROR(
        ss_encoder_tokenize(models->run.encoder, models->run.work, text, &ids, &n_ids, err));
    ss_ids_free(ids);
    ss__put_count(writer, "n_tokens", n_ids);
    ss__put_count(writer, "max_tokens", models->max_tokens);
    ss__put_bool(writer, "may_be_cut", n_ids >= models->max_tokens);
    return SS_OK;
}

static ss_status encode(struct ss_web_models *models, const struct question *question,
                        struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    float *embeddings = NULL;
    const struct ss_run_models *run = &models->run;
    SS_ALLOC_ALIGNED(embeddings, question->n_texts * models->width);
    SS_TRY(ss_encoder_embed(run->encoder, run->work, question->texts, question->n_texts,
                            embeddings, NULL, err));
    SS_TRY(
        ss_sae_encode(run->sae, run->work, embeddings, question->n_texts, &models->codes, err));
    ss__put_open(writer, "texts", '[');
    for (size_t i = 0; i < question->n_texts; i++) {
        ss__put_open(writer, NULL, '{');
        SS_TRY(put_tokens(models, question->texts[i], writer, err));
        SS_TRY(put_features(&models->codes, i, question->top, writer, err));
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
out:
    ss__free(embeddings);
    return status;
}

void ss_web_encode_answer(struct ss_web_api *api, const struct ss_web_request *request,
                          struct ss_text body, struct ss__json_writer *writer,
                          struct ss_web_response *response)
{
    static const char path[] = "/api/v1/encode";
    struct question question = {0};
    ss_err err = {0};
    if (request->path.n_bytes != sizeof path - 1 ||
        memcmp(request->path.data, path, sizeof path - 1) != 0) {
        ss_web_problem(response, 404, "Nothing is asked here by POST.");
        return;
    }
    const char *why = request->query.n_bytes > 0 ? "This takes no parameters."
                                                 : read_question(body, &question);
    if (why != NULL) {
        ss_web_problem(response, 400, why);
    } else if (open_models(api, &err) != SS_OK ||
               encode(api->models, &question, writer, &err) != SS_OK) {
        ss_web_problem(response, 503, err.message);
    }
    ss__json_free(question.document);
}
