/* The normaliser: steps over code points, each exact for the reference's Unicode versions. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer/unicode.h"

/* Runs of marks up to this length are sorted in place, longer ones by counting. */
enum { SHORT_RUN = 24, N_COMBINING_CLASSES = 256 };

ss_status ss__normalizer_push(struct ss__normalizer *normalizer, ss__step step, ss_err *err)
{
    if (normalizer->n_steps >= SS__MAX_STEPS) {
        return ss__fail(err, SS_E_LIMIT, "the normalizer has more than %d steps",
                        SS__MAX_STEPS);
    }
    normalizer->steps[normalizer->n_steps++] = step;
    normalizer->lowers_ascii = normalizer->lowers_ascii || step == SS__STEP_LOWER;
    return SS_OK;
}

void ss__normal_scratch_release(struct ss__normal_scratch *scratch)
{
    ss__free(scratch->points.data);
    ss__free(scratch->other.data);
    ss__free(scratch->marks.data);
    *scratch = (struct ss__normal_scratch){0};
}

/* ---- steps that look at one code point: its replacement, at most SS__CHAR_MAX_EXPANSION ---- */

static size_t clean(uint32_t c, uint32_t *out)
{
    const ss__char_class class = ss__char_class_of(c);
    out[0] = class == SS__CHAR_SPACE ? ' ' : c;
    return class != SS__CHAR_DROP;
}

static size_t space_cjk(uint32_t c, uint32_t *out)
{
    if (ss__char_class_of(c) != SS__CHAR_CJK) {
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
    if ((ss__char_record(c) & SS__CHAR_DECOMPOSES) != 0) {
        return ss__char_decompose(c, out);
    }
    out[0] = c;
    return 1;
}

static size_t strip_accents(uint32_t c, uint32_t *out)
{
    out[0] = c;
    return ss__char_class_of(c) != SS__CHAR_MARK;
}

static size_t strip_marks(uint32_t c, uint32_t *out)
{
    out[0] = c;
    return (ss__char_record(c) & SS__CHAR_ANY_MARK) == 0;
}

static size_t lower(uint32_t c, uint32_t *out)
{
    if (c < 0x80) {
        out[0] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
        return 1;
    }
    if ((ss__char_record(c) & SS__CHAR_LOWERS) != 0) {
        return ss__char_lower(c, out);
    }
    out[0] = c;
    return 1;
}

/* ---- canonical order ---- */

static uint8_t combining_class(uint32_t c)
{
    return (ss__char_record(c) & SS__CHAR_COMBINES) != 0 ? ss__char_combining_class(c) : 0;
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

static ss_status sort_long_run(struct ss__points *spare, uint32_t *run, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    size_t starts[N_COMBINING_CLASSES + 1] = {0};
    SS_GROW(spare->data, spare->n_room, n);
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
out:
    return status;
}

/* Sort every run of code points with a combining class by class, keeping equal ones in order.
 */
static ss_status order_marks(struct ss__points *points, struct ss__points *spare, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t at = 0; at < points->n; at++) {
        size_t end = at;
        while (end < points->n && combining_class(points->data[end]) != 0) {
            end++;
        }
        if (end - at > SHORT_RUN) {
            SS_TRY(sort_long_run(spare, points->data + at, end - at, err));
        } else if (end - at > 1) {
            sort_short_run(points->data + at, end - at);
        }
        at = end;
    }
out:
    return status;
}

/* ---- all together ---- */

static ss_status run_step(ss__step step, struct ss__normal_scratch *scratch, ss_err *err)
{
    static size_t (*const change[SS__N_STEPS])(uint32_t, uint32_t *) = {
        [SS__STEP_CLEAN] = clean,
        [SS__STEP_SPACE_CJK] = space_cjk,
        [SS__STEP_DECOMPOSE] = decompose,
        [SS__STEP_STRIP_ACCENTS] = strip_accents,
        [SS__STEP_STRIP_MARKS] = strip_marks,
        [SS__STEP_LOWER] = lower,
    };
    ss_status status = SS_OK;
    struct ss__points *in = &scratch->points, *out = &scratch->other;
    size_t n_needed = 0;
    if (!ss__mul(in->n, SS__CHAR_MAX_EXPANSION, &n_needed)) {
        SS_FAIL(SS_E_LIMIT, "a text is too long to normalise");
    }
    SS_GROW(out->data, out->n_room, n_needed);
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        out->n += change[step](in->data[i], out->data + out->n);
    }
    const struct ss__points swapped = *in;
    *in = *out;
    *out = swapped;
    if (step == SS__STEP_DECOMPOSE) {
        SS_TRY(order_marks(in, &scratch->marks, err));
    }
out:
    return status;
}

ss_status ss__normalize(const struct ss__normalizer *normalizer,
                        struct ss__normal_scratch *scratch, const char *text, size_t n_bytes,
                        struct ss__buf *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__points *points = &scratch->points;
    SS_GROW(points->data, points->n_room, n_bytes);
    points->n = 0;
    for (size_t at = 0; at < n_bytes; points->n++) {
        points->data[points->n] = SS__REPLACEMENT;
        const size_t n = ss__utf8_decode(text + at, n_bytes - at, &points->data[points->n]);
        at += ss__max_size(n, 1);
    }
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        SS_TRY(run_step(normalizer->steps[i], scratch, err));
    }
    char *place = ss__buf_reserve(out, points->n * 4 + 1); /* so that `data` is never NULL */
    for (size_t i = 0; place != NULL && i < points->n; i++) {
        const size_t n = ss__utf8_encode(points->data[i], place);
        place += n;
        out->n_bytes += n;
    }
    SS_TRY(ss__buf_check(out, err));
out:
    return status;
}
