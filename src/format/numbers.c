/* Numbers of a row, out of JSON or out of bytes. */
#include "format/numbers.h"

#include <string.h>

#include "base/mem.h"
#include "base/number.h"

bool ss_format_numbers_reserve(struct ss_format_numbers *numbers, size_t n)
{
    size_t needed = 0;
    void *values = numbers->values;
    if (!ss__add(numbers->n, n, &needed) ||
        !ss__grow(&values, &numbers->capacity, needed, sizeof *numbers->values)) {
        return false;
    }
    numbers->values = values;
    return true;
}

void ss_format_numbers_release(struct ss_format_numbers *numbers)
{
    ss__free(numbers->values);
    *numbers = (struct ss_format_numbers){0};
}

void ss_format_numbers_add(struct ss_format_numbers *numbers,
                           const struct ss_format_scalar_type *type, const uint8_t *bytes,
                           size_t n_bytes)
{
    float value = 0;
    double wide = 0;
    if (type->kind == SS_FORMAT_SCALAR_FLOAT && n_bytes == sizeof value) {
        memcpy(&value, bytes, sizeof value);
    } else if (type->kind == SS_FORMAT_SCALAR_FLOAT && n_bytes == sizeof wide) {
        memcpy(&wide, bytes, sizeof wide);
        value = (float)wide;
    } else {
        value = (float)ss_format_scalar_number(type, bytes, n_bytes);
    }
    numbers->values[numbers->n++] = value;
}

/* ---- JSON ---- */

/* What is no number keeps its place, so that later ones do not shift; the fault is told by the
 * row. */
static bool add_number(struct ss_format_numbers *numbers, const char *text, size_t n,
                       bool is_string)
{
    double value = 0;
    if (is_string && n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    if (n == 0 || (n == 4 && memcmp(text, "null", 4) == 0)) {
        ss_format_numbers_blame(numbers, SS_FORMAT_NUMBERS_NULL);
    } else if (!ss__parse_double(text, n, &value)) {
        ss_format_numbers_blame(numbers, SS_FORMAT_NUMBERS_OTHER);
    }
    if (!ss_format_numbers_reserve(numbers, 1)) {
        return false;
    }
    numbers->values[numbers->n++] = (float)value;
    return true;
}

static bool is_end(char c)
{
    return c == ',' || c == ']' || c == ' ';
}

/* A list of lists has "[" where a number is expected, which is a fault like any other. */
bool ss_format_numbers_add_json(struct ss_format_numbers *numbers, const char *json,
                                size_t n_bytes, bool are_strings)
{
    const char *at = json, *end = json + n_bytes;
    if (n_bytes == 0 || *at != '[') {
        const bool is_list = n_bytes > 0 && *at == '{';
        if (is_list) {
            ss_format_numbers_blame(numbers, SS_FORMAT_NUMBERS_NO_LIST);
        }
        return add_number(numbers, json, n_bytes, are_strings);
    }
    for (at++; at < end && *at != ']';) {
        const char *begin = at;
        while (at < end && !is_end(*at)) {
            at++;
        }
        if (!add_number(numbers, begin, (size_t)(at - begin), false)) {
            return false;
        }
        while (at < end && (*at == ',' || *at == ' ')) {
            at++;
        }
    }
    return true;
}
