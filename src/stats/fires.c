/* Fire counts, maxima and exact sums of activations per feature.
 *
 * A sum is a fixed-point number of 384 bits in units of 2^-149, the smallest float, of which
 * every float is a whole number; adding is exact, so the order of rows and the number of parts
 * do not show. Floats are below 2^128 = 2^277 units, and 2^64 of them below 2^341. A mean is
 * rounded at the end only. Rates and intervals: docs/numerics.md, "Rates and pictures". */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stats/stats.h"

/* 97.5 % point of the normal distribution. */
#define WILSON_Z 1.959963984540054

enum {
    FLOAT_MANTISSA_BITS = 23,
    WORD_BITS = 64,
    UNIT_BITS = 149 /* of 2^-149 in 1 */
};

ss_status ss_stats_fires_init(struct ss_stats_fires *fires, size_t n_features, ss_err *err)
{
    ss_status status = SS_OK;
    *fires = (struct ss_stats_fires){.n_features = n_features};
    SS_ALLOC(fires->counts, n_features);
    SS_ALLOC(fires->maxima, n_features);
    SS_ALLOC(fires->sums, n_features);
out:
    if (status != SS_OK) {
        ss_stats_fires_release(fires);
    }
    return status;
}

/* A float with biased exponent e > 0 is its mantissa, with the bit that is not stored, times
 * 2^(e - 1) units; with e = 0, times 1. */
static void exact_add_float(struct ss_stats_exact_sum *sum, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t exponent = (bits >> FLOAT_MANTISSA_BITS) & 0xFF;
    const uint64_t mantissa = (bits & 0x7FFFFF) | (exponent > 0 ? 0x800000U : 0U);
    const unsigned shift = exponent > 0 ? exponent - 1 : 0, within = shift % WORD_BITS;
    uint64_t *word = sum->words + shift / WORD_BITS;
    const uint64_t spill = within == 0 ? 0 : mantissa >> (WORD_BITS - within);
    uint64_t carry = __builtin_add_overflow(word[0], mantissa << within, &word[0]);
    carry = __builtin_add_overflow(word[1], spill + carry, &word[1]); /* spill is below 2^24 */
    for (size_t i = 2; carry != 0; i++) {
        carry = __builtin_add_overflow(word[i], carry, &word[i]);
    }
}

/* The two carries of a word are never both 1, so their sum is one bit. */
static void exact_add(struct ss_stats_exact_sum *sum, const struct ss_stats_exact_sum *term)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < SS_STATS_EXACT_SUM_WORDS; i++) {
        const uint64_t first =
            __builtin_add_overflow(sum->words[i], term->words[i], &sum->words[i]);
        carry = first + __builtin_add_overflow(sum->words[i], carry, &sum->words[i]);
    }
}

/* 64 bits from the bit `at` on. */
static uint64_t bits_from(const struct ss_stats_exact_sum *sum, unsigned at)
{
    const unsigned word = at / WORD_BITS, within = at % WORD_BITS;
    const uint64_t low = sum->words[word] >> within;
    const bool has_more = within > 0 && word + 1 < SS_STATS_EXACT_SUM_WORDS;
    return has_more ? low | sum->words[word + 1] << (WORD_BITS - within) : low;
}

/* The nearest double, or one beside it. Whole units of 1 and of 2^-64 are rounded on their own,
 * then together; with bits beyond them the highest 128 are taken. */
static double exact_value(const struct ss_stats_exact_sum *sum)
{
    size_t top = SS_STATS_EXACT_SUM_WORDS;
    while (top > 0 && sum->words[top - 1] == 0) {
        top--;
    }
    if (top == 0) {
        return 0;
    }
    const unsigned n_bits =
        (unsigned)(top * WORD_BITS) - (unsigned)__builtin_clzll(sum->words[top - 1]);
    const bool is_usual = n_bits <= UNIT_BITS + WORD_BITS && n_bits > UNIT_BITS - WORD_BITS / 2;
    const unsigned at = is_usual                 ? UNIT_BITS - WORD_BITS
                        : n_bits > 2 * WORD_BITS ? n_bits - 2 * WORD_BITS
                                                 : 0;
    const double high = (double)bits_from(sum, at + WORD_BITS);
    const double low = (double)bits_from(sum, at);
    return ldexp(high + ldexp(low, -WORD_BITS), (int)at + WORD_BITS - UNIT_BITS);
}

void ss_stats_fires_add(struct ss_stats_fires *fires, const struct ss_sparse *rows)
{
    const size_t n_values = rows->n_rows == 0 ? 0 : rows->offsets[rows->n_rows];
    for (size_t i = 0; i < n_values; i++) {
        const uint32_t feature = rows->features[i];
        const float value = rows->values[i];
        fires->counts[feature]++;
        fires->maxima[feature] =
            value > fires->maxima[feature] ? value : fires->maxima[feature];
        exact_add_float(&fires->sums[feature], value);
    }
    fires->n_rows += rows->n_rows;
}

ss_status ss_stats_fires_merge(struct ss_stats_fires *fires, const struct ss_stats_fires *later,
                               ss_err *err)
{
    if (fires->n_features != later->n_features) {
        return ss__fail(err, SS_E_SHAPE,
                        "statistics of %zu and of %zu features cannot be merged",
                        fires->n_features, later->n_features);
    }
    for (size_t f = 0; f < fires->n_features; f++) {
        fires->counts[f] += later->counts[f];
        fires->maxima[f] =
            later->maxima[f] > fires->maxima[f] ? later->maxima[f] : fires->maxima[f];
        exact_add(&fires->sums[f], &later->sums[f]);
    }
    fires->n_rows += later->n_rows;
    return SS_OK;
}

float ss_stats_fires_rate_pct(const struct ss_stats_fires *fires, size_t feature)
{
    if (fires->n_rows == 0) {
        return 0.0F;
    }
    return (float)(100.0 * (double)fires->counts[feature] / (double)fires->n_rows);
}

double ss_stats_fires_mean(const struct ss_stats_fires *fires, size_t feature)
{
    if (fires->counts[feature] == 0) {
        return 0.0;
    }
    return exact_value(&fires->sums[feature]) / (double)fires->counts[feature];
}

void ss_stats_fires_release(struct ss_stats_fires *fires)
{
    ss__free(fires->counts);
    ss__free(fires->maxima);
    ss__free(fires->sums);
    *fires = (struct ss_stats_fires){0};
}

/* Wilson (1927): (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). */
void ss_stats_wilson(uint64_t n_fires, uint64_t n_rows, double *low, double *high)
{
    *low = 0.0;
    *high = 1.0;
    if (n_rows == 0) {
        return;
    }
    const double n = (double)n_rows;
    const double p = (double)n_fires / n;
    const double z2 = WILSON_Z * WILSON_Z;
    const double centre = p + z2 / (2.0 * n);
    const double half = WILSON_Z * sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    /* The ends are exact where nothing or everything fires; rounding would miss them. */
    if (n_fires > 0) {
        *low = (centre - half) / (1.0 + z2 / n);
    }
    if (n_fires < n_rows) {
        *high = (centre + half) / (1.0 + z2 / n);
    }
}
