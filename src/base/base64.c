/* Groups of four characters; only the last one may be padded, and the bits that its padding
 * leaves over have to be zero, so that no two texts stand for the same bytes. */
#include "base/base64.h"

#include <string.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ss__base64_add(struct ss__buf *out, const void *data, size_t n_bytes)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < n_bytes; i += 3) {
        const size_t n = n_bytes - i < 3 ? n_bytes - i : 3;
        const unsigned word = (unsigned)bytes[i] << 16 |
                              (n > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                              (n > 2 ? bytes[i + 2] : 0U);
        for (size_t c = 0; c < 4; c++) {
            ss__buf_add_byte(out, c <= n ? letters[word >> (18 - 6 * c) & 63] : '=');
        }
    }
}

/* Value of four characters; false if they are not base64. *n is how many bytes they hold. */
static bool decode_group(const char *text, bool is_last, unsigned *word, size_t *n)
{
    size_t n_padding = 0;
    *word = 0;
    for (size_t c = 0; c < 4; c++) {
        const char *place = text[c] == '\0' ? NULL : strchr(letters, text[c]);
        const bool is_padding = text[c] == '=' && is_last && c >= 2;
        if ((place == NULL && !is_padding) || (place != NULL && n_padding > 0)) {
            return false;
        }
        n_padding += is_padding;
        *word = *word << 6 | (place != NULL ? (unsigned)(place - letters) : 0);
    }
    *n = 3 - n_padding;
    return (*word & (n_padding == 2 ? 0xFFFFU : n_padding == 1 ? 0xFFU : 0)) == 0;
}

/* White space is none of the characters: a text with line breaks is refused. */
bool ss__base64_decode(const char *text, size_t n_bytes, uint8_t *out, size_t capacity,
                       size_t *n_out)
{
    *n_out = 0;
    if (n_bytes % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i += 4) {
        unsigned word = 0;
        size_t n = 0;
        if (!decode_group(text + i, i + 4 == n_bytes, &word, &n) || capacity - *n_out < n) {
            return false;
        }
        for (size_t b = 0; b < n; b++) {
            out[(*n_out)++] = (uint8_t)(word >> (16 - 8 * b));
        }
    }
    return true;
}
