/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SS_BASE_UTF8_H
#define SS_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SS__REPLACEMENT = 0xFFFD };

/* Decode one code point of [data, data + n); the number of its bytes, or 0 if they are not
 * valid (or n is 0). */
size_t ss__utf8_decode(const char *data, size_t n, uint32_t *code_point);

/* Write a code point as 1 to 4 bytes and return how many. */
size_t ss__utf8_encode(uint32_t code_point, char out[4]);

/* Length of the longest valid prefix; equal to n when all is valid. Fast on ASCII. */
size_t ss__utf8_valid_prefix(const char *data, size_t n);

/* Append bytes with every maximal invalid part replaced by U+FFFD, as the decoders of Python
 * and of web browsers do (Unicode 3.9, "maximal subpart"). True if something was replaced. */
bool ss__utf8_repair(const char *data, size_t n, struct ss__buf *out);

/* Whether a code point has the property White_Space. */
bool ss__is_white_space(uint32_t code_point);

/* Whether valid UTF-8 consists of white space only; true for an empty text. */
bool ss__utf8_is_blank(const char *data, size_t n);

#endif
