/* Numbers that do not fit 64 bits, which model folders hold for "no limit". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    ss_err err;
    if (ss__json_parse("here", text, strlen(text), &json, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return json;
}

static void large_whole_numbers_are_reals(void **state)
{
    json_t *json =
        parse("{\"a\": 1000000000000000019884624838656, \"b\": 9007199254740993, "
              "\"c\": \"99999999999999999999 \\\" 99999999999999999999\", "
              "\"d\": 1.00000000000000000000000001, \"e\": [-99999999999999999999]}");
    const json_t *c = json_object_get(json, "c");
    const json_t *e = json_array_get(json_object_get(json, "e"), 0);
    (void)state;
    assert_true(json_real_value(json_object_get(json, "a")) == 1e30);
    assert_true(json_integer_value(json_object_get(json, "b")) == 9007199254740993);
    assert_string_equal(json_string_value(c), "99999999999999999999 \" 99999999999999999999");
    assert_true(json_real_value(json_object_get(json, "d")) == 1);
    assert_true(json_real_value(e) == -1e20);
    json_decref(json);
    json = parse("99999999999999999999");
    assert_true(json_real_value(json) == 1e20);
    json_decref(json);
}

static void reals_out_of_range_are_refused(void **state)
{
    const char *text = "[1e999, 99999999999999999999]";
    json_t *json = NULL;
    ss_err err;
    (void)state;
    assert_int_equal(ss__json_parse("here", text, strlen(text), &json, &err), SS_E_DATA);
    assert_null(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_whole_numbers_are_reals),
                                       cmocka_unit_test(reals_out_of_range_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
