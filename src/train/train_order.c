/* The order of rows. Position p of the stream belongs to epoch p / N; a permutation is a keyed
 * Feistel network over the smallest even number of bits that counts to N, walked again while it
 * leaves the range. */
#include "train/train_priv.h"

enum { ROUNDS = 4, BLOCK_ROWS = 4096, POOL_BLOCKS = 16 };

/* The finaliser of SplitMix64. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

struct ss_train_permutation ss_train_permutation_of(uint64_t n, uint64_t key)
{
    struct ss_train_permutation permutation = {.n = n, .key = key, .half_bits = 1};
    while (permutation.half_bits < 32 && (uint64_t)1 << 2 * permutation.half_bits < n) {
        permutation.half_bits++;
    }
    return permutation;
}

uint64_t ss_train_permute(const struct ss_train_permutation *permutation, uint64_t position)
{
    const unsigned bits = permutation->half_bits;
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint64_t x = position;
    do {
        uint64_t left = x >> bits, right = x & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            const uint64_t next =
                left ^ (mix(permutation->key ^ mix(round << 32 | right)) & mask);
            left = right;
            right = next;
        }
        x = left << bits | right;
    } while (x >= permutation->n);
    return x;
}

/* The block at a position among the permuted ones; only the file's last block is short. */
static uint64_t block_rows(uint64_t n_rows, uint64_t block)
{
    return ss__min_u64(BLOCK_ROWS, n_rows - block * BLOCK_ROWS);
}

/* The row at position q of a pool of blocks that stand one after the other. */
static uint64_t row_in_pool(const struct ss_train_permutation *blocks, uint64_t n_rows,
                            uint64_t first, uint64_t q)
{
    for (uint64_t i = first;; i++) {
        const uint64_t block = ss_train_permute(blocks, i), n = block_rows(n_rows, block);
        if (q < n) {
            return block * BLOCK_ROWS + q;
        }
        q -= n;
    }
}

uint64_t ss_train_row_at(uint64_t seed, uint64_t n_rows, uint64_t position)
{
    const uint64_t key = mix(mix(seed) ^ position / n_rows), p = position % n_rows;
    const uint64_t n_blocks = (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    if (n_blocks <= POOL_BLOCKS) {
        const struct ss_train_permutation rows = ss_train_permutation_of(n_rows, key);
        return ss_train_permute(&rows, p);
    }
    /* The short block takes part like the others; positions behind it are shifted. */
    const struct ss_train_permutation blocks = ss_train_permutation_of(n_blocks, mix(key));
    uint64_t start = 0, first = 0, pool = 0;
    for (;;) {
        pool = 0;
        for (uint64_t i = first; i < ss__min_u64(first + POOL_BLOCKS, n_blocks); i++) {
            pool += block_rows(n_rows, ss_train_permute(&blocks, i));
        }
        if (p < start + pool) {
            break;
        }
        start += pool;
        first += POOL_BLOCKS;
    }
    const struct ss_train_permutation rows =
        ss_train_permutation_of(pool, mix(key ^ mix(first)));
    return row_in_pool(&blocks, n_rows, first, ss_train_permute(&rows, p - start));
}
