/* The public calls of reports: what they refuse, and the archive that they write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "saescope.h"
#include "web/assets.h"
#include "web/deflated_zip.h"

static void refusals(void **state)
{
    (void)state;
    ss_err err;
    struct ss_report_options options = {0};
    struct ss_report_result result = {0};
    assert_int_equal(ss_report_file("/nowhere", "a.html", NULL, NULL, &err), SS_E_NOINPUT);
    assert_int_equal(ss_report_file("/nowhere", "a.html", &options, NULL, &err), SS_E_USAGE);
    assert_int_equal(ss_report_file("/nowhere", "a.html", NULL, &result, &err), SS_E_USAGE);
    assert_int_equal(ss_report_extract("/nowhere", "a.npz", false, &err), SS_E_NOINPUT);
}

/* A member that is empty, one without bytes in its array, and one of several megabytes. */
static void archives(void **state)
{
    (void)state;
    struct ss_web_zip zip = {0};
    static const float values[1 << 18] = {1.5F};
    assert_int_equal(ss_web_zip_add(&zip, "empty", "", 0, NULL), SS_OK);
    assert_int_equal(ss_web_zip_add_array(&zip, "none", "<f4", NULL, 0, NULL), SS_OK);
    assert_int_equal(ss_web_zip_add_array(&zip, "many", "<f4", values, 1 << 18, NULL), SS_OK);
    assert_int_equal(ss_web_zip_finish(&zip, NULL), SS_OK);
    assert_int_equal(zip.n_members, 3);
    assert_true(zip.bytes.n_bytes < 4096);
    assert_memory_equal(zip.bytes.data, "PK\003\004", 4);
    assert_memory_equal(zip.bytes.data + zip.bytes.n_bytes - 22, "PK\005\006", 4);
    ss_web_zip_release(&zip);
}

static void one_script(void **state)
{
    (void)state;
    struct ss__buf script = {0};
    ss_web_add_script(&script);
    const char *text = ss__buf_text(&script);
    assert_non_null(text);
    assert_null(strstr(text, "\nimport "));
    assert_null(strstr(text, "\nexport "));
    assert_non_null(strstr(text, "\nfunction "));
    assert_null(ss_web_asset_find("nothing.js"));
    ss__buf_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(archives),
        cmocka_unit_test(one_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
