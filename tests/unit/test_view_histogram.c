/* Pictures: the right kind of file, equal bytes for equal numbers, refusals. What they look
 * like is for eyes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "view/view.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/saescope-view-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void draw(const char *name, const struct ss_view_histogram_picture *picture,
                 struct ss__buf *bytes)
{
    char path[128];
    ss_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (ss_view_draw_histogram(path, picture, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ss__file_read(path, 1 << 24, bytes, NULL), SS_OK);
    assert_int_equal(unlink(path), 0);
}

static const float density_limits[2] = {-10, 0};
static const float some_values[] = {-10, -10, -3, -2.5F, -2.5F, -2.4F, -1, -0.1F};

static struct ss_view_histogram_picture some_picture(void)
{
    return (struct ss_view_histogram_picture){.values = some_values,
                                              .n_values = 8,
                                              .n_bins = 50,
                                              .x_limits = density_limits,
                                              .title = "Log Feature Fire Rate Distribution",
                                              .x_label = "Log10 Feature density",
                                              .y_label = "Number of features"};
}

static void formats_follow_the_name(void **state)
{
    (void)state;
    static const char *const names[] = {"a.svg", "a.png", "a.pdf", "b.PNG"};
    static const char *const starts[] = {"<?xml", "\x89PNG\r\n", "%PDF-", "\x89PNG\r\n"};
    const struct ss_view_histogram_picture picture = some_picture();
    for (size_t i = 0; i < 4; i++) {
        struct ss__buf first = {0};
        struct ss__buf second = {0};
        draw(names[i], &picture, &first);
        draw(names[i], &picture, &second);
        assert_memory_equal(first.data, starts[i], strlen(starts[i]));
        assert_int_equal(first.n_bytes, second.n_bytes);
        assert_memory_equal(first.data, second.data, first.n_bytes);
        assert_null(memmem(first.data, first.n_bytes, "CreationDate", 12));
        ss__buf_release(&first);
        ss__buf_release(&second);
    }
}

static void png_has_the_size_asked_for(void **state)
{
    (void)state;
    struct ss_view_histogram_picture picture = some_picture();
    struct ss__buf bytes = {0};
    picture.width_in = 4;
    picture.height_in = 3;
    picture.dpi = 100;
    draw("a.png", &picture, &bytes);
    const uint8_t expected[8] = {0, 0, 400 >> 8, 400 & 0xFF, 0, 0, 300 >> 8, 300 & 0xFF};
    assert_memory_equal(bytes.data + 16, expected, sizeof expected);
    ss__buf_release(&bytes);
}

static void draws_odd_data(void **state)
{
    (void)state;
    static const char *const titles[] = {NULL, "", "\xFF\xFE broken \xE2\x82 text",
                                         "two\nlines\tand a tab",
                                         "Распределение частот · Ελληνικά · 天文学"};
    struct ss_view_histogram_picture picture = some_picture();
    char endless[2000];
    memset(endless, 'w', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    for (size_t i = 0; i <= 5; i++) {
        struct ss__buf bytes = {0};
        picture.title = i < 5 ? titles[i] : endless;
        picture.n_values = i == 1 ? 0 : i == 2 ? 1 : 8;
        picture.x_limits = i % 2 == 0 ? NULL : density_limits;
        picture.x_label = i == 3 ? NULL : "x";
        picture.y_label = i == 3 ? NULL : "y";
        picture.grid = i == 4;
        picture.width_in = i == 5 ? 1 : 0;
        picture.height_in = i == 5 ? 1 : 0;
        draw("a.svg", &picture, &bytes);
        assert_true(bytes.n_bytes > 500);
        ss__buf_release(&bytes);
    }
}

static void refuses_with_a_sentence(void **state)
{
    (void)state;
    static const float falling[2] = {0, -10};
    static const float broken[2] = {0, NAN};
    char path[128];
    ss_err err = {0};
    struct ss_view_histogram_picture picture = some_picture();
    static const char *const no_pictures[] = {"a.gif", "png", "folder.png/a"};
    for (size_t i = 0; i < sizeof no_pictures / sizeof no_pictures[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, no_pictures[i]);
        assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_USAGE);
    }
    snprintf(path, sizeof path, "%s/a.png", folder);
    picture.dpi = 1e9;
    assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_USAGE);
    picture.dpi = NAN;
    assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_USAGE);
    picture = some_picture();
    picture.width_in = -3;
    assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_USAGE);
    picture = some_picture();
    picture.x_limits = falling;
    assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_USAGE);
    picture = some_picture();
    picture.values = broken;
    picture.n_values = 2;
    assert_int_equal(ss_view_draw_histogram(path, &picture, &err), SS_E_NONFINITE);
    picture = some_picture();
    snprintf(path, sizeof path, "%s/missing/a.png", folder);
    assert_int_equal(ss_status_exit_code(ss_view_draw_histogram(path, &picture, &err)), 74);
    assert_non_null(strstr(err.message, "missing"));
}

static bool holds(const struct ss__buf *bytes, const char *text)
{
    return memmem(bytes->data, bytes->n_bytes, text, strlen(text)) != NULL;
}

static void an_svg_has_its_texts_as_text(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "<title>a &lt;b&gt; &amp; c</title>\n<desc>8 values</desc>",
        ">a &lt;b&gt; &amp; c</text>",
        ">8 values</text>",
        ">x \xEF\xBF\xBD y</text>",
        ">Number of features</text>",
        (">\xE2\x88\x92"
         "10</text>"),
        "stroke-dasharray"};
    static const float marker = -5;
    static const float outside = 7;
    struct ss_view_histogram_picture picture = some_picture();
    struct ss__buf bytes = {0};
    picture.title = "a <b> & c";
    picture.x_label = "x \xEF\xBF\xBF y"; /* U+FFFF is not in XML */
    picture.caption = "8 values";
    picture.marker = &marker;
    draw("a.svg", &picture, &bytes);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (!holds(&bytes, expected[i])) {
            fail_msg("not in the picture: %s", expected[i]);
        }
    }
    assert_false(holds(&bytes, "glyph")); /* the outlines of letters */
    bytes.n_bytes = 0;
    picture.marker = &outside;
    draw("a.svg", &picture, &bytes);
    assert_false(holds(&bytes, "stroke-dasharray"));
    ss__buf_release(&bytes);
}

static void small_paper_has_no_caption(void **state)
{
    (void)state;
    struct ss_view_histogram_picture picture = some_picture();
    struct ss__buf bytes = {0};
    picture.caption = "8 values";
    picture.height_in = 1;
    draw("a.svg", &picture, &bytes);
    assert_true(holds(&bytes, "<desc>8 values</desc>"));
    assert_false(holds(&bytes, ">8 values</text>"));
    ss__buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_follow_the_name),
        cmocka_unit_test(png_has_the_size_asked_for),
        cmocka_unit_test(draws_odd_data),
        cmocka_unit_test(refuses_with_a_sentence),
        cmocka_unit_test(an_svg_has_its_texts_as_text),
        cmocka_unit_test(small_paper_has_no_caption),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
