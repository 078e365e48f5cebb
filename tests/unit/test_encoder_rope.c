/* The tables of rotary positions against the reference's, up to the last position of the
 * published models (tools/make_tiny_encoders.py). */
#include "encoder_testing.h"

#include "base/mem.h"
#include "encoder/encoder_priv.h"

/* Frequencies and angles are rounded as the reference rounds them; its cosines and sines of
 * float32 are within one unit in the last place of a number below 1, which is 2^-24. */
static const double MOST_DIFFERENCE = 6e-8;

static float *make_table(const json_t *table, struct ss_encoder_config *config)
{
    float *turns[SS_ENCODER_N_LAYER_KINDS] = {NULL};
    ss_err err;
    *config = (struct ss_encoder_config){
        .n_layers = 1,
        .n_positions = 8192,
        .rotary_half = (size_t)json_integer_value(json_object_get(table, "half"))};
    config->kinds[0].theta = json_number_value(json_object_get(table, "theta"));
    config->kinds[0].scaling_factor = json_number_value(json_object_get(table, "factor"));
    assert_int_equal(ss_encoder_rope_make(config, turns, &err), SS_OK);
    assert_non_null(turns[0]);
    assert_null(turns[1]);
    return turns[0];
}

/* Rows of a list against those of a table at the positions. */
static void check_rows(const json_t *rows, const json_t *positions, const float *table,
                       size_t half)
{
    assert_int_equal(json_array_size(rows), json_array_size(positions));
    for (size_t p = 0; p < json_array_size(positions); p++) {
        const size_t position = (size_t)json_integer_value(json_array_get(positions, p));
        const json_t *row = json_array_get(rows, p);
        assert_int_equal(json_array_size(row), half);
        for (size_t i = 0; i < half; i++) {
            const double want = json_number_value(json_array_get(row, i));
            const double got = (double)table[position * half + i];
            if (!(fabs(got - want) <= MOST_DIFFERENCE)) {
                fail_msg("pair %zu at position %zu: %.9g, expected %.9g", i, position, got,
                         want);
            }
        }
    }
}

static void tables_are_the_references(void **state)
{
    json_t *said = load_json(SS_TEST_DATA "/encoder", "rope.json");
    (void)state;
    assert_non_null(said);
    const json_t *tables = json_object_get(said, "tables");
    const json_t *positions = json_object_get(said, "positions");
    assert_true(json_array_size(tables) >= 5 && json_array_size(positions) >= 10);
    for (size_t i = 0; i < json_array_size(tables); i++) {
        const json_t *table = json_array_get(tables, i);
        struct ss_encoder_config config;
        float *turns = make_table(table, &config);
        const size_t half = config.rotary_half;
        check_rows(json_object_get(table, "cosines"), positions, turns, half);
        check_rows(json_object_get(table, "sines"), positions,
                   turns + config.n_positions * half, half);
        ss__free(turns);
    }
    json_decref(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_are_the_references)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
