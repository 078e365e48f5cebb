/* Probabilities of the numbers in an answer. A response with logprobs has the tokens that its
 * content is made of, and with each the likeliest ones in its place:
 *
 *   {"content": [{"token": "1", "logprob": -0.1, "top_logprobs": [{"token", "logprob"}, …]}, …]}
 *
 * For each key t1, t2, … the token that holds its digit says how likely 0 and 1 were. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "describe/llm_priv.h"

/* A token without what may stand before a number in JSON. */
static struct ss_text bare(const struct ss__json *token)
{
    struct ss_text text = {ss__json_string(token), ss__json_string_bytes(token)};
    while (text.n_bytes > 0 && strchr(" \":\n\t", text.data[0]) != NULL) {
        text.data++;
        text.n_bytes--;
    }
    return text;
}

static double probability(const struct ss__json *item)
{
    const struct ss__json *value = ss__json_get(item, "logprob");
    const double logarithm = ss__json_is_number(value) ? ss__json_real(value) : NAN;
    return logarithm <= 0 ? exp(logarithm) : logarithm > 0 ? 1 : 0;
}

/* P(1) / (P(0) + P(1)) in the place of a token; NaN where neither is known. */
static float share_of_one(const struct ss__json *token)
{
    const struct ss__json *item = NULL;
    double sums[2] = {0};
    size_t i = 0;
    SS_JSON_EACH (ss__json_get(token, "top_logprobs"), i, item) {
        const struct ss_text text = ss__json_is_string(ss__json_get(item, "token"))
                                        ? bare(ss__json_get(item, "token"))
                                        : (struct ss_text){"", 0};
        if (text.n_bytes > 0 && (text.data[0] == '0' || text.data[0] == '1') &&
            (text.n_bytes == 1 || text.data[1] < '0' || text.data[1] > '9')) {
            sums[text.data[0] - '0'] += probability(item);
        }
    }
    return sums[0] + sums[1] > 0 ? (float)(sums[1] / (sums[0] + sums[1])) : NAN;
}

/* Where the digit of a key stands in the content; its length where it does not. */
static size_t place_of(const struct ss__buf *content, size_t number)
{
    char key[24];
    const size_t n = (size_t)ss__snprintf(key, sizeof key, "\"t%zu\"", number);
    size_t at = content->n_bytes;
    for (size_t i = 0; i + n <= content->n_bytes; i++) {
        at = memcmp(content->data + i, key, n) == 0 ? i + n : at; /* the last one holds */
    }
    while (at < content->n_bytes && strchr(" \":\n\t", content->data[at]) != NULL) {
        at++;
    }
    return at;
}

void ss_describe_llm_read_logprobs(const struct ss__json *logprobs,
                                   struct ss_describe_llm_answer *answer)
{
    const struct ss__json *tokens = ss__json_get(logprobs, "content");
    const struct ss__json *token = NULL;
    struct ss__buf content = {0};
    size_t i = 0;
    SS_JSON_EACH (ss__json_is_array(tokens) ? tokens : NULL, i, token) {
        const struct ss__json *text = ss__json_get(token, "token");
        if (ss__json_is_string(text)) {
            ss__buf_add(&content, ss__json_string(text), ss__json_string_bytes(text));
        }
    }
    answer->n_shares = 0;
    for (size_t k = 0; content.n_bytes > 0 && !content.failed && k < SS_DESCRIBE_LLM_TEXTS;
         k++) {
        const size_t at = place_of(&content, k + 1);
        size_t end = 0;
        answer->shares[k] = NAN;
        SS_JSON_EACH (tokens, i, token) {
            const size_t begin = end;
            const struct ss__json *text = ss__json_get(token, "token");
            end += ss__json_is_string(text) ? ss__json_string_bytes(text) : 0;
            if (at >= begin && at < end) {
                answer->shares[k] = share_of_one(token);
            }
        }
        if (!isnan(answer->shares[k])) {
            answer->n_shares = k + 1;
        }
    }
    ss__buf_release(&content);
}
