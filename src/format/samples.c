/* Samples of a tar as an input of JSON Lines, one sample at a time, so that everything that
 * reads rows can read them without knowing of tars. Members are views of the archive; memory is
 * that of a line. */
#include "format/samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "format/data_names.h"
#include "format/json_scan.h"

enum { N_ALIKE = 5, MAX_FIELDS = 256 };

struct ss_format_samples {
    const char *file;
    const struct ss_source_tar *tar;
    size_t next;         /* member */
    struct ss__buf line; /* of the sample that is given out */
    size_t n_given;
};

/* ---- names ---- */

/* A member's name: key, ".", field. */
struct name {
    const char *key, *field;
    size_t n_key;
};

/* Whether a member belongs to a sample. */
static bool split_name(const struct ss_source_tar_member *member, struct name *out)
{
    const char *base = ss__path_name(member->name);
    const char *dot = strchr(base, '.');
    *out = (struct name){member->name, dot == NULL ? NULL : dot + 1,
                         dot == NULL ? 0 : (size_t)(dot - member->name)};
    return member->kind != SS_SOURCE_TAR_OTHER && dot != NULL && dot > base && dot[1] != '\0' &&
           !ss_format_path_is_hidden(member->name) && !ss_format_name_is_about_data(base);
}

static bool is_same_key(const struct name *a, const struct name *b)
{
    return a->n_key == b->n_key && memcmp(a->key, b->key, a->n_key) == 0;
}

/* The last extension of a field, that of a compression left out. */
static struct ss_text last_extension(const char *field)
{
    size_t n = strlen(field);
    if (ss_source_is_compressed_name(field)) {
        n = (size_t)(strrchr(field, '.') - field);
    }
    size_t at = n;
    while (at > 0 && field[at - 1] != '.') {
        at--;
    }
    return (struct ss_text){field + at, n - at};
}

static bool is_among(struct ss_text extension, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) == extension.n_bytes &&
            ss__begin_alike_ignoring_case(names[i], extension.data, extension.n_bytes)) {
            return true;
        }
    }
    return false;
}
#define IS_AMONG(extension, names) is_among(extension, names, sizeof(names) / sizeof *(names))

/* ---- whether there are samples ---- */

/* What is about a file beside it says nothing on samples. */
static bool is_about_file(const char *field)
{
    static const char *const names[] = {"md5",   "sha1", "sha256", "sha512", "crc",
                                        "crc32", "asc",  "sig",    "idx",    "index.gz",
                                        "bak",   "tmp",  "md",     "lock",   "license"};
    return IS_AMONG(last_extension(field), names);
}

static int compare_names(const void *a, const void *b)
{
    const struct name *left = a, *right = b;
    const size_t n = ss__min_size(left->n_key, right->n_key);
    const int order = memcmp(left->key, right->key, n);
    return order != 0 ? order : (left->n_key > right->n_key) - (left->n_key < right->n_key);
}

static bool differ(const struct name *a, const struct name *b)
{
    const struct ss_text left = last_extension(a->field), right = last_extension(b->field);
    return left.n_bytes != right.n_bytes ||
           !ss__begin_alike_ignoring_case(left.data, right.data, left.n_bytes);
}

ss_status ss_format_samples_are_in(const struct ss_source_tar *tar, bool *are, ss_err *err)
{
    ss_status status = SS_OK;
    struct name *names = NULL;
    size_t n = 0, n_keys = 0, n_several = 0;
    *are = false;
    SS_ALLOC(names, tar->n);
    for (size_t i = 0; i < tar->n; i++) {
        n += split_name(&tar->members[i], &names[n]) && !is_about_file(names[n].field);
    }
    if (n > 0) {
        ss__sort(names, n, sizeof *names, compare_names);
    }
    for (size_t i = 0; i < n;) {
        const size_t first = i;
        bool several = false;
        for (; i < n && is_same_key(&names[first], &names[i]); i++) {
            several |= differ(&names[first], &names[i]);
        }
        n_keys++;
        n_several += several;
    }
    *are = n_several > n_keys / 2;
out:
    ss__free(names);
    return status;
}

/* ---- samples ---- */

/* The members [first, end) of the sample that begins at or behind `at`; members that belong to
 * none may stand between. False at the end. */
static bool find_sample(const struct ss_source_tar *tar, size_t at, size_t *first, size_t *end)
{
    struct name key, name;
    while (at < tar->n && !split_name(&tar->members[at], &key)) {
        at++;
    }
    *first = *end = at;
    for (; at < tar->n; at++) {
        if (split_name(&tar->members[at], &name)) {
            if (!is_same_key(&key, &name)) {
                break;
            }
            *end = at + 1;
        }
    }
    return *first < tar->n;
}

static bool has_field(const struct ss_source_tar *tar, size_t first, size_t end,
                      const char *field)
{
    struct name name;
    for (size_t i = first; i < end; i++) {
        if (split_name(&tar->members[i], &name) && strcmp(name.field, field) == 0) {
            return true;
        }
    }
    return false;
}

static ss_status check_members(const struct ss_format_samples *self, size_t first, size_t end,
                               ss_err *err)
{
    struct name name;
    if (end - first > MAX_FIELDS) {
        return ss__fail_file(err, self->file, SS_E_LIMIT, "a sample has more than %d members",
                             MAX_FIELDS);
    }
    for (size_t i = first; i < end; i++) {
        const struct ss_source_tar_member *member = &self->tar->members[i];
        if (!split_name(member, &name)) {
            continue;
        }
        if (member->kind != SS_SOURCE_TAR_FILE) {
            return ss__fail_file(
                err, self->file, SS_E_UNSUPPORTED,
                "the member '%.200s' of a sample is a link or sparse; unpack the "
                "archive first",
                member->name);
        }
        if (has_field(self->tar, first, i, name.field)) {
            return ss__fail_file(err, self->file, SS_E_DATA,
                                 "the sample '%.*s' has two members '%.100s'",
                                 (int)ss__min_size(name.n_key, 200), name.key, name.field);
        }
    }
    return SS_OK;
}

/* Whether two samples have the same fields. */
static bool are_alike(const struct ss_source_tar *tar, const size_t a[2], const size_t b[2])
{
    struct name name;
    for (size_t i = a[0]; i < a[1]; i++) {
        if (split_name(&tar->members[i], &name) && !has_field(tar, b[0], b[1], name.field)) {
            return false;
        }
    }
    for (size_t i = b[0]; i < b[1]; i++) {
        if (split_name(&tar->members[i], &name) && !has_field(tar, a[0], a[1], name.field)) {
            return false;
        }
    }
    return true;
}

/* When the archive is opened, so that a fault is told before any row is given. */
static ss_status check_samples(const struct ss_format_samples *self, ss_err *err)
{
    size_t n = 0, head[2] = {0, 0}, sample[2];
    for (size_t at = 0; find_sample(self->tar, at, &sample[0], &sample[1]); at = sample[1]) {
        SS_RETURN_IF_ERROR(check_members(self, sample[0], sample[1], err));
        memcpy(head, n == 0 ? sample : head, sizeof head);
        if (n++ < N_ALIKE && !are_alike(self->tar, head, sample)) {
            return ss__fail_file(
                err, self->file, SS_E_DATA,
                "the members are those of samples, but not every one of the first "
                "samples has the same kinds side by side: see '%.150s' and '%.150s'",
                self->tar->members[head[0]].name, self->tar->members[sample[0]].name);
        }
    }
    return SS_OK;
}

/* ---- values ---- */

/* The content of a member, decompressed if its field says so. */
static ss_status read_member(const struct ss_source_tar_member *member, const char *field,
                             struct ss__buf *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    if (!ss_source_is_compressed_name(field)) {
        ss__buf_add(out, member->data, member->n_bytes);
        return ss__buf_check(out, err);
    }
    SS_TRY(ss_source_stream_open_memory(member->name, member->data, member->n_bytes, &stream,
                                        err));
    do {
        SS_TRY(ss_source_stream_more(&stream, err));
    } while (!stream.at_end);
    ss__buf_add(out, stream.data, stream.n_bytes);
    SS_TRY(ss__buf_check(out, err));
out:
    ss_source_stream_close(&stream);
    return status;
}

/* What Python's int() takes: spaces around, a sign, digits with single underscores between. */
static bool add_integer(struct ss__buf *line, const char *text, size_t n)
{
    static const char spaces[] = " \t\n\r\v\f";
    size_t at = 0, n_digits = 0;
    while (n > 0 && text[n - 1] != '\0' && strchr(spaces, text[n - 1]) != NULL) {
        n--;
    }
    while (at < n && text[at] != '\0' && strchr(spaces, text[at]) != NULL) {
        at++;
    }
    const bool is_negative = at < n && text[at] == '-';
    at += at < n && (text[at] == '-' || text[at] == '+');
    const size_t n_before = line->n_bytes;
    ss__buf_add(line, "-", is_negative);
    for (bool was_digit = false; at < n; at++) {
        const bool is_digit = text[at] >= '0' && text[at] <= '9';
        if (!is_digit && !(text[at] == '_' && was_digit && at + 1 < n)) {
            return false;
        }
        was_digit = is_digit;
        if (is_digit && (text[at] != '0' || n_digits > 0)) {
            ss__buf_add_byte(line, text[at]);
            n_digits++;
        }
    }
    if (n_digits == 0) {
        line->n_bytes = n_before;
        ss__buf_add_byte(line, '0');
    }
    return n > 0 && text[n - 1] >= '0' && text[n - 1] <= '9';
}

/* A JSON value on one line: newlines between its parts become spaces, and within strings there
 * are none. */
static bool add_json(struct ss__buf *line, const char *text, size_t n)
{
    struct ss_format_scan scan = {text, text + n, NULL, false, false};
    if (!ss_format_scan_value(&scan)) {
        return false;
    }
    for (const char *at = scan.at; at < scan.end; at++) {
        if (strchr(" \t\n\r", *at) == NULL || *at == '\0') {
            return false;
        }
    }
    for (const char *at = text; at < scan.at; at++) {
        ss__buf_add_byte(line, *at == '\n' || *at == '\r' ? ' ' : *at);
    }
    return true;
}

/* A text as it stands; what is no UTF-8 is repaired, and counted, by whoever reads the row. */
static void add_text(struct ss__buf *line, const char *text, size_t n)
{
    ss__buf_add_byte(line, '"');
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20) {
            ss__buf_printf(line, "\\u%04x", c);
        } else {
            if (c == '"' || c == '\\') {
                ss__buf_add_byte(line, '\\');
            }
            ss__buf_add_byte(line, text[i]);
        }
    }
    ss__buf_add_byte(line, '"');
}

/* Images and sounds are not texts, but a row should say that they are there. */
static void add_other(struct ss__buf *line, const char *path, const struct ss__buf *content)
{
    if (memchr(content->data == NULL ? "" : content->data, 0, content->n_bytes) == NULL &&
        ss__utf8_valid_prefix(content->data, content->n_bytes) == content->n_bytes) {
        add_text(line, content->data, content->n_bytes);
        return;
    }
    ss__buf_add_text(line, "{\"path\": ");
    add_text(line, path, strlen(path));
    ss__buf_printf(line, ", \"n_bytes\": %zu}", content->n_bytes);
}

static ss_status add_value(struct ss_format_samples *self,
                           const struct ss_source_tar_member *member, const char *field,
                           ss_err *err)
{
    static const char *const texts[] = {"txt", "text", "transcript"};
    static const char *const integers[] = {"cls", "cls2", "index", "inx", "id"};
    static const char *const documents[] = {"json", "jsn"};
    ss_status status = SS_OK;
    struct ss__buf content = {0};
    const char *expected = NULL;
    const struct ss_text extension = last_extension(field);
    SS_TRY(read_member(member, field, &content, err));
    if (IS_AMONG(extension, texts)) {
        add_text(&self->line, content.data, content.n_bytes);
    } else if (IS_AMONG(extension, integers)) {
        expected =
            add_integer(&self->line, content.data, content.n_bytes) ? NULL : "a whole number";
    } else if (IS_AMONG(extension, documents)) {
        expected = add_json(&self->line, content.data, content.n_bytes) ? NULL : "a JSON value";
    } else {
        add_other(&self->line, member->name, &content);
    }
    if (expected != NULL) {
        SS_FAIL_FILE(self->file, SS_E_DATA,
                     "the member '%.300s' is not what its extension says: "
                     "expected %s",
                     member->name, expected);
    }
out:
    ss__buf_release(&content);
    return status;
}

/* ---- lines ---- */

/* Write the next sample into the line, which stays empty at the end. */
static ss_status write_sample(struct ss_format_samples *self, ss_err *err)
{
    size_t first = 0, end = 0;
    struct name name = {0};
    self->line.n_bytes = self->n_given = 0;
    if (!find_sample(self->tar, self->next, &first, &end)) {
        return SS_OK;
    }
    ss__buf_add_text(&self->line, "{");
    for (size_t i = first; i < end; i++) {
        if (split_name(&self->tar->members[i], &name)) {
            add_text(&self->line, name.field, strlen(name.field));
            ss__buf_add_text(&self->line, ": ");
            SS_RETURN_IF_ERROR(add_value(self, &self->tar->members[i], name.field, err));
            ss__buf_add_text(&self->line, ", ");
        }
    }
    ss__buf_add_text(&self->line, "\"__key__\": ");
    (void)split_name(&self->tar->members[first], &name);
    add_text(&self->line, name.key, name.n_key);
    ss__buf_add_text(&self->line, ", \"__url__\": ");
    add_text(&self->line, self->file, strlen(self->file));
    ss__buf_add_text(&self->line, "}\n");
    self->next = end;
    return ss__buf_check(&self->line, err);
}

/* Up to n bytes of lines, none only at the end. */
static ss_status read_samples(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                              ss_err *err)
{
    struct ss_format_samples *self = state;
    (void)offset;
    if (self->n_given == self->line.n_bytes) {
        SS_RETURN_IF_ERROR(write_sample(self, err));
    }
    *n_read = ss__min_size(n, self->line.n_bytes - self->n_given);
    if (*n_read > 0) {
        memcpy(out, self->line.data + self->n_given, *n_read);
        self->n_given += *n_read;
    }
    return SS_OK;
}

static void close_samples(void *state)
{
    struct ss_format_samples *self = state;
    ss__buf_release(&self->line);
    ss__free(self);
}

ss_status ss_format_samples_open(const char *file, const struct ss_source_tar *tar,
                                 struct ss_source_input *out, ss_err *err)
{
    static const struct ss_source_input_ops ops = {.read_at = read_samples,
                                                   .close = close_samples};
    struct ss_format_samples *self = NULL;
    SS_ALLOC_OR_RETURN(self, 1);
    self->file = file;
    self->tar = tar;
    *out = (struct ss_source_input){.name = file, .ops = &ops, .state = self};
    const ss_status status = check_samples(self, err);
    if (status != SS_OK) {
        ss_source_input_close(out);
    }
    return status;
}
