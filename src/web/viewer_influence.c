/* POST /api/v1/influence: how a text's features change without each of its sentences, or words.
 *
 * {"text": "…", "features": [1 to 16], "unit": "sentence" | "word", "sentence": 0, "from": 0}: words
 * are those of one sentence, as the answer for sentences counts them, or of the whole text. Each
 * text without a part is embedded and encoded like any other; an answer has as many parts as
 * some 2,000 tokens allow, and `next` is where to go on, so that nobody waits for long. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "web/text_parts.h"
#include "web/viewer_priv.h"

enum {
    MAX_FEATURES = 16,
    MAX_PARTS = 1024,
    MAX_PARTS_AT_ONCE = 16,
    TOKENS_AT_ONCE = 2048,
    MAX_NUMBER = 1 << 30
};

struct question {
    struct ss__json *document;
    struct ss_text text;
    size_t features[MAX_FEATURES], n_features;
    ss_web_unit unit;
    bool is_of_sentence;
    size_t sentence, from;
};

static const char *read_features(const struct ss_web_api *api, const struct ss__json *list,
                                 struct question *question)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (list, i, item) {
        const int64_t feature = ss__json_integer(item);
        if (!ss__json_is_integer(item) || feature < 0 ||
            (uint64_t)feature >= api->source.run->info.n_features) {
            return "features has a number that is no feature of this SAE.";
        }
        question->features[question->n_features++] = (size_t)feature;
    }
    return question->n_features == 0 ? "features is not a list of 1 to 16 numbers." : NULL;
}

static const char *read_question(const struct ss_web_call *call, struct question *question)
{
    const struct ss__json *features = NULL;
    struct ss_text unit = {"sentence", 8};
    bool has_text = false;
    *question = (struct question){0};
    const struct ss_web_member members[] = {
        {.key = "text",
         .wrong = "text is not a text.",
         .text = &question->text,
         .is_there = &has_text},
        {.key = "features",
         .wrong = "features is not a list of 1 to 16 numbers.",
         .list = &features,
         .least = 1,
         .most = MAX_FEATURES},
        {.key = "unit", .wrong = "unit is not sentence or word.", .text = &unit},
        {.key = "sentence",
         .wrong = "sentence is not a number.",
         .count = &question->sentence,
         .most = MAX_NUMBER,
         .is_there = &question->is_of_sentence},
        {.key = "from",
         .wrong = "from is not a number.",
         .count = &question->from,
         .most = MAX_NUMBER},
    };
    const char *why = ss_web_read_body(call->body, members, sizeof members / sizeof members[0],
                                       &question->document);
    if (why != NULL) {
        return why;
    }
    question->unit = unit.n_bytes == 4 ? SS_WEB_WORDS : SS_WEB_SENTENCES;
    const char *name = question->unit == SS_WEB_WORDS ? "word" : "sentence";
    if (unit.n_bytes != strlen(name) || memcmp(unit.data, name, unit.n_bytes) != 0) {
        return "unit is not sentence or word.";
    }
    if (question->is_of_sentence && question->unit == SS_WEB_SENTENCES) {
        return "sentence is given for words only.";
    }
    return has_text ? read_features(call->api, features, question) : "text is not a text.";
}

/* ---- parts ---- */

struct cut {
    struct ss_web_part parts[MAX_PARTS]; /* of the whole text */
    size_t n;
};

static const char *cut_text(const struct question *question, struct cut *cut)
{
    struct ss_text text = question->text;
    size_t start = 0;
    if (question->is_of_sentence) {
        cut->n = ss_web_split(text, SS_WEB_SENTENCES, cut->parts, MAX_PARTS);
        if (question->sentence >= cut->n || question->sentence >= MAX_PARTS) {
            return "The text has no such sentence.";
        }
        const struct ss_web_part sentence = cut->parts[question->sentence];
        start = sentence.start;
        text = (struct ss_text){text.data + start, sentence.end - start};
    }
    cut->n = ss_web_split(text, question->unit, cut->parts, MAX_PARTS);
    if (cut->n > MAX_PARTS) {
        return "The text has more than 1024 such parts.";
    }
    for (size_t i = 0; i < cut->n; i++) {
        cut->parts[i].start += start;
        cut->parts[i].end += start;
    }
    return question->from > cut->n ? "from is behind the last part." : NULL;
}

static size_t count_code_points(const char *data, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        n += ((unsigned char)data[i] & 0xC0U) != 0x80;
    }
    return n;
}

/* ---- measuring ---- */

static float activation_of(const struct ss_sparse *codes, size_t row, size_t feature)
{
    for (size_t i = codes->offsets[row]; i < codes->offsets[row + 1]; i++) {
        if (codes->features[i] == feature) {
            return codes->values[i];
        }
    }
    return 0;
}

static void put_activations(const struct ss_web_api *api, const struct question *question,
                            const char *key, size_t row, struct ss__json_writer *writer)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < question->n_features; i++) {
        ss_web_put_float(writer, NULL, activation_of(&api->codes, row, question->features[i]));
    }
    ss__put_close(writer, ']');
}

static void put_parts(const struct ss_web_api *api, const struct question *question,
                      const struct ss_web_part *parts, size_t n, struct ss__json_writer *writer)
{
    const char *data = question->text.data;
    ss__put_open(writer, "parts", '[');
    for (size_t i = 0; i < n; i++) {
        const size_t start = count_code_points(data, parts[i].start);
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "start", start);
        ss__put_count(
            writer, "end",
            start + count_code_points(data + parts[i].start, parts[i].end - parts[i].start));
        put_activations(api, question, "without", i + 1, writer);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

/* The whole text first, then the text without each of the parts, one behind the other. */
static ss_status make_texts(struct ss_text text, const struct ss_web_part *parts, size_t n,
                            struct ss__buf *bytes, struct ss_text *texts, ss_err *err)
{
    texts[0] = text;
    if (ss__buf_reserve(bytes, n * text.n_bytes + 1) == NULL) {
        return ss__fail_nomem(err, "texts");
    }
    for (size_t i = 0; i < n; i++) {
        char *at = bytes->data + bytes->n_bytes;
        ss__buf_add(bytes, text.data, parts[i].start);
        ss__buf_add(bytes, text.data + parts[i].end, text.n_bytes - parts[i].end);
        texts[i + 1] = (struct ss_text){at, text.n_bytes - (parts[i].end - parts[i].start)};
    }
    return ss__buf_check(bytes, err);
}

/* So many parts as keep the work of one answer small. */
static ss_status choose_number(const struct ss_web_api *api, const struct question *question,
                               const struct cut *cut, size_t *n, ss_err *err)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    const size_t n_left = cut->n - question->from;
    SS_RETURN_IF_ERROR(ss_encoder_tokenize(api->models.encoder, api->models.work,
                                           question->text, &ids, &n_ids, err));
    ss_ids_free(ids);
    *n = TOKENS_AT_ONCE / (n_ids + 1);
    *n = *n > MAX_PARTS_AT_ONCE ? MAX_PARTS_AT_ONCE : *n == 0 ? 1 : *n;
    *n = *n > n_left ? n_left : *n;
    return SS_OK;
}

static ss_status measure(struct ss_web_api *api, const struct question *question,
                         const struct cut *cut, struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_text texts[MAX_PARTS_AT_ONCE + 1];
    struct ss__buf bytes = {0};
    const struct ss_web_part *parts = cut->parts + question->from;
    float *x = NULL;
    size_t n = 0;
    SS_TRY(ss_web_need_encoder(api, err));
    ss_encoder_describe(api->models.encoder, &info);
    SS_TRY(choose_number(api, question, cut, &n, err));
    SS_TRY(make_texts(question->text, parts, n, &bytes, texts, err));
    SS_ALLOC_ALIGNED(x, (n + 1) * info.width);
    SS_TRY(ss_web_encode_texts(api, texts, n + 1, x, err));
    ss__put_count(writer, "n_parts", cut->n);
    put_activations(api, question, "activations", 0, writer);
    put_parts(api, question, parts, n, writer);
    if (question->from + n < cut->n) {
        ss__put_count(writer, "next", question->from + n);
    } else {
        ss__put_null(writer, "next");
    }
out:
    ss__buf_release(&bytes);
    ss__free(x);
    return status;
}

void ss_web_answer_influence(struct ss_web_call *call)
{
    struct question question;
    struct cut *cut = ss__alloc(1, sizeof *cut);
    ss_err err = {0};
    const char *why = read_question(call, &question);
    if (cut == NULL) {
        ss_web_refuse(call, 503, "There is no memory for it.");
    } else if (why != NULL || (why = cut_text(&question, cut)) != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (measure(call->api, &question, cut, &call->writer, &err) != SS_OK) {
        ss_web_refuse_error(call, &err);
    }
    ss__json_free(question.document);
    ss__free(cut);
}
