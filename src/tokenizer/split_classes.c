/* The class of a character, by which patterns cut: letter, number, white space and their like, as the
 * reference's regular expressions have them.
 *
 * split_tables.inc is generated (tools/make_split_tables.py) and has two levels: groups of blocks of
 * 64 code points, of which equal ones are stored once. ASCII has a table of its own, which is looked up inline
 * (split.h). */
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/split.h"

#include "tokenizer/split_tables.inc"

enum { BLOCK_POINTS = 64, GROUP_BLOCKS = 256 };

uint8_t ss_tokenizer_split_class_of_long(const char *text, size_t n_bytes, size_t *length)
{
    uint32_t c = SS__REPLACEMENT;
    *length = ss__max_size(ss__utf8_decode(text, n_bytes, &c), 1);
    const uint32_t block = c / BLOCK_POINTS;
    const uint32_t group = split_record_groups[block / GROUP_BLOCKS];
    const uint32_t index = split_record_blocks[group * GROUP_BLOCKS + block % GROUP_BLOCKS];
    return split_records[index * BLOCK_POINTS + c % BLOCK_POINTS];
}
