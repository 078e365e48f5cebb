/* The decoder as an input over a stream: the window of the one is decoded into the window of
 * the other.
 *
 * The C library's tables are used where they equal Python's, whose names and rules users know:
 * tables that differ are refused by name or mended (Shift-JIS). Bytes that are none of the
 * encoding must not shift what follows, so a unit of the encoding is passed over for each, and
 * a character that ends in the next window is waited for before it is called damaged. */
#include "source/decode.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/mem.h"

struct decoder {
    struct ss_source_stream bytes;
    iconv_t table;
    ss_source_decode_errors errors;
    size_t unit_bytes; /* that are passed over where they cannot be decoded */
    bool is_shift_jis;
};

enum { MAX_NAME_BYTES = 40, LONGEST_CHARACTER = 8 };

/* ---- names ---- */

/* Python's names (the aliases of its module `encodings`), with "_" for what is no letter or
 * digit, that the C library has under another name, or (NULL) differently or not at all. */
static const struct {
    const char *names, *known_as;
} renamed[] = {
    {"utf_8 utf8 u8 utf cp65001 utf_8_sig utf8_sig", "UTF-8"},
    {"latin_1 latin1 latin l1 8859 iso8859 iso8859_1 iso_8859_1 iso88591 cp819", "ISO-8859-1"},
    {"utf_16 utf16 u16", "UTF-16"},
    {"utf_16_le utf_16le utf16le unicodelittleunmarked", "UTF-16LE"},
    {"utf_16_be utf_16be utf16be unicodebigunmarked", "UTF-16BE"},
    {"utf_32 utf32 u32", "UTF-32"},
    {"utf_32_le utf_32le", "UTF-32LE"},
    {"utf_32_be utf_32be", "UTF-32BE"},
    {"1250", "CP1250"},
    {"1251", "CP1251"},
    {"1252", "CP1252"},
    {"1253", "CP1253"},
    {"1254", "CP1254"},
    {"1255", "CP1255"},
    {"1256", "CP1256"},
    {"1257", "CP1257"},
    {"1258", "CP1258"},
    {"ascii us_ascii 646", "ASCII"},
    {"shift_jis shiftjis sjis s_jis", "SHIFT_JIS"},
    {"cp932 ms932 932 mskanji ms_kanji", "CP932"},
    {"cp949 ms949 949 uhc", "CP949"},
    {"euc_kr euckr korean ksc5601 ks_c_5601 ksx1001", "EUC-KR"},
    {"iso2022_jp iso2022jp csiso2022jp", "ISO-2022-JP"},
    {"iso2022_kr iso2022kr", "ISO-2022-KR"},
    {"gb2312 chinese euc_cn euccn gb2312_80", "GB2312"},
    {"cp1026 cp273 cp424 johab cp1361 ms1361 mac_roman macroman macintosh mac_cyrillic "
     "maccyrillic tis_620 tis620 utf_7 utf7 u7 hp_roman8 roman8",
     NULL},
};

static void normalise(const char *name, char out[MAX_NAME_BYTES])
{
    size_t n = 0;
    for (; *name != '\0' && n + 1 < MAX_NAME_BYTES; name++) {
        out[n++] = (char)(isalnum((unsigned char)*name) ? tolower((unsigned char)*name) : '_');
    }
    out[n] = '\0';
}

static bool is_among(const char *names, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = names; *at != '\0' && n > 0;) {
        const size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, name, n) == 0) {
            return true;
        }
        at += length + (at[length] == ' ');
    }
    return false;
}

/* The C library's name; NULL: it is refused. `spare` may hold the result. What is in no row is
 * tried as it is, in capitals with "-", which is how most names of the C library look. */
static const char *name_of(const char *encoding, char spare[MAX_NAME_BYTES])
{
    normalise(encoding, spare);
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (is_among(renamed[i].names, spare)) {
            return renamed[i].known_as;
        }
    }
    for (char *at = spare; *at != '\0'; at++) {
        *at = *at == '_' ? '-' : (char)toupper((unsigned char)*at);
    }
    return spare;
}

bool ss_source_encoding_is_utf8(const char *encoding)
{
    char spare[MAX_NAME_BYTES];
    const char *name = name_of(encoding, spare);
    return name != NULL && strcmp(name, "UTF-8") == 0;
}

/* ---- decoding ---- */

/* What stands for bytes that cannot be decoded. */
static void add_mark(const struct decoder *decoder, char **out, size_t *capacity_left)
{
    static const char replacement[] = "\xEF\xBF\xBD",
                      undecodable[] = {(char)SS_SOURCE_UNDECODABLE};
    const bool is_strict = decoder->errors == SS_SOURCE_DECODE_STRICT;
    const size_t n = decoder->errors == SS_SOURCE_DECODE_IGNORE ? 0 : is_strict ? 1 : 3;
    memcpy(*out, is_strict ? undecodable : replacement, n);
    *out += n;
    *capacity_left -= n;
}

/* The table of the C library has the yen sign and the overline where Python's has "\" and "~".
 */
static size_t mend_shift_jis(char *text, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        const bool is_yen = n - i >= 2 && memcmp(text + i, "\xC2\xA5", 2) == 0;
        const bool is_line = n - i >= 3 && memcmp(text + i, "\xE2\x80\xBE", 3) == 0;
        text[to++] = is_yen ? '\\' : is_line ? '~' : text[i];
        i += is_yen ? 2 : is_line ? 3 : 1;
    }
    return to;
}

/* Decode what is in the window into out[0, n), and take it. iconv stops for three reasons: the
 * output is full (E2BIG), the input ends within a character (EINVAL), or it is none (EILSEQ).
 * Of the second more input is fetched first; only at the end of the file it is what is left
 * that is bad. */
static ss_status decode_window(struct decoder *decoder, char **out, size_t *capacity_left,
                               ss_err *err)
{
    struct ss_source_stream *bytes = &decoder->bytes;
    char *in = (char *)(uintptr_t)bytes->data;
    size_t n_in = bytes->n_bytes;
    const size_t result = iconv(decoder->table, &in, &n_in, out, capacity_left);
    const int problem = result == (size_t)-1 ? errno : 0;
    ss_source_stream_take(bytes, bytes->n_bytes - n_in);
    if (problem == EINVAL && !bytes->at_end) {
        SS_RETURN_IF_ERROR(ss_source_stream_more(bytes, err));
        if (bytes->n_bytes > n_in || !bytes->at_end) {
            return SS_OK;
        }
    }
    if (problem == EILSEQ || problem == EINVAL) {
        ss_source_stream_take(bytes, problem == EINVAL
                                         ? bytes->n_bytes
                                         : ss__min_size(decoder->unit_bytes, bytes->n_bytes));
        add_mark(decoder, out, capacity_left);
    }
    return SS_OK;
}

/* Gives at least one character, since 0 bytes mean the end; some space is kept for the longest
 * one, so that none is cut. */
static ss_status read_decoded(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                              ss_err *err)
{
    struct decoder *decoder = state;
    (void)offset;
    char *at = out;
    size_t capacity_left = n;
    *n_read = 0;
    while (at == (char *)out && capacity_left > LONGEST_CHARACTER) {
        SS_RETURN_IF_ERROR(ss_source_stream_need(&decoder->bytes, 1, err));
        if (decoder->bytes.n_bytes == 0) {
            break;
        }
        while (decoder->bytes.n_bytes > 0 && capacity_left > LONGEST_CHARACTER) {
            const size_t n_before = capacity_left, n_bytes = decoder->bytes.n_bytes;
            SS_RETURN_IF_ERROR(decode_window(decoder, &at, &capacity_left, err));
            if (n_before == capacity_left && n_bytes == decoder->bytes.n_bytes) {
                break; /* the next character does not fit */
            }
        }
    }
    *n_read = (size_t)(at - (char *)out);
    if (decoder->is_shift_jis) {
        *n_read = mend_shift_jis(out, *n_read);
    }
    return SS_OK;
}

static void close_decoder(void *state)
{
    struct decoder *decoder = state;
    ss_source_stream_close(&decoder->bytes);
    iconv_close(decoder->table);
    ss__free(decoder);
}

ss_status ss_source_decode_stream(struct ss_source_stream *stream, const char *encoding,
                                  ss_source_decode_errors errors, ss_err *err)
{
    static const struct ss_source_input_ops ops = {.read_at = read_decoded,
                                                   .close = close_decoder};
    struct ss_source_halt *halt = stream->halt;
    ss_status status = SS_OK;
    struct decoder *decoder = NULL;
    struct ss_source_stream decoded = {0};
    char spare[MAX_NAME_BYTES];
    const char *name = name_of(encoding, spare);
    SS_ALLOC(decoder, 1);
    decoder->errors = errors;
    decoder->unit_bytes = name == NULL                      ? 1
                          : strncmp(name, "UTF-16", 6) == 0 ? 2
                          : strncmp(name, "UTF-32", 6) == 0 ? 4
                                                            : 1;
    decoder->is_shift_jis = name != NULL && strcmp(name, "SHIFT_JIS") == 0;
    decoder->table = name == NULL ? (iconv_t)-1 : iconv_open("UTF-8", name);
    if (decoder->table == (iconv_t)-1) {
        SS_FAIL_FILE(stream->name, SS_E_UNSUPPORTED,
                     "the encoding '%.60s' is not one of those that are read; convert the file "
                     "to UTF-8 first",
                     encoding);
    }
    decoder->bytes = *stream;
    struct ss_source_input input = {
        .name = stream->name, .inner = &decoder->bytes, .ops = &ops, .state = decoder};
    status = ss_source_stream_open_input(&input, &decoded, err);
    decoder = NULL; /* taken, and with it the stream */
    *stream = decoded;
    stream->halt = status == SS_OK ? halt : NULL;
out:
    if (decoder != NULL && decoder->table != (iconv_t)-1) {
        iconv_close(decoder->table);
    }
    ss__free(decoder);
    return status;
}
