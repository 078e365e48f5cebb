/* Names of what is under way, and where outputs go. What users see of it is in
 * tests/cli/test_outputs.py. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"

static char folder[] = "/tmp/saescope-output-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails if a test left a file behind */
}

static void names_are_random_and_known_again(void **state)
{
    static const char *const others[] = {
        "",
        ".saescope-.tmp",
        ".saescope-0123456789abcde.tmp",
        ".saescope-0123456789abcdeff.tmp",
        ".saescope-0123456789abcdeF.tmp",
        ".saescope-0123456789abcdef",
        ".saescope-0123456789abcdef.tmp2",
        "a.saescope-0123456789abcdef.tmp",
        "x.npy.4711.tmp",
        ".saescope.lock",
    };
    char names[1000][SS__TEMPORARY_NAME_BYTES];
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        ss__temporary_name(&ss__temporary_file, names[i]);
        assert_true(ss__temporary_is_name(&ss__temporary_file, names[i]));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(names[i], names[j]);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(ss__temporary_is_name(&ss__temporary_file, others[i]));
    }
}

static void what_is_locked_is_alive(void **state)
{
    char name[SS__TEMPORARY_NAME_BYTES];
    int file = -1;
    (void)state;
    const int in = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(ss__temporary_create(in, folder, name, &file, NULL), SS_OK);
    assert_int_equal(ss__temporary_remove_stale(in), 0);
    assert_false(ss__temporary_remove(in, name));
    close(file);
    assert_int_equal(ss__temporary_remove_stale(in), 1);
    assert_int_equal(faccessat(in, name, F_OK, 0), -1);
    close(in);
}

static void made_aside_if_that_is_the_same_disk(void **state)
{
    static const char *const places[] = {"aside", "/dev/shm", "/nowhere/at/all"};
    (void)state;
    char *path = ss__path_join(folder, "a.txt"), *aside = ss__path_join(folder, "aside");
    assert_int_equal(mkdir(aside, 0777), 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct ss__out out = SS__OUT_CLOSED;
        struct ss__buf text = {0};
        char *made_in = ss__path_join(folder, places[i]);
        assert_int_equal(ss__out_open_made_in(path, made_in, &out, NULL), SS_OK);
        struct stat facts;
        const bool is_aside = fstatat(out.folder, out.temporary, &facts, 0) != 0;
        assert_int_equal(is_aside, i == 0);
        assert_int_equal(ss__out_write(&out, "text", 4, NULL), SS_OK);
        assert_int_equal(ss__out_commit(&out, NULL), SS_OK);
        assert_int_equal(ss__file_read(path, 100, &text, NULL), SS_OK);
        assert_int_equal(text.n_bytes, 4);
        ss__buf_release(&text);
        ss__free(made_in);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(aside), 0); /* it is empty */
    ss__free(aside);
    ss__free(path);
}

static void our_own_places_replace_links(void **state)
{
    (void)state;
    char *target = ss__path_join(folder, "target"), *link = ss__path_join(folder, "link");
    struct ss__buf text = {0};
    struct stat facts;
    assert_int_equal(ss__file_write(target, "precious", 8, NULL), SS_OK);
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(ss__file_write(link, "x", 1, NULL), SS_OK);
    assert_int_equal(lstat(link, &facts), 0);
    assert_true(S_ISREG(facts.st_mode));
    assert_int_equal(ss__file_read(target, 100, &text, NULL), SS_OK);
    assert_int_equal(text.n_bytes, 8);
    ss__buf_release(&text);
    unlink(link);
    unlink(target);
    ss__free(target);
    ss__free(link);
}

static void a_pipe_that_does_not_block_gets_all(void **state)
{
    enum { N = 1 << 20 };
    int ends[2];
    (void)state;
    char *data = calloc(1, N), *got = malloc(N);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    const pid_t reader = fork();
    if (reader == 0) {
        size_t n = 0;
        close(ends[1]);
        fcntl(ends[0], F_SETFL, 0);
        for (ssize_t more = 1; more > 0; n += (size_t)more) {
            usleep(100);
            more = read(ends[0], got, N);
        }
        _exit(n == N ? 0 : 1);
    }
    close(ends[0]);
    assert_int_equal(ss__write_all(ends[1], "a pipe", data, N, NULL), SS_OK);
    close(ends[1]);
    int code = -1;
    assert_int_equal(waitpid(reader, &code, 0), reader);
    assert_int_equal(code, 0);
    free(data);
    free(got);
}

static void kinds_of_places(void **state)
{
    static const struct {
        const char *path;
        ss__out_target_kind kind;
        int descriptor;
    } cases[] = {
        {"/nowhere/at/all", SS__OUT_TARGET_NAME, -1},
        {"", SS__OUT_TARGET_NAME, -1},
        {"/dev/null", SS__OUT_TARGET_DEVICE, -1},
        {"/dev/full", SS__OUT_TARGET_DEVICE, -1},
        {"/dev/fd/1", SS__OUT_TARGET_DESCRIPTOR, 1},
        {"/proc/self/fd/2", SS__OUT_TARGET_DESCRIPTOR, 2},
        {"/proc/thread-self/fd/1", SS__OUT_TARGET_DESCRIPTOR, 1},
        {"/proc/self/fd/01x", SS__OUT_TARGET_NAME, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss__out_target place;
        ss_err err;
        if (ss__out_target_resolve(cases[i].path, &place, &err) != SS_OK) {
            fail_msg("%s: %s", cases[i].path, err.message);
        }
        assert_int_equal(place.kind, cases[i].kind);
        assert_int_equal(place.descriptor, cases[i].descriptor);
        ss__free(place.path);
    }
}

static void folders_that_were_made_go_again(void **state)
{
    struct stat facts;
    ss_err err;
    size_t n = 0;
    (void)state;
    char *path = ss__path_join(folder, "a//b/c/"), *file = ss__path_join(folder, "a/file");
    char *under = ss__path_join(folder, "a/d/../file/e"), *a = ss__path_join(folder, "a");
    assert_int_equal(ss__make_folder(path, &n, NULL), SS_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ss__file_write(file, "", 0, NULL), SS_OK);
    assert_int_equal(ss__make_folder(under, &n, &err), SS_E_IO); /* below a file */
    assert_int_equal(n, 0);
    ss__unmake_folder(path, 3); /* but for the one with a file */
    assert_int_equal(stat(a, &facts), 0);
    assert_int_equal(unlink(file), 0);
    char *d = ss__path_join(folder, "a/d");
    (void)rmdir(d);
    assert_int_equal(rmdir(a), 0);
    ss__free(d);
    ss__free(a);
    ss__free(under);
    ss__free(file);
    ss__free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_random_and_known_again),
        cmocka_unit_test(what_is_locked_is_alive),
        cmocka_unit_test(made_aside_if_that_is_the_same_disk),
        cmocka_unit_test(our_own_places_replace_links),
        cmocka_unit_test(a_pipe_that_does_not_block_gets_all),
        cmocka_unit_test(kinds_of_places),
        cmocka_unit_test(folders_that_were_made_go_again),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
