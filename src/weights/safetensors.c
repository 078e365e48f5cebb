/* Reader of safetensors files.
 *
 *   8 bytes   length N of the header, little-endian; N <= 100,000,000
 *   N bytes   one JSON object in UTF-8, first byte '{', padded with spaces at its end:
 *             "__metadata__": {string: string}          (optional)
 *             NAME: {"dtype": T, "shape": [..], "data_offsets": [begin, end]}
 *   the rest  data; offsets count from here. Sorted by offset the tensors cover it wholly: no
 *             hole, no overlap, nothing behind.
 *
 * Stricter than the format's own library where that is ambiguous: a key given twice, a field
 * that is not one of the three and a NUL in a name are refused. The header is read in one pass
 * without a tree, so no depth of nesting can do harm. Memory is that of the names and of 24
 * bytes for each tensor. docs/spec/protocols.md, §5. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "weights/weights_priv.h"

enum { MAX_HEADER_BYTES = 100000000, LENGTH_BYTES = 8 };

/* The format's dtypes. The last ones, of 8 bits and fewer, are known so that a file that holds
 * them among others opens; whoever asks for their numbers is refused (convert.c). */
static const struct {
    const char *name;
    ss_weights_dtype dtype;
    unsigned n_bits;
} dtypes[] = {
    {"F32", SS_WEIGHTS_F32, 32},
    {"F16", SS_WEIGHTS_F16, 16},
    {"BF16", SS_WEIGHTS_BF16, 16},
    {"F64", SS_WEIGHTS_F64, 64},
    {"I64", SS_WEIGHTS_I64, 64},
    {"I32", SS_WEIGHTS_I32, 32},
    {"I16", SS_WEIGHTS_I16, 16},
    {"I8", SS_WEIGHTS_I8, 8},
    {"U8", SS_WEIGHTS_U8, 8},
    {"BOOL", SS_WEIGHTS_BOOL, 8},
    {"U16", SS_WEIGHTS_U16, 16},
    {"U32", SS_WEIGHTS_U32, 32},
    {"U64", SS_WEIGHTS_U64, 64},
    {"C64", SS_WEIGHTS_C64, 64},
    {"F8_E4M3", SS_WEIGHTS_F8, 8},
    {"F8_E5M2", SS_WEIGHTS_F8, 8},
    {"F8_E8M0", SS_WEIGHTS_F8, 8},
    {"F8_E4M3FNUZ", SS_WEIGHTS_F8, 8},
    {"F8_E5M2FNUZ", SS_WEIGHTS_F8, 8},
    {"F4", SS_WEIGHTS_SUB_BYTE, 4},
    {"F6_E2M3", SS_WEIGHTS_SUB_BYTE, 6},
    {"F6_E3M2", SS_WEIGHTS_SUB_BYTE, 6},
};

/* Where a tensor lies in the data. */
struct span {
    uint64_t begin, end;
    size_t tensor;
};

/* A header while it is read; what is found goes into `self`. */
struct reader {
    struct ss_weights *self;
    const char *file;
    const char *text; /* the header, n bytes, read up to `at` */
    size_t n, at;
    struct span *spans; /* one per tensor */
    size_t spans_capacity;
    bool has_metadata;
};

/* ---- JSON ---- */

static ss_status bad_header(const struct reader *reader, const char *expected, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, reader->file, SS_E_DATA,
                      "header is not valid at byte %zu: expected %s", reader->at, expected);
    ss__err_at_offset(err, LENGTH_BYTES + reader->at);
    return status;
}

/* The white space of JSON, and not isspace's, which knows more. */
static void skip_space(struct reader *reader)
{
    while (reader->at < reader->n && strchr(" \t\r\n", reader->text[reader->at]) != NULL &&
           reader->text[reader->at] != '\0') {
        reader->at++;
    }
}

/* Whether `token` comes next; if so it is consumed. */
static bool take(struct reader *reader, char token)
{
    skip_space(reader);
    if (reader->at < reader->n && reader->text[reader->at] == token) {
        reader->at++;
        return true;
    }
    return false;
}

/* A token that must come next; the message shows it. */
static ss_status need(struct reader *reader, char token, ss_err *err)
{
    const char expected[] = {'\'', token, '\'', '\0'};
    return take(reader, token) ? SS_OK : bad_header(reader, expected, err);
}

/* Between the members of an object or array: *more tells whether another one follows. */
static ss_status read_separator(struct reader *reader, char closing, bool *more, ss_err *err)
{
    const char expected[] = {'\'', ',', '\'', ' ', 'o', 'r', ' ', '\'', closing, '\'', '\0'};
    *more = take(reader, ',');
    return *more || take(reader, closing) ? SS_OK : bad_header(reader, expected, err);
}

/* Four hexadecimal digits of an escape. */
static bool read_hex4(struct reader *reader, uint32_t *value)
{
    *value = 0;
    if (reader->n - reader->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        const char digit = reader->text[reader->at++];
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found = digit == '\0' ? NULL : strchr(digits, digit);
        if (found == NULL) {
            return false;
        }
        *value = *value << 4 | (uint32_t)((found - digits) & 15);
    }
    return true;
}

/* The code point of an escape, whose backslash was read. */
static bool read_escape(struct reader *reader, uint32_t *code_point)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t low = 0;
    const char letter = reader->at < reader->n ? reader->text[reader->at++] : '\0';
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    if (found != NULL) {
        *code_point = (uint32_t)meanings[found - letters];
        return true;
    }
    if (letter != 'u' || !read_hex4(reader, code_point)) {
        return false;
    }
    if (*code_point < 0xD800 || *code_point > 0xDFFF) {
        return *code_point != 0;
    }
    if (*code_point > 0xDBFF || reader->n - reader->at < 2 ||
        memcmp(reader->text + reader->at, "\\u", 2) != 0) {
        return false;
    }
    reader->at += 2;
    if (!read_hex4(reader, &low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    *code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* Bytes of the string that starts behind its quote, or SIZE_MAX if it never ends. */
static size_t string_bytes(const struct reader *reader)
{
    for (size_t i = reader->at; i < reader->n; i++) {
        if (reader->text[i] == '"') {
            return i - reader->at;
        }
        i += reader->text[i] == '\\';
    }
    return SIZE_MAX;
}

/* Into the container's arena, unescaped; an escape is never shorter than what it stands for, so
 * the raw length is enough. */
static ss_status read_string(struct reader *reader, const char **out, ss_err *err)
{
    if (!take(reader, '"')) {
        return bad_header(reader, "a string", err);
    }
    const size_t n_raw = string_bytes(reader);
    if (n_raw == SIZE_MAX) {
        return bad_header(reader, "the end of a string", err);
    }
    char *string = ss__arena_alloc(&reader->self->arena, n_raw + 1);
    if (string == NULL) {
        return ss__fail_nomem(err, "a name");
    }
    size_t n = 0;
    const size_t end = reader->at + n_raw;
    while (reader->at < end) {
        const unsigned char byte = (unsigned char)reader->text[reader->at];
        uint32_t code_point = 0;
        if (byte < 0x20) {
            return bad_header(reader, "no control character in a string", err);
        }
        reader->at++;
        if (byte != '\\') {
            string[n++] = (char)byte;
        } else if (read_escape(reader, &code_point)) {
            n += ss__utf8_encode(code_point, string + n);
        } else {
            return bad_header(reader, "a valid escape other than that of NUL", err);
        }
    }
    reader->at = end + 1;
    *out = string;
    return ss__utf8_valid_prefix(string, n) == n
               ? SS_OK
               : bad_header(reader, "valid UTF-8 in a string", err);
}

/* No sign, fraction or exponent: sizes and offsets that some writer put down as 1e3 are
 * refused, as the format's own library refuses them. */
static ss_status read_u64(struct reader *reader, uint64_t *out, ss_err *err)
{
    uint64_t value = 0;
    skip_space(reader);
    const size_t start = reader->at;
    while (reader->at < reader->n && reader->text[reader->at] >= '0' &&
           reader->text[reader->at] <= '9') {
        const uint64_t digit = (uint64_t)(reader->text[reader->at] - '0');
        if (!ss__mul_u64(value, 10, &value) || !ss__add_u64(value, digit, &value)) {
            return bad_header(reader, "a number below 2^64", err);
        }
        reader->at++;
    }
    const size_t n_digits = reader->at - start;
    *out = value;
    return n_digits == 0 || (n_digits > 1 && reader->text[start] == '0')
               ? bad_header(reader, "a whole number of 0 or more", err)
               : SS_OK;
}

/* An array of at most `max` numbers; *n says how many. */
static ss_status read_numbers(struct reader *reader, size_t max, uint64_t *out, size_t *n,
                              ss_err *err)
{
    *n = 0;
    SS_RETURN_IF_ERROR(need(reader, '[', err));
    for (bool more = !take(reader, ']'); more;) {
        if (*n == max) {
            return ss__fail_file(err, reader->file, SS_E_LIMIT,
                                 "header has a list of more than %zu numbers at byte %zu", max,
                                 reader->at);
        }
        SS_RETURN_IF_ERROR(read_u64(reader, &out[(*n)++], err));
        SS_RETURN_IF_ERROR(read_separator(reader, ']', &more, err));
    }
    return SS_OK;
}

/* ---- entries ---- */

/* The fields of an entry as they are read. */
struct entry {
    struct ss_weights_tensor tensor;
    unsigned n_bits;
    uint64_t offsets[2];
    bool has_dtype, has_shape, has_offsets;
};

/* An unknown type is refused by name: a newer version of the format may have it, and its size
 * is not known, so neither is the place of what follows. */
static ss_status read_dtype(struct reader *reader, struct entry *entry, ss_err *err)
{
    const char *name = NULL;
    SS_RETURN_IF_ERROR(read_string(reader, &name, err));
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            entry->tensor.dtype = dtypes[i].dtype;
            entry->tensor.dtype_name = dtypes[i].name;
            entry->n_bits = dtypes[i].n_bits;
            return SS_OK;
        }
    }
    return ss__fail_file(err, reader->file, SS_E_UNSUPPORTED,
                         "tensor '%.200s' has the unknown dtype '%.40s'", entry->tensor.name,
                         name);
}

static ss_status read_shape(struct reader *reader, struct entry *entry, ss_err *err)
{
    return read_numbers(reader, SS_WEIGHTS_MAX_DIMS, entry->tensor.shape, &entry->tensor.n_dims,
                        err);
}

static ss_status read_offsets(struct reader *reader, struct entry *entry, ss_err *err)
{
    size_t n = 0;
    const ss_status status = read_numbers(reader, 2, entry->offsets, &n, err);
    return status != SS_OK || n == 2 ? status : bad_header(reader, "two data_offsets", err);
}

/* One of the three fields of an entry, each once. */
static ss_status read_field(struct reader *reader, struct entry *entry, ss_err *err)
{
    const struct {
        const char *name;
        bool *seen;
        ss_status (*read)(struct reader *, struct entry *, ss_err *);
    } fields[] = {
        {"dtype", &entry->has_dtype, read_dtype},
        {"shape", &entry->has_shape, read_shape},
        {"data_offsets", &entry->has_offsets, read_offsets},
    };
    const char *key = NULL;
    SS_RETURN_IF_ERROR(read_string(reader, &key, err));
    SS_RETURN_IF_ERROR(need(reader, ':', err));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, key) == 0 && *fields[i].seen) {
            return ss__fail_file(err, reader->file, SS_E_DATA,
                                 "tensor '%.200s' gives its %s twice", entry->tensor.name, key);
        }
        if (strcmp(fields[i].name, key) == 0) {
            *fields[i].seen = true;
            return fields[i].read(reader, entry, err);
        }
    }
    return ss__fail_file(err, reader->file, SS_E_DATA,
                         "tensor '%.200s' has the unknown field '%.40s'", entry->tensor.name,
                         key);
}

/* The size of an entry must be that of its shape. */
static ss_status check_entry(const struct reader *reader, struct entry *entry, ss_err *err)
{
    uint64_t n_bits = 0;
    const struct ss_weights_tensor *tensor = &entry->tensor;
    const uint64_t begin = entry->offsets[0], end = entry->offsets[1];
    if (!entry->has_dtype || !entry->has_shape || !entry->has_offsets) {
        return ss__fail_file(
            err, reader->file, SS_E_DATA,
            "tensor '%.200s' has no %s; it needs dtype, shape and data_offsets", tensor->name,
            !entry->has_dtype   ? "dtype"
            : !entry->has_shape ? "shape"
                                : "data_offsets");
    }
    if (!ss_weights_tensor_set_row_major(&entry->tensor) ||
        !ss__mul_u64(tensor->n_elements, entry->n_bits, &n_bits) || n_bits % 8 != 0) {
        return ss__fail_file(err, reader->file, SS_E_DATA,
                             "tensor '%.200s' has an impossible shape", tensor->name);
    }
    if (end < begin || end - begin != n_bits / 8) {
        return ss__fail_file(
            err, reader->file, SS_E_DATA,
            "tensor '%.200s' needs %llu bytes by its shape, but has the range %llu to "
            "%llu",
            tensor->name, (unsigned long long)(n_bits / 8), (unsigned long long)begin,
            (unsigned long long)end);
    }
    return SS_OK;
}

/* NAME: {…}; the place of its data is noted, to be checked once all are known. */
static ss_status read_entry(struct reader *reader, const char *name, ss_err *err)
{
    struct entry entry = {.tensor = {.name = name}};
    SS_RETURN_IF_ERROR(need(reader, '{', err));
    for (bool more = !take(reader, '}'); more;) {
        SS_RETURN_IF_ERROR(read_field(reader, &entry, err));
        SS_RETURN_IF_ERROR(read_separator(reader, '}', &more, err));
    }
    SS_RETURN_IF_ERROR(check_entry(reader, &entry, err));
    SS_GROW_OR_RETURN(reader->spans, reader->spans_capacity, reader->self->n + 1);
    reader->spans[reader->self->n] = (struct span){
        .begin = entry.offsets[0], .end = entry.offsets[1], .tensor = reader->self->n};
    return ss_weights_add(reader->self, &entry.tensor, err);
}

/* Strings only, as the format says; an object or a number here is an error and not a text of
 * it. */
static ss_status read_metadata(struct reader *reader, ss_err *err)
{
    if (reader->has_metadata) {
        return ss__fail_file(err, reader->file, SS_E_DATA, "__metadata__ is given twice");
    }
    reader->has_metadata = true;
    SS_RETURN_IF_ERROR(need(reader, '{', err));
    for (bool more = !take(reader, '}'); more;) {
        const char *key = NULL, *value = NULL;
        SS_RETURN_IF_ERROR(read_string(reader, &key, err));
        SS_RETURN_IF_ERROR(need(reader, ':', err));
        SS_RETURN_IF_ERROR(read_string(reader, &value, err));
        SS_RETURN_IF_ERROR(ss_weights_add_metadata(reader->self, key, value, err));
        SS_RETURN_IF_ERROR(read_separator(reader, '}', &more, err));
    }
    return SS_OK;
}

static ss_status read_header(struct reader *reader, ss_err *err)
{
    ss_status status = SS_OK;
    if (reader->n == 0 || reader->text[0] != '{') {
        return bad_header(reader, "'{' as its first byte", err);
    }
    reader->at = 1;
    for (bool more = !take(reader, '}'); more;) {
        const char *name = NULL;
        SS_TRY(read_string(reader, &name, err));
        SS_TRY(need(reader, ':', err));
        SS_TRY(strcmp(name, "__metadata__") == 0 ? read_metadata(reader, err)
                                                 : read_entry(reader, name, err));
        SS_TRY(read_separator(reader, '}', &more, err));
    }
    skip_space(reader);
    if (reader->at != reader->n) {
        status = bad_header(reader, "nothing but spaces after the object", err);
    }
out:
    return status;
}

/* ---- the file ---- */

/* By their ends where they begin together: empty tensors come before the one that has bytes. */
static int compare_spans(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    return (a->end > b->end) - (a->end < b->end);
}

/* The spans must cover the data exactly; then the tensors get their addresses. */
static ss_status bind_tensors(struct reader *reader, const uint8_t *data, size_t n_bytes,
                              ss_err *err)
{
    struct ss_weights *self = reader->self;
    uint64_t end = 0;
    if (self->n > 0) {
        ss__sort(reader->spans, self->n, sizeof *reader->spans, compare_spans);
    }
    for (size_t i = 0; i < self->n; i++) {
        const struct span *span = &reader->spans[i];
        struct ss_weights_tensor *tensor = &self->tensors[span->tensor];
        if (span->begin != end || span->end > n_bytes) {
            return ss__fail_file(
                err, reader->file, SS_E_DATA,
                "tensor '%.200s' has the range %llu to %llu, expected it to start at "
                "%llu and to end within the %zu bytes of data",
                tensor->name, (unsigned long long)span->begin, (unsigned long long)span->end,
                (unsigned long long)end, n_bytes);
        }
        end = span->end;
        tensor->data = data + span->begin;
    }
    if (end != n_bytes) {
        return ss__fail_file(err, reader->file, SS_E_DATA,
                             "the file has %zu bytes of data, but its tensors end at %llu",
                             n_bytes, (unsigned long long)end);
    }
    return SS_OK;
}

ss_status ss_weights_safetensors_read(struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_source_bytes *source = &self->source;
    struct reader reader = {.self = self, .file = source->file};
    uint64_t n_header = 0;
    self->format = "safetensors";
    if (source->n_bytes < LENGTH_BYTES) {
        SS_FAIL_FILE(source->file, SS_E_DATA,
                     "too short for a safetensors file: %zu bytes, expected 8 and a header",
                     source->n_bytes);
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        n_header |= (uint64_t)source->data[i] << 8 * i;
    }
    if (n_header > MAX_HEADER_BYTES) {
        SS_FAIL_FILE(source->file, SS_E_DATA,
                     "header length %llu is over the format's limit of %d",
                     (unsigned long long)n_header, MAX_HEADER_BYTES);
    }
    if (n_header > source->n_bytes - LENGTH_BYTES) {
        SS_FAIL_FILE(source->file, SS_E_DATA,
                     "header of %llu bytes is longer than the file of %zu bytes; the file may "
                     "be cut short",
                     (unsigned long long)n_header, source->n_bytes);
    }
    reader.text = (const char *)source->data + LENGTH_BYTES;
    reader.n = (size_t)n_header;
    SS_TRY(read_header(&reader, err));
    SS_TRY(bind_tensors(&reader, source->data + LENGTH_BYTES + reader.n,
                        source->n_bytes - LENGTH_BYTES - reader.n, err));
out:
    ss__free(reader.spans);
    return status;
}
