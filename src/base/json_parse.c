/* The parser of JSON documents: recursive descent over text in memory. Values that are being
 * gathered stand on one stack; a closed array or object moves its part of the stack to the
 * document's arena.
 *
 * Recursion is bounded by SS__JSON_TREE_DEPTH, memory by the text: each value takes a constant
 * from the arena, strings no more than they have in the text. Texts are unescaped once, numbers
 * stay as they stand, so that a document can be written as it was read and integers beyond a
 * double's 53 bits keep their digits. Grammar: RFC 8259, and the additions of Python's json. */
#include <string.h>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

enum { MAX_NUMBER_BYTES = 500 };

static const char out_of_memory[] = "out of memory";

struct parser {
    const char *text, *at, *end;
    const char *problem; /* out_of_memory, or what is wrong at `at`; NULL while all is well */
    struct ss__arena *arena;
    struct ss__json_member *stack; /* keys of array elements are empty */
    size_t n_stack, capacity, depth;
};

static bool wrong(struct parser *self, const char *problem)
{
    self->problem = problem;
    return false;
}

static void skip_space(struct parser *self)
{
    while (self->at < self->end &&
           (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t')) {
        self->at++;
    }
}

/* Space and then one character, which is passed; false, and only the space passed, where it is
 * another. */
static bool accept(struct parser *self, char character)
{
    skip_space(self);
    if (self->at == self->end || *self->at != character) {
        return false;
    }
    self->at++;
    return true;
}

static bool accept_word(struct parser *self, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(self->end - self->at) < n || memcmp(self->at, word, n) != 0) {
        return false;
    }
    self->at += n;
    return true;
}

/* What to say where something else was expected. */
static const char *or_end(const struct parser *self, const char *expected)
{
    return self->at == self->end ? "the text ends too early" : expected;
}

/* ---- strings ---- */

/* The value of 4 hexadecimal digits, or -1. */
static int32_t hex_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *found =
            end - at > (ptrdiff_t)i && at[i] != '\0' ? strchr(digits, at[i]) : NULL;
        if (found == NULL) {
            return -1;
        }
        unit = unit * 16 + (int32_t)((found - digits) % 16);
    }
    return unit;
}

/* \uXXXX, behind its "\u"; two of them where they are the halves of a surrogate pair. */
static bool parse_unicode_escape(struct parser *self, char **to)
{
    const int32_t first = hex_unit(self->at, self->end);
    if (first < 0) {
        return wrong(self, "\\u is not followed by 4 hexadecimal digits");
    }
    uint32_t code_point = (uint32_t)first;
    self->at += 4;
    const bool is_high = first >= 0xD800 && first < 0xDC00;
    if (is_high && self->end - self->at >= 6 && memcmp(self->at, "\\u", 2) == 0) {
        const int32_t second = hex_unit(self->at + 2, self->end);
        if (second >= 0xDC00 && second < 0xE000) {
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (uint32_t)(second - 0xDC00);
            self->at += 6;
        }
    }
    if (code_point >= 0xD800 && code_point < 0xE000) {
        code_point = SS__REPLACEMENT; /* a lone half, which UTF-8 cannot hold */
    }
    *to += ss__utf8_encode(code_point, *to);
    return true;
}

static bool parse_escape(struct parser *self, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char name = self->at < self->end ? *self->at : '\0';
    const char *found = name == '\0' ? NULL : strchr(names, name);
    if (found != NULL) {
        *(*to)++ = values[found - names];
        self->at++;
        return true;
    }
    if (name != 'u') {
        return wrong(self, or_end(self, "an escape that JSON does not have"));
    }
    self->at++;
    return parse_unicode_escape(self, to);
}

/* The closing quote of a string that begins here, or NULL. */
static const char *find_quote(const struct parser *self)
{
    for (const char *at = self->at; at < self->end; at++) {
        if (*at == '"') {
            return at;
        }
        at += *at == '\\'; /* whatever comes behind it is no end */
    }
    return NULL;
}

/* The rest of a string, behind its first quote. What is written is never longer than what is
 * read. */
static bool parse_string(struct parser *self, struct ss__json *out)
{
    const char *quote = find_quote(self);
    if (quote == NULL) {
        self->at = self->end;
        return wrong(self, "a string has no end");
    }
    const size_t n_bytes = (size_t)(quote - self->at);
    const size_t n_valid = ss__utf8_valid_prefix(self->at, n_bytes);
    if (n_valid < n_bytes) {
        self->at += n_valid;
        return wrong(self, "a string is not valid UTF-8");
    }
    char *text = ss__arena_alloc(self->arena, n_bytes + 1), *to = text;
    if (text == NULL) {
        return wrong(self, out_of_memory);
    }
    while (self->at < quote) {
        const char c = *self->at;
        if ((unsigned char)c < 0x20) {
            return wrong(self, "a control character in a string");
        }
        self->at++;
        if (c != '\\') {
            *to++ = c;
        } else if (!parse_escape(self, &to)) {
            return false;
        }
    }
    self->at = quote + 1;
    *out = (struct ss__json){
        .of.text = text, .n = (uint32_t)(to - text), .type = SS__JSON_IS_STRING};
    return true;
}

/* ---- numbers ---- */

static size_t skip_digits(struct parser *self)
{
    const char *from = self->at;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9') {
        self->at++;
    }
    return (size_t)(self->at - from);
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?, or -?Infinity, or NaN; *is_whole: no fraction
 * and no exponent. */
static bool skip_number(struct parser *self, bool *is_whole)
{
    *is_whole = false;
    if (accept_word(self, "NaN") || accept_word(self, "Infinity") ||
        accept_word(self, "-Infinity")) {
        return true;
    }
    /* the caller has seen that there is a character */
    self->at += *self->at == '-';
    const char *first = self->at;
    const size_t n_digits = skip_digits(self);
    if (n_digits == 0 || (n_digits > 1 && *first == '0')) {
        self->at = first;
        return false;
    }
    *is_whole = true;
    if (self->at < self->end && *self->at == '.') {
        self->at++;
        *is_whole = false;
        if (skip_digits(self) == 0) {
            return false;
        }
    }
    if (self->at < self->end && (*self->at == 'e' || *self->at == 'E')) {
        self->at++;
        *is_whole = false;
        self->at += self->at < self->end && (*self->at == '+' || *self->at == '-');
        return skip_digits(self) > 0;
    }
    return true;
}

/* What does not is a real number, as in readers of other languages; its digits stay. */
static bool fits_64_bits(const char *text, size_t n_bytes)
{
    uint64_t magnitude = 0;
    const bool is_negative = text[0] == '-';
    return ss__parse_u64(text + is_negative, n_bytes - is_negative, &magnitude) &&
           magnitude <= (uint64_t)INT64_MAX + is_negative;
}

static bool parse_number(struct parser *self, struct ss__json *out)
{
    const char *from = self->at;
    bool is_whole = false;
    if (!skip_number(self, &is_whole)) {
        return wrong(self, or_end(self, "expected a JSON value"));
    }
    const size_t n_bytes = (size_t)(self->at - from);
    if (n_bytes > MAX_NUMBER_BYTES) {
        return wrong(self, "a number has too many digits");
    }
    const char *text = ss__arena_strndup(self->arena, from, n_bytes);
    if (text == NULL) {
        return wrong(self, out_of_memory);
    }
    *out =
        (struct ss__json){.of.text = text,
                          .n = (uint32_t)n_bytes,
                          .type = is_whole && fits_64_bits(text, n_bytes) ? SS__JSON_IS_INTEGER
                                                                          : SS__JSON_IS_REAL};
    return true;
}

/* ---- arrays and objects ---- */

static bool parse_value(struct parser *self, struct ss__json *out);

static bool push(struct parser *self, const struct ss__json *key, const struct ss__json *value)
{
    void *stack = self->stack;
    if (!ss__grow(&stack, &self->capacity, self->n_stack + 1, sizeof self->stack[0])) {
        return wrong(self, out_of_memory);
    }
    self->stack = stack;
    self->stack[self->n_stack++] = (struct ss__json_member){*key, *value};
    return true;
}

static bool make_array(struct parser *self, const struct ss__json_member *elements, size_t n,
                       struct ss__json *out)
{
    struct ss__json *items = ss__arena_alloc(self->arena, n * sizeof *items);
    if (items == NULL) {
        return wrong(self, out_of_memory);
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = elements[i].value;
    }
    *out = (struct ss__json){.of.items = items, .n = (uint32_t)n, .type = SS__JSON_IS_ARRAY};
    return true;
}

static bool make_object(struct parser *self, const struct ss__json_member *members, size_t n,
                        struct ss__json *out)
{
    const char *problem = NULL;
    return ss__json_make_object(self->arena, members, n, out, &problem) ||
           wrong(self, problem == NULL ? out_of_memory : problem);
}

static bool parse_key(struct parser *self, struct ss__json *key)
{
    if (!accept(self, '"')) {
        return wrong(self, or_end(self, "expected a key in double quotes"));
    }
    return parse_string(self, key) &&
           (accept(self, ':') || wrong(self, or_end(self, "expected ':' behind a key")));
}

/* What is between the brackets, the first one passed. */
static bool parse_items(struct parser *self, bool has_keys, char close)
{
    if (accept(self, close)) {
        return true;
    }
    do {
        struct ss__json key = {0}, value = {0};
        if ((has_keys && !parse_key(self, &key)) || !parse_value(self, &value) ||
            !push(self, &key, &value)) {
            return false;
        }
    } while (accept(self, ','));
    return accept(self, close) ||
           wrong(self, or_end(self, has_keys ? "expected ',' or '}'" : "expected ',' or ']'"));
}

static bool parse_container(struct parser *self, bool has_keys, struct ss__json *out)
{
    const size_t first = self->n_stack;
    if (++self->depth > SS__JSON_TREE_DEPTH) {
        return wrong(self, "values are nested too deeply");
    }
    if (!parse_items(self, has_keys, has_keys ? '}' : ']')) {
        return false;
    }
    const struct ss__json_member *members = self->stack == NULL ? NULL : self->stack + first;
    const size_t n = self->n_stack - first;
    self->depth--;
    self->n_stack = first;
    return has_keys ? make_object(self, members, n, out) : make_array(self, members, n, out);
}

static bool parse_value(struct parser *self, struct ss__json *out)
{
    static const struct {
        const char *word;
        ss__json_tag type;
    } words[] = {
        {"null", SS__JSON_IS_NULL}, {"true", SS__JSON_IS_TRUE}, {"false", SS__JSON_IS_FALSE}};
    skip_space(self);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (accept_word(self, words[i].word)) {
            *out = (struct ss__json){.type = words[i].type};
            return true;
        }
    }
    if (self->at == self->end) {
        return wrong(self, "the text ends too early");
    }
    switch (*self->at) {
    case '{':
        self->at++;
        return parse_container(self, true, out);
    case '[':
        self->at++;
        return parse_container(self, false, out);
    case '"':
        self->at++;
        return parse_string(self, out);
    default:
        return parse_number(self, out);
    }
}

/* ---- documents ---- */

/* Line and column are counted only now: nearly all documents are right. */
static ss_status fail_at(const struct parser *self, const char *file, ss_err *err)
{
    size_t line = 1, column = 1;
    if (self->problem == out_of_memory) {
        return ss__fail_nomem(err, "a JSON document");
    }
    for (const char *at = self->text; at < self->at; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    const ss_status status =
        ss__fail_file(err, file, SS_E_DATA, "not valid JSON: %s (line %zu, column %zu)",
                      self->problem, line, column);
    ss__err_at_offset(err, (uint64_t)(self->at - self->text));
    return status;
}

ss_status ss__json_parse(const char *file, const char *text, size_t n_bytes,
                         struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_document *document = NULL;
    struct parser parser = {.text = text, .at = text, .end = text + n_bytes};
    *out = NULL;
    if (n_bytes > SS__JSON_MAX_BYTES) {
        SS_FAIL_FILE(file, SS_E_LIMIT, "is a JSON document of more than %d MiB",
                     SS__JSON_MAX_BYTES >> 20);
    }
    SS_ALLOC(document, 1);
    document->n_owners = 1;
    parser.arena = &document->arena;
    /* editors of Windows put a byte order mark before it */
    if (n_bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        parser.at += 3;
    }
    if (!parse_value(&parser, &document->root)) {
        SS_TRY(fail_at(&parser, file, err));
    }
    skip_space(&parser);
    if (parser.at != parser.end) {
        parser.problem = "there is more behind the value";
        SS_TRY(fail_at(&parser, file, err));
    }
    *out = &document->root;
    document = NULL;
out:
    ss__free(parser.stack);
    ss__json_free(document == NULL ? NULL : &document->root);
    return status;
}

struct ss__json *ss__json_share(struct ss__json *document)
{
    if (document != NULL) {
        ((struct ss__json_document *)document)->n_owners++;
    }
    return document;
}

void ss__json_free(struct ss__json *document)
{
    struct ss__json_document *whole = (struct ss__json_document *)document;
    if (whole != NULL && --whole->n_owners == 0) {
        ss__arena_release(&whole->arena);
        ss__free(whole);
    }
}
