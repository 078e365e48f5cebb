/* A fingerprint of what an encoder does: the directions of its embeddings of four sentences, each
 * as 16 sums with signs that are drawn once for all. Rounding, half-precision weights and lower
 * precision turn it by less than a hundredth; another encoder's is at a right angle to it, one
 * that was trained further in between. A hash of files would call the same weights in another
 * container another encoder. */
#include "pass/encoder_fingerprint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"

enum { N_SENTENCES = 4, SUMS = 16, N_NUMBERS = N_SENTENCES * SUMS, LARGEST = 127 };
static const char version[] = "1";
static const double LEAST_COSINE = 0.99;

static const char *const sentences[N_SENTENCES] = {
    "The old lighthouse keeper climbed the stairs every evening to light the lamp.",
    "Install the package, then restart the database server.",
    "Is the spectrum of a distant galaxy shifted towards the red?",
    "Zwei Kinder spielen im Garten, 3.5 km vom Bahnhof.",
};

/* Of number i in sum s. */
static double sign_of(uint64_t i, uint64_t s)
{
    const uint64_t key[2] = {i, s};
    return (ss__hash64(key, sizeof key) & 1) != 0 ? 1 : -1;
}

static void add_sums(const float *embedding, size_t width, double *out)
{
    double squares = 0;
    for (size_t i = 0; i < width; i++) {
        squares += (double)embedding[i] * (double)embedding[i];
        for (size_t s = 0; s < SUMS; s++) {
            out[s] += sign_of(i, s) * (double)embedding[i];
        }
    }
    for (size_t s = 0; s < SUMS; s++) {
        out[s] /= sqrt(squares) + 1e-30;
    }
}

static void write_numbers(const double *sums, size_t width, char *out)
{
    double most = 1e-30;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        most = fmax(most, fabs(sums[i]));
    }
    int at = ss__snprintf(out, SS_PASS_FINGERPRINT_BYTES, "%s:%zu:", version, width);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const int value = (int)lrint(sums[i] / most * LARGEST);
        at += ss__snprintf(out + at, SS_PASS_FINGERPRINT_BYTES - (size_t)at, "%02x",
                           (unsigned)value & 0xFFU);
    }
}

ss_status ss_pass_encoder_fingerprint(const ss_encoder *encoder, ss_work *work,
                                      char out[SS_PASS_FINGERPRINT_BYTES], ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_text texts[N_SENTENCES];
    double sums[N_NUMBERS] = {0};
    float *embeddings = NULL;
    ss_encoder_describe(encoder, &info);
    SS_ALLOC_OR_RETURN(embeddings, N_SENTENCES * info.width);
    for (size_t i = 0; i < N_SENTENCES; i++) {
        texts[i] = (struct ss_text){sentences[i], strlen(sentences[i])};
    }
    const ss_status status =
        ss_encoder_embed(encoder, work, texts, N_SENTENCES, embeddings, NULL, err);
    for (size_t i = 0; status == SS_OK && i < N_SENTENCES; i++) {
        add_sums(embeddings + i * info.width, info.width, sums + i * SUMS);
    }
    write_numbers(sums, info.width, out);
    ss__free(embeddings);
    return status;
}

/* ---- comparing ---- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* The numbers behind the second colon; 0 where it is no fingerprint. */
static size_t read_numbers(const char *text, double out[N_NUMBERS])
{
    const char *colon = strchr(text, ':');
    const char *at = colon == NULL ? NULL : strchr(colon + 1, ':');
    if (at == NULL || strlen(at + 1) != (size_t)2 * N_NUMBERS) {
        return 0;
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const int high = digit_of(at[1 + 2 * i]), low = digit_of(at[2 + 2 * i]);
        if (high < 0 || low < 0) {
            return 0;
        }
        const int value = 16 * high + low;
        out[i] = value > LARGEST ? value - 256 : value;
    }
    return (size_t)(at + 1 - text);
}

bool ss_pass_fingerprints_agree(const char *a, const char *b)
{
    double x[N_NUMBERS], y[N_NUMBERS], xy = 0, xx = 0, yy = 0;
    if (a == NULL || b == NULL) {
        return false;
    }
    const size_t n = read_numbers(a, x);
    if (n == 0 || n != read_numbers(b, y) || strncmp(a, b, n) != 0) {
        return false; /* another version, another width */
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
    }
    return xy >= LEAST_COSINE * sqrt(xx * yy) && xx > 0;
}

const char *ss_pass_fingerprint_in(const struct ss__json *config)
{
    const struct ss__json *training = ss__json_get(config, "training");
    return ss__json_string(ss__json_get(ss__json_get(training, "encoder"), "fingerprint"));
}
