/* OpenBLAS and BLIS, each loaded with its symbols to itself, so that both live in one program.
 * They pack the weights in every call: that is how their interface is. */
#include <dlfcn.h>
#include <stdio.h>

#include "engines.h"

/* Of cblas.h, which the two libraries share. */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                      const float *a, int lda, const float *b, int ldb, float beta, float *c,
                      int ldc);

static sgemm_fn *openblas_sgemm, *blis_sgemm;

static void *load(const char *const *names)
{
    void *library = NULL;
    for (; library == NULL && *names != NULL; names++) {
        library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    }
    return library;
}

/* A function of a library, by way of a pointer to it: the form that POSIX allows. */
static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    *(void **)function = found;
    return found != NULL;
}

static bool open_openblas(size_t n_threads, char *about, size_t about_bytes)
{
    static const char *const names[] = {
        "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0", "libopenblas.so.0",
        NULL};
    void (*set_threads)(int) = NULL;
    char *(*config)(void) = NULL;
    char *(*core)(void) = NULL;
    void *library = load(names);
    if (library == NULL || !find(library, "cblas_sgemm", &openblas_sgemm) ||
        !find(library, "openblas_set_num_threads", &set_threads) ||
        !find(library, "openblas_get_config", &config) ||
        !find(library, "openblas_get_corename", &core)) {
        return false;
    }
    set_threads((int)n_threads);
    const char *version = config();
    int n_words = 0, length = 0;
    for (; version[length] != '\0' && n_words < 2; length++) {
        n_words += version[length] == ' ';
    }
    (void)snprintf(about, about_bytes, "%.*s kernels for %s", length, version, core());
    return true;
}

static bool open_blis(size_t n_threads, char *about, size_t about_bytes)
{
    static const char *const names[] = {"/usr/lib/x86_64-linux-gnu/blis-openmp/libblis.so.4",
                                        "/usr/lib/x86_64-linux-gnu/blis-pthread/libblis.so.4",
                                        "libblis.so.4", NULL};
    void (*set_threads)(long) = NULL;
    const char *(*version)(void) = NULL;
    int (*arch)(void) = NULL;
    const char *(*arch_name)(int) = NULL;
    void *library = load(names);
    if (library == NULL || !find(library, "cblas_sgemm", &blis_sgemm) ||
        !find(library, "bli_thread_set_num_threads", &set_threads) ||
        !find(library, "bli_info_get_version_str", &version) ||
        !find(library, "bli_arch_query_id", &arch) ||
        !find(library, "bli_arch_string", &arch_name)) {
        return false;
    }
    set_threads((long)n_threads);
    (void)snprintf(about, about_bytes, "BLIS %s, kernels for %s", version(), arch_name(arch()));
    return true;
}

static bool prepare(const struct problem *p)
{
    (void)p;
    return true;
}

static void finish(void)
{
}

static void multiply(sgemm_fn *sgemm, const struct problem *p)
{
    const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
    sgemm(ROW_MAJOR, NO_TRANS, TRANS, m, n, k, 1, p->x, k, p->w, k, 0, p->y, n);
}

static void run_openblas(const struct problem *p)
{
    multiply(openblas_sgemm, p);
}

static void run_blis(const struct problem *p)
{
    multiply(blis_sgemm, p);
}

const struct engine bench_openblas = {"OpenBLAS", "fp32",       open_openblas,
                                      prepare,    run_openblas, finish};
const struct engine bench_blis = {"BLIS", "fp32", open_blis, prepare, run_blis, finish};
