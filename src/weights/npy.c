/* Arrays of numpy: one as .npy, or a zip archive of them as .npz.
 *
 *   "\x93NUMPY"  major minor
 *   2 bytes      length of the header, little-endian (4 bytes from version 2 on)
 *   header       a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *                and spaces; Latin-1, from version 3 on UTF-8
 *   the rest     the numbers
 *
 * The literal is parsed as exactly this dictionary with exactly these keys; nothing is
 * evaluated. Arrays of objects (which hold pickles), texts, dates, records and complex numbers
 * are refused; in an archive with others they are left alone.
 *
 * Reference: numpy.lib.format (NEP 1); docs/spec/protocols.md, §6. numpy bounds headers by
 * 10,000 bytes as well, since its own parser may be slow or crash on longer ones. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "source/source.h"
#include "weights/weights_priv.h"

enum { PREFIX_BYTES = 8, MAX_HEADER_BYTES = 10000, PEEK_BYTES = 12 + MAX_HEADER_BYTES };

static const char magic[] = "\x93NUMPY";

static const struct {
    const char *descr; /* behind the byte order */
    ss_weights_dtype dtype;
} dtypes[] = {
    {"f4", SS_WEIGHTS_F32}, {"f8", SS_WEIGHTS_F64}, {"f2", SS_WEIGHTS_F16},
    {"i1", SS_WEIGHTS_I8},  {"u1", SS_WEIGHTS_U8},  {"i2", SS_WEIGHTS_I16},
    {"u2", SS_WEIGHTS_U16}, {"i4", SS_WEIGHTS_I32}, {"u4", SS_WEIGHTS_U32},
    {"i8", SS_WEIGHTS_I64}, {"u8", SS_WEIGHTS_U64}, {"b1", SS_WEIGHTS_BOOL},
};

/* The first character is the byte order: '|' where there is none, '=' that of the machine that
 * wrote. */
bool ss_weights_npy_dtype(const char *descr, size_t n, ss_weights_dtype *dtype, bool *swaps)
{
    const char order = n == 0 ? '\0' : descr[0];
    if (order != '<' && order != '>' && order != '=' && order != '|') {
        return false;
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        const size_t n_name = strlen(dtypes[i].descr);
        if (n == n_name + 1 && memcmp(descr + 1, dtypes[i].descr, n_name) == 0) {
            *dtype = dtypes[i].dtype;
            *swaps = order == '>' && ss_weights_dtype_bytes(*dtype) > 1;
            return true;
        }
    }
    return false;
}

bool ss_weights_npy_matches(const struct ss_source_bytes *source)
{
    return source->n_bytes >= PREFIX_BYTES && memcmp(source->data, magic, 6) == 0;
}

/* ---- the header ---- */

/* A header while it is read. */
struct header {
    const char *file, *array; /* for messages */
    const char *text;
    size_t n, at;
    struct ss_weights_tensor *tensor;
    bool is_fortran;
    bool has_descr, has_order, has_shape;
    const char *what; /* the type is, if it is not of numbers; static */
};

static ss_status bad_header(const struct header *header, const char *what, ss_err *err)
{
    return ss__fail_file(err, header->file, SS_E_DATA, "array '%.200s' has a bad header: %s",
                         header->array, what);
}

static void skip_spaces(struct header *header)
{
    while (header->at < header->n && header->text[header->at] == ' ') {
        header->at++;
    }
}

/* Whether `token` comes next after spaces; if so it is consumed. */
static bool take(struct header *header, char token)
{
    skip_spaces(header);
    if (header->at < header->n && header->text[header->at] == token) {
        header->at++;
        return true;
    }
    return false;
}

/* As take, for "True" and "False". */
static bool take_word(struct header *header, const char *word)
{
    const size_t n = strlen(word);
    skip_spaces(header);
    if (header->n - header->at < n || memcmp(header->text + header->at, word, n) != 0) {
        return false;
    }
    header->at += n;
    return true;
}

/* A quoted text without escapes. */
static bool take_string(struct header *header, struct ss_text *out)
{
    const char quote = take(header, '\'') ? '\'' : '"';
    if (quote == '"' && !take(header, '"')) {
        return false;
    }
    const char *start = header->text + header->at;
    const char *end = memchr(start, quote, header->n - header->at);
    if (end == NULL || memchr(start, '\\', (size_t)(end - start)) != NULL) {
        return false;
    }
    *out = (struct ss_text){.data = start, .n_bytes = (size_t)(end - start)};
    header->at += out->n_bytes + 1;
    return true;
}

/* Digits without a leading zero, as Python writes and reads them. */
static bool take_number(struct header *header, uint64_t *out)
{
    skip_spaces(header);
    const size_t start = header->at;
    *out = 0;
    while (header->at < header->n && header->text[header->at] >= '0' &&
           header->text[header->at] <= '9') {
        if (!ss__mul_u64(*out, 10, out) ||
            !ss__add_u64(*out, (uint64_t)(header->text[header->at] - '0'), out)) {
            return false;
        }
        header->at++;
    }
    const size_t n_digits = header->at - start;
    return n_digits == 1 || (n_digits > 1 && header->text[start] != '0');
}

/* The types that are known and refused, by the kind's letter, so that the message says what the
 * array is and not that its type is unknown. */
static const struct {
    char kind;
    const char *what;
} others[] = {
    {'O', "an array of objects as a pickle, which is never run"},
    {'U', "an array of texts"},
    {'S', "an array of bytes"},
    {'a', "an array of bytes"},
    {'V', "an array of raw bytes"},
    {'c', "an array of complex numbers"},
    {'M', "an array of dates"},
    {'m', "an array of durations"},
};

/* The array may be noted as unreadable: `what` tells the caller, and outlives the header. */
static ss_status refuse_type(struct header *header, const char *what, ss_err *err)
{
    header->what = what;
    return ss__fail_file(err, header->file, SS_E_UNSUPPORTED,
                         "array '%.200s' is not of real numbers, it is %s", header->array,
                         what);
}

static ss_status read_descr(struct header *header, ss_err *err)
{
    struct ss_text descr;
    if (take(header, '[')) {
        return refuse_type(header, "an array of records (a structured dtype)", err);
    }
    if (!take_string(header, &descr)) {
        return bad_header(header, "its type is not a plain one", err);
    }
    if (ss_weights_npy_dtype(descr.data, descr.n_bytes, &header->tensor->dtype,
                             &header->tensor->swaps)) {
        header->tensor->dtype_name = ss_weights_dtype_name(header->tensor->dtype);
        return SS_OK;
    }
    for (size_t i = 0; descr.n_bytes > 1 && i < sizeof others / sizeof *others; i++) {
        if (descr.data[1] == others[i].kind) {
            return refuse_type(header, others[i].what, err);
        }
    }
    return refuse_type(header, "an array of a type that is not of numbers", err);
}

/* In column-major order the first index runs fastest. That is told by strides; nothing is
 * turned here. */
static ss_status read_order(struct header *header, ss_err *err)
{
    header->is_fortran = take_word(header, "True");
    return header->is_fortran || take_word(header, "False")
               ? SS_OK
               : bad_header(header, "fortran_order is neither True nor False", err);
}

/* (), (7,), (2, 3) or (2, 3,) */
static ss_status read_shape(struct header *header, ss_err *err)
{
    struct ss_weights_tensor *tensor = header->tensor;
    bool comma = true;
    if (!take(header, '(')) {
        return bad_header(header, "shape is not a tuple", err);
    }
    while (!take(header, ')')) {
        if (!comma || tensor->n_dims == SS_WEIGHTS_MAX_DIMS ||
            !take_number(header, &tensor->shape[tensor->n_dims])) {
            return bad_header(header, "shape is not a tuple of at most 8 numbers", err);
        }
        tensor->n_dims++;
        comma = take(header, ',');
    }
    return tensor->n_dims != 1 || comma ? SS_OK
                                        : bad_header(header, "shape is not a tuple", err);
}

/* Each key once: a second "shape" would make what is read depend on which of the two wins. */
static ss_status read_member(struct header *header, ss_err *err)
{
    const struct {
        const char *name;
        bool *seen;
        ss_status (*read)(struct header *, ss_err *);
    } members[] = {
        {"descr", &header->has_descr, read_descr},
        {"fortran_order", &header->has_order, read_order},
        {"shape", &header->has_shape, read_shape},
    };
    struct ss_text key;
    if (!take_string(header, &key) || !take(header, ':')) {
        return bad_header(header, "it is not a dictionary of descr, fortran_order and shape",
                          err);
    }
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (key.n_bytes == strlen(members[i].name) &&
            memcmp(key.data, members[i].name, key.n_bytes) == 0 && !*members[i].seen) {
            *members[i].seen = true;
            return members[i].read(header, err);
        }
    }
    return bad_header(header, "it has a key twice, or one that is unknown", err);
}

/* Python's repr writes a comma behind the last member, too; both forms are taken. The spaces
 * that fill the header up to a multiple of 64 and its newline come last. */
static ss_status read_literal(struct header *header, ss_err *err)
{
    ss_status status = SS_OK;
    bool comma = true;
    if (!take(header, '{')) {
        return bad_header(header, "it is not a dictionary", err);
    }
    while (!take(header, '}')) {
        if (!comma) {
            return bad_header(header, "a comma is missing", err);
        }
        SS_TRY(read_member(header, err));
        comma = take(header, ',');
    }
    (void)take(header, '\n');
    skip_spaces(header);
    if (header->at != header->n || !header->has_descr || !header->has_order ||
        !header->has_shape) {
        status =
            bad_header(header, "it needs descr, fortran_order and shape, and no more", err);
    }
out:
    return status;
}

/* Find the header's text; *n_before counts the bytes in front of the numbers. */
static ss_status find_header(struct header *header, const struct ss_source_bytes *source,
                             size_t *n_before, ss_err *err)
{
    const unsigned major = source->n_bytes < PREFIX_BYTES ? 0 : source->data[6];
    const size_t n_length = major == 1 ? 2 : 4;
    uint32_t n = 0;
    if (!ss_weights_npy_matches(source) || source->n_bytes < PREFIX_BYTES + n_length) {
        return bad_header(header, "the file is no .npy, or is cut short", err);
    }
    if (major < 1 || major > 3) {
        return bad_header(header, "its version is not 1, 2 or 3", err);
    }
    for (size_t i = n_length; i-- > 0;) {
        n = n << 8 | source->data[PREFIX_BYTES + i];
    }
    if (n > MAX_HEADER_BYTES || n > source->n_bytes - PREFIX_BYTES - n_length) {
        return bad_header(header, "it is longer than the file or than 10000 bytes", err);
    }
    header->text = (const char *)source->data + PREFIX_BYTES + n_length;
    header->n = n;
    *n_before = PREFIX_BYTES + n_length + n;
    return major < 3 || ss__utf8_valid_prefix(header->text, n) == n
               ? SS_OK
               : bad_header(header, "it is not UTF-8", err);
}

/* Read the header of an array of n_whole bytes, of which `source` may hold the start only. What
 * is refused for its type has a description in *what. */
static ss_status read_array(const struct ss_source_bytes *source, uint64_t n_whole,
                            struct ss_weights_tensor *tensor, size_t *n_before,
                            const char **what, ss_err *err)
{
    ss_status status = SS_OK;
    uint64_t n_bytes = 0;
    struct header header = {.file = source->file, .array = tensor->name, .tensor = tensor};
    SS_TRY(find_header(&header, source, n_before, err));
    status = read_literal(&header, err);
    *what = header.what;
    SS_TRY(status);
    if (!ss_weights_tensor_set_row_major(tensor) ||
        !ss__mul_u64(tensor->n_elements, ss_weights_dtype_bytes(tensor->dtype), &n_bytes)) {
        status = bad_header(&header, "its shape is impossible", err);
        goto out;
    }
    if (n_bytes != n_whole - *n_before) {
        SS_FAIL_FILE(source->file, SS_E_DATA,
                     "array '%.200s' needs %llu bytes by its shape, but has %llu", tensor->name,
                     (unsigned long long)n_bytes, (unsigned long long)(n_whole - *n_before));
    }
    if (header.is_fortran) {
        ss_weights_tensor_set_column_major(tensor);
    }
out:
    return status;
}

/* An .npy has no name for its array: it is "array". */
ss_status ss_weights_npy_read(struct ss_weights *self, ss_err *err)
{
    struct ss_weights_tensor tensor = {.name = "array"};
    size_t n_before = 0;
    const char *what = NULL;
    const ss_status status =
        read_array(&self->source, self->source.n_bytes, &tensor, &n_before, &what, err);
    tensor.data = self->source.data + n_before;
    return status == SS_OK ? ss_weights_add(self, &tensor, err) : status;
}

/* ---- archives ---- */

/* numpy appends ".npy" to the names that savez was given. A name with a NUL inside would be cut
 * by strlen: it is none. */
static bool is_array_name(const struct ss_source_zip_record *record)
{
    const size_t n = strlen(record->name);
    return n == record->n_name && n > 4 && strcmp(record->name + n - 4, ".npy") == 0;
}

/* Only arrays: one other file makes it an archive of something else. */
bool ss_weights_is_npz(const struct ss_source_zip *zip)
{
    for (size_t i = 0; i < zip->n; i++) {
        if (!is_array_name(&zip->records[i])) {
            return false;
        }
    }
    return zip->n > 0;
}

/* The content of an entry: in the file, or unpacked into memory that `self` owns. */
static ss_status need_content(struct ss_weights *self, const struct ss_source_zip *zip,
                              const struct ss_source_zip_record *record, const uint8_t **out,
                              ss_err *err)
{
    uint8_t *content = NULL;
    if (record->method == SS_SOURCE_ZIP_STORED) {
        *out = record->packed;
        return SS_OK;
    }
    SS_GROW_OR_RETURN(self->inflated, self->inflated_capacity, self->n_inflated + 1);
    SS_ALLOC_ALIGNED_OR_RETURN(content, (size_t)record->n_bytes);
    self->inflated[self->n_inflated++] = content;
    SS_RETURN_IF_ERROR(
        ss_source_zip_unpack(zip, record, content, (size_t)record->n_bytes, err));
    *out = content;
    return SS_OK;
}

/* The header is read from the first bytes before room is made for all of them. An array that is
 * not of numbers is noted, for whoever asks for it. */
static ss_status add_array(struct ss_weights *self, const struct ss_source_zip *zip,
                           const struct ss_source_zip_record *record, uint8_t *peek,
                           ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_peek = ss__min_size((size_t)record->n_bytes, PEEK_BYTES);
    const struct ss_source_bytes start = {
        .file = self->source.file, .data = peek, .n_bytes = n_peek};
    const uint8_t *content = NULL;
    const char *what = NULL;
    size_t n_before = 0;
    struct ss_weights_tensor tensor = {
        .name = ss__arena_strndup(&self->arena, record->name, record->n_name - 4)};
    if (tensor.name == NULL) {
        status = ss__fail_nomem(err, "a name");
        goto out;
    }
    SS_TRY(ss_source_zip_unpack(zip, record, peek, n_peek, err));
    status = read_array(&start, record->n_bytes, &tensor, &n_before, &what, err);
    if (what != NULL) {
        status = ss_weights_add_unreadable(self, tensor.name, what, err);
        goto out;
    }
    SS_TRY(status);
    SS_TRY(need_content(self, zip, record, &content, err));
    tensor.data = content + n_before;
    SS_TRY(ss_weights_add(self, &tensor, err));
out:
    return status;
}

/* Arrays without numbers do not make the others unreadable, but a file of nothing else is
 * refused by what its first one is. */
ss_status ss_weights_npz_read(struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip zip = {0};
    uint8_t *peek = NULL;
    SS_ALLOC(peek, PEEK_BYTES);
    SS_TRY(ss_source_zip_read(&self->source, &zip, err));
    for (size_t i = 0; i < zip.n; i++) {
        SS_TRY(add_array(self, &zip, &zip.records[i], peek, err));
    }
    if (self->n == 0) {
        SS_FAIL_FILE(self->source.file, SS_E_UNSUPPORTED,
                     "array '%.200s' is not of real numbers, it is %s, and there is no other "
                     "that is of numbers",
                     self->metadata[0].key, self->metadata[0].value);
    }
out:
    ss__free(peek);
    ss_source_zip_release(&zip);
    return status;
}
