/* JSON documents: what is read and what is refused, as Python's json module does
 * (tests/data/json, made by tools/make_json_cases.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/json_write.h"
#include "base/mem.h"

enum { LINE_BYTES = 1 << 14 };

static struct ss__json *parse_bytes(const char *text, size_t n_bytes)
{
    ss_err err;
    struct ss__json *json = NULL;
    if (ss__json_parse("here", text, n_bytes, &json, &err) != SS_OK) {
        assert_null(json);
        assert_int_equal(err.code, SS_E_DATA);
        return NULL;
    }
    return json;
}

static struct ss__json *parse(const char *text)
{
    struct ss__json *json = parse_bytes(text, strlen(text));
    assert_non_null(json);
    return json;
}

static void numbers_have_their_type(void **state)
{
    (void)state;
    struct ss__json *json =
        parse("{\"a\": 1000000000000000000000000000000, \"b\": 9007199254740993, "
              "\"c\": \"99999999999999999999 \\\" 99999999999999999999\", "
              "\"d\": 1.0, \"e\": [-100000000000000000000]}");
    const struct ss__json *c = ss__json_get(json, "c");
    assert_true(ss__json_real(ss__json_get(json, "a")) == 1e30);
    assert_false(ss__json_is_integer(ss__json_get(json, "a")));
    assert_true(ss__json_integer(ss__json_get(json, "b")) == 9007199254740993);
    assert_string_equal(ss__json_string(c), "99999999999999999999 \" 99999999999999999999");
    assert_true(ss__json_real(ss__json_get(json, "d")) == 1);
    assert_false(ss__json_is_integer(ss__json_get(json, "d")));
    assert_true(ss__json_real(ss__json_at(ss__json_get(json, "e"), 0)) == -1e20);
    ss__json_free(json);
    json = parse("-9223372036854775808");
    assert_true(ss__json_is_integer(json) && ss__json_integer(json) == INT64_MIN);
    ss__json_free(json);
}

static void numbers_that_are_used_must_be_finite(void **state)
{
    static const char *const keys[] = {"nan", "infinity", "minus", "large"};
    struct ss__json *json =
        parse("{\"nan\": NaN, \"infinity\": Infinity, \"minus\": -Infinity, "
              "\"large\": 1e999, \"fine\": 0.5}");
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        double value = 7;
        size_t size = 7;
        ss_err err;
        assert_int_equal(ss__json_number("x.json", json, keys[i], &value, &err), SS_E_DATA);
        assert_string_equal(err.item, keys[i]);
        assert_int_equal(ss__json_size("x.json", json, keys[i], &size, &err), SS_E_DATA);
        assert_true(value == 7 && size == 7);
    }
    double value = 0;
    assert_int_equal(ss__json_number("x.json", json, "fine", &value, NULL), SS_OK);
    assert_true(value == 0.5);
    ss__json_free(json);
}

/* Equal as values: numbers by their double, NaN to NaN. */
static bool same_value(const struct ss__json *a, const struct ss__json *b)
{
    if (ss__json_tag_of(a) != ss__json_tag_of(b) || ss__json_count(a) != ss__json_count(b)) {
        return false;
    }
    if (ss__json_is_number(a)) {
        const double x = ss__json_real(a), y = ss__json_real(b);
        return ss__json_integer(a) == ss__json_integer(b) && (x == y || (isnan(x) && isnan(y)));
    }
    if (ss__json_is_string(a)) {
        return ss__json_string_bytes(a) == ss__json_string_bytes(b) &&
               memcmp(ss__json_string(a), ss__json_string(b), ss__json_string_bytes(a)) == 0;
    }
    for (size_t i = 0; ss__json_is_object(a) && i < ss__json_count(a); i++) {
        const char *key = NULL, *other = NULL;
        if (!same_value(ss__json_member(a, i, &key), ss__json_member(b, i, &other)) ||
            strcmp(key, other) != 0) {
            return false;
        }
    }
    for (size_t i = 0; ss__json_is_array(a) && i < ss__json_count(a); i++) {
        if (!same_value(ss__json_at(a, i), ss__json_at(b, i))) {
            return false;
        }
    }
    return true;
}

static size_t decode(const char *text, char *out)
{
    size_t n_bytes = 0;
    const size_t n = strcmp(text, "=") == 0 ? 0 : strlen(text);
    assert_true(ss__base64_decode(text, n, (uint8_t *)out, LINE_BYTES, &n_bytes));
    return n_bytes;
}

/* A document that was read is written, and read again, as the same. */
static void check_written(const struct ss__json *json)
{
    struct ss__buf plain = {0}, compact = {0};
    ss__json_add_value(&plain, json, false);
    ss__json_add_value(&compact, json, true);
    struct ss__json *again = parse_bytes(plain.data, plain.n_bytes);
    struct ss__json *other = parse_bytes(compact.data, compact.n_bytes);
    assert_non_null(again);
    assert_true(same_value(again, other));
    ss__json_free(again);
    ss__json_free(other);
    ss__buf_release(&plain);
    ss__buf_release(&compact);
}

static void texts_are_read_as_by_python(void **state)
{
    static char line[4 * LINE_BYTES], text[LINE_BYTES], answer[LINE_BYTES];
    static char left[2 * LINE_BYTES], right[2 * LINE_BYTES];
    FILE *file = fopen(SS_TEST_DATA "/json/cases.txt", "re");
    size_t n_read = 0, n_refused = 0;
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        assert_int_equal(sscanf(line, "%32000s %32000s", left, right), 2);
        const size_t n_bytes = decode(left, text);
        struct ss__json *json = parse_bytes(text, n_bytes);
        if (strcmp(right, "no") == 0) {
            n_refused++;
            if (json != NULL) {
                fail_msg("read, and refused by Python: %.*s", (int)n_bytes, text);
            }
            continue;
        }
        struct ss__json *expected = parse_bytes(answer, decode(right, answer));
        if (json == NULL || !same_value(json, expected)) {
            fail_msg("not as Python reads it: %.*s", (int)n_bytes, text);
        }
        check_written(json);
        ss__json_free(json);
        ss__json_free(expected);
        n_read++;
    }
    (void)fclose(file);
    assert_true(n_read > 400 && n_refused > 100);
}

static void documents_are_merged(void **state)
{
    struct ss__json *base = parse("{\"a\": 1, \"b\": [NaN], \"c\": 3}"), *merged = NULL;
    struct ss__json *over = parse("{\"c\": {\"d\": \"\\u0000\\n\"}, \"e\": null, \"f\": 0}");
    struct ss__json *expected =
        parse("{\"a\": 1, \"b\": [NaN], \"c\": {\"d\": \"\\u0000\\n\"}, \"e\": null}");
    (void)state;
    assert_int_equal(ss__json_merge(base, over, "f", &merged, NULL), SS_OK);
    assert_true(same_value(merged, expected));
    ss__json_free(merged);
    assert_int_equal(ss__json_merge(NULL, over, NULL, &merged, NULL), SS_OK);
    assert_true(same_value(merged, over));
    ss__json_free(merged);
    ss__json_free(base);
    ss__json_free(over);
    ss__json_free(expected);
}

static void owners_share_a_document(void **state)
{
    struct ss__json *json = parse("[\"a\"]");
    (void)state;
    struct ss__json *other = ss__json_share(json);
    ss__json_free(json);
    assert_string_equal(ss__json_string(ss__json_at(other, 0)), "a");
    ss__json_free(other);
    ss__json_free(ss__json_share(NULL));
}

/* Nesting costs stack. */
static void depth_is_bounded(void **state)
{
    static char text[4096];
    (void)state;
    memset(text, '[', 2048);
    memset(text + 2048, ']', 2048);
    assert_null(parse_bytes(text, 4096));
    struct ss__json *json = parse_bytes(text + 1024, 2048);
    assert_non_null(json);
    ss__json_free(json);
}

static void large_objects_are_found_by_key(void **state)
{
    struct ss__buf text = {0};
    char key[32];
    (void)state;
    ss__buf_add_byte(&text, '{');
    for (int i = 0; i < 50000; i++) {
        ss__buf_printf(&text, "%s\"key %d\": %d", i > 0 ? "," : "", i % 40000, i);
    }
    ss__buf_add_byte(&text, '}');
    struct ss__json *json = parse_bytes(text.data, text.n_bytes);
    assert_int_equal(ss__json_count(json), 40000);
    for (int i = 0; i < 40000; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(ss__json_integer(ss__json_get(json, key)), i < 10000 ? i + 40000 : i);
    }
    const char *first = NULL;
    assert_int_equal(ss__json_integer(ss__json_member(json, 0, &first)), 40000);
    assert_string_equal(first, "key 0");
    assert_null(ss__json_get(json, "key 40000"));
    ss__json_free(json);
    ss__buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_have_their_type),
                                       cmocka_unit_test(numbers_that_are_used_must_be_finite),
                                       cmocka_unit_test(texts_are_read_as_by_python),
                                       cmocka_unit_test(documents_are_merged),
                                       cmocka_unit_test(owners_share_a_document),
                                       cmocka_unit_test(depth_is_bounded),
                                       cmocka_unit_test(large_objects_are_found_by_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
