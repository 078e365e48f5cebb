/* What comes from a language model and its server: the first byte says whether the others are
 * the content of an answer, a response of one of the protocols, or lines of kept answers. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "describe/llm_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* One short line of UTF-8, whatever it is made of. */
static void check_line(const struct ss__buf *line, size_t n_most)
{
    size_t n = 0;
    for (size_t i = 0; i < line->n_bytes; i++) {
        need((unsigned char)line->data[i] >= 0x20);
        n += ((unsigned char)line->data[i] & 0xC0) != 0x80;
    }
    need(n <= n_most && ss__utf8_valid_prefix(line->data, line->n_bytes) == line->n_bytes);
}

static void read_content(struct ss_text content)
{
    struct ss_describe_llm_words words = {0};
    struct ss__buf shown = {0};
    uint8_t numbers[SS_DESCRIBE_LLM_TEXTS];
    bool is_good = false;
    need(ss_describe_llm_read_words(content, &words, &is_good, NULL) == SS_OK);
    if (is_good) {
        need(words.kind != NULL && words.label.n_bytes > 0);
        check_line(&words.label, SS_DESCRIBE_LLM_LABEL_CHARACTERS);
        check_line(&words.description, SS_DESCRIBE_LLM_DESCRIPTION_CHARACTERS);
    }
    ss_describe_llm_words_release(&words);
    need(ss_describe_llm_read_numbers(content, SS_DESCRIBE_LLM_TEXTS, 10, numbers, &is_good,
                                      NULL) == SS_OK);
    for (size_t i = 0; is_good && i < SS_DESCRIBE_LLM_TEXTS; i++) {
        need(numbers[i] <= 10);
    }
    ss_describe_llm_add_text(&shown, content);
    need(shown.n_bytes == 0 || (memmem(shown.data, shown.n_bytes, "<text", 5) == NULL &&
                                memmem(shown.data, shown.n_bytes, "</text", 6) == NULL));
    ss__buf_release(&shown);
}

static void read_response(ss_describe_llm_api api, long code, struct ss_text body)
{
    struct ss_describe_llm_reply reply;
    struct ss_describe_llm_manner manner = {0};
    need(ss_describe_llm_read_reply(api, body, &reply, NULL) == SS_OK);
    const struct ss_describe_llm_heard heard = {
        .code = code, .wait_asked = -1, .reply = &reply};
    /* no server can make one question be changed for ever */
    for (int i = 0; i < 8; i++) {
        const struct ss_describe_llm_verdict verdict =
            ss_describe_llm_judge(api, &heard, &manner);
        need(verdict.action != SS_DESCRIBE_LLM_AGAIN || i < 7);
        if (verdict.action == SS_DESCRIBE_LLM_ACCEPT && reply.answer.has_content) {
            read_content(reply.answer.content);
            break;
        }
    }
    ss_describe_llm_reply_release(&reply);
}

static void read_lines(struct ss_text lines)
{
    struct ss_describe_llm_answers *answers = NULL;
    size_t n_bad = 0;
    need(ss_describe_llm_answers_new(&answers, NULL) == SS_OK);
    need(ss_describe_llm_answers_read(answers, lines, &n_bad, NULL) == SS_OK);
    ss_describe_llm_answers_free(answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const long codes[] = {200, 400, 429, 503};
    if (n_bytes == 0) {
        return 0;
    }
    const struct ss_text rest = {(const char *)data + 1, n_bytes - 1};
    switch (data[0] % 4) {
    case 0:
        read_content(rest);
        break;
    case 1:
        read_lines(rest);
        break;
    default:
        read_response(data[0] % 4 == 2 ? SS_DESCRIBE_LLM_OPENAI : SS_DESCRIBE_LLM_ANTHROPIC,
                      codes[data[0] / 4 % 4], rest);
    }
    return 0;
}
