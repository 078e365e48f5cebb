/* Answers by key, kept so that none is paid twice. A line of the file is an object:
 *
 *   {"key": SHA-256, "content": text or null, "finish_reason": "stop", "usage":
 *    {"prompt_tokens": 9, "completion_tokens": 9} or null, "model": "", "fingerprint": ""}
 *
 * and, where the server said probabilities, "shares": [0.25, null, …] of its numbers.
 *
 * Lines are only ever added. What is no such line (the last one, of a process that was killed)
 * is passed over. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_write.h"
#include "describe/llm_priv.h"

struct record {
    char key[SS_DESCRIBE_LLM_KEY_BYTES];
    struct ss_describe_llm_answer answer;
};

struct ss_describe_llm_answers {
    struct ss__arena arena;
    struct record *records;
    size_t n, room;
    uint32_t *slots; /* numbers of records + 1; 0: free */
    size_t n_slots;  /* a power of 2 */
};

ss_status ss_describe_llm_answers_new(struct ss_describe_llm_answers **out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(*out, 1);
    return SS_OK;
}

void ss_describe_llm_answers_free(struct ss_describe_llm_answers *answers)
{
    if (answers != NULL) {
        ss__arena_release(&answers->arena);
        ss__free(answers->records);
        ss__free(answers->slots);
        ss__free(answers);
    }
}

size_t ss_describe_llm_answers_count(const struct ss_describe_llm_answers *answers)
{
    return answers->n;
}

static bool is_key(const char *key)
{
    return key != NULL && strlen(key) == SS_DESCRIBE_LLM_KEY_BYTES - 1 &&
           strspn(key, "0123456789abcdef") == SS_DESCRIBE_LLM_KEY_BYTES - 1;
}

/* The slot of a key, or the free one where it belongs. */
static uint32_t *slot_of(const struct ss_describe_llm_answers *answers, const char *key)
{
    const size_t mask = answers->n_slots - 1;
    size_t at = (size_t)ss__hash64(key, SS_DESCRIBE_LLM_KEY_BYTES - 1) & mask;
    while (answers->slots[at] != 0 &&
           strcmp(answers->records[answers->slots[at] - 1].key, key) != 0) {
        at = (at + 1) & mask;
    }
    return &answers->slots[at];
}

const struct ss_describe_llm_answer *
ss_describe_llm_answers_find(const struct ss_describe_llm_answers *answers, const char *key)
{
    const uint32_t number = answers->n_slots == 0 ? 0 : *slot_of(answers, key);
    return number == 0 ? NULL : &answers->records[number - 1].answer;
}

static ss_status grow_slots(struct ss_describe_llm_answers *answers, ss_err *err)
{
    if (2 * (answers->n + 1) <= answers->n_slots) {
        return SS_OK;
    }
    uint32_t *slots = NULL;
    const size_t n_slots = answers->n_slots == 0 ? 64 : 2 * answers->n_slots;
    SS_ALLOC_OR_RETURN(slots, n_slots);
    ss__free(answers->slots);
    answers->slots = slots;
    answers->n_slots = n_slots;
    for (size_t i = 0; i < answers->n; i++) {
        *slot_of(answers, answers->records[i].key) = (uint32_t)(i + 1);
    }
    return SS_OK;
}

static const char *copy(struct ss_describe_llm_answers *answers, const char *text)
{
    return text[0] == '\0' ? "" : ss__arena_strndup(&answers->arena, text, strlen(text));
}

ss_status ss_describe_llm_answers_add(struct ss_describe_llm_answers *answers, const char *key,
                                      const struct ss_describe_llm_answer *answer, ss_err *err)
{
    struct ss_describe_llm_answer own = *answer;
    SS_RETURN_IF_ERROR(grow_slots(answers, err));
    SS_GROW_OR_RETURN(answers->records, answers->room, answers->n + 1);
    own.content.data =
        ss__arena_strndup(&answers->arena, answer->has_content ? answer->content.data : "",
                          answer->has_content ? answer->content.n_bytes : 0);
    own.model = copy(answers, answer->model);
    own.fingerprint = copy(answers, answer->fingerprint);
    if (own.content.data == NULL || own.model == NULL || own.fingerprint == NULL) {
        return ss__fail_nomem(err, "answers");
    }
    uint32_t *slot = slot_of(answers, key);
    if (*slot == 0) {
        *slot = (uint32_t)++answers->n;
    }
    struct record *record = &answers->records[*slot - 1];
    memcpy(record->key, key, sizeof record->key);
    record->answer = own;
    return SS_OK;
}

/* ---- lines ---- */

void ss_describe_llm_answer_line(struct ss__buf *out, const char *key,
                                 const struct ss_describe_llm_answer *answer)
{
    ss__buf_printf(out, "{\"key\":\"%s\",\"content\":", key);
    if (answer->has_content) {
        ss__json_add_string(out, answer->content.data, answer->content.n_bytes, false);
    } else {
        ss__buf_add_text(out, "null");
    }
    ss__buf_printf(out, ",\"finish_reason\":\"%s\",\"usage\":",
                   ss_describe_llm_finish_name(answer->finish));
    if (answer->n_in >= 0 && answer->n_out >= 0) {
        ss__buf_printf(out, "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld}",
                       (long long)answer->n_in, (long long)answer->n_out);
    } else {
        ss__buf_add_text(out, "null");
    }
    ss__buf_add_text(out, ",\"model\":");
    ss__json_add_string(out, answer->model, strlen(answer->model), false);
    ss__buf_add_text(out, ",\"fingerprint\":");
    ss__json_add_string(out, answer->fingerprint, strlen(answer->fingerprint), false);
    for (size_t i = 0; i < answer->n_shares; i++) {
        ss__buf_add_text(out, i == 0 ? ",\"shares\":[" : ",");
        if (isnan(answer->shares[i])) {
            ss__buf_add_text(out, "null");
        } else {
            ss__buf_printf(out, "%.6f", (double)answer->shares[i]);
        }
        ss__buf_add_text(out, i + 1 == answer->n_shares ? "]" : "");
    }
    ss__buf_add_byte(out, '}');
}

static int64_t tokens_of(const struct ss__json *usage, const char *name)
{
    const struct ss__json *value = ss__json_get(usage, name);
    const int64_t n = ss__json_integer(value);
    return ss__json_is_integer(value) && n >= 0 && n < INT32_MAX ? n : -1;
}

static const char *text_or_empty(const struct ss__json *value)
{
    return ss__json_is_string(value) ? ss__json_string(value) : "";
}

static void read_shares(const struct ss__json *shares, struct ss_describe_llm_answer *out)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (ss__json_is_array(shares) ? shares : NULL, i, item) {
        const double share = ss__json_is_number(item) ? ss__json_real(item) : -1;
        if (i < SS_DESCRIBE_LLM_TEXTS) {
            out->shares[out->n_shares++] = share >= 0 && share <= 1 ? (float)share : NAN;
        }
    }
}

/* False where the object is no record. */
static bool read_record(const struct ss__json *root, struct ss_describe_llm_answer *out)
{
    const struct ss__json *content = ss__json_get(root, "content");
    const struct ss__json *usage = ss__json_get(root, "usage");
    const char *finish = ss__json_string(ss__json_get(root, "finish_reason"));
    *out = (struct ss_describe_llm_answer){
        .has_content = ss__json_is_string(content),
        .content = {ss__json_string(content), ss__json_string_bytes(content)},
        .n_in = tokens_of(usage, "prompt_tokens"),
        .n_out = tokens_of(usage, "completion_tokens"),
        .model = text_or_empty(ss__json_get(root, "model")),
        .fingerprint = text_or_empty(ss__json_get(root, "fingerprint"))};
    read_shares(ss__json_get(root, "shares"), out);
    return ss_describe_llm_finish_parse(finish, &out->finish) &&
           (out->has_content || ss__json_is_null(content)) &&
           out->content.n_bytes <= SS_DESCRIBE_LLM_MAX_CONTENT;
}

static ss_status read_line(struct ss_describe_llm_answers *answers, struct ss_text line,
                           bool *is_good, ss_err *err)
{
    struct ss__json *root = NULL;
    struct ss_describe_llm_answer answer;
    ss_status status = ss__json_parse("answers", line.data, line.n_bytes, &root, err);
    if (status == SS_E_NOMEM) {
        return status;
    }
    const char *key = status == SS_OK ? ss__json_string(ss__json_get(root, "key")) : NULL;
    *is_good = is_key(key) && read_record(root, &answer);
    status = *is_good ? ss_describe_llm_answers_add(answers, key, &answer, err) : SS_OK;
    ss__json_free(root);
    return status;
}

ss_status ss_describe_llm_answers_read(struct ss_describe_llm_answers *answers,
                                       struct ss_text lines, size_t *n_bad, ss_err *err)
{
    *n_bad = 0;
    for (size_t at = 0; at < lines.n_bytes;) {
        const char *begin = lines.data + at;
        const char *end = memchr(begin, '\n', lines.n_bytes - at);
        const size_t n = end == NULL ? lines.n_bytes - at : (size_t)(end - begin);
        if (n > 0) {
            bool is_good = false;
            SS_RETURN_IF_ERROR(read_line(answers, (struct ss_text){begin, n}, &is_good, err));
            *n_bad += !is_good;
        }
        at += n + 1;
    }
    return SS_OK;
}
