/* Values of fixed width as JSON, where the bytes come from no writer that is at hand: intervals
 * of Parquet (months, days, milliseconds, without signs) and the three of Arrow. Expected texts
 * are ISO 8601 durations, written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/scalar_json.h"

static void expect_scalar(ss_format_scalar_kind kind, const void *bytes, size_t n,
                          const char *expected)
{
    struct ss__buf out = {0};
    const struct ss_format_scalar_type type = {.kind = kind};
    ss_format_add_scalar(&out, &type, bytes, n);
    assert_string_equal(ss__buf_text(&out), expected);
    ss__buf_release(&out);
}

static void test_intervals(void **state)
{
    (void)state;
    const int32_t months = -14;
    const int32_t day_time[] = {3, -1500};
    const uint32_t parquet[] = {1, 4000000000U, 250};
    const uint32_t nothing[] = {0, 0, 0};
    expect_scalar(SS_FORMAT_SCALAR_INTERVAL, &months, sizeof months, "\"P-14M\"");
    expect_scalar(SS_FORMAT_SCALAR_INTERVAL, day_time, sizeof day_time, "\"P3DT-1.500S\"");
    expect_scalar(SS_FORMAT_SCALAR_INTERVAL, parquet, sizeof parquet,
                  "\"P1M4000000000DT0.250S\"");
    expect_scalar(SS_FORMAT_SCALAR_INTERVAL, nothing, sizeof nothing, "\"P0D\"");
}

static void test_uuid(void **state)
{
    (void)state;
    const uint8_t bytes[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                               0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    expect_scalar(SS_FORMAT_SCALAR_UUID, bytes, sizeof bytes,
                  "{\"hex\": \"123e4567e89b12d3a456426614174000\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_intervals),
                                       cmocka_unit_test(test_uuid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
