/* Tails of the hypergeometric distribution.
 *
 * The first term of a tail comes from Loader's saddle-point form of the binomial distribution,
 *
 *   binomial(x; n, p) = sqrt(n / (2 pi x (n - x)))
 *                       exp(s(n) - s(x) - s(n - x) - d(x, n p) - d(n - x, n (1 - p)))
 *
 * where s is what Stirling's formula lacks of ln n!, and d(x, m) = x ln(x / m) + m - x. All
 * parts of the exponent are at most as large as the logarithm of the answer, so that no digits
 * cancel; long double leaves 11 bits over. The rest of the tail is the first term times ratios. */
#include "graph/significance.h"

#include <math.h>

#define LN_2_PI 1.837877066409345483560659472811235279723L

enum { EXACT_FACTORIALS = 20, SERIES_TERMS = 24 };

/* What Stirling's formula lacks: ln n! - ln(sqrt(2 pi n) (n / e)^n). To 20 that is a table, made
 * of the factorials, which are whole numbers below 2^64; beyond, the terms of the series fall
 * below 1e-20. */
static long double stirling_error(long double n)
{
    static const long double terms[] = {1.0L / 12,    -1.0L / 360, 1.0L / 1260,
                                        -1.0L / 1680, 1.0L / 1188, -691.0L / 360360,
                                        1.0L / 156};
    static const long double of_small[EXACT_FACTORIALS + 1] = {0x0p+0L,
                                                               0xa.6038de6d052d658p-7L,
                                                               0xa.954dc91f532449p-8L,
                                                               0xe.2bcd1346c05996p-9L,
                                                               0xa.a513317ebc546ep-9L,
                                                               0x8.85a7289fe5f666p-9L,
                                                               0xe.358b3df5ef9aacp-10L,
                                                               0xc.2ea6b0972542ecp-10L,
                                                               0xa.a9402f3d983b2cp-10L,
                                                               0x9.7a438d8955b22cp-10L,
                                                               0x8.87cea603a1d3acp-10L,
                                                               0xf.82c984400a7c58p-11L,
                                                               0xe.380c399d54e258p-11L,
                                                               0xd.2028a38079b658p-11L,
                                                               0xc.303b60016a5458p-11L,
                                                               0xb.6047b78ca50758p-11L,
                                                               0xa.aa4fbee889de58p-11L,
                                                               0xa.09be3a6d1afa58p-11L,
                                                               0x9.7b027fb13ebc58p-11L,
                                                               0x8.fb4beec2bec658p-11L,
                                                               0x8.8859f6930fd858p-11L};
    if (n <= EXACT_FACTORIALS) {
        return of_small[(int)n];
    }
    long double sum = 0;
    for (size_t i = sizeof terms / sizeof terms[0]; i > 0; i--) {
        sum = terms[i - 1] + sum / (n * n);
    }
    return sum / n;
}

/* d(x, m); near to x = m as a series in v = (x - m) / (x + m), where the plain form cancels. */
static long double deviance(long double x, long double m)
{
    const long double v = (x - m) / (x + m);
    if (fabsl(v) > 0.1L || x <= 0) {
        return x <= 0 ? m : x * logl(x / m) + m - x;
    }
    long double sum = (x - m) * v, power = 2 * x * v;
    for (int i = 1; i < SERIES_TERMS; i++) {
        power *= v * v;
        if (fabsl(power) < fabsl(sum) * 0x1p-66L) {
            break; /* no term from here on changes the sum */
        }
        sum += power / (2 * i + 1);
    }
    return sum;
}

/* ln of a binomial probability. */
static long double log_binomial(long double x, long double n, long double p, long double rest)
{
    if (x <= 0) {
        return n <= 0 ? 0 : n * (p < 0.5L ? log1pl(-p) : logl(rest));
    }
    if (x >= n) {
        return n * (rest < 0.5L ? log1pl(-rest) : logl(p));
    }
    return stirling_error(n) - stirling_error(x) - stirling_error(n - x) - deviance(x, n * p) -
           deviance(n - x, n * rest) - (LN_2_PI + logl(x) + logl((n - x) / n)) / 2;
}

/* ln P(X = x): of n rows a are marked, b are drawn. */
static long double log_term(long double n, long double a, long double b, long double x)
{
    const long double p = b / n, rest = (n - b) / n;
    if (b <= 0 || b >= n) {
        return 0; /* x is the only one that can be */
    }
    return log_binomial(x, a, p, rest) + log_binomial(b - x, n - a, p, rest) -
           log_binomial(b, n, p, rest);
}

/* Sum of the terms from x on, upward or downward, in units of that of x: ratios fall all the
 * way when it begins on the far side of the mode. */
static long double sum_of_ratios(long double n, long double a, long double b, long double x,
                                 int step)
{
    long double sum = 1, term = 1;
    for (;;) {
        const long double up = (a - x) * (b - x), down = x * (n - a - b + x);
        const long double ratio = step > 0 ? up / ((x + 1) * (n - a - b + x + 1))
                                           : down / ((a - x + 1) * (b - x + 1));
        term *= ratio;
        sum += term;
        x += step;
        if (!(term > sum * 1e-21L)) {
            return sum;
        }
    }
}

double ss_graph_log_tail(uint64_t n_rows, uint64_t n_a, uint64_t n_b, uint64_t n_both)
{
    const uint64_t least = n_a + n_b > n_rows ? n_a + n_b - n_rows : 0;
    const uint64_t most = n_a < n_b ? n_a : n_b;
    if (n_both > most) {
        return -HUGE_VAL;
    }
    if (n_both <= least) {
        return 0;
    }
    const long double n = (long double)n_rows, x = (long double)n_both;
    const long double a = (long double)most, b = (long double)(n_a < n_b ? n_b : n_a);
    if (x * n > a * b) { /* above the mean, and so at the mode or above it */
        const long double first = log_term(n, a, b, x);
        return (double)(first + logl(sum_of_ratios(n, a, b, x, 1)));
    }
    const long double before = log_term(n, a, b, x - 1);
    const long double below = expl(before) * sum_of_ratios(n, a, b, x - 1, -1);
    return below < 1 ? (double)log1pl(-below) : 0;
}

void ss_graph_log_q(const double *log_p, size_t n, double n_tests, double *log_q)
{
    double least = 0;
    for (size_t i = n; i > 0; i--) {
        const double log_value = log_p[i - 1] + log(n_tests / (double)i);
        least = log_value < least ? log_value : least;
        log_q[i - 1] = least;
    }
}
