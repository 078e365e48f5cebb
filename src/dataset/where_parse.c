/* The parser of expressions over columns: recursive descent over their tokens. */
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "dataset/where_priv.h"

typedef enum token_kind {
    TOKEN_END,
    TOKEN_WORD, /* a bare name, or a word of the grammar */
    TOKEN_NUMBER,
    TOKEN_SINGLE, /* in single quotes */
    TOKEN_DOUBLE,
    TOKEN_BACKWARD,
    TOKEN_SIGN /* an operator, a parenthesis or a comma */
} token_kind;

struct token {
    token_kind kind;
    const char *at; /* its first byte */
    size_t n_bytes;
    struct ss_text text; /* what it stands for: quotes resolved */
};

struct parser {
    struct ss_dataset_where *where;
    const char *expression, *at;
    struct token token; /* the next one */
    size_t depth;
};

/* ---- tokens ---- */

static ss_status fail_at(const struct parser *parser, const char *at, const char *expected,
                         ss_err *err)
{
    return *at == '\0'
               ? ss__fail(err, SS_E_USAGE, "`where` '%.300s' ends where %s is expected",
                          parser->expression, expected)
               : ss__fail(err, SS_E_USAGE, "`where` '%.300s': %s is expected at '%.40s'",
                          parser->expression, expected, at);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static size_t name_length(const char *at)
{
    size_t n = 0;
    while (begins_name(at[n]) || is_digit(at[n]) || at[n] == '.') {
        n++;
    }
    return n;
}

/* A sign, digits with a point, an exponent: no more than the characters, which are checked. */
static size_t number_length(const char *at)
{
    size_t n = *at == '-' || *at == '+';
    while (is_digit(at[n]) || at[n] == '.' || (n > 0 && (at[n] == 'e' || at[n] == 'E')) ||
           (n > 0 && (at[n] == '-' || at[n] == '+') && (at[n - 1] | 0x20) == 'e')) {
        n++;
    }
    return n;
}

static size_t sign_length(const char *at)
{
    static const char *const signs[] = {"==", "!=", "<>", "<=", ">=", "=",
                                        "<",  ">",  "(",  ")",  ","};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const size_t n = strlen(signs[i]);
        if (strncmp(at, signs[i], n) == 0) {
            return n;
        }
    }
    return 0;
}

/* A text in quotes, which are written twice to stand for themselves. */
static ss_status read_quoted(struct parser *parser, struct token *token, ss_err *err)
{
    const char quote = *token->at;
    const char *at = token->at + 1;
    size_t n = 0;
    char *text = ss__arena_alloc(&parser->where->arena, strlen(at) + 1);
    if (text == NULL) {
        return ss__fail_nomem(err, "an expression");
    }
    for (; *at != quote || at[1] == quote; at += *at == quote ? 2 : 1) {
        if (*at == '\0') {
            return ss__fail(err, SS_E_USAGE,
                            "`where` '%.300s': the quote that opens at '%.40s' is not closed",
                            parser->expression, token->at);
        }
        text[n++] = *at;
    }
    token->kind = quote == '\'' ? TOKEN_SINGLE : quote == '"' ? TOKEN_DOUBLE : TOKEN_BACKWARD;
    token->n_bytes = (size_t)(at + 1 - token->at);
    token->text = (struct ss_text){text, n};
    return SS_OK;
}

/* Pass the present token and read the one behind it. */
static ss_status step(struct parser *parser, ss_err *err)
{
    while (strchr(" \t\r\n", *parser->at) != NULL && *parser->at != '\0') {
        parser->at++;
    }
    const char *at = parser->at;
    struct token token = {.kind = TOKEN_END, .at = at};
    if (*at == '\'' || *at == '"' || *at == '`') {
        SS_RETURN_IF_ERROR(read_quoted(parser, &token, err));
    } else if (begins_name(*at)) {
        token.kind = TOKEN_WORD;
        token.n_bytes = name_length(at);
        token.text = (struct ss_text){at, token.n_bytes};
    } else if (sign_length(at) > 0) {
        token.kind = TOKEN_SIGN;
        token.n_bytes = sign_length(at);
        token.text = (struct ss_text){at, token.n_bytes};
    } else if (*at != '\0') {
        int order = 0;
        token.kind = TOKEN_NUMBER;
        token.n_bytes = number_length(at);
        token.text = (struct ss_text){at, token.n_bytes};
        if (!ss_dataset_where_compare_numbers(token.text, token.text, &order) ||
            begins_name(at[token.n_bytes])) {
            return fail_at(parser, at, "a name, a number or a text in quotes", err);
        }
    }
    parser->at = at + token.n_bytes;
    parser->token = token;
    return SS_OK;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->n_bytes == strlen(word) &&
           ss__begin_alike_ignoring_case(token->at, word, token->n_bytes);
}

static bool is_sign(const struct token *token, const char *sign)
{
    return token->kind == TOKEN_SIGN && token->n_bytes == strlen(sign) &&
           memcmp(token->at, sign, token->n_bytes) == 0;
}

/* Pass a token if it is this one. */
static ss_status accept(struct parser *parser, const char *word, bool *found, ss_err *err)
{
    *found = is_word(&parser->token, word) || is_sign(&parser->token, word);
    return *found ? step(parser, err) : SS_OK;
}

static ss_status expect(struct parser *parser, const char *sign, const char *name, ss_err *err)
{
    bool found = false;
    SS_RETURN_IF_ERROR(accept(parser, sign, &found, err));
    return found ? SS_OK : fail_at(parser, parser->token.at, name, err);
}

/* ---- comparisons ---- */

static ss_status add_step(struct parser *parser, int what, ss_err *err)
{
    struct ss_dataset_where *where = parser->where;
    if (where->n_steps == SS_DATASET_WHERE_MAX_STEPS) {
        return ss__fail(err, SS_E_LIMIT, "`where` has more than %d comparisons and operators",
                        SS_DATASET_WHERE_MAX_STEPS);
    }
    SS_GROW_OR_RETURN(where->steps, where->steps_capacity, where->n_steps + 1);
    where->steps[where->n_steps++] = what;
    return SS_OK;
}

static ss_status find_column(struct ss_dataset_where *where, struct ss_text name,
                             size_t *column, ss_err *err)
{
    for (size_t i = 0; i < where->n_columns; i++) {
        if (strncmp(where->columns[i], name.data, name.n_bytes) == 0 &&
            where->columns[i][name.n_bytes] == '\0') {
            *column = i;
            return SS_OK;
        }
    }
    SS_GROW_OR_RETURN(where->columns, where->columns_capacity, where->n_columns + 1);
    char *copy = ss__arena_strndup(&where->arena, name.data, name.n_bytes);
    if (copy == NULL) {
        return ss__fail_nomem(err, "a column name");
    }
    *column = where->n_columns;
    where->columns[where->n_columns++] = copy;
    return SS_OK;
}

static bool is_reserved(const struct token *token)
{
    static const char *const words[] = {"and", "or",   "not",  "in",
                                        "is",  "null", "true", "false"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(token, words[i])) {
            return true;
        }
    }
    return false;
}

static ss_status parse_column(struct parser *parser, size_t *column, ss_err *err)
{
    const struct token *token = &parser->token;
    const bool is_quoted = token->kind == TOKEN_DOUBLE || token->kind == TOKEN_BACKWARD;
    if (token->kind == TOKEN_SINGLE) {
        return fail_at(parser, token->at,
                       "the name of a column (bare, or in double or backward quotes)", err);
    }
    if ((token->kind != TOKEN_WORD || is_reserved(token)) && !is_quoted) {
        return fail_at(parser, token->at, "the name of a column", err);
    }
    SS_RETURN_IF_ERROR(find_column(parser->where, token->text, column, err));
    return step(parser, err);
}

static ss_status parse_value(struct parser *parser, struct ss_dataset_where_literal *value,
                             ss_err *err)
{
    const struct token *token = &parser->token;
    *value = (struct ss_dataset_where_literal){.text = token->text};
    if (token->kind == TOKEN_NUMBER) {
        value->type = SS_DATASET_WHERE_NUMBER;
    } else if (token->kind == TOKEN_SINGLE || token->kind == TOKEN_DOUBLE) {
        value->type = SS_DATASET_WHERE_TEXT;
    } else if (is_word(token, "true") || is_word(token, "false")) {
        value->type = SS_DATASET_WHERE_BOOL;
        value->is_true = is_word(token, "true");
    } else if (is_word(token, "null")) {
        return fail_at(parser, token->at, "a value ('is null' and 'is not null' ask for null)",
                       err);
    } else if (token->kind == TOKEN_WORD || token->kind == TOKEN_BACKWARD) {
        return fail_at(parser, token->at,
                       "a number, true, false, or a text in quotes (columns are not compared "
                       "with one another)",
                       err);
    } else {
        return fail_at(parser, token->at, "a value", err);
    }
    value->text.data =
        ss__arena_strndup(&parser->where->arena, token->text.data, token->text.n_bytes);
    if (value->text.data == NULL) {
        return ss__fail_nomem(err, "an expression");
    }
    return step(parser, err);
}

static ss_status add_value(struct parser *parser, struct ss_dataset_where_comparison *to,
                           ss_err *err)
{
    struct ss_dataset_where_literal value;
    SS_RETURN_IF_ERROR(parse_value(parser, &value, err));
    const bool has_order =
        to->how >= SS_DATASET_WHERE_LESS && to->how <= SS_DATASET_WHERE_GREATER_EQUAL;
    if (value.type == SS_DATASET_WHERE_BOOL && has_order) {
        return ss__fail(err, SS_E_USAGE,
                        "`where` '%.300s': true and false have no order; = and != compare them",
                        parser->expression);
    }
    SS_GROW_OR_RETURN(to->values, to->values_capacity, to->n_values + 1);
    to->values[to->n_values++] = value;
    return SS_OK;
}

static ss_status parse_list(struct parser *parser, struct ss_dataset_where_comparison *to,
                            ss_err *err)
{
    bool has_more = true;
    SS_RETURN_IF_ERROR(expect(parser, "(", "'(' and a list of values", err));
    while (has_more) {
        SS_RETURN_IF_ERROR(add_value(parser, to, err));
        SS_RETURN_IF_ERROR(accept(parser, ",", &has_more, err));
    }
    return expect(parser, ")", "',' or ')'", err);
}

static const struct {
    const char *sign;
    ss_dataset_where_operator how;
} operators[] = {
    {"=", SS_DATASET_WHERE_EQUAL},      {"==", SS_DATASET_WHERE_EQUAL},
    {"!=", SS_DATASET_WHERE_NOT_EQUAL}, {"<>", SS_DATASET_WHERE_NOT_EQUAL},
    {"<", SS_DATASET_WHERE_LESS},       {"<=", SS_DATASET_WHERE_LESS_EQUAL},
    {">", SS_DATASET_WHERE_GREATER},    {">=", SS_DATASET_WHERE_GREATER_EQUAL},
};

/* What stands behind a column. */
static ss_status parse_operator(struct parser *parser, struct ss_dataset_where_comparison *to,
                                ss_err *err)
{
    bool found = false, is_not = false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        SS_RETURN_IF_ERROR(accept(parser, operators[i].sign, &found, err));
        if (found) {
            to->how = operators[i].how;
            return add_value(parser, to, err);
        }
    }
    SS_RETURN_IF_ERROR(accept(parser, "is", &found, err));
    if (found) {
        SS_RETURN_IF_ERROR(accept(parser, "not", &is_not, err));
        to->how = is_not ? SS_DATASET_WHERE_IS_NOT_NULL : SS_DATASET_WHERE_IS_NULL;
        return expect(parser, "null", is_not ? "null" : "null or not null", err);
    }
    SS_RETURN_IF_ERROR(accept(parser, "not", &is_not, err));
    SS_RETURN_IF_ERROR(accept(parser, "in", &found, err));
    if (found) {
        to->how = is_not ? SS_DATASET_WHERE_NOT_IN : SS_DATASET_WHERE_IN;
        return parse_list(parser, to, err);
    }
    return fail_at(parser, parser->token.at,
                   is_not ? "in" : "=, !=, <, <=, >, >=, in, or is null", err);
}

static ss_status parse_comparison(struct parser *parser, ss_err *err)
{
    struct ss_dataset_where *where = parser->where;
    SS_GROW_OR_RETURN(where->comparisons, where->comparisons_capacity,
                      where->n_comparisons + 1);
    const size_t at = where->n_comparisons++;
    struct ss_dataset_where_comparison *comparison = &where->comparisons[at];
    *comparison = (struct ss_dataset_where_comparison){0};
    SS_RETURN_IF_ERROR(parse_column(parser, &comparison->column, err));
    SS_RETURN_IF_ERROR(parse_operator(parser, comparison, err));
    return add_step(parser, (int)at, err);
}

/* ---- and, or, not ---- */

static ss_status parse_or(struct parser *parser, ss_err *err);

static ss_status parse_not(struct parser *parser, ss_err *err)
{
    bool found = false;
    if (++parser->depth > SS_DATASET_WHERE_MAX_DEPTH) {
        return ss__fail(err, SS_E_LIMIT, "`where` is nested more than %d levels deep",
                        SS_DATASET_WHERE_MAX_DEPTH);
    }
    SS_RETURN_IF_ERROR(accept(parser, "not", &found, err));
    if (found) {
        SS_RETURN_IF_ERROR(parse_not(parser, err));
        SS_RETURN_IF_ERROR(add_step(parser, SS_DATASET_WHERE_NOT, err));
    } else {
        SS_RETURN_IF_ERROR(accept(parser, "(", &found, err));
        if (found) {
            SS_RETURN_IF_ERROR(parse_or(parser, err));
            SS_RETURN_IF_ERROR(expect(parser, ")", "and, or, or ')'", err));
        } else {
            SS_RETURN_IF_ERROR(parse_comparison(parser, err));
        }
    }
    parser->depth--;
    return SS_OK;
}

static ss_status parse_and(struct parser *parser, ss_err *err)
{
    bool has_more = false;
    SS_RETURN_IF_ERROR(parse_not(parser, err));
    SS_RETURN_IF_ERROR(accept(parser, "and", &has_more, err));
    while (has_more) {
        SS_RETURN_IF_ERROR(parse_not(parser, err));
        SS_RETURN_IF_ERROR(add_step(parser, SS_DATASET_WHERE_AND, err));
        SS_RETURN_IF_ERROR(accept(parser, "and", &has_more, err));
    }
    return SS_OK;
}

static ss_status parse_or(struct parser *parser, ss_err *err)
{
    bool has_more = false;
    SS_RETURN_IF_ERROR(parse_and(parser, err));
    SS_RETURN_IF_ERROR(accept(parser, "or", &has_more, err));
    while (has_more) {
        SS_RETURN_IF_ERROR(parse_and(parser, err));
        SS_RETURN_IF_ERROR(add_step(parser, SS_DATASET_WHERE_OR, err));
        SS_RETURN_IF_ERROR(accept(parser, "or", &has_more, err));
    }
    return SS_OK;
}

ss_status ss_dataset_where_parse(const char *text, struct ss_dataset_where **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_dataset_where *where = NULL;
    *out = NULL;
    SS_ALLOC(where, 1);
    struct parser parser = {.where = where, .expression = text, .at = text};
    if (ss__utf8_valid_prefix(text, strlen(text)) != strlen(text)) {
        SS_FAIL(SS_E_USAGE, "`where` is not valid UTF-8");
    }
    SS_TRY(step(&parser, err));
    SS_TRY(parse_or(&parser, err));
    if (parser.token.kind != TOKEN_END) {
        SS_TRY(fail_at(&parser, parser.token.at, "and, or, or the end", err));
    }
    *out = where;
    where = NULL;
out:
    ss_dataset_where_free(where);
    return status;
}

void ss_dataset_where_free(struct ss_dataset_where *where)
{
    if (where == NULL) {
        return;
    }
    for (size_t i = 0; i < where->n_comparisons; i++) {
        ss__free(where->comparisons[i].values);
    }
    ss__free(where->comparisons);
    ss__free(where->columns);
    ss__free(where->steps);
    ss__buf_release(&where->text);
    ss__arena_release(&where->arena);
    ss__free(where);
}

const char *const *ss_dataset_where_columns(const struct ss_dataset_where *where, size_t *n)
{
    *n = where->n_columns;
    return (const char *const *)where->columns;
}
