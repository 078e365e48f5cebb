/* Cosines of centred TF-IDF: against scikit-learn 1.9.1,
 * TfidfVectorizer(min_df=3, sublinear_tf=True, stop_words=[this is the and it of]). */
#include <math.h>

#include "describe/meaning.h"
#include "describe_helpers.h"

static const char *const words[] = {
    "This is the red dust disk dust, and it is of the",
    "This is the blue star disk, and it is of the",
    "This is the red star wind wind wind, and it is of the",
    "This is the dust disk star, and it is of the",
    "This is the blue wind flare, and it is of the",
    "This is the red disk flare flare, and it is of the",
    "This is the dust star star blue, and it is of the",
    "This is the wind disk dust red red, and it is of the",
};
enum { N_TEXTS = sizeof words / sizeof words[0], N_FEATURES = 5 };
static const size_t offsets[] = {0, 3, 5, 8, 9, 9};
static const uint32_t list[] = {0, 3, 7, 2, 4, 1, 6, 1, 5};

static const double expected[4][4] = {
    {1, -0.511194431777574, -0.37925918292198074, 0.1727124001966121},
    {-0.511194431777574, 1, -0.10672978648711218, -0.559374063618665},
    {-0.37925918292198074, -0.10672978648711218, 1, -0.5748503954459732},
    {0.1727124001966121, -0.559374063618665, -0.5748503954459732, 1}};

static void is_scikit_learns(void **state)
{
    struct ss_text texts[N_TEXTS];
    struct ss_describe_meaning *meaning = NULL;
    (void)state;
    for (size_t t = 0; t < N_TEXTS; t++) {
        texts[t] = (struct ss_text){words[t], strlen(words[t])};
    }
    const struct ss_describe_lists lists = {.n_texts = N_TEXTS,
                                            .texts = texts,
                                            .n_features = N_FEATURES,
                                            .offsets = offsets,
                                            .list = list};
    assert_int_equal(ss_describe_meaning_new(&lists, &meaning, NULL), SS_OK);
    for (size_t a = 0; a < 4; a++) {
        for (size_t b = 0; b < 4; b++) {
            assert_true(fabs(ss_describe_meaning_of(meaning, a, b) - expected[a][b]) < 1e-12);
        }
        assert_true(isnan(ss_describe_meaning_of(meaning, a, 4))); /* it has no texts */
    }
    ss_describe_meaning_free(meaning);
}

/* Features with the same words have nothing that tells them apart, and no texts give nothing. */
static void nothing_is_no_number(void **state)
{
    const struct ss_text one = {"dust disk", 9};
    static const size_t two[] = {0, 1, 2};
    static const uint32_t same[] = {0, 0};
    struct ss_describe_meaning *meaning = NULL;
    (void)state;
    struct ss_describe_lists lists = {
        .n_texts = 1, .texts = &one, .n_features = 2, .offsets = two, .list = same};
    assert_int_equal(ss_describe_meaning_new(&lists, &meaning, NULL), SS_OK);
    assert_true(isnan(ss_describe_meaning_of(meaning, 0, 1)));
    ss_describe_meaning_free(meaning);
    static const size_t none[] = {0, 0, 0};
    lists.n_texts = 0;
    lists.offsets = none;
    assert_int_equal(ss_describe_meaning_new(&lists, &meaning, NULL), SS_OK);
    assert_true(isnan(ss_describe_meaning_of(meaning, 0, 1)));
    ss_describe_meaning_free(meaning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_scikit_learns),
        cmocka_unit_test(nothing_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
