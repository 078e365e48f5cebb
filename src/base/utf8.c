/* Lead bytes by a table, so that overlong forms, surrogates and what lies above U+10FFFF are
 * refused by the range of the second byte alone; runs of ASCII are passed eight bytes at a
 * time. Unicode 15, §3.9: well-formed sequences (table 3-7), and "maximal subparts" for what is
 * replaced. */
#include "base/utf8.h"

#include <string.h>

/* Bytes that may follow a lead byte, by the table "Well-Formed UTF-8 Byte Sequences" of the
 * Unicode standard: only the second byte has a range that depends on the first. */
struct lead {
    unsigned n_bytes;
    uint8_t second_low, second_high;
};

static struct lead lead_of(uint8_t byte)
{
    if (byte < 0x80) {
        return (struct lead){1, 0, 0};
    }
    if (byte < 0xC2 || byte > 0xF4) {
        return (struct lead){0, 0, 0};
    }
    if (byte < 0xE0) {
        return (struct lead){2, 0x80, 0xBF};
    }
    if (byte < 0xF0) {
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    }
    return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
}

/* How many bytes at `data` begin a well-formed sequence; *whole tells if it is complete. */
static size_t sequence_length(const uint8_t *data, size_t n, bool *whole)
{
    const struct lead lead = lead_of(data[0]);
    *whole = lead.n_bytes == 1;
    if (lead.n_bytes <= 1) {
        return 1;
    }
    size_t length = 1;
    while (length < lead.n_bytes && length < n) {
        const uint8_t low = length == 1 ? lead.second_low : 0x80;
        const uint8_t high = length == 1 ? lead.second_high : 0xBF;
        if (data[length] < low || data[length] > high) {
            return length;
        }
        length++;
    }
    *whole = length == lead.n_bytes;
    return length;
}

size_t ss__utf8_decode(const char *data, size_t n, uint32_t *code_point)
{
    static const uint8_t lead_mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const uint8_t *bytes = (const uint8_t *)data;
    bool whole = false;
    const size_t length = n == 0 ? 0 : sequence_length(bytes, n, &whole);
    if (!whole) {
        return 0;
    }
    uint32_t value = bytes[0] & lead_mask[length];
    for (size_t i = 1; i < length; i++) {
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    *code_point = value;
    return length;
}

/* Of code points that the callers know to be none of the surrogates and at most U+10FFFF. */
size_t ss__utf8_encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

size_t ss__utf8_valid_prefix(const char *data, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint64_t word = 0;
        if (n - at >= sizeof word) {
            memcpy(&word, data + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        bool whole = false;
        const size_t length = sequence_length((const uint8_t *)data + at, n - at, &whole);
        if (!whole) {
            return at;
        }
        at += length;
    }
    return at;
}

bool ss__utf8_repair(const char *data, size_t n, struct ss__buf *out)
{
    bool repaired = false;
    while (n > 0) {
        const size_t good = ss__utf8_valid_prefix(data, n);
        ss__buf_add(out, data, good);
        data += good;
        n -= good;
        if (n > 0) {
            bool whole = false;
            const size_t bad = sequence_length((const uint8_t *)data, n, &whole);
            ss__buf_add(out, "\xEF\xBF\xBD", 3);
            data += bad;
            n -= bad;
            repaired = true;
        }
    }
    return repaired;
}

/* PropList.txt, White_Space: what Python's str.isspace has but for four separators of ASCII. */
bool ss__is_white_space(uint32_t code_point)
{
    switch (code_point) {
    case 0x20:
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
        return true;
    default:
        return (code_point >= 0x09 && code_point <= 0x0D) ||
               (code_point >= 0x2000 && code_point <= 0x200A);
    }
}

/* An invalid byte is no white space. */
bool ss__utf8_is_blank(const char *data, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint32_t code_point = 0;
        const size_t length = ss__utf8_decode(data + at, n - at, &code_point);
        if (length == 0 || !ss__is_white_space(code_point)) {
            return false;
        }
        at += length;
    }
    return true;
}
