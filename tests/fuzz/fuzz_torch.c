/* Any bytes as a torch file, and as the data.pkl of an archive that is sound otherwise: a
 * fuzzer does not guess checksums. */
#include <string.h>

#include <zlib.h>

#include "base/buf.h"
#include "weights_fuzz.h"

struct part {
    const char *name;
    const uint8_t *data;
    size_t n_bytes;
    size_t offset;
    unsigned long sum;
};

static void add_uint(struct ss__buf *buf, unsigned long value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        ss__buf_add_byte(buf, i < sizeof value ? (char)(value >> 8 * i & 255) : 0);
    }
}

/* The fields that a local and a directory header share, from the version needed on. */
static void add_facts(struct ss__buf *buf, const struct part *part)
{
    add_uint(buf, 20, 2);
    add_uint(buf, 0, 8);
    add_uint(buf, part->sum, 4);
    add_uint(buf, part->n_bytes, 4);
    add_uint(buf, part->n_bytes, 4);
    add_uint(buf, strlen(part->name), 2);
    add_uint(buf, 0, 2);
}

static void write_archive(struct part *parts, size_t n, struct ss__buf *out)
{
    for (size_t i = 0; i < n; i++) {
        parts[i].offset = out->n_bytes;
        parts[i].sum = crc32_z(0, parts[i].data, parts[i].n_bytes);
        ss__buf_add(out, "PK\3\4", 4);
        add_facts(out, &parts[i]);
        ss__buf_add_text(out, parts[i].name);
        ss__buf_add(out, parts[i].data, parts[i].n_bytes);
    }
    const size_t start = out->n_bytes;
    for (size_t i = 0; i < n; i++) {
        ss__buf_add(out, "PK\1\2", 4);
        add_uint(out, 20, 2);
        add_facts(out, &parts[i]);
        add_uint(out, 0, 10);
        add_uint(out, parts[i].offset, 4);
        ss__buf_add_text(out, parts[i].name);
    }
    const size_t n_directory = out->n_bytes - start;
    ss__buf_add(out, "PK\5\6", 4);
    add_uint(out, 0, 4);
    add_uint(out, n, 2);
    add_uint(out, n, 2);
    add_uint(out, n_directory, 4);
    add_uint(out, start, 4);
    add_uint(out, 0, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const uint8_t numbers[64] = {1, 2, 3};
    struct part parts[] = {
        {.name = "a/data.pkl", .data = data, .n_bytes = n_bytes},
        {.name = "a/data/0", .data = numbers, .n_bytes = sizeof numbers},
        {.name = "a/data/1", .data = numbers, .n_bytes = 16},
        {.name = "a/version", .data = (const uint8_t *)"3\n", .n_bytes = 2},
    };
    struct ss__buf archive = {0};
    fuzz_weights("fuzz.pt", data, n_bytes);
    write_archive(parts, sizeof parts / sizeof *parts, &archive);
    if (!archive.failed) {
        fuzz_weights("fuzz.pt", (const uint8_t *)archive.data, archive.n_bytes);
    }
    ss__buf_release(&archive);
    return 0;
}
