/* Fire counts, maxima and exact sums of activations per feature. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stats/stats.h"

/* 97.5 % point of the normal distribution. */
#define WILSON_Z 1.959963984540054

enum {
    FLOAT_MANTISSA_BITS = 23,
    /* A float with biased exponent e > 0 is mantissa 2^(e - 150), so mantissa 2^(e - 86) units
     * of 2^-64. */
    FLOAT_UNIT_EXPONENT = 86,
    WORD_BITS = 64
};

ss_status ss__fires_init(struct ss__fires *fires, size_t n_features, ss_err *err)
{
    ss_status status = SS_OK;
    *fires = (struct ss__fires){.n_features = n_features};
    SS_ALLOC(fires->counts, n_features);
    SS_ALLOC(fires->maxima, n_features);
    SS_ALLOC(fires->sums, n_features);
out:
    if (status != SS_OK) {
        ss__fires_release(fires);
    }
    return status;
}

static struct ss__exact_sum exact_of(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t exponent = (bits >> FLOAT_MANTISSA_BITS) & 0xFF;
    const uint64_t mantissa = (bits & 0x7FFFFF) | (exponent > 0 ? 0x800000U : 0U);
    const int shift = (int)(exponent > 0 ? exponent : 1) - FLOAT_UNIT_EXPONENT;
    if (shift <= -WORD_BITS) {
        return (struct ss__exact_sum){0, 0};
    }
    if (shift <= 0) {
        return (struct ss__exact_sum){.low = mantissa >> -shift};
    }
    if (shift >= 2 * WORD_BITS - FLOAT_MANTISSA_BITS) {
        return (struct ss__exact_sum){UINT64_MAX, UINT64_MAX};
    }
    if (shift >= WORD_BITS) {
        return (struct ss__exact_sum){.high = mantissa << (shift - WORD_BITS)};
    }
    return (struct ss__exact_sum){.low = mantissa << shift,
                                  .high = mantissa >> (WORD_BITS - shift)};
}

static void exact_add(struct ss__exact_sum *sum, struct ss__exact_sum term)
{
    uint64_t high = 0;
    bool over = false;
    const bool carry = __builtin_add_overflow(sum->low, term.low, &sum->low);
    over = __builtin_add_overflow(sum->high, term.high, &high);
    over = __builtin_add_overflow(high, (uint64_t)carry, &sum->high) || over;
    if (over) {
        *sum = (struct ss__exact_sum){UINT64_MAX, UINT64_MAX};
    }
}

void ss__fires_add(struct ss__fires *fires, const struct ss_sparse *rows)
{
    const size_t n_values = rows->n_rows == 0 ? 0 : rows->offsets[rows->n_rows];
    for (size_t i = 0; i < n_values; i++) {
        const uint32_t feature = rows->features[i];
        const float value = rows->values[i];
        fires->counts[feature]++;
        fires->maxima[feature] =
            value > fires->maxima[feature] ? value : fires->maxima[feature];
        exact_add(&fires->sums[feature], exact_of(value));
    }
    fires->n_rows += rows->n_rows;
}

ss_status ss__fires_merge(struct ss__fires *fires, const struct ss__fires *later, ss_err *err)
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
        exact_add(&fires->sums[f], later->sums[f]);
    }
    fires->n_rows += later->n_rows;
    return SS_OK;
}

float ss__fires_rate_pct(const struct ss__fires *fires, size_t feature)
{
    if (fires->n_rows == 0) {
        return 0.0F;
    }
    return (float)(100.0 * (double)fires->counts[feature] / (double)fires->n_rows);
}

double ss__fires_mean(const struct ss__fires *fires, size_t feature)
{
    const struct ss__exact_sum sum = fires->sums[feature];
    if (fires->counts[feature] == 0) {
        return 0.0;
    }
    const double total = (double)sum.high + ldexp((double)sum.low, -WORD_BITS);
    return total / (double)fires->counts[feature];
}

void ss__fires_release(struct ss__fires *fires)
{
    ss__free(fires->counts);
    ss__free(fires->maxima);
    ss__free(fires->sums);
    *fires = (struct ss__fires){0};
}

void ss__wilson(uint64_t n_fires, uint64_t n_rows, double *low, double *high)
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
