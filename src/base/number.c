/* printf and strtod follow the locale of the process, which belongs to the host program. Here
 * the "C" locale is handed to them for each call, and digits are those of Python's repr: the
 * fewest that read back as the same double. */
#include "base/number.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decimals of 15 digits survive the way through a double, so fewer digits are found by trimming
 * zeros; 17 always suffice. */
enum { ALWAYS_EXACT_DIGITS = 15, MAX_DIGITS = 17, MAX_NUMBER_BYTES = 512 };

/* A finite double as sign, digits d1 d2 … dn without trailing zeros, and the exponent of d1. */
struct decimal {
    char digits[MAX_DIGITS + 1];
    int n_digits;
    int exponent;
};

/* ---- the locale ---- */

/* glibc answers with a constant object: nothing is allocated, nothing has to be freed. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

void *ss__locale_enter(void)
{
    const locale_t c = c_locale();
    return c == (locale_t)0 ? NULL : (void *)uselocale(c);
}

void ss__locale_leave(void *previous)
{
    if (previous != NULL) {
        (void)uselocale((locale_t)previous);
    }
}

int ss__vsnprintf(char *out, size_t capacity, const char *format, va_list arguments)
{
    void *previous = ss__locale_enter();
    const int length = vsnprintf(out, capacity, format, arguments);
    ss__locale_leave(previous);
    return length;
}

int ss__snprintf(char *out, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = ss__vsnprintf(out, capacity, format, arguments);
    va_end(arguments);
    return length;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool ss__equal_ignoring_case(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

bool ss__begin_alike_ignoring_case(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
        if (a[i] == '\0') {
            return true;
        }
    }
    return true;
}

/* ---- numbers ---- */

static double to_double(const char *text)
{
    return strtod_l(text, NULL, c_locale());
}

static double decimal_value(const struct decimal *number)
{
    char text[MAX_DIGITS + 16];
    snprintf(text, sizeof text, "%se%d", number->digits,
             number->exponent - (number->n_digits - 1));
    return to_double(text);
}

/* The correctly rounded decimal of n_digits, which printf gives; its digits and exponent are
 * taken out of the text. */
static void decimal_round(double magnitude, int n_digits, struct decimal *out)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", n_digits - 1, magnitude);
    const char *exponent = strchr(text, 'e');
    int count = 0;
    for (const char *at = text; at < exponent; at++) {
        if (*at >= '0' && *at <= '9') {
            out->digits[count++] = *at;
        }
    }
    out->digits[count] = '\0';
    out->n_digits = count;
    out->exponent = (int)strtol(exponent + 1, NULL, 10);
}

/* Move the last digit by one; false if that would need a carry. */
static bool decimal_step(struct decimal *number, int step)
{
    char *last = &number->digits[number->n_digits - 1];
    if ((step < 0 && *last == '0') || (step > 0 && *last == '9')) {
        return false;
    }
    *last = (char)(*last + step);
    return true;
}

static void decimal_trim(struct decimal *number)
{
    while (number->n_digits > 1 && number->digits[number->n_digits - 1] == '0') {
        number->digits[--number->n_digits] = '\0';
    }
}

/* Fewest digits that read back. Below a power of two the doubles are closer together than above
 * it, so that a neighbour of the nearest 16-digit number may read back where the nearest does
 * not. */
static void shortest_decimal(double magnitude, struct decimal *out)
{
    static const int steps[] = {-1, 1};
    for (int n_digits = ALWAYS_EXACT_DIGITS; n_digits <= MAX_DIGITS; n_digits++) {
        decimal_round(magnitude, n_digits, out);
        if (decimal_value(out) == magnitude) {
            break;
        }
        for (size_t i = 0; n_digits == 16 && i < 2; i++) {
            struct decimal near = *out;
            if (decimal_step(&near, steps[i]) && decimal_value(&near) == magnitude) {
                *out = near;
                decimal_trim(out);
                return;
            }
        }
    }
    /* With few significant bits (subnormals) fewer than 15 digits may do. */
    for (int n_digits = 1; n_digits < ALWAYS_EXACT_DIGITS && magnitude < 1e-300; n_digits++) {
        struct decimal fewer;
        decimal_round(magnitude, n_digits, &fewer);
        if (decimal_value(&fewer) == magnitude) {
            *out = fewer;
            break;
        }
    }
    decimal_trim(out);
}

/* "0.0001", "12.5", "1200.0": with at least one digit behind the point, as Python's repr.
 * Exponents are from -4 to 15 here. */
static size_t write_fixed(const struct decimal *number, char *out, size_t capacity)
{
    char *at = out;
    if (number->exponent < 0) {
        return (size_t)snprintf(out, capacity, "0.%.*s%s", -number->exponent - 1, "0000",
                                number->digits);
    }
    for (int i = 0; i <= number->exponent || i < number->n_digits; i++) {
        if (i == number->exponent + 1) {
            *at++ = '.';
        }
        *at++ = i < number->n_digits ? number->digits[i] : '0';
    }
    if (number->n_digits <= number->exponent + 1) {
        *at++ = '.';
        *at++ = '0';
    }
    *at = '\0';
    return (size_t)(at - out);
}

static size_t write_scientific(const struct decimal *number, char *out, size_t capacity)
{
    const int exponent = number->exponent;
    return (size_t)snprintf(out, capacity, "%c%s%se%c%02d", number->digits[0],
                            number->n_digits > 1 ? "." : "", number->digits + 1,
                            exponent < 0 ? '-' : '+', abs(exponent));
}

size_t ss__format_double(double value, char out[SS__DOUBLE_TEXT_BYTES])
{
    struct decimal number;
    size_t n_sign = 0;
    if (signbit(value) && !isnan(value)) {
        out[n_sign++] = '-';
    }
    char *at = out + n_sign;
    const size_t capacity = SS__DOUBLE_TEXT_BYTES - n_sign;
    if (!isfinite(value) || value == 0) {
        const char *word = isnan(value) ? "NaN" : value == 0 ? "0.0" : "Infinity";
        return n_sign + (size_t)snprintf(at, capacity, "%s", word);
    }
    shortest_decimal(fabs(value), &number);
    const bool fixed = number.exponent >= -4 && number.exponent < 16;
    return n_sign + (fixed ? write_fixed : write_scientific)(&number, at, capacity);
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool is_decimal(const char *text, size_t n)
{
    size_t at = 0, n_digits = 0;
    at += at < n && (text[at] == '-' || text[at] == '+');
    for (; at < n && text[at] >= '0' && text[at] <= '9'; at++) {
        n_digits++;
    }
    if (at < n && text[at] == '.') {
        for (at++; at < n && text[at] >= '0' && text[at] <= '9'; at++) {
            n_digits++;
        }
    }
    if (n_digits > 0 && at < n && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < n && (text[at] == '-' || text[at] == '+');
        const size_t first = at;
        while (at < n && text[at] >= '0' && text[at] <= '9') {
            at++;
        }
        n_digits = at > first ? n_digits : 0;
    }
    return n_digits > 0 && at == n;
}

/* Of a checked decimal what is behind its digits: "", or "e-05"; large ones are cut. */
static int read_exponent(const char *text, size_t n_bytes)
{
    const bool is_negative = n_bytes > 1 && text[1] == '-';
    int exponent = 0;
    const size_t first = is_negative || (n_bytes > 1 && text[1] == '+') ? 2 : 1;
    for (size_t i = first; i < n_bytes; i++) {
        exponent = exponent > 1000 ? exponent : 10 * exponent + (text[i] - '0');
    }
    return is_negative ? -exponent : exponent;
}

/* A decimal that was checked, from its digits as a whole number and a power of ten that are
 * both exact in the 64 bits of an extended double: one rounding there, and another to double,
 * which is the right one unless the bits that it drops are next to one half. False where the
 * fast path does not apply. */
static bool parse_fast(const char *text, size_t n_bytes, double *value)
{
    static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                         1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                         1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                         1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    enum { MAX_FAST_DIGITS = 19, MAX_FRACTION_DIGITS = 100, MAX_POWER = 27, DROPPED_BITS = 11 };
    const bool is_negative = text[0] == '-';
    uint64_t digits = 0;
    size_t n_digits = 0, n_fraction_digits = 0, at = is_negative;
    bool is_fraction = false;
    for (; at < n_bytes && (text[at] | 32) != 'e'; at++) {
        if (text[at] == '.') {
            is_fraction = true;
            continue;
        }
        digits = 10 * digits + (uint64_t)(text[at] - '0');
        n_digits += digits > 0;
        n_fraction_digits += is_fraction;
    }
    const int power = read_exponent(text + at, n_bytes - at) - (int)n_fraction_digits;
    if (n_digits > MAX_FAST_DIGITS || n_fraction_digits > MAX_FRACTION_DIGITS ||
        power > MAX_POWER || power < -MAX_POWER || digits == 0 || text[0] == '+') {
        return false;
    }
    /* x86's extended double: 64 bits of significand, of which a double keeps 53 */
    const long double wide =
        power < 0 ? (long double)digits / powers[-power] : (long double)digits * powers[power];
    uint64_t significand = 0;
    memcpy(&significand, &wide, sizeof significand);
    const uint64_t dropped = significand & ((1u << DROPPED_BITS) - 1);
    const uint64_t half = 1u << (DROPPED_BITS - 1);
    *value = is_negative ? -(double)wide : (double)wide;
    return dropped < half - 1 || dropped > half + 1;
}

/* The fast path serves nearly all numbers of real files; the C library decides the rest,
 * correctly rounded as well, so the result does not depend on the path. */
bool ss__parse_double(const char *text, size_t n_bytes, double *value)
{
    char copy[MAX_NUMBER_BYTES];
    if (n_bytes >= sizeof copy - 8 || !is_decimal(text, n_bytes)) {
        return false;
    }
    if (parse_fast(text, n_bytes, value)) {
        return true;
    }
    memcpy(copy, text, n_bytes);
    copy[n_bytes] = '\0';
    *value = to_double(copy);
    return true;
}

bool ss__parse_u64(const char *text, size_t n_bytes, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum)) {
            return false;
        }
    }
    *value = sum;
    return n_bytes > 0;
}

const char *ss__format_count(uint64_t n, char out[SS__COUNT_TEXT_BYTES])
{
    char digits[SS__COUNT_TEXT_BYTES];
    const int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, n);
    size_t at = 0;
    for (int i = 0; i < n_digits; i++) {
        if (i > 0 && (n_digits - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *ss__format_counted(uint64_t n, const char *noun, char out[SS__COUNTED_TEXT_BYTES])
{
    char number[SS__COUNT_TEXT_BYTES];
    snprintf(out, SS__COUNTED_TEXT_BYTES, "%s %.30s%s", ss__format_count(n, number), noun,
             n == 1 ? "" : "s");
    return out;
}
