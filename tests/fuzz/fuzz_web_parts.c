/* A text cut into sentences and words: the parts, one behind the other, are the text, and are cut
 * between characters, for any limit of their number. The first byte is the limit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "web/text_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_inside_character(const char *text, size_t n_bytes, size_t at)
{
    return at < n_bytes && ((unsigned char)text[at] & 0xC0) == 0x80;
}

static void check(struct ss_text text, ss_web_unit unit, size_t n_most)
{
    struct ss_web_part *parts = malloc((n_most + 1) * sizeof *parts);
    if (parts == NULL) {
        return;
    }
    const size_t n = ss_web_split(text, unit, parts, n_most);
    const size_t n_there = n < n_most ? n : n_most; /* it counts those without a place, too */
    size_t at = 0;
    for (size_t i = 0; i < n_there; i++) {
        want(parts[i].start == at && parts[i].end > at && parts[i].end <= text.n_bytes);
        want(!is_inside_character(text.data, text.n_bytes, parts[i].end));
        at = parts[i].end;
    }
    want(n > n_most || n == 0 || at == text.n_bytes); /* blank text has no part */
    free(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const size_t n_bytes = ss__utf8_valid_prefix((const char *)data + 1, size - 1);
    char *copy =
        malloc(n_bytes + 1); /* of exactly its size, so that reads behind it are seen */
    char *exact = realloc(copy, n_bytes > 0 ? n_bytes : 1);
    if (exact == NULL) {
        free(copy);
        return 0;
    }
    memcpy(exact, data + 1, n_bytes);
    const struct ss_text text = {exact, n_bytes};
    for (int unit = 0; unit < 2; unit++) {
        check(text, (ss_web_unit)unit, data[0]);
        check(text, (ss_web_unit)unit, n_bytes);
    }
    free(exact);
    return 0;
}
