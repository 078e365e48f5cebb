/* Bytes of texts: the characters that byte-level models write them as, and the zeros behind a text.
 *
 * GPT-2's table gives each of the 256 bytes a character that prints, so that a vocabulary of bytes is
 * a text file: bytes that print in Latin-1 are themselves, the others are U+0100 and the following,
 * in their order (bytes_to_unicode in the reference; docs/spec/encoders.md, paragraph 7). */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

/* Printable in Latin-1, but for the soft hyphen. */
static bool is_plain_byte(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* Those that are not plain follow each other from U+0100 on. */
uint32_t ss_tokenizer_byte_point(uint8_t byte)
{
    uint32_t n_before = 0;
    for (unsigned other = 0; other < byte; other++) {
        n_before += !is_plain_byte(other);
    }
    return is_plain_byte(byte) ? byte : 0x100 + n_before;
}

size_t ss_tokenizer_byte_text(uint8_t byte, char out[4])
{
    return ss__utf8_encode(ss_tokenizer_byte_point(byte), out);
}

/* GPT-2's table backwards: bytes that print stand for themselves, the others, in their order,
 * for U+0100 and on. */
int ss_tokenizer_byte_of_text(uint32_t code_point)
{
    uint32_t next = 0x100;
    if (code_point < 256 && is_plain_byte(code_point)) {
        return (int)code_point;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        if (!is_plain_byte(byte) && next++ == code_point) {
            return (int)byte;
        }
    }
    return -1;
}

/* Zeros, which count as no byte of the text: searches by blocks of 64 may read them and mask
 * what they find. */
void ss_tokenizer_pad_text(struct ss__buf *buf)
{
    char *end = ss__buf_reserve(buf, SS_TOKENIZER_BLOCK_BYTES);
    if (end != NULL) {
        memset(end, 0, SS_TOKENIZER_BLOCK_BYTES);
    }
}
