/* Whether a row is wanted: its values beside those of an expression. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "dataset/where_priv.h"
#include "format/format.h"

/* ---- numbers, by their digits ---- */

struct decimal {
    bool is_negative;
    const char *digits; /* the first that is not 0; a point may stand among them */
    size_t n_bytes;     /* up to the exponent */
    int64_t power;      /* of ten, of the first digit */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* An exponent, held within what cannot matter. */
static bool read_exponent(const char *at, const char *end, int64_t *exponent)
{
    const int64_t most = 1000000000000;
    const bool is_negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end) {
        return false;
    }
    for (*exponent = 0; at < end; at++) {
        if (!is_digit(*at)) {
            return false;
        }
        *exponent = *exponent < most ? 10 * *exponent + (*at - '0') : most;
    }
    *exponent = is_negative ? -*exponent : *exponent;
    return true;
}

/* Take a text apart; zero has no digits. */
static bool read_decimal(struct ss_text text, struct decimal *out)
{
    const char *at = text.data, *end = at + text.n_bytes;
    int64_t exponent = 0, n_whole = 0, n_zeros = 0;
    bool has_point = false, has_digit = false;
    *out = (struct decimal){.is_negative = at < end && *at == '-'};
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && (is_digit(*at) || (*at == '.' && !has_point)); at++) {
        if (*at == '.') {
            has_point = true;
            continue;
        }
        has_digit = true;
        if (out->digits == NULL && *at != '0') {
            out->digits = at;
        }
        n_zeros += has_point && out->digits == NULL;
        n_whole += !has_point && out->digits != NULL;
    }
    out->n_bytes = out->digits == NULL ? 0 : (size_t)(at - out->digits);
    if (!has_digit) {
        return false;
    }
    if (at < end && ((*at | 0x20) != 'e' || !read_exponent(at + 1, end, &exponent))) {
        return false;
    }
    out->power = exponent + (n_whole > 0 ? n_whole - 1 : -1 - n_zeros);
    out->is_negative = out->is_negative && out->digits != NULL;
    return true;
}

/* The next digit, 0 behind the last one. */
static char next_digit(const struct decimal *number, size_t *at)
{
    *at += *at < number->n_bytes && number->digits[*at] == '.';
    return *at < number->n_bytes ? number->digits[(*at)++] : '0';
}

static int compare_sizes(const struct decimal *a, const struct decimal *b)
{
    if (a->digits == NULL || b->digits == NULL) {
        return (a->digits != NULL) - (b->digits != NULL);
    }
    if (a->power != b->power) {
        return a->power < b->power ? -1 : 1;
    }
    for (size_t i = 0, j = 0; i < a->n_bytes || j < b->n_bytes;) {
        const char left = next_digit(a, &i), right = next_digit(b, &j);
        if (left != right) {
            return left < right ? -1 : 1;
        }
    }
    return 0;
}

bool ss_dataset_where_compare_numbers(struct ss_text a, struct ss_text b, int *order)
{
    struct decimal left, right;
    if (!read_decimal(a, &left) || !read_decimal(b, &right)) {
        return false;
    }
    if (left.is_negative != right.is_negative) {
        *order = left.is_negative ? -1 : 1;
    } else {
        *order = left.is_negative ? compare_sizes(&right, &left) : compare_sizes(&left, &right);
    }
    return true;
}

/* ---- values of rows ---- */

struct value {
    ss_dataset_where_type type;
    struct ss_text text; /* of a string what it says, of a number its digits */
    bool is_true, is_untyped;
};

static struct ss_text trimmed(struct ss_text text)
{
    while (text.n_bytes > 0 && strchr(" \t", text.data[0]) != NULL) {
        text.data++;
        text.n_bytes--;
    }
    while (text.n_bytes > 0 && strchr(" \t", text.data[text.n_bytes - 1]) != NULL) {
        text.n_bytes--;
    }
    return text;
}

static ss_status read_string(struct ss_dataset_where *where, struct ss_text json,
                             struct value *out, ss_err *err)
{
    struct ss_format_scan scan = {.at = json.data, .end = json.data + json.n_bytes};
    struct ss_format_scan_string string = {0};
    if (!ss_format_scan_string(&scan, &string)) {
        out->type = SS_DATASET_WHERE_OTHER;
        return SS_OK;
    }
    out->type = SS_DATASET_WHERE_TEXT;
    out->text = (struct ss_text){string.data, string.n_bytes};
    if (string.escaped) {
        where->text.n_bytes = 0;
        ss_format_scan_unescape(string, &where->text);
        SS_RETURN_IF_ERROR(ss__buf_check(&where->text, err));
        out->text = (struct ss_text){where->text.data, where->text.n_bytes};
    }
    return SS_OK;
}

static ss_status read_value(struct ss_dataset_where *where,
                            const struct ss_dataset_where_value *from, struct value *out,
                            ss_err *err)
{
    struct ss_format_scan scan = {.at = from->json.data,
                                  .end = from->json.data + from->json.n_bytes};
    *out = (struct value){.text = from->json, .is_untyped = from->is_untyped};
    switch (ss_format_scan_peek(&scan)) {
    case SS_FORMAT_JSON_STRING:
        return read_string(where, from->json, out, err);
    case SS_FORMAT_JSON_NUMBER:
        out->text = trimmed(from->json);
        out->type = SS_DATASET_WHERE_NUMBER;
        break;
    case SS_FORMAT_JSON_BOOL:
        out->type = SS_DATASET_WHERE_BOOL;
        out->is_true = *scan.at == 't';
        break;
    case SS_FORMAT_JSON_NULL:
    case SS_FORMAT_JSON_NONE:
        out->type = SS_DATASET_WHERE_NULL;
        break;
    default:
        out->type = SS_DATASET_WHERE_OTHER;
        break;
    }
    return SS_OK;
}

/* ---- comparisons: 1 true, 0 false, -1 neither ---- */

static bool parse_bool(struct ss_text text, bool *is_true)
{
    *is_true = text.n_bytes == 4 && ss__begin_alike_ignoring_case(text.data, "true", 4);
    return *is_true ||
           (text.n_bytes == 5 && ss__begin_alike_ignoring_case(text.data, "false", 5));
}

static int compare_texts(struct ss_text a, struct ss_text b)
{
    const size_t n = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    const int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

/* The order of a value and a literal of the same type; false where they have none. */
static bool compare(const struct value *value, const struct ss_dataset_where_literal *literal,
                    int *order)
{
    bool is_true = value->is_true;
    const bool is_text = value->type == SS_DATASET_WHERE_TEXT;
    switch (literal->type) {
    case SS_DATASET_WHERE_NUMBER:
        return (value->type == SS_DATASET_WHERE_NUMBER || (is_text && value->is_untyped)) &&
               ss_dataset_where_compare_numbers(trimmed(value->text), literal->text, order);
    case SS_DATASET_WHERE_BOOL:
        if (is_text && value->is_untyped && !parse_bool(trimmed(value->text), &is_true)) {
            return false;
        }
        *order = (int)is_true - (int)literal->is_true;
        return value->type == SS_DATASET_WHERE_BOOL || (is_text && value->is_untyped);
    default:
        *order = is_text ? compare_texts(value->text, literal->text) : 0;
        return is_text;
    }
}

static void note_mismatch(struct ss_dataset_where *where, size_t column,
                          const struct ss_dataset_where_literal *literal,
                          const struct value *value, uint64_t row)
{
    static const char *const names[] = {"null", "a number", "a text", "true or false",
                                        "a list or an object"};
    if (where->n_mismatched++ == 0) {
        where->mismatched_row = row;
        ss__snprintf(where->mismatch, sizeof where->mismatch,
                     "column '%.80s' holds %s%s, not %s", where->columns[column],
                     names[value->type],
                     value->type == SS_DATASET_WHERE_TEXT &&
                             literal->type != SS_DATASET_WHERE_TEXT && !value->is_untyped
                         ? " (put the value in quotes to compare texts)"
                         : "",
                     names[literal->type]);
    }
}

static bool is_equal_list(const struct ss_dataset_where_comparison *comparison)
{
    return comparison->how == SS_DATASET_WHERE_IN || comparison->how == SS_DATASET_WHERE_NOT_IN;
}

static bool holds(ss_dataset_where_operator how, int order)
{
    switch (how) {
    case SS_DATASET_WHERE_EQUAL:
    case SS_DATASET_WHERE_IN:
    case SS_DATASET_WHERE_NOT_IN:
        return order == 0;
    case SS_DATASET_WHERE_NOT_EQUAL:
        return order != 0;
    case SS_DATASET_WHERE_LESS:
        return order < 0;
    case SS_DATASET_WHERE_LESS_EQUAL:
        return order <= 0;
    case SS_DATASET_WHERE_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static int evaluate(struct ss_dataset_where *where,
                    const struct ss_dataset_where_comparison *comparison,
                    const struct value *value, uint64_t row)
{
    const bool is_null = value->type == SS_DATASET_WHERE_NULL;
    size_t n_compared = 0;
    int order = 0;
    if (comparison->how >= SS_DATASET_WHERE_IS_NULL) {
        return is_null == (comparison->how == SS_DATASET_WHERE_IS_NULL);
    }
    const bool is_blank = value->is_untyped && value->text.n_bytes == 0; /* of csv */
    if (is_null || (is_blank && comparison->values[0].type != SS_DATASET_WHERE_TEXT)) {
        return -1;
    }
    for (size_t i = 0; i < comparison->n_values; i++) {
        if (!compare(value, &comparison->values[i], &order)) {
            continue;
        }
        n_compared++;
        if (holds(comparison->how, order)) {
            return comparison->how != SS_DATASET_WHERE_NOT_IN;
        }
    }
    if (n_compared == 0) {
        note_mismatch(where, comparison->column, &comparison->values[0], value, row);
        return -1;
    }
    return is_equal_list(comparison) ? comparison->how == SS_DATASET_WHERE_NOT_IN : 0;
}

static int join(int what, int a, int b)
{
    const int decisive = what == SS_DATASET_WHERE_AND ? 0 : 1;
    return a == decisive || b == decisive ? decisive : a < 0 || b < 0 ? -1 : !decisive;
}

ss_status ss_dataset_where_match(struct ss_dataset_where *where,
                                 const struct ss_dataset_where_value *values, uint64_t row,
                                 bool *is_wanted, ss_err *err)
{
    signed char stack[SS_DATASET_WHERE_MAX_STEPS];
    size_t n = 0;
    *is_wanted = false;
    for (size_t i = 0; i < where->n_steps; i++) {
        const int what = where->steps[i];
        if (what >= 0) {
            const struct ss_dataset_where_comparison *comparison = &where->comparisons[what];
            struct value value;
            SS_RETURN_IF_ERROR(read_value(where, &values[comparison->column], &value, err));
            stack[n++] = (signed char)evaluate(where, comparison, &value, row);
        } else if (what == SS_DATASET_WHERE_NOT) {
            stack[n - 1] = (signed char)(stack[n - 1] < 0 ? -1 : !stack[n - 1]);
        } else {
            n--;
            stack[n - 1] = (signed char)join(what, stack[n - 1], stack[n]);
        }
    }
    *is_wanted = n == 1 && stack[0] == 1;
    return SS_OK;
}

struct ss_dataset_mismatch ss_dataset_where_mismatch(const struct ss_dataset_where *where)
{
    return (struct ss_dataset_mismatch){
        .n = where->n_mismatched, .row = where->mismatched_row, .what = where->mismatch};
}
