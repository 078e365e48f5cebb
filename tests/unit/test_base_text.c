/* Text in base: UTF-8, numbers, JSON. Expected values of numbers are those of Python's repr. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/utf8.h"

static void test_utf8_refuses_what_is_not_well_formed(void **state)
{
    static const char *const bad[] = {"\x80",         "\xC0\xAF",     "\xC1\xBF",
                                      "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                      "\xF5",         "\xE2\x82",     "\xFF"};
    static const char *const good[] = {"a",    "é", "€", "\xF4\x8F\xBF\xBF", "\xEE\x80\x80",
                                       "東京😀"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ss__utf8_valid_prefix(bad[i], strlen(bad[i])), 0);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(ss__utf8_valid_prefix(good[i], strlen(good[i])), strlen(good[i]));
    }
}

static void test_utf8_round_trip_of_all_code_points(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char bytes[4];
        uint32_t back = 0;
        if (c >= 0xD800 && c <= 0xDFFF) {
            continue;
        }
        const size_t n = ss__utf8_encode(c, bytes);
        assert_int_equal(ss__utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, c);
    }
}

/* Expected: bytes.decode("utf-8", "replace") of Python 3. */
static void test_utf8_repair_replaces_maximal_parts(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\xFFz", "a\xEF\xBF\xBDz"},
        {"\xE2\x82", "\xEF\xBF\xBD"},
        {"\xE2\x82z", "\xEF\xBF\xBDz"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x80\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss__buf buf = {0};
        assert_true(ss__utf8_repair(cases[i].in, strlen(cases[i].in), &buf));
        assert_string_equal(ss__buf_text(&buf), cases[i].out);
        ss__buf_release(&buf);
    }
}

static void test_blank_is_white_space_only(void **state)
{
    (void)state;
    assert_true(ss__utf8_is_blank("", 0));
    assert_true(ss__utf8_is_blank(" \t\n\xC2\xA0\xE3\x80\x80", 8));
    assert_false(ss__utf8_is_blank("\xE2\x80\x8B", 3)); /* zero-width space is no white space */
    assert_false(ss__utf8_is_blank(" a ", 3));
}

static void test_doubles_are_written_as_python_does(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {1, "1.0"},
        {-0.0, "-0.0"},
        {1e16, "1e+16"},
        {1e15, "1000000000000000.0"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {5.684341886080802e-14, "5.684341886080802e-14"}, /* a power of two */
        {(double)0.1234f, "0.12340000271797180"},
    };
    char text[SS__DOUBLE_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ss__format_double(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    (void)ss__format_double((double)0.1234f, text);
    assert_string_equal(text, "0.1234000027179718");
}

static void test_numbers_are_read_strictly(void **state)
{
    double real = 0;
    uint64_t whole = 0;
    (void)state;
    assert_true(ss__parse_double("-1.5e3", 6, &real));
    assert_true(real == -1500.0);
    assert_false(ss__parse_double("1e", 2, &real));
    assert_false(ss__parse_double("0x10", 4, &real));
    assert_false(ss__parse_double("nan", 3, &real));
    assert_false(ss__parse_double(" 1", 2, &real));
    assert_true(ss__parse_u64("18446744073709551615", 20, &whole));
    assert_true(whole == UINT64_MAX);
    assert_false(ss__parse_u64("18446744073709551616", 20, &whole));
    assert_false(ss__parse_u64("", 0, &whole));
}

static void test_json_documents_are_strict(void **state)
{
    static const char *const bad[] = {"{\"a\":1,\"a\"}", "{}x", "", "[1,]", "\"\xFF\""};
    struct ss__json *tree = NULL;
    ss_err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ss__json_parse("x.json", bad[i], strlen(bad[i]), &tree, &err),
                         SS_E_DATA);
        assert_string_equal(err.file, "x.json");
        assert_null(tree);
    }
    assert_int_equal(ss__json_parse("x.json", "\xEF\xBB\xBF{\"k\": 3.0}", 13, &tree, &err),
                     SS_OK);
    size_t value = 0;
    assert_int_equal(ss__json_size("x.json", tree, "k", &value, &err), SS_OK);
    assert_int_equal(value, 3);
    bool flag = false;
    assert_int_equal(ss__json_bool("x.json", tree, "k", &flag, &err), SS_E_DATA);
    assert_string_equal(err.item, "k");
    assert_int_equal(ss__json_need("x.json", tree, "width", &err), SS_E_DATA);
    assert_string_equal(err.message, "x.json: key 'width' is missing");
    ss__json_free(tree);
}

/* Expected: json.dumps(text, ensure_ascii=…). */
static void test_json_strings_are_escaped_as_python_does(void **state)
{
    static const char text[] = "q\" b\\ /\b\f\n\r\t\x01\x7F é😀";
    struct ss__buf buf = {0};
    (void)state;
    ss__json_add_string(&buf, text, sizeof text - 1, false);
    assert_string_equal(ss__buf_text(&buf), "\"q\\\" b\\\\ /\\b\\f\\n\\r\\t\\u0001\x7F é😀\"");
    buf.n_bytes = 0;
    ss__json_add_string(&buf, text, sizeof text - 1, true);
    assert_string_equal(ss__buf_text(&buf),
                        "\"q\\\" b\\\\ /\\b\\f\\n\\r\\t\\u0001\\u007f \\u00e9\\ud83d\\ude00\"");
    ss__buf_release(&buf);
}

static void test_lists_in_sentences_end_somewhere(void **state)
{
    enum { N_LONG = 1000, N_LISTED = 126 }; /* 126 "ab" and 125 ", " are 502 bytes */
    struct ss__buf buf = {0};
    (void)state;
    for (size_t i = 0; i < 3 && ss__buf_begin_item(&buf, i, 3); i++) {
        ss__buf_printf(&buf, "%zu", i);
    }
    assert_string_equal(ss__buf_text(&buf), "0, 1, 2");
    buf.n_bytes = 0;
    size_t n = 0;
    while (n < N_LONG && ss__buf_begin_item(&buf, n, N_LONG)) {
        ss__buf_add_text(&buf, "ab");
        n++;
    }
    assert_int_equal(n, N_LISTED);
    assert_non_null(strstr(ss__buf_text(&buf), "ab, ab and 874 more"));
    ss__buf_release(&buf);
}

/* A locale made for the test, where the machine can make it. */
static bool set_locale(const char *folder, const char *name)
{
    char command[256], full[64];
    snprintf(full, sizeof full, "%s.UTF-8", name);
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s >/dev/null 2>&1", name,
             folder, full);
    return system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 &&
           setlocale(LC_ALL, full) != NULL;
}

static void check_point(void)
{
    char text[64], same[SS__DOUBLE_TEXT_BYTES];
    double value = 0;
    ss_err err;
    struct ss__buf buf = {0};
    assert_int_equal(ss__snprintf(text, sizeof text, "%.3f", 1.5), 5);
    assert_string_equal(text, "1.500");
    (void)ss__fail(&err, SS_E_DATA, "%g of %.2e", 0.25, 1.5);
    assert_string_equal(err.message, "0.25 of 1.50e+00");
    ss__buf_printf(&buf, "%.9g", 2.5);
    assert_string_equal(ss__buf_text(&buf), "2.5");
    ss__buf_release(&buf);
    assert_true(ss__parse_double("1.25e3", 6, &value) && value == 1250);
    assert_false(ss__parse_double("1,25", 4, &value));
    ss__format_double(0.1, same);
    assert_string_equal(same, "0.1");
    assert_true(ss__equal_ignoring_case("TITLE.Gif", "title.gIF"));
    assert_false(ss__equal_ignoring_case("title", "titl"));
    assert_true(ss__begin_alike_ignoring_case("HTTPS://x", "https:", 6));
    assert_false(ss__begin_alike_ignoring_case("http://x", "https:", 6));
    assert_true(ss__begin_alike_ignoring_case("ab", "AB", 9));
    assert_false(ss__begin_alike_ignoring_case("ab", "abc", 9));
}

/* In German the point is a comma, in Pashto it has two bytes, in Turkish 'I' is not 'i'. */
static void test_no_text_follows_the_locale(void **state)
{
    static const char *const names[] = {"de_DE", "ps_AF", "tr_TR"};
    char folder[] = "/tmp/saescope-locale-XXXXXX", command[80];
    size_t n_tried = 0;
    (void)state;
    check_point();
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char local[16];
        if (set_locale(folder, names[i])) {
            snprintf(local, sizeof local, "%.1f", 1.5);
            const bool has_point = strcmp(local, "1.5") == 0;
            check_point();
            snprintf(local, sizeof local, "%.1f", 1.5); /* which is put back */
            assert_int_equal(strcmp(local, "1.5") == 0, has_point);
            n_tried += !has_point;
        }
    }
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    if (n_tried == 0) {
        skip(); /* no such locale can be made here */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_refuses_what_is_not_well_formed),
        cmocka_unit_test(test_utf8_round_trip_of_all_code_points),
        cmocka_unit_test(test_utf8_repair_replaces_maximal_parts),
        cmocka_unit_test(test_blank_is_white_space_only),
        cmocka_unit_test(test_doubles_are_written_as_python_does),
        cmocka_unit_test(test_numbers_are_read_strictly),
        cmocka_unit_test(test_json_documents_are_strict),
        cmocka_unit_test(test_json_strings_are_escaped_as_python_does),
        cmocka_unit_test(test_lists_in_sentences_end_somewhere),
        cmocka_unit_test(test_no_text_follows_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
