#include "base/json.h"

#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { LOAD_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL };

/* Whole numbers beyond 64 bits, such as the 10^30 that model folders write for "no limit",
 * become reals: a copy of the text with ".0" behind each literal of more than 18 digits. */
static void widen_integers(const char *text, size_t n_bytes, struct ss__buf *out)
{
    bool in_string = false;
    size_t n_digits = 0; /* of the whole number that is passing */
    bool is_whole = false;
    for (size_t i = 0; i <= n_bytes; i++) {
        const char c = i < n_bytes ? text[i] : ' '; /* a blank ends a number at the end */
        const bool is_digit = c >= '0' && c <= '9';
        if (!in_string && is_digit) {
            is_whole = n_digits == 0 ? i == 0 || strchr(".eE+", text[i - 1]) == NULL : is_whole;
            n_digits++;
        } else {
            if (is_whole && n_digits > 18 && strchr(".eE", c) == NULL) {
                ss__buf_add_text(out, ".0");
            }
            n_digits = 0;
            is_whole = false;
        }
        if (in_string && c == '\\' && i + 1 < n_bytes) {
            ss__buf_add_byte(out, c);
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        }
        ss__buf_add_byte(out, i < n_bytes ? text[i] : ' ');
    }
}

static struct ss__json *load_widened(const char *text, size_t n_bytes, json_error_t *problem)
{
    struct ss__buf wide = {0};
    widen_integers(text, n_bytes, &wide);
    struct ss__json *json =
        wide.failed ? NULL : json_loadb(wide.data, wide.n_bytes, LOAD_FLAGS, problem);
    ss__buf_release(&wide);
    return json;
}

ss_status ss__json_parse(const char *file, const char *text, size_t n_bytes,
                         struct ss__json **out, ss_err *err)
{
    json_error_t problem;
    *out = NULL;
    if (n_bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        n_bytes -= 3;
    }
    *out = json_loadb(text, n_bytes, LOAD_FLAGS, &problem);
    if (*out == NULL && json_error_code(&problem) == json_error_numeric_overflow) {
        *out = load_widened(text, n_bytes, &problem);
    }
    if (*out == NULL) {
        const ss_status status =
            ss__fail_file(err, file, SS_E_DATA, "not valid JSON: %s (line %d, column %d)",
                          problem.text, problem.line, problem.column);
        ss__err_at_offset(err, (uint64_t)problem.position);
        return status;
    }
    return SS_OK;
}

ss_status ss__json_load(const char *path, struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    *out = NULL;
    SS_TRY(ss__file_read(path, SS__JSON_MAX_BYTES, &text, err));
    SS_TRY(ss__json_parse(path, text.data == NULL ? "" : text.data, text.n_bytes, out, err));
    if (!ss__json_is_object(*out) && !ss__json_is_array(*out)) {
        ss__json_free(*out);
        *out = NULL;
        SS_FAIL_FILE(path, SS_E_DATA, "expected a JSON object at the top level");
    }
out:
    ss__buf_release(&text);
    return status;
}

ss_status ss__json_load_optional(const char *path, struct ss__json **out, ss_err *err)
{
    *out = NULL;
    return ss__path_look(path) == SS__PATH_NONE ? SS_OK : ss__json_load(path, out, err);
}

/* The member, or NULL if it is absent or null. */
static const struct ss__json *member(const struct ss__json *object, const char *key)
{
    const struct ss__json *value = object == NULL ? NULL : ss__json_get(object, key);
    return ss__json_is_null(value) ? NULL : value;
}

static ss_status wrong_type(const char *file, const char *key, const char *expected,
                            ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, file, SS_E_DATA, "key '%s' is not %s", key, expected);
    ss__err_about(err, key);
    return status;
}

ss_status ss__json_size(const char *file, const struct ss__json *object, const char *key,
                        size_t *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    double number = json_is_real(found) ? ss__json_real(found) : -1;
    if (ss__json_is_integer(found) && ss__json_integer(found) >= 0) {
        *value = (size_t)ss__json_integer(found);
        return SS_OK;
    }
    if (number >= 0 && number < 9e15 && number == (double)(uint64_t)number) {
        *value = (size_t)number;
        return SS_OK;
    }
    return wrong_type(file, key, "a whole number of 0 or more", err);
}

ss_status ss__json_number(const char *file, const struct ss__json *object, const char *key,
                          double *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (!ss__json_is_number(found)) {
        return wrong_type(file, key, "a number", err);
    }
    *value = ss__json_real(found);
    return SS_OK;
}

ss_status ss__json_bool(const char *file, const struct ss__json *object, const char *key,
                        bool *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (!ss__json_is_boolean(found)) {
        return wrong_type(file, key, "true or false", err);
    }
    *value = ss__json_is_true(found);
    return SS_OK;
}

ss_status ss__json_text(const char *file, const struct ss__json *object, const char *key,
                        const char **value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (!ss__json_is_string(found) ||
        strlen(ss__json_string(found)) != ss__json_string_bytes(found)) {
        return wrong_type(file, key, "a string", err);
    }
    *value = ss__json_string(found);
    return SS_OK;
}

ss_status ss__json_need(const char *file, const struct ss__json *object, const char *key,
                        ss_err *err)
{
    if (member(object, key) != NULL) {
        return SS_OK;
    }
    const ss_status status = ss__fail_file(err, file, SS_E_DATA, "key '%s' is missing", key);
    ss__err_about(err, key);
    return status;
}

static void add_escaped_unit(struct ss__buf *buf, uint32_t unit)
{
    ss__buf_printf(buf, "\\u%04x", unit);
}

static void add_code_point(struct ss__buf *buf, const char *bytes, size_t n,
                           uint32_t code_point, bool ascii)
{
    static const char plain[] = "\"\\\b\f\n\r\t", escape[] = "\"\\bfnrt";
    const char *found =
        code_point == 0 ? NULL : (code_point < 0x80 ? strchr(plain, (int)code_point) : NULL);
    if (found != NULL) {
        ss__buf_add_byte(buf, '\\');
        ss__buf_add_byte(buf, escape[found - plain]);
    } else if (code_point < 0x20 || (ascii && code_point >= 0x7F && code_point < 0x10000)) {
        add_escaped_unit(buf, code_point);
    } else if (ascii && code_point >= 0x10000) {
        add_escaped_unit(buf, 0xD800 + ((code_point - 0x10000) >> 10));
        add_escaped_unit(buf, 0xDC00 + ((code_point - 0x10000) & 0x3FF));
    } else {
        ss__buf_add(buf, bytes, n);
    }
}

/* How many bytes from here on stand for themselves. */
static size_t plain_run(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n && text[at] >= 0x20 && text[at] < 0x7F && text[at] != '"' &&
           text[at] != '\\') {
        at++;
    }
    return at;
}

void ss__json_add_string(struct ss__buf *buf, const char *text, size_t n_bytes, bool ascii)
{
    ss__buf_add_byte(buf, '"');
    for (size_t at = 0; at < n_bytes;) {
        const size_t plain = plain_run(text + at, n_bytes - at);
        ss__buf_add(buf, text + at, plain);
        at += plain;
        if (at == n_bytes) {
            break;
        }
        uint32_t code_point = 0;
        const size_t length = ss__utf8_decode(text + at, n_bytes - at, &code_point);
        if (length == 0) { /* the contract excludes it: keep the output valid all the same */
            ss__buf_add(buf, "\xEF\xBF\xBD", 3);
            at++;
            continue;
        }
        add_code_point(buf, text + at, length, code_point, ascii);
        at += length;
    }
    ss__buf_add_byte(buf, '"');
}
