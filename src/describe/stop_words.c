/* Words that carry no topic. */
#include "describe/describe_priv.h"

#include "describe/stop_word_hashes.inc"

bool ss_describe_is_seed_stop_word(struct ss_text word)
{
    const uint64_t wanted = ss_describe_hash_text(word);
    size_t low = 0;
    size_t high = sizeof stop_word_hashes / sizeof stop_word_hashes[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (stop_word_hashes[middle] == wanted) {
            return true;
        }
        if (stop_word_hashes[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}
