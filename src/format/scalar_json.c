/* Scalars of columnar formats as JSON. */
#include "format/scalar_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

enum { DAY_SECONDS = 86400, JULIAN_1970 = 2440588 };

static uint64_t read_unsigned(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t value = 0;
    memcpy(&value, bytes, ss__min_size(n_bytes, 8));
    return value;
}

static int64_t read_signed(const uint8_t *bytes, size_t n_bytes)
{
    const unsigned shift = n_bytes >= 8 ? 0 : 64 - 8 * (unsigned)n_bytes;
    return (int64_t)(read_unsigned(bytes, n_bytes) << shift) >> shift;
}

/* ---- floats ---- */

/* IEEE 754 binary16. */
static double half_of(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    const double size = exponent == 0    ? ldexp(fraction, -24)
                        : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                         : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 != 0 ? -size : size;
}

/* A float of 2, 4 or 8 bytes. */
static double float_of(const uint8_t *bytes, size_t n_bytes)
{
    float single = 0;
    double value = 0;
    if (n_bytes == 2) {
        return half_of((uint16_t)read_unsigned(bytes, 2));
    }
    if (n_bytes == 4) {
        memcpy(&single, bytes, 4);
        return (double)single;
    }
    memcpy(&value, bytes, 8);
    return value;
}

static void add_float(struct ss__buf *out, double value)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    if (isfinite(value)) {
        ss__buf_add(out, text, ss__format_double(value, text));
    } else {
        ss__buf_add_text(out, "null");
    }
}

/* ---- decimals ---- */

/* Divide little-endian digits of base 256 by ten; the remainder is the result. */
static unsigned divide(uint8_t *digits, size_t n)
{
    unsigned rest = 0;
    for (size_t i = n; i-- > 0;) {
        const unsigned value = rest << 8 | digits[i];
        digits[i] = (uint8_t)(value / 10);
        rest = value % 10;
    }
    return rest;
}

/* All bytes are looked at; values are short. */
static bool is_zero(const uint8_t *digits, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= digits[i];
    }
    return any == 0;
}

/* Two's complement, in place. */
static void negate(uint8_t *digits, size_t n)
{
    unsigned carry = 1;
    for (size_t i = 0; i < n; i++) {
        carry += (uint8_t)~digits[i];
        digits[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

/* 256 bits have 77 decimal digits. */
static void add_decimal(struct ss__buf *out, const uint8_t *bytes, size_t n, int32_t scale)
{
    enum { MAX_DIGITS = 80 };
    uint8_t digits[SS_FORMAT_SCALAR_BYTES];
    char text[MAX_DIGITS]; /* from the last digit to the first */
    int32_t n_text = 0;
    memcpy(digits, bytes, n);
    const bool is_negative = n > 0 && bytes[n - 1] >> 7 != 0;
    if (is_negative) {
        negate(digits, n);
    }
    do {
        text[n_text++] = (char)('0' + divide(digits, n));
    } while (n_text < MAX_DIGITS && !is_zero(digits, n));
    ss__buf_add_text(out, is_negative ? "\"-" : "\"");
    /* An odd scale is shown as an exponent. */
    const int32_t n_behind = scale < 0 || scale > MAX_DIGITS ? 0 : scale;
    for (int32_t i = n_text > n_behind ? n_text - 1 : n_behind; i >= 0; i--) {
        ss__buf_add_byte(out, i < n_text ? text[i] : '0');
        if (i == n_behind && i > 0) {
            ss__buf_add_byte(out, '.');
        }
    }
    if (scale != n_behind) {
        ss__buf_printf(out, "E%" PRId64, -(int64_t)scale);
    }
    ss__buf_add_byte(out, '"');
}

/* ---- dates and times ---- */

/* The proleptic Gregorian date of a day since 1970. Years begin in March here, so that the day
 * that leap years add is the last one; 400 years (an era) are 146,097 days. */
static void add_date(struct ss__buf *out, int64_t days)
{
    const int64_t shifted = days + 719468; /* since the first of March of the year 0 */
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const int64_t year = year_of_era + era * 400 + (month <= 2);
    ss__buf_printf(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year, month, day);
}

/* A time of the day; the part below a second only where it is not 0. */
static void add_time(struct ss__buf *out, int64_t value, int64_t per_second)
{
    const int64_t seconds = value / per_second, rest = value % per_second;
    const int n_digits = per_second == 1000 ? 3 : per_second == 1000000 ? 6 : 9;
    ss__buf_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
                   seconds / 60 % 60, seconds % 60);
    if (rest != 0) {
        ss__buf_printf(out, ".%0*" PRId64, n_digits, rest);
    }
}

static void add_timestamp(struct ss__buf *out, int64_t value, int64_t per_second, bool has_time)
{
    const int64_t per_day = DAY_SECONDS * per_second;
    const int64_t rest = value % per_day;
    const int64_t days = value / per_day - (rest < 0);
    ss__buf_add_byte(out, '"');
    add_date(out, days);
    if (has_time) {
        ss__buf_add_byte(out, 'T');
        add_time(out, rest < 0 ? rest + per_day : rest, per_second);
    }
    ss__buf_add_byte(out, '"');
}

/* The timestamps of old Parquet writers. */
static void add_int96(struct ss__buf *out, const uint8_t *bytes)
{
    const int64_t of_day = read_signed(bytes, 8);
    const int64_t days = (int64_t)read_unsigned(bytes + 8, 4) - JULIAN_1970;
    const int64_t nanos = DAY_SECONDS * INT64_C(1000000000);
    const bool is_fit = of_day >= 0 && of_day < nanos;
    ss__buf_add_byte(out, '"');
    add_date(out, days);
    ss__buf_add_byte(out, 'T');
    add_time(out, is_fit ? of_day : 0, 1000000000);
    ss__buf_add_byte(out, '"');
}

/* ---- others ---- */

/* A number of seconds with its fraction, both with the sign. */
static void add_seconds(struct ss__buf *out, int64_t value, int64_t per_second)
{
    const int64_t seconds = value / per_second, rest = value % per_second;
    const int n_digits = per_second == 1000 ? 3 : 9;
    ss__buf_printf(out, "T%s%" PRId64, seconds == 0 && rest < 0 ? "-" : "", seconds);
    if (rest != 0) {
        ss__buf_printf(out, ".%0*" PRId64, n_digits, rest < 0 ? -rest : rest);
    }
    ss__buf_add_byte(out, 'S');
}

static void add_interval(struct ss__buf *out, const uint8_t *bytes, size_t n_bytes)
{
    const bool has_months = n_bytes != 8, is_unsigned = n_bytes == 12;
    const uint8_t *days_at = bytes + (has_months ? 4 : 0);
    int64_t months = has_months ? read_signed(bytes, 4) : 0;
    int64_t days = n_bytes > 4 ? read_signed(days_at, 4) : 0;
    int64_t time = n_bytes > 4 ? read_signed(days_at + 4, n_bytes == 16 ? 8 : 4) : 0;
    if (is_unsigned) {
        months = (int64_t)read_unsigned(bytes, 4);
        days = (int64_t)read_unsigned(bytes + 4, 4);
        time = (int64_t)read_unsigned(bytes + 8, 4);
    }
    ss__buf_add_text(out, "\"P");
    if (months != 0) {
        ss__buf_printf(out, "%" PRId64 "M", months);
    }
    if (days != 0 || (months == 0 && time == 0)) {
        ss__buf_printf(out, "%" PRId64 "D", days);
    }
    if (time != 0) {
        add_seconds(out, time, n_bytes == 16 ? 1000000000 : 1000);
    }
    ss__buf_add_byte(out, '"');
}

/* As all bytes that are no text, also where these happen to be valid UTF-8. */
static void add_uuid(struct ss__buf *out, const uint8_t *bytes)
{
    ss__buf_add_text(out, "{\"hex\": \"");
    for (size_t i = 0; i < 16; i++) {
        ss__buf_printf(out, "%02x", bytes[i]);
    }
    ss__buf_add_text(out, "\"}");
}

/* ---- one value ---- */

void ss_format_add_scalar(struct ss__buf *out, const struct ss_format_scalar_type *type,
                          const uint8_t *bytes, size_t n_bytes)
{
    const int64_t value = read_signed(bytes, n_bytes);
    switch (type->kind) {
    case SS_FORMAT_SCALAR_SIGNED:
        ss__buf_printf(out, "%" PRId64, value);
        return;
    case SS_FORMAT_SCALAR_UNSIGNED:
        ss__buf_printf(out, "%" PRIu64, read_unsigned(bytes, n_bytes));
        return;
    case SS_FORMAT_SCALAR_BOOL:
        ss__buf_add_text(out, (bytes[0] & 1) != 0 ? "true" : "false");
        return;
    case SS_FORMAT_SCALAR_FLOAT:
        add_float(out, float_of(bytes, n_bytes));
        return;
    case SS_FORMAT_SCALAR_DECIMAL:
        add_decimal(out, bytes, ss__min_size(n_bytes, SS_FORMAT_SCALAR_BYTES), type->scale);
        return;
    case SS_FORMAT_SCALAR_DATE:
        if (type->per_second == 0) {
            ss__buf_add_byte(out, '"');
            add_date(out, value);
            ss__buf_add_byte(out, '"');
        } else {
            add_timestamp(out, value, type->per_second, false);
        }
        return;
    case SS_FORMAT_SCALAR_TIME:
        ss__buf_add_byte(out, '"');
        add_time(out, value < 0 ? 0 : value, type->per_second);
        ss__buf_add_byte(out, '"');
        return;
    case SS_FORMAT_SCALAR_TIMESTAMP:
        add_timestamp(out, value, type->per_second, true);
        return;
    case SS_FORMAT_SCALAR_INT96:
        add_int96(out, bytes);
        return;
    case SS_FORMAT_SCALAR_INTERVAL:
        add_interval(out, bytes, n_bytes);
        return;
    case SS_FORMAT_SCALAR_UUID:
        add_uuid(out, bytes);
        return;
    }
}

double ss_format_scalar_number(const struct ss_format_scalar_type *type, const uint8_t *bytes,
                               size_t n_bytes)
{
    switch (type->kind) {
    case SS_FORMAT_SCALAR_SIGNED:
        return (double)read_signed(bytes, n_bytes);
    case SS_FORMAT_SCALAR_UNSIGNED:
        return (double)read_unsigned(bytes, n_bytes);
    case SS_FORMAT_SCALAR_FLOAT:
        return float_of(bytes, n_bytes);
    default:
        return 0;
    }
}
