/* Files, memory, hashes and threads of base. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/pool.h"

static char folder[] = "/tmp/saescope-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails if a test left a file behind */
}

static size_t n_names(void)
{
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(ss__list_folder(folder, &names, &n, NULL), SS_OK);
    ss__list_release(names, n);
    return n;
}

static void test_a_file_appears_whole_or_not_at_all(void **state)
{
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__map map = {0};
    char *path = ss__path_join(folder, "a.txt");
    (void)state;
    assert_int_equal(ss__out_open(path, &out, NULL), SS_OK);
    assert_int_equal(ss__out_write(&out, "0000 world", 10, NULL), SS_OK);
    assert_int_equal(ss__path_stat(path), SS__PATH_NONE);
    assert_int_equal(ss__out_patch(&out, 0, "hell", 4, NULL), SS_OK);
    assert_int_equal(ss__out_commit(&out, NULL), SS_OK);
    assert_int_equal(ss__file_map(path, &map, NULL), SS_OK);
    assert_int_equal(map.n_bytes, 10);
    assert_memory_equal(map.data, "hell world", 10);
    ss__map_release(&map);
    assert_int_equal(ss__out_open(path, &out, NULL), SS_OK);
    assert_int_equal(ss__out_write(&out, "x", 1, NULL), SS_OK);
    ss__out_abort(&out);
    assert_int_equal(n_names(), 1);
    unlink(path);
    ss__free(path);
}

/* By calls, whatever has its name meanwhile. */
static void test_a_mapped_file_is_read_by_calls_too(void **state)
{
    struct ss__map map = {0};
    char *path = ss__path_join(folder, "a.txt");
    (void)state;
    assert_int_equal(ss__file_write(path, "0123456789", 10, NULL), SS_OK);
    assert_int_equal(ss__file_map(path, &map, NULL), SS_OK);
    for (int round = 0; round < 3; round++) {
        char got[4] = "";
        assert_int_equal(ss__map_read(&map, 3, 4, got, path, NULL), SS_OK);
        assert_memory_equal(got, "3456", 4);
        assert_int_equal(ss__map_check(&map, path, NULL), SS_OK);
        if (round == 0) {
            unlink(path);
        } else {
            assert_int_equal(ss__file_write(path, "another", 7, NULL), SS_OK);
        }
    }
    ss__map_release(&map);
    unlink(path);
    ss__free(path);
}

enum { LARGE_BYTES = 3 << 16 };

static void write_large(const char *path)
{
    static char bytes[LARGE_BYTES];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(ss__file_write(path, bytes, sizeof bytes, NULL), SS_OK);
}

static void recover(int number, siginfo_t *facts, void *context)
{
    (void)number;
    (void)context;
    if (!ss_recover_fault(facts->si_addr)) {
        abort();
    }
}

/* Zeros stand where the file ended, and the check tells. */
static void test_a_mapping_outlives_its_file(void **state)
{
    struct sigaction action = {.sa_sigaction = recover, .sa_flags = SA_SIGINFO}, before;
    struct ss__map map = {0};
    char *path = ss__path_join(folder, "a.bin");
    ss_err err;
    (void)state;
    write_large(path);
    assert_int_equal(sigaction(SIGBUS, &action, &before), 0);
    assert_int_equal(ss__file_map(path, &map, NULL), SS_OK);
    assert_int_equal(truncate(path, 1 << 12), 0);
    volatile uint8_t last = map.data[LARGE_BYTES - 1];
    assert_int_equal(last, 0);
    assert_int_equal(ss__map_check(&map, path, &err), SS_E_IO);
    assert_string_equal(err.file, path);
    assert_non_null(strstr(err.message, "196608 bytes when it was opened and has 4096"));
    assert_int_equal(truncate(path, LARGE_BYTES), 0); /* as large as it was, but not it */
    assert_int_equal(ss__map_check(&map, path, NULL), SS_E_IO);
    ss__map_release(&map);
    int elsewhere = 0;
    assert_false(ss_recover_fault(&elsewhere));
    assert_int_equal(sigaction(SIGBUS, &before, NULL), 0);
    unlink(path);
    ss__free(path);
}

/* Whole, or in the parts that were asked for. */
static void test_copies_do_not_change_with_the_file(void **state)
{
    struct ss__map copy = {0}, parts = {0};
    char *path = ss__path_join(folder, "a.bin");
    ss_err err;
    (void)state;
    write_large(path);
    assert_int_equal(ss__file_load(path, &copy, NULL), SS_OK);
    assert_int_equal(ss__file_reserve(path, &parts, NULL), SS_OK);
    assert_int_equal(ss__map_populate(&parts, 5000, 100, path, NULL), SS_OK);
    assert_int_equal(ss__file_write(path, "y", 1, NULL), SS_OK); /* another file */
    assert_int_equal(ss__map_populate(&parts, 9000, 100, path, NULL), SS_OK);
    assert_int_equal(ss__map_check(&parts, path, NULL), SS_OK);
    ss__map_release(&parts);
    write_large(path);
    assert_int_equal(ss__file_reserve(path, &parts, NULL), SS_OK);
    assert_int_equal(ss__map_populate(&parts, 0, 100, path, NULL), SS_OK);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(copy.data[LARGE_BYTES - 1], 'x');
    assert_int_equal(parts.data[99], 'x');
    assert_int_equal(ss__map_populate(&parts, 4000, 200, path, &err), SS_E_IO);
    assert_non_null(strstr(err.message, "was cut while it was in use"));
    assert_int_equal(ss__map_check(&parts, path, NULL), SS_E_IO);
    ss__map_release(&parts);
    ss__map_release(&copy);
    unlink(path);
    ss__free(path);
}

static void test_a_full_device_is_an_error_and_stays(void **state)
{
    ss_err err;
    (void)state;
    assert_int_equal(ss__file_write("/dev/full", "text", 4, &err), SS_E_IO);
    assert_string_equal(err.file, "/dev/full");
    assert_int_equal(ss__path_stat("/dev/full"), SS__PATH_OTHER);
}

static void test_missing_files_and_folders_are_told_apart(void **state)
{
    struct ss__map map = {0};
    ss_err err;
    (void)state;
    assert_int_equal(ss__file_map("/nowhere/at/all", &map, &err), SS_E_NOINPUT);
    assert_int_equal(ss__file_map(folder, &map, &err), SS_E_DATA);
    assert_non_null(strstr(err.message, "a folder, not a file"));
    assert_int_equal(ss__file_write(folder, "x", 1, &err), SS_E_IO);
}

static void test_paths(void **state)
{
    static const char *const inside[] = {"a", "a/b.txt", "a..b", "./a"};
    static const char *const outside[] = {"/etc/passwd", "..", "a/../../b", "a\\b", "a\nb"};
    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_true(ss__path_is_inside(inside[i]));
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(ss__path_is_inside(outside[i]));
    }
    assert_string_equal(ss__path_name("/a/b/"), "b/");
    char *joined = ss__path_join("a/", "b");
    assert_string_equal(joined, "a/b");
    ss__free(joined);
}

static void test_a_new_folder_is_told(void **state)
{
    static const char *const names[] = {"plain", "slash/", "slashes///", "deep/er/"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t made = 0;
        char *path = ss__path_join(folder, names[i]);
        assert_int_equal(ss__make_folder(path, &made, NULL), SS_OK);
        assert_true(made);
        assert_int_equal(ss__make_folder(path, &made, NULL), SS_OK);
        assert_false(made);
        rmdir(path);
        ss__free(path);
    }
    char *parent = ss__path_join(folder, "deep");
    rmdir(parent);
    ss__free(parent);
    assert_int_equal(ss__make_folder("", NULL, NULL), SS_E_USAGE);
}

static void test_sizes_do_not_wrap(void **state)
{
    void *block = NULL;
    size_t room = 0;
    (void)state;
    assert_null(ss__alloc(SIZE_MAX, 16));
    assert_null(ss__alloc_aligned(SIZE_MAX / 2, 4));
    assert_false(ss__grow(&block, &room, SIZE_MAX / 2, 8));
    assert_null(block);
    struct ss__arena arena = {0};
    assert_null(ss__arena_alloc(&arena, SIZE_MAX));
    for (size_t i = 1; i < 3000; i++) {
        char *piece = ss__arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)piece % 16, 0);
        assert_int_equal(piece[i - 1], 0);
        memset(piece, 0xAB, i);
    }
    ss__arena_reset(&arena);
    assert_int_equal(*(char *)ss__arena_alloc(&arena, 100), 0);
    ss__arena_release(&arena);
}

/* Hashes of "abc": FIPS 180-2 appendices A.1 and B.1, RFC 1321 appendix A.5. */
/* What xxhash 4.1.0 of Python gives for the first n bytes of (7 i + 3) mod 251; one length of
 * every class that the algorithm has, added in two pieces. */
static void test_xxh128(void **state)
{
    static const struct {
        size_t n;
        const char *hex;
    } cases[] = {
        {0, "99aa06d3014798d86001c324468d497f"},    {1, "22bbb76b211a39ba13e608bc156defed"},
        {3, "ce31763cbf8245a5a9088dda485b481c"},    {4, "47197970590746b1788a609154b0fe20"},
        {8, "e3bc8a5f461715553cd024e3d63a1588"},    {9, "c72c88247a9a56d7eafab1c7f123109f"},
        {16, "ce0b9647ab24f88460d75c5e47d40a24"},   {17, "bfd327edcc2fbd12eeed7654312a26d7"},
        {128, "a04233e3c9599748ef7e4d57ed67de26"},  {129, "6e83694c09641bb7a28da26446fd5ab0"},
        {240, "9a8457fec9cfea5e2288b3c22f48dea4"},  {241, "07870750a974395682b1de299f6e411e"},
        {1024, "f96a1bbdb2fef572f75e768c7cdd54b2"}, {4999, "8857ad27ffaeb8efb94e97960a6fb491"},
    };
    uint8_t bytes[5000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)((7 * i + 3) % 251);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hex[SS__HASH_HEX_BYTES];
        struct ss__hash *hash = NULL;
        assert_int_equal(ss__hash_new(SS__HASH_XXH128, &hash, NULL), SS_OK);
        ss__hash_add(hash, bytes, cases[i].n / 3);
        ss__hash_add(hash, bytes + cases[i].n / 3, cases[i].n - cases[i].n / 3);
        ss__hash_finish(hash, hex);
        ss__hash_free(hash);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void test_hashes(void **state)
{
    static const struct {
        ss__hash_kind kind;
        const char *hex;
    } cases[] = {
        {SS__HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {SS__HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {SS__HASH_MD5, "900150983cd24fb0d6963f7d28e17f72"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss__hash *hash = NULL;
        char hex[SS__HASH_HEX_BYTES];
        assert_int_equal(ss__hash_new(cases[i].kind, &hash, NULL), SS_OK);
        ss__hash_add(hash, "a", 1);
        ss__hash_add(hash, "bc", 2);
        ss__hash_finish(hash, hex);
        ss__hash_free(hash);
        assert_string_equal(hex, cases[i].hex);
    }
}

struct marks {
    atomic_int done[1000];
    size_t n_workers;
};

static void mark(void *context, size_t index, size_t worker)
{
    struct marks *marks = context;
    assert_true(worker < marks->n_workers);
    atomic_fetch_add(&marks->done[index], 1);
}

static void test_every_task_runs_once(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= 5; n_threads++) {
        struct ss__pool *pool = NULL;
        assert_int_equal(ss__pool_new(n_threads, &pool, NULL), SS_OK);
        for (size_t n_tasks = 0; n_tasks <= 1000; n_tasks += n_tasks < 4 ? 1 : 249) {
            struct marks marks = {.n_workers = n_threads};
            ss__pool_run(pool, n_tasks, mark, &marks);
            for (size_t i = 0; i < 1000; i++) {
                assert_int_equal(atomic_load(&marks.done[i]), i < n_tasks);
            }
        }
        ss__pool_free(pool);
    }
    struct ss__pool *pool = NULL;
    assert_int_equal(ss__pool_new(100000, &pool, NULL), SS_E_USAGE);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_appears_whole_or_not_at_all),
        cmocka_unit_test(test_a_mapped_file_is_read_by_calls_too),
        cmocka_unit_test(test_a_mapping_outlives_its_file),
        cmocka_unit_test(test_copies_do_not_change_with_the_file),
        cmocka_unit_test(test_a_full_device_is_an_error_and_stays),
        cmocka_unit_test(test_missing_files_and_folders_are_told_apart),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_a_new_folder_is_told),
        cmocka_unit_test(test_sizes_do_not_wrap),
        cmocka_unit_test(test_xxh128),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_every_task_runs_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
