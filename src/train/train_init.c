/* The first weights: W_enc uniform in [-b, b), b = sqrt(6 / L), as PyTorch draws them on a CPU:
 * a Mersenne Twister (MT19937, seeded by init_genrand), one output a value, of which the low 24
 * bits are the fraction u, then fma(u, high - low, low). W_dec is its transpose with rows of unit
 * length. */
#include <math.h>
#include <string.h>

#include "train/train_priv.h"

enum { TWISTER_WORDS = 624, TWISTER_SHIFT = 397 };

struct twister {
    uint32_t words[TWISTER_WORDS];
    size_t at;
};

static void seed_twister(struct twister *self, uint32_t seed)
{
    self->words[0] = seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++) {
        const uint32_t before = self->words[i - 1];
        self->words[i] = 1812433253U * (before ^ before >> 30) + i;
    }
    self->at = TWISTER_WORDS;
}

static void twist(struct twister *self)
{
    for (size_t i = 0; i < TWISTER_WORDS; i++) {
        const uint32_t y = (self->words[i] & 0x80000000U) |
                           (self->words[(i + 1) % TWISTER_WORDS] & 0x7fffffffU);
        self->words[i] = self->words[(i + TWISTER_SHIFT) % TWISTER_WORDS] ^ y >> 1 ^
                         ((y & 1) != 0 ? 0x9908b0dfU : 0);
    }
    self->at = 0;
}

static uint32_t next_word(struct twister *self)
{
    if (self->at == TWISTER_WORDS) {
        twist(self);
    }
    uint32_t y = self->words[self->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680U;
    y ^= y << 15 & 0xefc60000U;
    return y ^ y >> 18;
}

void ss_train_draw_weights(struct ss_trainer *self)
{
    const size_t n = self->config.n_features, d = self->config.width;
    const float bound = (float)sqrt(6.0 / (double)n);
    ss_train_real *w = self->parameters[SS_TRAIN_W_ENC].x;
    ss_train_real *decoder = self->parameters[SS_TRAIN_W_DEC].x;
    struct twister twister;
    seed_twister(&twister, (uint32_t)self->config.seed);
    for (size_t i = 0; i < d; i++) {
        for (size_t f = 0; f < n; f++) {
            const float u = (float)(next_word(&twister) & 0xffffffU) * 0x1p-24F;
            w[f * d + i] = (ss_train_real)fmaf(u, bound + bound, -bound);
        }
    }
    for (size_t f = 0; f < n; f++) {
        double squares = 0;
        for (size_t i = 0; i < d; i++) {
            squares += (double)w[f * d + i] * (double)w[f * d + i];
        }
        for (size_t i = 0; i < d; i++) {
            decoder[f * d + i] = (ss_train_real)(float)((double)w[f * d + i] / sqrt(squares));
        }
    }
    for (size_t f = 0; self->config.kind == SS_TRAIN_JUMPRELU && f < n; f++) {
        self->parameters[SS_TRAIN_LOG_THRESHOLD].x[f] =
            (ss_train_real)log(self->config.threshold_init);
    }
}

/* How much of a first direction is that of a row, and the length of an encoder's column, of the
 * length that was drawn. Chosen on embeddings of 12,435 abstracts, by 1,381 that were neither
 * trained on nor are among those that docs/training.md reports: 1.4 to 1.6 points of explained
 * variance more after 400 steps, and fewer features that fire on most rows. */
static const double ROW_SHARE = 0.8, ENCODER_LENGTH = 0.35;

void ss_train_start_at_rows(struct ss_trainer *self, const float *rows, size_t n)
{
    const size_t d = self->config.width;
    const ss_train_real *center = self->parameters[SS_TRAIN_B_DEC].x;
    for (size_t f = 0; f < self->config.n_features; f++) {
        ss_train_real *w = self->parameters[SS_TRAIN_W_ENC].x + f * d;
        ss_train_real *decoder = self->parameters[SS_TRAIN_W_DEC].x + f * d;
        const float *row = rows + f % n * d;
        double squares = 0, drawn = 0;
        for (size_t i = 0; i < d; i++) {
            const double off = (double)row[i] - (double)center[i];
            squares += off * off;
            drawn += (double)w[i] * (double)w[i];
        }
        const double share = ROW_SHARE / (sqrt(squares) + 1e-30);
        squares = 0;
        for (size_t i = 0; i < d; i++) {
            const double x = share * ((double)row[i] - (double)center[i]) +
                             (1 - ROW_SHARE) * (double)decoder[i];
            squares += x * x;
            decoder[i] = (ss_train_real)x;
        }
        for (size_t i = 0; i < d; i++) {
            const double x = (double)decoder[i] / sqrt(squares);
            decoder[i] = (ss_train_real)x;
            w[i] = (ss_train_real)(x * ENCODER_LENGTH * sqrt(drawn));
        }
    }
}
