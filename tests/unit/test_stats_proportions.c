/* Two shares compared, and q-values, against scipy (tools/make_diff_data.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/significance.h"
#include "stats/proportions.h"

enum { N_NUMBERS = 12, MAX_LINES = 256 };

/* scipy's own error of z, a root of a statistic, and of limits is some 1e-13; that of ln p grows
 * with z squared. */
static const double tolerance = 1e-9;

static void near(double value, double expected, const char *what, size_t line)
{
    if (isnan(expected)   ? isnan(value)
        : isinf(expected) ? value == expected
                          : fabs(value - expected) <= tolerance * fmax(1, fabs(expected))) {
        return;
    }
    fail_msg("line %zu: %s is %.17g, not %.17g", line, what, value, expected);
}

static size_t read_lines(double (*lines)[N_NUMBERS])
{
    char text[1024];
    size_t n = 0;
    FILE *file = fopen(SS_TEST_DATA "/stats/two_shares.csv", "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    while (fgets(text, sizeof text, file) != NULL) {
        char *at = text;
        for (size_t i = 0; i < N_NUMBERS; i++) {
            lines[n][i] = strtod(at, &at);
            at += *at == ',';
        }
        n++;
    }
    (void)fclose(file);
    return n;
}

static void each_line(void **state)
{
    (void)state;
    static double lines[MAX_LINES][N_NUMBERS];
    const size_t n = read_lines(lines);
    assert_true(n > 90);
    for (size_t i = 0; i < n; i++) {
        const double *line = lines[i];
        const struct ss_stats_two_counts counts = {(uint64_t)line[0], (uint64_t)line[1],
                                                   (uint64_t)line[2], (uint64_t)line[3]};
        struct ss_stats_two_shares shares;
        ss_stats_compare(&counts, &shares);
        near(shares.difference, line[4], "difference", i);
        near(shares.low, line[5], "low", i);
        near(shares.high, line[6], "high", i);
        near(shares.effect, line[7], "effect", i);
        near(shares.odds_ratio, line[8], "odds ratio", i);
        near(shares.z, line[9], "z", i);
        near(shares.log_p, line[10], "log p", i);
    }
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* q rises with p, so that both can be sorted. */
static void q_values(void **state)
{
    (void)state;
    static double lines[MAX_LINES][N_NUMBERS];
    double log_p[MAX_LINES], q[MAX_LINES];
    const size_t n = read_lines(lines);
    for (size_t i = 0; i < n; i++) {
        log_p[i] = lines[i][10];
        q[i] = lines[i][11];
    }
    qsort(log_p, n, sizeof *log_p, by_value);
    qsort(q, n, sizeof *q, by_value);
    ss_graph_log_q(log_p, n, (double)n, log_p);
    for (size_t i = 0; i < n; i++) {
        if (log_p[i] > -600) {
            near(exp(log_p[i]), q[i], "q", i);
        }
    }
}

static void tails(void **state)
{
    (void)state;
    /* scipy.stats.norm.logsf(z) + ln 2 */
    static const struct {
        double z, log_p;
    } given[] = {{0, 0},
                 {1.959963984540054, -2.9957322735539913},
                 {10, -52.53813796995253},
                 {35, -616.2819540813626},
                 {40, -803.915294833194},
                 {100, -5004.831061513645}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        near(ss_stats_log_two_sided(given[i].z), given[i].log_p, "tail", i);
        near(ss_stats_log_two_sided(-given[i].z), given[i].log_p, "tail", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line),
        cmocka_unit_test(q_values),
        cmocka_unit_test(tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
