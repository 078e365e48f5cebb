/* Tar archives, header by header. Headers of the types x, L and K say things of the member that
 * comes next; what they said is in `said` until then.
 *
 * The whole archive is listed before any member is read, so that a damaged one is refused at
 * once and members can be chosen by name. Every header must have its checksum, which also keeps
 * a file that is no tar from being read as one. Nothing here allocates by what a header claims:
 * sizes are compared with the bytes that are left. Layout: tar.h; POSIX pax (IEEE 1003.1), GNU
 * tar's manual, "Basic Tar Format". */
#include "source/tar.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

enum {
    BLOCK_BYTES = 512,
    MAX_NAME_BYTES = 64 << 10,
    MAX_PAX_BYTES = 1 << 20,
    MAX_MEMBERS = 4 << 20,
    SPARSE_CONTINUES_AT = 482, /* in the header of a sparse member, */
    SPARSE_MORE_AT = 504       /* and in each block of its map behind it */
};

/* What headers before a member said of it. */
struct said {
    const char *name; /* NULL: nothing */
    bool has_size, is_sparse, is_pax_name;
    uint64_t size;
};

struct reading {
    const char *file;
    const uint8_t *data;
    size_t n_bytes, at; /* at: of the header that is read */
    struct said said;
    struct ss_source_tar *tar;
};

static ss_status fail_at(const struct reading *reading, size_t at, ss_status code,
                         const char *what, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, reading->file, code, "tar archive, byte %zu: %s", at, what);
    ss__err_at_offset(err, at);
    return status;
}

static ss_status damaged(const struct reading *reading, const char *what, ss_err *err)
{
    return fail_at(reading, reading->at, SS_E_DATA, what, err);
}

static bool is_zero(const uint8_t *data, size_t n)
{
    return n == 0 || (data[0] == 0 && memcmp(data, data + 1, n - 1) == 0);
}

/* ---- fields ---- */

/* Digits between spaces, ended by a space, a NUL, or the field: all three are written. */
static bool read_octal(const uint8_t *field, size_t n, uint64_t *out)
{
    size_t at = 0;
    *out = 0;
    while (at < n && field[at] == ' ') {
        at++;
    }
    for (; at < n && field[at] >= '0' && field[at] <= '7'; at++) {
        /* the next digit would not fit */
        if (*out >> 61 != 0) {
            return false;
        }
        *out = *out << 3 | (uint64_t)(field[at] - '0');
    }
    while (at < n && (field[at] == ' ' || field[at] == 0)) {
        at++;
    }
    return at == n;
}

/* Octal, or with the top bit set a big-endian number. False if it is neither or negative. */
static bool read_number(const uint8_t *field, size_t n, uint64_t *out)
{
    if (field[0] < 0x80) {
        return read_octal(field, n, out);
    }
    *out = field[0] & 0x7f;
    for (size_t i = 1; i < n; i++) {
        if (*out >> 56 != 0) {
            return false;
        }
        *out = *out << 8 | field[i];
    }
    return field[0] == 0x80;
}

/* The sum of a header's bytes, its own field taken as spaces; old writers had signed bytes. */
static bool has_its_sum(const uint8_t *header)
{
    enum { SUM_AT = 148, SUM_BYTES = 8 };
    uint64_t want = 0, sum = 0;
    int64_t signed_sum = 0;
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        const bool own = i >= SUM_AT && i < SUM_AT + SUM_BYTES;
        sum += own ? ' ' : header[i];
        signed_sum += own ? ' ' : (int8_t)header[i];
    }
    return read_octal(header + SUM_AT, SUM_BYTES, &want) &&
           (want == sum || (int64_t)want == signed_sum);
}

/* Into the archive's arena, since the archive's own bytes are not terminated. */
static ss_status keep_name(const struct reading *reading, const char *name, size_t n,
                           const char **out, ss_err *err)
{
    if (n > MAX_NAME_BYTES) {
        return fail_at(reading, reading->at, SS_E_LIMIT, "a name is longer than 64 KiB", err);
    }
    *out = ss__arena_strndup(&reading->tar->names, name, n);
    return *out == NULL ? ss__fail_nomem(err, "a member's name") : SS_OK;
}

/* The name that a header itself holds: name, or prefix/name where the format has a prefix. */
static ss_status header_name(const struct reading *reading, const uint8_t *header,
                             const char **out, ss_err *err)
{
    char name[155 + 1 + 100];
    size_t n = 0;
    if (memcmp(header + 257, "ustar\0", 6) == 0 && header[345] != 0) {
        n = strnlen((const char *)header + 345, 155);
        memcpy(name, header + 345, n);
        name[n++] = '/';
    }
    const size_t n_name = strnlen((const char *)header, 100);
    memcpy(name + n, header, n_name);
    return keep_name(reading, name, n + n_name, out, err);
}

/* ---- headers about the next member ---- */

struct content {
    const char *data;
    size_t n;
};

static ss_status take_long_name(struct reading *reading, struct content content, ss_err *err)
{
    if (reading->said.is_pax_name) { /* the newer kind goes before */
        return SS_OK;
    }
    return keep_name(reading, content.data, strnlen(content.data, content.n),
                     &reading->said.name, err);
}

/* The target of a link, of which only the kind matters. */
static ss_status pass_over(struct reading *reading, struct content content, ss_err *err)
{
    (void)reading;
    (void)content;
    (void)err;
    return SS_OK;
}

struct pax_record {
    struct content key, value;
};

static bool read_decimal(struct content text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        const unsigned digit = (unsigned)(text.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(*out, UINT64_C(10), out) ||
            !ss__add_u64(*out, digit, out)) {
            return false;
        }
    }
    return text.n > 0;
}

/* Take "length key=value\n" off the front; the length counts all of it. */
static bool take_record(struct content *rest, struct pax_record *out)
{
    uint64_t n = 0;
    const char *start = rest->data;
    const char *space = memchr(start, ' ', ss__min_size(rest->n, 20));
    if (space == NULL || !read_decimal((struct content){start, (size_t)(space - start)}, &n) ||
        n > rest->n || n < (size_t)(space - start) + 3 || start[n - 1] != '\n') {
        return false;
    }
    const char *key = space + 1, *end = start + n - 1;
    const char *equals = memchr(key, '=', (size_t)(end - key));
    if (equals == NULL) {
        return false;
    }
    *out = (struct pax_record){{key, (size_t)(equals - key)},
                               {equals + 1, (size_t)(end - equals - 1)}};
    *rest = (struct content){end + 1, rest->n - (size_t)n};
    return true;
}

static bool is_key(const struct pax_record *record, const char *key)
{
    return record->key.n == strlen(key) && memcmp(record->key.data, key, record->key.n) == 0;
}

/* A record of a pax header: path and size go before the header's own; any key of GNU's
 * sparse format makes the member one with holes. Other keys (dates, owners, comments) change
 * no rows. */
static ss_status take_key(struct reading *reading, const struct pax_record *record, ss_err *err)
{
    static const char sparse[] = "GNU.sparse.";
    struct said *said = &reading->said;
    said->is_sparse |= record->key.n >= sizeof sparse - 1 &&
                       memcmp(record->key.data, sparse, sizeof sparse - 1) == 0;
    if (is_key(record, "size")) {
        said->has_size = read_decimal(record->value, &said->size);
        return said->has_size ? SS_OK : damaged(reading, "a pax header's size is wrong", err);
    }
    if (is_key(record, "path") || is_key(record, "GNU.sparse.name")) {
        if (record->value.n == 0 || memchr(record->value.data, 0, record->value.n) != NULL) {
            return damaged(reading, "a pax header's path is empty or has NUL in it", err);
        }
        said->is_pax_name = true;
        return keep_name(reading, record->value.data, record->value.n, &said->name, err);
    }
    return SS_OK;
}

static ss_status take_pax(struct reading *reading, struct content content, ss_err *err)
{
    struct pax_record record;
    ss_status status = SS_OK;
    while (status == SS_OK && content.n > 0) {
        if (!take_record(&content, &record)) {
            return damaged(reading, "a pax header is not made of records", err);
        }
        status = take_key(reading, &record, err);
    }
    return status;
}

/* A header for all members that follow: dates and comments pass, what changes rows does not. */
static ss_status take_global(struct reading *reading, struct content content, ss_err *err)
{
    struct pax_record record;
    while (content.n > 0) {
        if (!take_record(&content, &record)) {
            return damaged(reading, "a pax header is not made of records", err);
        }
        if (is_key(&record, "path") || is_key(&record, "size")) {
            return fail_at(reading, reading->at, SS_E_UNSUPPORTED,
                           "a pax header gives one path or size to all members; unpack the "
                           "archive first",
                           err);
        }
    }
    return SS_OK;
}

static ss_status refuse_volume(struct reading *reading, struct content content, ss_err *err)
{
    (void)content;
    return fail_at(reading, reading->at, SS_E_UNSUPPORTED,
                   "the archive goes on from another volume; unpack it first", err);
}

/* ---- members ---- */

/* One line per type letter. */
static const struct type {
    char letter;
    ss_source_tar_kind kind;
    bool has_content;
    ss_status (*take)(struct reading *reading, struct content content, ss_err *err);
} types[] = {
    {'0', SS_SOURCE_TAR_FILE, true, NULL},
    {'\0', SS_SOURCE_TAR_FILE, true, NULL},
    {'7', SS_SOURCE_TAR_FILE, true, NULL},
    {'1', SS_SOURCE_TAR_LINK, false, NULL},
    {'2', SS_SOURCE_TAR_LINK, false, NULL},
    {'3', SS_SOURCE_TAR_OTHER, false, NULL},
    {'4', SS_SOURCE_TAR_OTHER, false, NULL},
    {'5', SS_SOURCE_TAR_OTHER, false, NULL},
    {'6', SS_SOURCE_TAR_OTHER, false, NULL},
    {'D', SS_SOURCE_TAR_OTHER, true, NULL}, /* a folder with its list */
    {'V', SS_SOURCE_TAR_OTHER, false, NULL},
    {'S', SS_SOURCE_TAR_SPARSE, true, NULL},
    {'x', SS_SOURCE_TAR_OTHER, true, take_pax},
    {'X', SS_SOURCE_TAR_OTHER, true, take_pax},
    {'g', SS_SOURCE_TAR_OTHER, true, take_global},
    {'L', SS_SOURCE_TAR_OTHER, true, take_long_name},
    {'K', SS_SOURCE_TAR_OTHER, true, pass_over},
    {'M', SS_SOURCE_TAR_OTHER, true, refuse_volume},
};

static const struct type *find_type(char letter)
{
    static const struct type unknown = {'?', SS_SOURCE_TAR_UNKNOWN, true, NULL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].letter == letter) {
            return &types[i];
        }
    }
    return &unknown;
}

/* Where a header's content begins: behind it, and behind the map of an old sparse member. */
static ss_status find_content(const struct reading *reading, const struct type *type,
                              size_t *start, ss_err *err)
{
    const uint8_t *header = reading->data + reading->at;
    bool more = type->kind == SS_SOURCE_TAR_SPARSE && header[SPARSE_CONTINUES_AT] != 0;
    *start = reading->at + BLOCK_BYTES;
    while (more) {
        if (reading->n_bytes - *start < BLOCK_BYTES) {
            return damaged(reading, "the archive ends inside the map of a sparse member", err);
        }
        more = reading->data[*start + SPARSE_MORE_AT] != 0;
        *start += BLOCK_BYTES;
    }
    return SS_OK;
}

static ss_status add_member(struct reading *reading, ss_source_tar_kind kind,
                            struct content content, ss_err *err)
{
    struct ss_source_tar *tar = reading->tar;
    struct ss_source_tar_member member = {.kind = kind,
                                          .name = reading->said.name,
                                          .data = (const uint8_t *)content.data,
                                          .n_bytes = content.n};
    if (member.name == NULL) {
        SS_RETURN_IF_ERROR(
            header_name(reading, reading->data + reading->at, &member.name, err));
    }
    if (tar->n == MAX_MEMBERS) {
        SS_RETURN_IF_ERROR(
            fail_at(reading, reading->at, SS_E_LIMIT, "more than 4 Mi members", err));
    }
    if (reading->said.is_sparse && kind == SS_SOURCE_TAR_FILE) {
        member.kind = SS_SOURCE_TAR_SPARSE;
    }
    SS_GROW_OR_RETURN(tar->members, tar->capacity, tar->n + 1);
    tar->members[tar->n++] = member;
    reading->said = (struct said){.name = NULL};
    return SS_OK;
}

/* Old writers had no type for folders, but a slash at the end of their names. */
static bool is_old_folder(const struct reading *reading, const struct type *type)
{
    const char *name = (const char *)reading->data + reading->at;
    const size_t n = strnlen(name, 100);
    return (type->letter == '0' || type->letter == '\0') && reading->said.name == NULL &&
           n > 0 && name[n - 1] == '/';
}

static ss_status say_cut(const struct reading *reading, uint64_t n_wanted, size_t n_left,
                         ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, reading->file, SS_E_DATA,
                      "tar archive, byte %zu: the member's content has %" PRIu64
                      " bytes, but the archive ends after %zu; it may be cut short",
                      reading->at, n_wanted, n_left);
    ss__err_at_offset(err, reading->at);
    return status;
}

/* Read the header at reading->at, which moves behind its content. */
static ss_status read_header(struct reading *reading, ss_err *err)
{
    const uint8_t *header = reading->data + reading->at;
    const struct type *type = find_type((char)header[156]);
    uint64_t size = 0;
    size_t start = 0;
    if (!has_its_sum(header)) {
        SS_RETURN_IF_ERROR(
            damaged(reading, "not a member's header: its checksum is wrong", err));
    }
    if (!read_number(header + 124, 12, &size)) {
        SS_RETURN_IF_ERROR(damaged(reading, "the size of a member is not a number", err));
    }
    if (reading->said.has_size && type->take == NULL) {
        size = reading->said.size;
    }
    /* links and folders may claim one, and have none */
    size = type->has_content ? size : 0;
    const bool is_folder = is_old_folder(reading, type);
    size = is_folder ? 0 : size;
    SS_RETURN_IF_ERROR(find_content(reading, type, &start, err));
    const size_t n_left = reading->n_bytes - start;
    const uint64_t n_fill = (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES;
    if (size > n_left || n_fill > n_left - size) {
        SS_RETURN_IF_ERROR(say_cut(reading, size, n_left, err));
    }
    const struct content content = {(const char *)reading->data + start, (size_t)size};
    if (type->take == NULL) {
        SS_RETURN_IF_ERROR(
            add_member(reading, is_folder ? SS_SOURCE_TAR_OTHER : type->kind, content, err));
    } else if (size > MAX_PAX_BYTES) {
        SS_RETURN_IF_ERROR(fail_at(reading, reading->at, SS_E_LIMIT,
                                   "a header about the next member is longer than 1 MiB", err));
    } else {
        SS_RETURN_IF_ERROR(type->take(reading, content, err));
    }
    reading->at = start + (size_t)(size + n_fill);
    return SS_OK;
}

/* Behind the end mark only filling may come. */
static ss_status check_end(struct reading *reading, ss_err *err)
{
    if (reading->said.name != NULL || reading->said.has_size) {
        return damaged(reading, "the archive ends where a member was announced", err);
    }
    if (!is_zero(reading->data + reading->at, reading->n_bytes - reading->at)) {
        return damaged(reading,
                       "other bytes follow the end of the archive; unpack archives that were "
                       "joined first",
                       err);
    }
    return SS_OK;
}

ss_status ss_source_tar_read(const char *file, const uint8_t *data, size_t n_bytes,
                             struct ss_source_tar *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct reading reading = {.file = file, .data = data, .n_bytes = n_bytes, .tar = out};
    *out = (struct ss_source_tar){0};
    for (bool ended = false; !ended;) {
        if (n_bytes - reading.at < BLOCK_BYTES) {
            SS_TRY(damaged(&reading,
                           "the archive ends here without its end mark; it may be cut short",
                           err));
        }
        ended = is_zero(data + reading.at, BLOCK_BYTES);
        SS_TRY(ended ? check_end(&reading, err) : read_header(&reading, err));
    }
out:
    if (status != SS_OK) {
        ss_source_tar_release(out);
    }
    return status;
}

void ss_source_tar_release(struct ss_source_tar *tar)
{
    ss__free(tar->members);
    ss__arena_release(&tar->names);
    *tar = (struct ss_source_tar){0};
}
