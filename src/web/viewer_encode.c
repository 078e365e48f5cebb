/* POST /api/v1/encode {"texts": [1 to 16], "top": 1 to 256, "near": 0 to 20}: of each text its
 * tokens, what the encoder read of it, how well the SAE gives it back, its strongest features and
 * the texts of the run that are nearest. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "web/viewer_priv.h"

enum { MAX_TEXTS = 16, MAX_TOP = 256, DEFAULT_TOP = 64, MAX_NEAR = 20 };

struct question {
    struct ss__json *document;
    struct ss_text texts[MAX_TEXTS];
    size_t n_texts, top, near;
};

static const char *read_question(struct ss_text body, struct question *question)
{
    const struct ss__json *list = NULL, *item = NULL;
    size_t i = 0;
    *question = (struct question){.top = DEFAULT_TOP};
    const struct ss_web_member members[] = {
        {.key = "texts",
         .wrong = "texts is not a list of 1 to 16 texts.",
         .list = &list,
         .least = 1,
         .most = MAX_TEXTS},
        {.key = "top",
         .wrong = "top is not a number from 1 to 256.",
         .count = &question->top,
         .least = 1,
         .most = MAX_TOP},
        {.key = "near",
         .wrong = "near is not a number up to 20.",
         .count = &question->near,
         .most = MAX_NEAR},
    };
    const char *why = ss_web_read_body(body, members, sizeof members / sizeof members[0],
                                       &question->document);
    if (why != NULL || list == NULL) {
        return why == NULL ? members[0].wrong : why;
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

/* ---- what was read ---- */

struct reading {
    const struct ss_web_api *api;
    struct ss_text text;
    int32_t *ids; /* of all of it */
    size_t n_ids;
};

/* Whether a part has the same tokens as the whole. */
static ss_status has_same_tokens(const struct reading *reading, struct ss_text part, bool *same,
                                 ss_err *err)
{
    const struct ss_run_models *models = &reading->api->models;
    int32_t *ids = NULL;
    size_t n_ids = 0;
    SS_RETURN_IF_ERROR(
        ss_encoder_tokenize(models->encoder, models->work, part, &ids, &n_ids, err));
    *same = n_ids == reading->n_ids && memcmp(ids, reading->ids, n_ids * sizeof *ids) == 0;
    ss_ids_free(ids);
    return SS_OK;
}

/* The first n bytes of the text, or the last, made longer to whole code points. */
static struct ss_text part_of(struct ss_text text, size_t n, bool is_end)
{
    size_t at = is_end ? text.n_bytes - n : n;
    while (at > 0 && at < text.n_bytes && ((unsigned char)text.data[at] & 0xC0U) == 0x80) {
        at = is_end ? at - 1 : at + 1;
    }
    return is_end ? (struct ss_text){text.data + at, text.n_bytes - at}
                  : (struct ss_text){text.data, at};
}

/* The shortest beginning, or end, that has all tokens which were read. What is longer has them,
 * too, so that halving finds it. */
static ss_status find_read(const struct reading *reading, bool is_end, struct ss_text *part,
                           ss_err *err)
{
    size_t low = 0,
           high = reading->text.n_bytes; /* so many bytes have them not, and have them */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        bool same = false;
        SS_RETURN_IF_ERROR(
            has_same_tokens(reading, part_of(reading->text, middle, is_end), &same, err));
        *(same ? &high : &low) = middle;
    }
    *part = part_of(reading->text, high, is_end);
    return SS_OK;
}

/* Whether what a part leaves out is more than space. */
static bool leaves_text(struct ss_text text, struct ss_text part)
{
    const size_t n_before = (size_t)(part.data - text.data);
    const size_t n_behind = text.n_bytes - n_before - part.n_bytes;
    return !ss__utf8_is_blank(text.data, n_before) ||
           !ss__utf8_is_blank(part.data + part.n_bytes, n_behind);
}

static size_t count_code_points(struct ss_text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        n += ((unsigned char)text.data[i] & 0xC0U) != 0x80;
    }
    return n;
}

static ss_status put_tokens(const struct ss_web_api *api, struct ss_text text,
                            struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct reading reading = {.api = api, .text = text};
    struct ss_text part = text;
    ss_encoder_describe(api->models.encoder, &info);
    SS_TRY(ss_encoder_tokenize(api->models.encoder, api->models.work, text, &reading.ids,
                               &reading.n_ids, err));
    for (int is_end = 0; is_end < 2 && reading.n_ids >= info.max_tokens; is_end++) {
        SS_TRY(find_read(&reading, is_end != 0, &part, err));
        if (leaves_text(text, part)) {
            break;
        }
        part = text;
    }
    ss__put_count(writer, "n_tokens", reading.n_ids);
    ss__put_count(writer, "max_tokens", info.max_tokens);
    ss__put_bool(writer, "may_be_cut", reading.n_ids >= info.max_tokens);
    ss__put_bool(writer, "is_cut", part.n_bytes < text.n_bytes);
    ss__put_count(writer, "n_characters", count_code_points(text));
    ss__put_count(writer, "n_characters_read", count_code_points(part));
out:
    ss_ids_free(reading.ids);
    return status;
}

/* ---- the answer ---- */

static ss_status put_fit(struct ss_web_api *api, const float *x, size_t i, size_t width,
                         struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    float *y = NULL;
    const struct ss_sparse codes = {.n_rows = 1,
                                    .offsets = api->codes.offsets + i,
                                    .features = api->codes.features,
                                    .values = api->codes.values};
    if (!ss_web_can_decode(api)) {
        ss__put_null(writer, "reconstruction");
        return SS_OK;
    }
    SS_ALLOC_ALIGNED(y, width);
    SS_TRY(ss_web_decode(api, x, &codes, y, err));
    ss__put_open(writer, "reconstruction", '{');
    ss__put_number(writer, "cosine", ss_web_cosine(x, y, width));
    ss_web_put_usual(writer, &api->usual_fit);
    ss__put_close(writer, '}');
out:
    ss__free(y);
    return status;
}

static ss_status put_text(struct ss_web_api *api, const struct question *question, size_t i,
                          const float *embeddings, struct ss__json_writer *writer, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(api->models.encoder, &info);
    const float *x = embeddings + i * info.width;
    ss__put_open(writer, NULL, '{');
    SS_RETURN_IF_ERROR(put_tokens(api, question->texts[i], writer, err));
    SS_RETURN_IF_ERROR(put_fit(api, x, i, info.width, writer, err));
    SS_RETURN_IF_ERROR(ss_web_put_active(writer, &api->codes, i, question->top, err));
    SS_RETURN_IF_ERROR(ss_web_put_near(api, x, question->near, writer, err));
    ss__put_close(writer, '}');
    return SS_OK;
}

static ss_status encode(struct ss_web_api *api, const struct question *question,
                        struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    float *x = NULL;
    SS_TRY(ss_web_need_encoder(api, err));
    SS_TRY(ss_web_need_usual(api, err));
    ss_encoder_describe(api->models.encoder, &info);
    SS_ALLOC_ALIGNED(x, question->n_texts * info.width);
    SS_TRY(ss_web_encode_texts(api, question->texts, question->n_texts, x, err));
    ss__put_open(writer, "usual_active", '{');
    ss_web_put_usual(writer, &api->usual_active);
    ss__put_close(writer, '}');
    ss__put_open(writer, "texts", '[');
    for (size_t i = 0; i < question->n_texts; i++) {
        SS_TRY(put_text(api, question, i, x, writer, err));
    }
    ss__put_close(writer, ']');
out:
    ss__free(x);
    return status;
}

void ss_web_answer_encode(struct ss_web_call *call)
{
    struct question question;
    ss_err err = {0};
    const char *why = read_question(call->body, &question);
    if (why != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (encode(call->api, &question, &call->writer, &err) != SS_OK) {
        ss_web_refuse_error(call, &err);
    }
    ss__json_free(question.document);
}
