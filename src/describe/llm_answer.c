/* The content of an answer. A model may wrap the object that was asked for in thoughts, fences
 * and prose: the last one that has the right form is taken. Nothing in it is trusted. */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "describe/llm_priv.h"

enum { MAX_OBJECTS = 256 /* that are tried, from the end */ };

static const char *const kinds[] = {"topic", "method", "object", "style", "other", "unclear"};

/* ---- one line of text ---- */

static bool is_left_out(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xE0000 && c <= 0xE007F) || (c >= 0xFFF9 && c <= 0xFFFB);
}

/* End at the last whole word, unless that leaves out most; the mark is a character, too. */
static void shorten(struct ss__buf *out, size_t word_end, bool is_full)
{
    if (2 * word_end > out->n_bytes && word_end < out->n_bytes) {
        out->n_bytes = word_end;
    } else if (is_full && out->n_bytes > 0) {
        do {
            out->n_bytes--;
        } while (out->n_bytes > 0 && ((unsigned char)out->data[out->n_bytes] & 0xC0) == 0x80);
    }
    ss__buf_add_text(out, "…");
}

void ss_describe_llm_clean(struct ss_text text, size_t n_characters, struct ss__buf *out)
{
    size_t n_out = 0, word_end = 0;
    bool needs_space = false;
    for (size_t at = 0; at < text.n_bytes;) {
        uint32_t c = 0;
        char bytes[4];
        size_t n = ss__utf8_decode(text.data + at, text.n_bytes - at, &c);
        c = n == 0 ? SS__REPLACEMENT : c;
        at += n == 0 ? 1 : n;
        if (ss__is_white_space(c)) {
            needs_space = out->n_bytes > 0;
            continue;
        }
        if (is_left_out(c)) {
            continue;
        }
        word_end = needs_space ? out->n_bytes : word_end;
        if (n_out + needs_space + 1 > n_characters) {
            shorten(out, word_end, n_out == n_characters);
            return;
        }
        ss__buf_add_text(out, needs_space ? " " : "");
        ss__buf_add(out, bytes, ss__utf8_encode(c, bytes));
        n_out += 1 + needs_space;
        needs_space = false;
    }
}

/* ---- objects in prose ---- */

/* The bytes of the object that begins at `text`, or 0. */
static size_t object_bytes(const char *text, size_t n)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static const char *find_last(struct ss_text text, const char *word)
{
    const size_t n = strlen(word);
    for (size_t i = text.n_bytes + 1; i-- > 0;) {
        if (i + n <= text.n_bytes && memcmp(text.data + i, word, n) == 0) {
            return text.data + i;
        }
    }
    return NULL;
}

/* What follows the model's thoughts; nothing where they do not end. */
static struct ss_text after_thoughts(struct ss_text content)
{
    static const char begin[] = "<think>", end[] = "</think>";
    const char *last = find_last(content, end);
    if (last != NULL) {
        const size_t skipped = (size_t)(last - content.data) + strlen(end);
        return (struct ss_text){content.data + skipped, content.n_bytes - skipped};
    }
    return find_last(content, begin) == NULL ? content : (struct ss_text){"", 0};
}

typedef bool (*fits_fn)(const struct ss__json *object, void *user);

static ss_status find_object(struct ss_text content, fits_fn fits, void *user, bool *is_good,
                             ss_err *err)
{
    const struct ss_text text = after_thoughts(content);
    size_t n_tried = 0;
    *is_good = false;
    for (size_t at = text.n_bytes; at-- > 0 && n_tried < MAX_OBJECTS && !*is_good;) {
        struct ss__json *object = NULL;
        const size_t n =
            text.data[at] == '{' ? object_bytes(text.data + at, text.n_bytes - at) : 0;
        n_tried += text.data[at] == '{';
        if (n == 0) {
            continue;
        }
        const ss_status status = ss__json_parse("answer", text.data + at, n, &object, err);
        if (status == SS_E_NOMEM) {
            return status;
        }
        *is_good = status == SS_OK && fits(object, user);
        ss__json_free(object);
    }
    return SS_OK;
}

/* ---- descriptions ---- */

void ss_describe_llm_words_release(struct ss_describe_llm_words *words)
{
    ss__buf_release(&words->label);
    ss__buf_release(&words->description);
    words->kind = NULL;
}

static void clean_member(const struct ss__json *object, const char *name, size_t n_characters,
                         struct ss__buf *out)
{
    const struct ss__json *value = ss__json_get(object, name);
    out->n_bytes = 0;
    if (ss__json_is_string(value)) {
        ss_describe_llm_clean(
            (struct ss_text){ss__json_string(value), ss__json_string_bytes(value)},
            n_characters, out);
    }
}

static bool fits_words(const struct ss__json *object, void *user)
{
    struct ss_describe_llm_words *words = user;
    const char *kind = ss__json_string(ss__json_get(object, "kind"));
    words->kind = NULL;
    for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        words->kind = strcasecmp(kinds[i], kind) == 0 ? kinds[i] : words->kind;
    }
    clean_member(object, "label", SS_DESCRIBE_LLM_LABEL_CHARACTERS, &words->label);
    clean_member(object, "description", SS_DESCRIBE_LLM_DESCRIPTION_CHARACTERS,
                 &words->description);
    return words->kind != NULL && words->label.n_bytes > 0 && words->description.n_bytes > 0;
}

ss_status ss_describe_llm_read_words(struct ss_text content, struct ss_describe_llm_words *out,
                                     bool *is_good, ss_err *err)
{
    SS_RETURN_IF_ERROR(find_object(content, fits_words, out, is_good, err));
    SS_RETURN_IF_ERROR(ss__buf_check(&out->label, err));
    return ss__buf_check(&out->description, err);
}

/* ---- numbers ---- */

struct numbers {
    size_t n;
    unsigned most;
    uint8_t *out;
};

/* Models that nothing holds to the schema write true and "1", too. */
static bool read_number(const struct ss__json *value, unsigned most, uint8_t *out)
{
    const char *text = ss__json_string(value);
    double number = -1;
    if (ss__json_is_boolean(value) && most == 1) {
        number = ss__json_is_true(value);
    } else if (ss__json_is_number(value)) {
        number = ss__json_real(value);
    } else if (text != NULL && text[0] >= '0' && text[0] <= '9' && text[1] == '\0') {
        number = text[0] - '0';
    }
    if (!(number >= 0 && number <= most)) {
        return false;
    }
    *out = (uint8_t)number;
    return (double)*out == number;
}

static bool fits_numbers(const struct ss__json *object, void *user)
{
    const struct numbers *numbers = user;
    for (size_t i = 0; i < numbers->n; i++) {
        char name[24];
        ss__snprintf(name, sizeof name, "t%zu", i + 1);
        if (!read_number(ss__json_get(object, name), numbers->most, &numbers->out[i])) {
            return false;
        }
    }
    return numbers->n > 0;
}

ss_status ss_describe_llm_read_numbers(struct ss_text content, size_t n, unsigned most,
                                       uint8_t *out, bool *is_good, ss_err *err)
{
    struct numbers numbers = {n, most, out};
    return find_object(content, fits_numbers, &numbers, is_good, err);
}

ss_status ss_describe_llm_is_fit(const struct ss_describe_llm_prompt *prompt,
                                 struct ss_text content, bool *is_good, ss_err *err)
{
    if (prompt->purpose == SS_DESCRIBE_LLM_DESCRIBE) {
        struct ss_describe_llm_words words = {0};
        const ss_status status = ss_describe_llm_read_words(content, &words, is_good, err);
        ss_describe_llm_words_release(&words);
        return status;
    }
    uint8_t numbers[SS_DESCRIBE_LLM_MAX_SCORED];
    return ss_describe_llm_read_numbers(
        content, prompt->n_items, ss_describe_llm_most(prompt->purpose), numbers, is_good, err);
}
