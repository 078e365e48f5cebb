/* The normaliser: steps over code points, each exact for the reference's Unicode versions.
 *
 * A text is decoded once, goes through the steps as code points between two buffers, and is
 * encoded once. Each step also carries along how much of the beginning came from the text's
 * first character (n_start), by which a splitter later knows whether a word begins the text:
 * the reference tracks offsets for that. Most texts never come here: normalize_parts.c passes
 * over ASCII that no step changes. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer/unicode.h"

/* Runs of marks up to this length are sorted in place, longer ones by counting. */
enum { SHORT_RUN = 24, N_COMBINING_CLASSES = 256 };

void ss_tokenizer_normal_scratch_release(struct ss_tokenizer_normal_scratch *scratch)
{
    ss__free(scratch->points.data);
    ss__free(scratch->other.data);
    ss__free(scratch->marks.data);
    *scratch = (struct ss_tokenizer_normal_scratch){0};
}

size_t ss_tokenizer_normal_scratch_bytes(const struct ss_tokenizer_normal_scratch *scratch)
{
    return (scratch->points.capacity + scratch->other.capacity + scratch->marks.capacity) *
           sizeof *scratch->points.data;
}

/* ---- steps that look at one code point: its replacement, at most
 * SS_TOKENIZER_CHAR_MAX_EXPANSION ----
 */

static size_t clean(uint32_t c, uint32_t *out)
{
    const ss_tokenizer_char_class class = ss_tokenizer_char_class_of(c);
    out[0] = class == SS_TOKENIZER_CHAR_SPACE ? ' ' : c;
    return class != SS_TOKENIZER_CHAR_DROP;
}

static size_t space_cjk(uint32_t c, uint32_t *out)
{
    if (ss_tokenizer_char_class_of(c) != SS_TOKENIZER_CHAR_CJK) {
        out[0] = c;
        return 1;
    }
    out[0] = ' ';
    out[1] = c;
    out[2] = ' ';
    return 3;
}

static size_t decompose(uint32_t c, uint32_t *out)
{
    if ((ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_DECOMPOSES) != 0) {
        return ss_tokenizer_char_decompose(c, out);
    }
    out[0] = c;
    return 1;
}

static size_t strip_accents(uint32_t c, uint32_t *out)
{
    out[0] = c;
    return ss_tokenizer_char_class_of(c) != SS_TOKENIZER_CHAR_MARK;
}

static size_t strip_marks(uint32_t c, uint32_t *out)
{
    out[0] = c;
    return (ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_ANY_MARK) == 0;
}

static size_t lower(uint32_t c, uint32_t *out)
{
    if (c < 0x80) {
        out[0] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
        return 1;
    }
    if ((ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_LOWERS) != 0) {
        return ss_tokenizer_char_lower(c, out);
    }
    out[0] = c;
    return 1;
}

static size_t write_bytes(uint32_t c, uint32_t *out)
{
    char text[4];
    const size_t n = ss__utf8_encode(c, text);
    for (size_t i = 0; i < n; i++) {
        out[i] = ss_tokenizer_byte_point((uint8_t)text[i]);
    }
    return n;
}

/* As sentence-piece models of translation read text. */
static size_t nmt(uint32_t c, uint32_t *out)
{
    static const uint32_t spaces[] = {0x09,   0x0A,   0x0C,   0x0D,   0x1680,
                                      0x200B, 0x200C, 0x200D, 0x200E, 0x200F,
                                      0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD};
    const bool keeps = c == 0 || c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D;
    if (!keeps && (c < 0x20 || c == 0x7F || c == 0x8F || c == 0x9F)) {
        return 0;
    }
    out[0] = c;
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        out[0] = c == spaces[i] ? ' ' : out[0];
    }
    return 1;
}

/* ---- canonical order ---- */

static uint8_t combining_class(uint32_t c)
{
    return (ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_COMBINES) != 0
               ? ss_tokenizer_char_combining_class(c)
               : 0;
}

static void sort_short_run(uint32_t *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint32_t moving = run[i];
        const uint8_t class = combining_class(moving);
        size_t j = i;
        for (; j > 0 && combining_class(run[j - 1]) > class; j--) {
            run[j] = run[j - 1];
        }
        run[j] = moving;
    }
}

/* By counting, stable: a hostile text may be one run of a million marks. */
static ss_status sort_long_run(struct ss_tokenizer_points *spare, uint32_t *run, size_t n,
                               ss_err *err)
{
    size_t starts[N_COMBINING_CLASSES + 1] = {0};
    SS_GROW_OR_RETURN(spare->data, spare->capacity, n);
    for (size_t i = 0; i < n; i++) {
        starts[combining_class(run[i]) + 1]++;
    }
    for (size_t class = 1; class <= N_COMBINING_CLASSES; class ++) {
        starts[class] += starts[class - 1];
    }
    for (size_t i = 0; i < n; i++) {
        spare->data[starts[combining_class(run[i])]++] = run[i];
    }
    memcpy(run, spare->data, n * sizeof *run);
    return SS_OK;
}

/* Sort every run of code points with a combining class by class, keeping equal ones in order.
 */
static ss_status order_marks(struct ss_tokenizer_points *points,
                             struct ss_tokenizer_points *spare, ss_err *err)
{
    for (size_t at = 0; at < points->n; at++) {
        size_t end = at;
        while (end < points->n && combining_class(points->data[end]) != 0) {
            end++;
        }
        if (end - at > SHORT_RUN) {
            SS_RETURN_IF_ERROR(sort_long_run(spare, points->data + at, end - at, err));
        } else if (end - at > 1) {
            sort_short_run(points->data + at, end - at);
        }
        at = end;
    }
    return SS_OK;
}

/* Compose what is decomposed and ordered: a mark joins the starter before it unless one of the
 * same or a higher class stands between. */
static void compose(struct ss_tokenizer_points *points, size_t *n_start)
{
    uint32_t *data = points->data;
    size_t n = 0, starter = 0, n_first = 0;
    bool has_starter = false;
    uint8_t last_class = 0;
    for (size_t i = 0; i < points->n; i++) {
        const uint32_t c = data[i];
        const uint8_t class = combining_class(c);
        const bool is_next = n > 0 && starter == n - 1;
        const uint32_t whole = has_starter && (is_next || last_class < class)
                                   ? ss_tokenizer_char_compose(data[starter], c)
                                   : 0;
        if (whole != 0) {
            data[starter] = whole;
            continue;
        }
        if (class == 0) {
            starter = n;
            has_starter = true;
        }
        last_class = class;
        data[n++] = c;
        n_first = i < *n_start ? n : n_first;
    }
    points->n = n;
    *n_start = n_first;
}

/* ---- steps that look at one code point: their loop ---- */

typedef size_t change_fn(uint32_t c, uint32_t *out);

static ss_status run_changes(change_fn *change, struct ss_tokenizer_normal_scratch *scratch,
                             ss_err *err)
{
    const struct ss_tokenizer_points *in = &scratch->points;
    struct ss_tokenizer_points *out = &scratch->other;
    size_t n_start = 0;
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (out->capacity - out->n < SS_TOKENIZER_CHAR_MAX_EXPANSION) {
            SS_GROW_OR_RETURN(out->data, out->capacity,
                              out->n + in->n - i + SS_TOKENIZER_CHAR_MAX_EXPANSION);
        }
        const size_t n = change(in->data[i], out->data + out->n);
        out->n += n;
        n_start = i < scratch->n_start ? out->n : n_start;
    }
    scratch->n_start = n_start;
    return SS_OK;
}

/* ---- steps that look at the whole text ---- */

/* from[0 … n) of the input goes to the end of the output. */
static ss_status put(struct ss_tokenizer_normal_scratch *scratch, const uint32_t *from,
                     size_t n, ss_err *err)
{
    struct ss_tokenizer_points *out = &scratch->other;
    SS_GROW_OR_RETURN(out->data, out->capacity, out->n + n);
    for (size_t i = 0; i < n; i++) {
        out->data[out->n + i] = from[i];
    }
    out->n += n;
    return SS_OK;
}

static ss_status strip_left(const struct ss_tokenizer_normal_step *step,
                            struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    const struct ss_tokenizer_points *in = &scratch->points;
    size_t start = 0;
    (void)step;
    while (start < in->n && ss__is_white_space(in->data[start])) {
        start++;
    }
    scratch->n_start -= ss__min_size(start, scratch->n_start);
    return put(scratch, in->data + start, in->n - start, err);
}

static ss_status strip_right(const struct ss_tokenizer_normal_step *step,
                             struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    const struct ss_tokenizer_points *in = &scratch->points;
    size_t stop = in->n;
    (void)step;
    while (stop > 0 && ss__is_white_space(in->data[stop - 1])) {
        stop--;
    }
    return put(scratch, in->data, stop, err);
}

static ss_status prepend(const struct ss_tokenizer_normal_step *step,
                         struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    if (scratch->points.n > 0) {
        scratch->n_start += scratch->n_start > 0 ? step->n_to : step->n_to == 0;
        SS_RETURN_IF_ERROR(put(scratch, step->to, step->n_to, err));
    }
    return put(scratch, scratch->points.data, scratch->points.n, err);
}

/* How many code points from `at` on are to be replaced. */
static size_t match_text(const struct ss_tokenizer_normal_step *step,
                         const struct ss_tokenizer_points *in, size_t at)
{
    const size_t n = step->n_from;
    const bool same = in->n - at >= n && in->data[at] == step->from[0] &&
                      memcmp(in->data + at, step->from, n * sizeof *step->from) == 0;
    return same ? n : 0;
}

static size_t match_spaces(const struct ss_tokenizer_normal_step *step,
                           const struct ss_tokenizer_points *in, size_t at)
{
    size_t n = 0;
    (void)step;
    while (at + n < in->n && in->data[at + n] == ' ') {
        n++;
    }
    return n >= 2 ? n : 0;
}

static ss_status replace(const struct ss_tokenizer_normal_step *step,
                         struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    const struct ss_tokenizer_points *in = &scratch->points;
    size_t kept = 0, n_start = 0; /* a replacement belongs to the last point of a match */
    for (size_t at = 0; at < in->n;) {
        const size_t n = step->kind == SS_TOKENIZER_STEP_REPLACE ? match_text(step, in, at)
                                                                 : match_spaces(step, in, at);
        if (n == 0) {
            at++;
            continue;
        }
        SS_RETURN_IF_ERROR(put(scratch, in->data + kept, at - kept, err));
        n_start += ss__min_size(scratch->n_start, at) - ss__min_size(scratch->n_start, kept);
        n_start += at + n <= scratch->n_start ? step->n_to : 0;
        SS_RETURN_IF_ERROR(put(scratch, step->to, step->n_to, err));
        at += n;
        kept = at;
    }
    SS_RETURN_IF_ERROR(put(scratch, in->data + kept, in->n - kept, err));
    scratch->n_start = n_start + scratch->n_start - ss__min_size(scratch->n_start, kept);
    return SS_OK;
}

static ss_status map_clusters(const struct ss_tokenizer_normal_step *step,
                              struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    return ss_tokenizer_charsmap_run(step->map, &scratch->points, &scratch->other,
                                     &scratch->n_start, err);
}

/* ---- all together ---- */

typedef ss_status rewrite_fn(const struct ss_tokenizer_normal_step *step,
                             struct ss_tokenizer_normal_scratch *scratch, ss_err *err);

/* What a kind of step does: to one code point, or from scratch->points to scratch->other. */
static const struct {
    change_fn *change;
    rewrite_fn *rewrite;
    ss_tokenizer_ascii_effect ascii;
} kinds[] = {
    [SS_TOKENIZER_STEP_CLEAN] = {clean, NULL, SS_TOKENIZER_ASCII_IN_WORDS},
    [SS_TOKENIZER_STEP_SPACE_CJK] = {space_cjk, NULL, SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_DECOMPOSE] = {decompose, NULL, SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_DECOMPOSE_MORE] = {ss_tokenizer_char_decompose_more, NULL,
                                          SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_COMPOSE] = {NULL, NULL, SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_STRIP_ACCENTS] = {strip_accents, NULL, SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_STRIP_MARKS] = {strip_marks, NULL, SS_TOKENIZER_ASCII_KEPT},
    [SS_TOKENIZER_STEP_LOWER] = {lower, NULL, SS_TOKENIZER_ASCII_IN_WORDS},
    [SS_TOKENIZER_STEP_BYTES] = {write_bytes, NULL, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_NMT] = {nmt, NULL, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_STRIP_LEFT] = {NULL, strip_left, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_STRIP_RIGHT] = {NULL, strip_right, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_PREPEND] = {NULL, prepend, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_REPLACE] = {NULL, replace, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_REPLACE_SPACES] = {NULL, replace, SS_TOKENIZER_ASCII_REWRITTEN},
    [SS_TOKENIZER_STEP_CHARSMAP] = {NULL, map_clusters, SS_TOKENIZER_ASCII_REWRITTEN},
};

/* Which ASCII characters a step does not leave as they are, where all others are ASCII too. */
static void note_changes(struct ss_tokenizer_normalizer *normalizer,
                         const struct ss_tokenizer_normal_step *step)
{
    change_fn *change = kinds[step->kind].change;
    for (unsigned c = 0; c < 256; c++) {
        uint32_t out[SS_TOKENIZER_CHAR_MAX_EXPANSION] = {0};
        bool changes = c >= 0x80;
        if (!changes && change != NULL) {
            changes = change(c, out) != 1 || out[0] != c;
        } else if (step->kind == SS_TOKENIZER_STEP_CHARSMAP) {
            changes = changes || !step->map->keeps[c];
        } else if (step->kind == SS_TOKENIZER_STEP_REPLACE) {
            changes = changes || c == step->from[0];
        } else if (step->kind != SS_TOKENIZER_STEP_REPLACE_SPACES &&
                   step->kind != SS_TOKENIZER_STEP_COMPOSE) {
            changes = true;
        }
        normalizer->changes[c] = normalizer->changes[c] || changes;
    }
    normalizer->changes_spaces =
        normalizer->changes_spaces || step->kind == SS_TOKENIZER_STEP_REPLACE_SPACES;
}

/* Whether a step, behind those that are there, does the same to the parts of a text that it
 * does to the whole, where these are cut inside of ASCII that stays as it is
 * (normalize_parts.c). What looks at neighbours must still see those of the text itself. */
static bool is_local(const struct ss_tokenizer_normalizer *normalizer,
                     const struct ss_tokenizer_normal_step *step)
{
    const bool rewrites = kinds[step->kind].rewrite != NULL;
    const bool sees_neighbours = step->kind == SS_TOKENIZER_STEP_COMPOSE ||
                                 step->kind == SS_TOKENIZER_STEP_DECOMPOSE ||
                                 step->kind == SS_TOKENIZER_STEP_DECOMPOSE_MORE ||
                                 step->kind == SS_TOKENIZER_STEP_CHARSMAP;
    for (size_t i = 0; sees_neighbours && i < normalizer->n_steps; i++) {
        if (kinds[normalizer->steps[i].kind].rewrite != NULL ||
            step->kind == SS_TOKENIZER_STEP_CHARSMAP) {
            return false;
        }
    }
    return !rewrites || step->kind == SS_TOKENIZER_STEP_REPLACE_SPACES ||
           step->kind == SS_TOKENIZER_STEP_CHARSMAP ||
           (step->kind == SS_TOKENIZER_STEP_REPLACE && step->n_from == 1);
}

ss_status ss_tokenizer_normalizer_push_step(struct ss_tokenizer_normalizer *normalizer,
                                            const struct ss_tokenizer_normal_step *step,
                                            ss_err *err)
{
    if (normalizer->n_steps >= SS_TOKENIZER_MAX_STEPS) {
        return ss__fail(err, SS_E_LIMIT, "the normalizer has more than %d steps",
                        SS_TOKENIZER_MAX_STEPS);
    }
    normalizer->has_context = normalizer->has_context || !is_local(normalizer, step);
    normalizer->steps[normalizer->n_steps++] = *step;
    note_changes(normalizer, step);
    normalizer->lowers_ascii =
        normalizer->lowers_ascii || step->kind == SS_TOKENIZER_STEP_LOWER;
    if (kinds[step->kind].ascii > normalizer->ascii) {
        normalizer->ascii = kinds[step->kind].ascii;
    }
    return SS_OK;
}

ss_status ss_tokenizer_normalizer_push(struct ss_tokenizer_normalizer *normalizer,
                                       ss_tokenizer_step step, ss_err *err)
{
    return ss_tokenizer_normalizer_push_step(
        normalizer, &(struct ss_tokenizer_normal_step){.kind = step}, err);
}

static ss_status run_step(const struct ss_tokenizer_normal_step *step,
                          struct ss_tokenizer_normal_scratch *scratch, ss_err *err)
{
    struct ss_tokenizer_points *in = &scratch->points, *out = &scratch->other;
    if (step->kind == SS_TOKENIZER_STEP_COMPOSE) {
        compose(in, &scratch->n_start);
        return SS_OK;
    }
    out->n = 0;
    if (kinds[step->kind].change != NULL) {
        SS_RETURN_IF_ERROR(run_changes(kinds[step->kind].change, scratch, err));
    } else {
        SS_RETURN_IF_ERROR(kinds[step->kind].rewrite(step, scratch, err));
    }
    const struct ss_tokenizer_points swapped = *in;
    *in = *out;
    *out = swapped;
    if (step->kind == SS_TOKENIZER_STEP_DECOMPOSE ||
        step->kind == SS_TOKENIZER_STEP_DECOMPOSE_MORE) {
        SS_RETURN_IF_ERROR(order_marks(in, &scratch->marks, err));
    }
    return SS_OK;
}

ss_status ss_tokenizer_normalize_whole(const struct ss_tokenizer_normalizer *normalizer,
                                       struct ss_tokenizer_normal_scratch *scratch,
                                       const char *text, size_t n_bytes, struct ss__buf *out,
                                       ss_err *err)
{
    struct ss_tokenizer_points *points = &scratch->points;
    SS_GROW_OR_RETURN(points->data, points->capacity, n_bytes);
    points->n = 0;
    for (size_t at = 0; at < n_bytes; points->n++) {
        points->data[points->n] = SS__REPLACEMENT;
        const size_t n = ss__utf8_decode(text + at, n_bytes - at, &points->data[points->n]);
        at += ss__max_size(n, 1);
    }
    scratch->n_start = points->n > 0;
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        SS_RETURN_IF_ERROR(run_step(&normalizer->steps[i], scratch, err));
    }
    scratch->n_start_bytes = 0;
    char *place = ss__buf_reserve(out, points->n * 4 + SS_TOKENIZER_BLOCK_BYTES);
    for (size_t i = 0; place != NULL && i < points->n; i++) {
        const size_t n = ss__utf8_encode(points->data[i], place);
        place += n;
        out->n_bytes += n;
        scratch->n_start_bytes += i < scratch->n_start ? n : 0;
    }
    ss_tokenizer_pad_text(out);
    return ss__buf_check(out, err);
}
