/* Clusters of characters that are read together, by the rules of Unicode annex 29, with the
 * reference's tables. The rules ask about two neighbours, and three of them about what came
 * before: an even number of regional indicators, a picture before a joiner, a consonant before
 * a linker. So a cluster is a small state that every character changes. */
#include "tokenizer/tokenizer_priv.h"

#include "tokenizer/grapheme_tables.inc"

enum { BLOCK_POINTS = 64, GROUP_BLOCKS = 256, LAST_POINT = 0x10FFFF };

/* The low bits of a record; then how it behaves in Indic scripts, and whether it is a picture.
 */
enum grapheme_class {
    OTHER,
    CR,
    LF,
    CONTROL,
    EXTEND,
    ZWJ,
    REGIONAL,
    PREPEND,
    SPACING,
    LEAD,
    VOWEL,
    TAIL,
    LEAD_VOWEL,
    LEAD_VOWEL_TAIL,
    CLASS_MASK = 15,
    CONSONANT = 1 << 4,
    LINKER = 2 << 4,
    INDIC_EXTEND = 3 << 4,
    INDIC_MASK = 3 << 4,
    PICTURE = 1 << 6
};

static unsigned record_of(uint32_t c)
{
    const uint32_t block = c / BLOCK_POINTS;
    if (c > LAST_POINT) {
        return OTHER;
    }
    const uint32_t group = grapheme_groups[block / GROUP_BLOCKS];
    const uint32_t index = grapheme_blocks[group * GROUP_BLOCKS + block % GROUP_BLOCKS];
    return graphemes[index * BLOCK_POINTS + c % BLOCK_POINTS];
}

/* What the characters of a cluster so far mean for the next one. */
struct cluster {
    unsigned last; /* class of the last one */
    unsigned n_regional;
    enum { NO_PICTURE, PICTURE_SEEN, JOINER_SEEN } picture;
    enum { NO_CONSONANT, CONSONANT_SEEN, LINKER_SEEN } indic;
};

/* What GB9c, GB11 and GB12 have to remember of more than one character. */
static void add(struct cluster *cluster, unsigned record)
{
    const unsigned class = record & CLASS_MASK, indic = record & INDIC_MASK;
    cluster->last = class;
    cluster->n_regional = class == REGIONAL ? cluster->n_regional + 1 : 0;
    if ((record & PICTURE) != 0) {
        cluster->picture = PICTURE_SEEN;
    } else if (cluster->picture != PICTURE_SEEN || (class != EXTEND && class != ZWJ)) {
        cluster->picture = NO_PICTURE;
    } else if (class == ZWJ) {
        cluster->picture = JOINER_SEEN;
    }
    if (indic == CONSONANT) {
        cluster->indic = CONSONANT_SEEN;
    } else if (indic == 0) {
        cluster->indic = NO_CONSONANT;
    } else if (indic == LINKER && cluster->indic == CONSONANT_SEEN) {
        cluster->indic = LINKER_SEEN;
    }
}

/* Whether Hangul parts are one syllable. */
static bool joins_hangul(unsigned last, unsigned class)
{
    switch (last) {
    case LEAD:
        return class == LEAD || class == VOWEL || class == LEAD_VOWEL ||
               class == LEAD_VOWEL_TAIL;
    case LEAD_VOWEL:
    case VOWEL:
        return class == VOWEL || class == TAIL;
    case LEAD_VOWEL_TAIL:
    case TAIL:
        return class == TAIL;
    default:
        return false;
    }
}

static bool is_control(unsigned class)
{
    return class == CR || class == LF || class == CONTROL;
}

/* GB3 to GB13, those that forbid a break; where none holds, there is one. */
static bool joins(const struct cluster *cluster, unsigned record)
{
    const unsigned class = record & CLASS_MASK;
    if (is_control(cluster->last) || is_control(class)) {
        return cluster->last == CR && class == LF;
    }
    return class == EXTEND || class == ZWJ || class == SPACING || cluster->last == PREPEND ||
           joins_hangul(cluster->last, class) ||
           (cluster->indic == LINKER_SEEN && (record & INDIC_MASK) == CONSONANT) ||
           (cluster->picture == JOINER_SEEN && (record & PICTURE) != 0) ||
           (class == REGIONAL && cluster->n_regional % 2 == 1);
}

/* GB1 and GB2: there is a break at both ends of a text. */
size_t ss_tokenizer_cluster_end(const struct ss_tokenizer_points *points, size_t at)
{
    struct cluster cluster = {0};
    add(&cluster, record_of(points->data[at]));
    for (at++; at < points->n; at++) {
        const unsigned record = record_of(points->data[at]);
        if (!joins(&cluster, record)) {
            break;
        }
        add(&cluster, record);
    }
    return at;
}
