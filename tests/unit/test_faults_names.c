/* Archives, things with names, the cache and the client of HTTP while memory runs out and files
 * cannot be read or written. */
#include "faults.h"
#include "net/net.h"
#include "net_script.h"

#include <zlib.h>

#define DATA SS_TEST_DATA "/"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define ROWS "{\"text\": \"a red star\"}\n{\"text\": \"dust\"}\n"

static char place[] = "/tmp/saescope-named-XXXXXX"; /* holds what is read */

static const char *at(const char *name)
{
    static char paths[8][512];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

/* ---- what is read ---- */

static void put(const char *name, const void *data, size_t n)
{
    FILE *file = fopen(at(name), "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void tar_member(const char *tar, const char *name, const char *text)
{
    static const char zeros[512];
    unsigned char head[512] = {0};
    unsigned sum = 0;
    const unsigned n = (unsigned)strlen(text);
    snprintf((char *)head, 100, "%s", name);
    memcpy(head + 100, "0000644\0000000000\0000000000\0", 24);
    snprintf((char *)head + 124, 12, "%011o", n);
    memcpy(head + 136, "00000000000", 12);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof head; i++) {
        sum += head[i];
    }
    snprintf((char *)head + 148, 8, "%06o", sum);
    put(tar, head, sizeof head);
    put_text(tar, text);
    put(tar, zeros, (512 - n % 512) % 512);
}

static void put16(unsigned char *out, size_t value)
{
    out[0] = (unsigned char)value;
    out[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *out, size_t value)
{
    put16(out, value & 0xFFFF);
    put16(out + 2, value >> 16);
}

/* One member, stored, and its directory. */
static void make_zip(const char *zip, const char *name, const char *text)
{
    unsigned char local[30] = "PK\3\4\24", entry[46] = "PK\1\2\24\0\24", end[22] = "PK\5\6";
    const size_t n_name = strlen(name), n = strlen(text);
    const size_t crc = crc32(0, (const unsigned char *)text, (unsigned)n);
    put32(local + 14, crc);
    put32(local + 18, n);
    put32(local + 22, n);
    put16(local + 26, n_name);
    memcpy(entry + 16, local + 14, 12);
    put16(entry + 28, n_name);
    put16(end + 8, 1);
    put16(end + 10, 1);
    put32(end + 12, sizeof entry + n_name);
    put32(end + 16, sizeof local + n_name + n);
    put(zip, local, sizeof local);
    put_text(zip, name);
    put_text(zip, text);
    put(zip, entry, sizeof entry);
    put_text(zip, name);
    put(zip, end, sizeof end);
}

static void make_folders(void)
{
    static const char *const folders[] = {"cache",
                                          "cache/models--org--mini",
                                          "cache/models--org--mini/refs",
                                          "cache/models--org--mini/blobs",
                                          "cache/models--org--mini/snapshots",
                                          ("cache/models--org--mini/snapshots/" COMMIT),
                                          "parts",
                                          "repo",
                                          "repo/data"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    }
}

static int make_place(void **state)
{
    static const char zeros[1024];
    assert_non_null(mkdtemp(place));
    make_folders();
    put_text("parts/a.jsonl", ROWS);
    put_text("parts/b.csv", "id,text\n1,a star\n");
    put_text("repo/README.md",
             "---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n"
             "    path: data/t*.csv\n  - split: test\n    path: [data/e.csv]\n"
             "  sep: ';'\n- config_name: b\n  data_dir: data\n---\n# Rows\n");
    put_text("repo/data/t1.csv", "id;text\n1;a star\n");
    put_text("repo/data/t2.csv", "id;text\n2;dust\n");
    put_text("repo/data/e.csv", "id;text\n3;sun\n");
    put_text("lines.txt", "a red star\n\ndust\n");
    put_text("rows.json", "{\"v\": 1, \"data\": "
                          "[{\"text\": \"dust\"}]}");
    put_text("latin.csv", "text;n\ncaf\xE9;1\n");
    tar_member("rows.tar", "x/a.jsonl", ROWS);
    tar_member("rows.tar", "x/b.jsonl", ROWS);
    put("rows.tar", zeros, sizeof zeros);
    for (const char *key = "01"; *key != '\0'; key++) {
        char name[16];
        snprintf(name, sizeof name, "%c.txt", *key);
        tar_member("samples.tar", name, "a caption");
        snprintf(name, sizeof name, "%c.json", *key);
        tar_member("samples.tar", name, "{\"n\": 1}");
    }
    put("samples.tar", zeros, sizeof zeros);
    make_zip("rows.zip", "a.jsonl", ROWS);
    put_text("cache/models--org--mini/refs/main", COMMIT);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"config.json", "modules.json", "model.safetensors"};
        char link[256], blob[128];
        snprintf(blob, sizeof blob, "cache/models--org--mini/blobs/%064d", i);
        put_text(blob, "[]");
        snprintf(link, sizeof link, "cache/models--org--mini/snapshots/" COMMIT "/%s",
                 names[i]);
        snprintf(blob, sizeof blob, "../../blobs/%064d", i);
        assert_int_equal(symlink(blob, at(link)), 0);
    }
    return faults_set_up(state);
}

static int remove_place(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command) != 0 || faults_tear_down(state) != 0;
}

/* ---- datasets ---- */

static ss_status run_rows(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    const char *path = at(self->path);
    struct ss_dataset_options options = {.struct_size = sizeof options,
                                         .text_column = strstr(path, "samples") ? "txt" : NULL,
                                         .field = strstr(path, ".json") ? self->word : NULL,
                                         .csv = strstr(path, ".csv") ? self->word : NULL,
                                         .encoding = strstr(path, "latin") ? "latin-1" : NULL,
                                         .config = strstr(path, "repo") ? "a" : NULL,
                                         .split = strstr(path, "repo") ? "train" : NULL};
    ss_dataset *dataset = (ss_dataset *)(uintptr_t)1;
    bool has_row = true;
    uint64_t found = 1;
    ss_status status = ss_dataset_open(&path, 1, &options, &dataset, err);
    (void)folder;
    assert_true((status == SS_OK) == (dataset != NULL));
    while (status == SS_OK && has_row) {
        struct ss_row row = {.struct_size = sizeof row};
        status = ss_dataset_next(dataset, &row, &has_row, err);
        if (status == SS_OK && has_row) {
            found = faults_mix(found, row.text.data, row.text.n_bytes);
        }
    }
    ss_dataset_close(dataset);
    *sum = status == SS_OK ? found : 0;
    return status;
}

/* ---- masks ---- */

static ss_encoder *masked;

static void open_masked(void)
{
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .with_mask_head = true};
    ss_err err = {0};
    ss_encoder_free(masked);
    if (ss_encoder_open(DATA "encoder/mpnet-mean", &options, &masked, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
}

static ss_status run_masks(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const struct ss_text text = {self->word, strlen(self->word)};
    struct ss_mask_result out = {0};
    ss_work *work = NULL;
    ss_status status = ss_work_new(1, &work, err);
    (void)folder;
    *sum = 0;
    if (status == SS_OK) {
        status = ss_fill_mask(masked, work, text, 3, &out, err);
        assert_true((status == SS_OK) == (out.candidates != NULL));
    }
    for (size_t i = 0; i < out.n_masks * out.n_candidates; i++) {
        const char *sequence = out.candidates[i].sequence;
        *sum = faults_mix(*sum, sequence, strlen(sequence));
    }
    ss_mask_result_release(&out);
    ss_work_free(work);
    return status;
}

/* ---- the cache ---- */

static ss_status run_fetch(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const struct ss_fetch_options options = {
        .struct_size = sizeof options, .cache_dir = at("cache"), .offline = true};
    struct ss_fetch_result out = {.struct_size = sizeof out};
    const ss_status status = ss_fetch(SS_FETCH_SAE, self->word, &options, &out, err);
    (void)folder;
    assert_true((status == SS_OK) == (out.path != NULL));
    *sum = out.path == NULL ? 0 : faults_mix(1, out.path, strlen(out.path));
    ss_fetch_result_release(&out);
    return status;
}

static ss_status run_list(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    struct ss_cache_list list = {0};
    const ss_status status = ss_cache_list(at("cache"), &list, err);
    (void)self;
    (void)folder;
    *sum = status == SS_OK ? 1 + list.n_repos : 0;
    for (size_t i = 0; i < list.n_repos; i++) {
        *sum = faults_mix(*sum, list.repos[i].id, strlen(list.repos[i].id));
    }
    ss_cache_list_release(&list);
    return status;
}

static ss_status run_check(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const struct ss_cache_check_options options = {
        .struct_size = sizeof options, .cache_dir = at("cache"), .dry_run = true};
    struct ss_cache_sum found = {0};
    const ss_status status = self->word == NULL ? ss_cache_prune(&options, &found, err)
                                                : ss_cache_verify(&options, &found, err);
    (void)folder;
    /* A file that cannot be read is a finding. */
    *sum = status != SS_OK      ? 0
           : self->path != NULL ? 1
                                : 1 + 100 * found.n_checked + found.n_findings;
    return status;
}

/* ---- HTTP ---- */

/* What the test itself does is not counted. */
static void serve(struct net_script *script)
{
    const int kind = atomic_exchange(&faults.kind, FAULTS_OFF);
    net_script_open(script);
    net_script_add(script, "HTTP/1.1 302 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    net_script_add(script, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello");
    net_script_start(script);
    faults.kind = kind;
}

static void end_serving(struct net_script *script)
{
    const int kind = atomic_exchange(&faults.kind, FAULTS_OFF);
    net_script_stop(script);
    faults.n_live += (long)script->n_replies; /* which vasprintf made, uncounted */
    faults.kind = kind;
}

static ss_status run_request(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    static struct net_script script;
    const struct ss_net_options options = {.n_tries = 2, .retry_seconds = 0.01};
    struct ss_net_response response = {0};
    struct ss_net *net = NULL;
    char url[64];
    serve(&script);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a", script.port);
    const struct ss_net_request request = {.url = url, .authorization = "Bearer x"};
    ss_status status = ss_net_new(&options, &net, err);
    if (status == SS_OK) {
        status = ss_net_send(net, &request, &response, err);
    }
    *sum = status == SS_OK ? faults_mix(1, response.body.data, response.body.n_bytes) : 0;
    ss_net_response_release(&response);
    ss_net_free(net);
    end_serving(&script);
    (void)self;
    (void)folder;
    return status;
}

/* ---- the loops ---- */

static struct faults_case cases[] = {
    {"tar", run_rows, "rows.tar", NULL},
    {"tar of samples", run_rows, "samples.tar", NULL},
    {"zip", run_rows, "rows.zip", NULL},
    {"folder of several kinds", run_rows, "parts", NULL},
    {"folder with a card", run_rows, "repo", NULL},
    {"lines of text", run_rows, "lines.txt", NULL},
    {"rows under a key", run_rows, "rows.json", "data"},
    {"csv in latin-1", run_rows, "latin.csv", "delimiter=;"},
    {"fill-mask", run_masks, NULL, "The <mask> star"},
    {"fetch", run_fetch, NULL, "hf:org/mini"},
    {"cache ls", run_list, NULL, NULL},
    {"cache verify", run_check, NULL, "verify"},
    {"cache prune", run_check, NULL, NULL},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void test_memory(void **state)
{
    static const struct faults_case request = {"a request", run_request, NULL, NULL};
    faults_try_all(cases, N_CASES, *state, FAULTS_MEMORY);
    const size_t n_problems = faults.n_problems;
    faults_try_all(&request, 1, *state, FAULTS_MEMORY);
    assert_int_equal(n_problems + faults.n_problems, 0);
}

static void test_files(void **state)
{
    for (size_t i = 0; i < N_CASES; i++) {
        cases[i].path = cases[i].run == run_check ? "any" : cases[i].path;
    }
    faults_try_all(cases, N_CASES, *state, FAULTS_FILES);
    assert_int_equal(faults.n_problems, 0);
}

static int set_up(void **state)
{
    faults.settle = open_masked;
    open_masked();
    return make_place(state);
}

static int tear_down(void **state)
{
    ss_encoder_free(masked);
    return remove_place(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
