/* A scanner of JSON without a tree: it steps over values and says where they begin and end.
 * Nesting is a row of bits, so a deep value costs neither stack nor memory. Strings are
 * searched eight bytes at a time, since most of a dataset is text. */
#include "format/json_scan.h"

#include <string.h>

#include "base/utf8.h"

static const char ended_early[] = "the JSON ends before the value does";

const char *ss_format_json_kind_name(ss_format_json_kind kind)
{
    static const char *const names[SS_FORMAT_N_JSON_KINDS] = {
        [SS_FORMAT_JSON_NONE] = "no value", [SS_FORMAT_JSON_OBJECT] = "object",
        [SS_FORMAT_JSON_ARRAY] = "array",   [SS_FORMAT_JSON_STRING] = "string",
        [SS_FORMAT_JSON_NUMBER] = "number", [SS_FORMAT_JSON_BOOL] = "true or false",
        [SS_FORMAT_JSON_NULL] = "null",
    };
    return names[kind];
}

/* A fault at the very end may be that more is missing: callers with a stream then ask for
 * more. */
static bool fail(struct ss_format_scan *scan, const char *problem)
{
    scan->ended = scan->at == scan->end;
    scan->problem = scan->ended ? ended_early : problem;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* JSON's four, RFC 8259, §2: no form feed and no NBSP. */
static void skip_space(struct ss_format_scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at)) {
        scan->at++;
    }
}

/* By the first character alone, which decides between the kinds; whether the value is well
 * formed shows when it is passed. */
ss_format_json_kind ss_format_scan_peek(struct ss_format_scan *scan)
{
    skip_space(scan);
    switch (scan->at < scan->end ? *scan->at : '\0') {
    case '{':
        return SS_FORMAT_JSON_OBJECT;
    case '[':
        return SS_FORMAT_JSON_ARRAY;
    case '"':
        return SS_FORMAT_JSON_STRING;
    case 't':
    case 'f':
        return SS_FORMAT_JSON_BOOL;
    case 'n':
        return SS_FORMAT_JSON_NULL;
    case 'N':
    case 'I':
        return scan->strict ? SS_FORMAT_JSON_NONE : SS_FORMAT_JSON_NUMBER;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return SS_FORMAT_JSON_NUMBER;
    default:
        return SS_FORMAT_JSON_NONE;
    }
}

bool ss_format_scan_char(struct ss_format_scan *scan, char character)
{
    skip_space(scan);
    const bool found = scan->at < scan->end && *scan->at == character;
    scan->at += found;
    return found;
}

/* ---- strings ---- */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* High bits of the bytes of a word that are '"', '\\' or below 0x20. The lowest one set is
 * exact; above it there may be false ones, which the caller never looks at. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t quote = word ^ EACH_BYTE('"'), back = word ^ EACH_BYTE('\\');
    const uint64_t low = word - EACH_BYTE(0x20);
    const uint64_t found =
        ((quote - EACH_BYTE(1)) & ~quote) | ((back - EACH_BYTE(1)) & ~back) | (low & ~word);
    return found & EACH_BYTE(0x80);
}

/* Pass bytes that stand for themselves. */
static void skip_plain(struct ss_format_scan *scan)
{
    const char *at = scan->at;
    for (uint64_t word = 0; scan->end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        if (special_bytes(word) != 0) {
            break;
        }
    }
    while (at < scan->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) {
        at++;
    }
    scan->at = at;
}

/* -1 for what is none. `| 0x20` makes letters small and turns no other character into a to
 * f. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Pass what follows a backslash. */
static bool skip_escape(struct ss_format_scan *scan)
{
    if (scan->at == scan->end || strchr("\"\\/bfnrtu", *scan->at) == NULL ||
        *scan->at == '\0') {
        return fail(scan, "a backslash is followed by an unknown escape");
    }
    if (*scan->at++ != 'u') {
        return true;
    }
    for (int i = 0; i < 4; i++) {
        if (scan->at == scan->end || hex_digit(*scan->at) < 0) {
            return fail(scan, "\\u is not followed by four hexadecimal digits");
        }
        scan->at++;
    }
    return true;
}

/* Escapes are checked here, so that resolving them later cannot fail. */
bool ss_format_scan_string(struct ss_format_scan *scan, struct ss_format_scan_string *out)
{
    if (!ss_format_scan_char(scan, '"')) {
        return fail(scan, "a string was expected");
    }
    *out = (struct ss_format_scan_string){.data = scan->at};
    for (;;) {
        skip_plain(scan);
        if (scan->at == scan->end) {
            return fail(scan, ended_early);
        }
        if (*scan->at == '"') {
            out->n_bytes = (size_t)(scan->at++ - out->data);
            return true;
        }
        if (*scan->at != '\\') {
            return fail(scan, "a string holds a control character that is not escaped");
        }
        scan->at++;
        out->escaped = true;
        if (!skip_escape(scan)) {
            return false;
        }
    }
}

/* Four digits that were checked when the string was passed. */
static uint32_t hex_unit(const char *digits)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        unit = unit << 4 | (uint32_t)hex_digit(digits[i]);
    }
    return unit;
}

/* Append the code point of a \u escape whose digits are at *at; true for a lone surrogate. */
static bool add_unit(const char **at, const char *end, struct ss__buf *out)
{
    char bytes[4];
    uint32_t code_point = hex_unit(*at);
    *at += 4;
    const bool is_high = code_point >= 0xD800 && code_point < 0xDC00;
    if (is_high && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        const uint32_t low = hex_unit(*at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    const bool lone = code_point >= 0xD800 && code_point < 0xE000;
    const size_t n = ss__utf8_encode(lone ? SS__REPLACEMENT : code_point, bytes);
    ss__buf_add(out, bytes, n);
    return lone;
}

/* Pairs of \uD83D\uDE00 become one code point, a half alone U+FFFD: a text with half a pair has
 * no UTF-8, and Python, which reads it, cannot write it either. */
bool ss_format_scan_unescape(struct ss_format_scan_string string, struct ss__buf *out)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *at = string.data, *end = string.data + string.n_bytes;
    bool repaired = false;
    while (at < end) {
        const char *back = memchr(at, '\\', (size_t)(end - at));
        back = back == NULL ? end : back;
        ss__buf_add(out, at, (size_t)(back - at));
        if (back == end) {
            break;
        }
        at = back + 2;
        const char *letter = strchr(letters, back[1]);
        if (back[1] == 'u') {
            repaired |= add_unit(&at, end, out);
        } else {
            ss__buf_add_byte(out, letter == NULL ? back[1] : meant[letter - letters]);
        }
    }
    return repaired;
}

/* ---- values ---- */

static bool skip_word(struct ss_format_scan *scan, const char *word)
{
    for (; *word != '\0'; word++, scan->at++) {
        if (scan->at == scan->end || *scan->at != *word) {
            return fail(scan, "expected true, false or null");
        }
    }
    return true;
}

/* One or more. */
static bool skip_digits(struct ss_format_scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return scan->at > start || fail(scan, "a number lacks a digit here");
}

/* By the grammar of RFC 8259, §6; Python also writes NaN and ±Infinity. */
static bool skip_number(struct ss_format_scan *scan)
{
    const char *start = scan->at;
    scan->at += *scan->at == '-';
    if (!scan->strict && scan->at < scan->end && (*scan->at == 'I' || *scan->at == 'N')) {
        const bool is_bare = scan->at == start;
        return skip_word(scan, *scan->at == 'N' && is_bare ? "NaN" : "Infinity");
    }
    const char *digits = scan->at;
    if (!skip_digits(scan)) {
        return false;
    }
    if (*digits == '0' && scan->at - digits > 1) {
        return fail(scan, "a number begins with a zero");
    }
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!skip_digits(scan)) {
            return false;
        }
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        scan->at += scan->at < scan->end && (*scan->at == '+' || *scan->at == '-');
        return skip_digits(scan);
    }
    return true;
}

/* The comma before a key is passed here, and the colon behind it, so that a walk over an object
 * is a loop over this one call. */
bool ss_format_scan_key(struct ss_format_scan *scan, bool first,
                        struct ss_format_scan_string *key, bool *has_key)
{
    *has_key = false;
    if (ss_format_scan_char(scan, '}')) {
        return true;
    }
    if (!first && !ss_format_scan_char(scan, ',')) {
        return fail(scan, "expected ',' or '}' in an object");
    }
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != '"') {
        return fail(scan, "expected a key in quotes");
    }
    *has_key = true;
    if (!ss_format_scan_string(scan, key)) {
        return false;
    }
    return ss_format_scan_char(scan, ':') || fail(scan, "expected ':' after a key");
}

/* Containers that are open, outermost first, a bit each: set for an object. */
struct nesting {
    uint64_t bits[SS_FORMAT_JSON_MAX_DEPTH / 64];
    size_t depth;
};

static bool open_container(struct ss_format_scan *scan, struct nesting *nesting, bool is_object)
{
    const size_t depth = nesting->depth;
    if (depth == SS_FORMAT_JSON_MAX_DEPTH) {
        scan->problem = "values are nested deeper than 1024";
        return false;
    }
    const uint64_t bit = UINT64_C(1) << depth % 64;
    nesting->bits[depth / 64] &= ~bit;
    nesting->bits[depth / 64] |= is_object ? bit : 0;
    nesting->depth++;
    scan->at++;
    return true;
}

/* Whether the innermost open container is an object. */
static bool in_object(const struct nesting *nesting)
{
    const size_t top = nesting->depth - 1;
    return nesting->bits[top / 64] >> top % 64 & 1;
}

/* Go on inside the innermost container: to its next value, or out of it (*closed). */
static bool go_on(struct ss_format_scan *scan, const struct nesting *nesting, bool first,
                  bool *closed)
{
    struct ss_format_scan_string key;
    if (in_object(nesting)) {
        bool has_key = false;
        const bool good = ss_format_scan_key(scan, first, &key, &has_key);
        *closed = !has_key;
        return good;
    }
    *closed = ss_format_scan_char(scan, ']');
    if (*closed || first || ss_format_scan_char(scan, ',')) {
        return true;
    }
    return fail(scan, "expected ',' or ']' in an array");
}

static bool skip_scalar(struct ss_format_scan *scan, ss_format_json_kind kind)
{
    struct ss_format_scan_string string;
    switch (kind) {
    case SS_FORMAT_JSON_STRING:
        return ss_format_scan_string(scan, &string);
    case SS_FORMAT_JSON_NUMBER:
        return skip_number(scan);
    case SS_FORMAT_JSON_BOOL:
        return skip_word(scan, *scan->at == 't' ? "true" : "false");
    case SS_FORMAT_JSON_NULL:
        return skip_word(scan, "null");
    default:
        return fail(scan, "expected a JSON value");
    }
}

/* A loop in place of recursion: pass a scalar or open a container, then close all that end
 * here. */
bool ss_format_scan_value(struct ss_format_scan *scan)
{
    struct nesting nesting = {0};
    for (;;) {
        const ss_format_json_kind kind = ss_format_scan_peek(scan);
        const bool opens = kind == SS_FORMAT_JSON_OBJECT || kind == SS_FORMAT_JSON_ARRAY;
        const bool good = opens ? open_container(scan, &nesting, kind == SS_FORMAT_JSON_OBJECT)
                                : skip_scalar(scan, kind);
        if (!good) {
            return false;
        }
        bool first = opens, closed = true;
        while (nesting.depth > 0 && closed) {
            if (!go_on(scan, &nesting, first, &closed)) {
                return false;
            }
            nesting.depth -= closed;
            first = false;
        }
        if (nesting.depth == 0) {
            return true;
        }
    }
}

/* N and I outside of strings begin only NaN and Infinity, which JSON does not have. */
void ss_format_json_compact(const char *data, size_t n_bytes, struct ss__buf *out)
{
    struct ss_format_scan scan = {data, data + n_bytes, NULL, false, false};
    while (scan.at < scan.end) {
        skip_space(&scan);
        const char *start = scan.at;
        struct ss_format_scan_string string;
        if (scan.at < scan.end && *scan.at == '"') {
            if (!ss_format_scan_string(&scan, &string)) {
                return;
            }
        } else {
            while (scan.at < scan.end && !is_space(*scan.at) && *scan.at != '"' &&
                   *scan.at != 'N' && *scan.at != 'I') {
                scan.at++;
            }
        }
        const bool is_negative =
            scan.at > start && scan.at < scan.end && *scan.at == 'I' && scan.at[-1] == '-';
        ss__buf_add(out, start, (size_t)(scan.at - start) - is_negative);
        if (scan.at < scan.end && (*scan.at == 'N' || *scan.at == 'I')) {
            scan.at += *scan.at == 'N' ? strlen("NaN") : strlen("Infinity");
            ss__buf_add_text(out, "null");
        }
    }
}
