/* oneDNN's matrix product in fp32, bf16 and int8, with weights put into its own layout once, as
 * an engine that keeps a model would. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engines.h"

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t product;
static dnnl_memory_t x_memory, w_memory, y_memory;

static bool open_onednn(size_t n_threads, char *about, size_t about_bytes)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } sets[] = {{dnnl_cpu_isa_avx2, "AVX2"},
                {dnnl_cpu_isa_avx2_vnni, "AVX-VNNI"},
                {dnnl_cpu_isa_avx512_core, "AVX-512"},
                {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
                {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"},
                {dnnl_cpu_isa_avx512_core_amx, "AMX"}};
    const char *name = "other kernels";
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        name = dnnl_get_effective_cpu_isa() == sets[i].isa ? sets[i].name : name;
    }
    const dnnl_version_t *version = dnnl_version();
    (void)snprintf(about, about_bytes, "oneDNN %d.%d.%d, %s", version->major, version->minor,
                   version->patch, name);
    omp_set_num_threads((int)n_threads);
    return engine != NULL ||
           (dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success &&
            dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success);
}

static bool make(dnnl_memory_t *memory, const dnnl_memory_desc_t *desc, void *handle)
{
    return dnnl_memory_create(memory, desc, engine, handle) == dnnl_success;
}

/* The same numbers in another type or layout. */
static bool convert(dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *from_desc = NULL, *to_desc = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    (void)dnnl_memory_get_memory_desc(from, &from_desc);
    (void)dnnl_memory_get_memory_desc(to, &to_desc);
    const bool done = dnnl_reorder_primitive_desc_create(&desc, from_desc, engine, to_desc,
                                                         engine, NULL) == dnnl_success &&
                      dnnl_primitive_create(&primitive, desc) == dnnl_success &&
                      dnnl_primitive_execute(primitive, stream, 2, args) == dnnl_success &&
                      dnnl_stream_wait(stream) == dnnl_success;
    (void)dnnl_primitive_destroy(primitive);
    (void)dnnl_primitive_desc_destroy(desc);
    return done;
}

static bool prepare(const struct problem *p, dnnl_data_type_t x_type, dnnl_data_type_t w_type)
{
    const dnnl_dims_t x_dims = {(dnnl_dim_t)p->m, (dnnl_dim_t)p->k};
    const dnnl_dims_t w_dims = {(dnnl_dim_t)p->k, (dnnl_dim_t)p->n};
    const dnnl_dims_t y_dims = {(dnnl_dim_t)p->m, (dnnl_dim_t)p->n};
    dnnl_memory_desc_t x, w, y, plain_x, plain_w;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t primitive = NULL;
    dnnl_memory_t from_x = NULL, from_w = NULL;
    (void)dnnl_memory_desc_init_by_tag(&plain_x, 2, x_dims, dnnl_f32, dnnl_ab);
    (void)dnnl_memory_desc_init_by_tag(&plain_w, 2, w_dims, dnnl_f32, dnnl_ba);
    (void)dnnl_memory_desc_init_by_tag(&x, 2, x_dims, x_type, dnnl_ab);
    (void)dnnl_memory_desc_init_by_tag(&w, 2, w_dims, w_type, dnnl_format_tag_any);
    (void)dnnl_memory_desc_init_by_tag(&y, 2, y_dims, dnnl_f32, dnnl_ab);
    bool is_ready =
        dnnl_matmul_desc_init(&desc, &x, &w, NULL, &y) == dnnl_success &&
        dnnl_primitive_desc_create(&primitive, &desc, NULL, engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&product, primitive) == dnnl_success;
    if (is_ready) {
        const dnnl_memory_desc_t *packed =
            dnnl_primitive_desc_query_md(primitive, dnnl_query_weights_md, 0);
        is_ready = make(&from_x, &plain_x, (void *)(uintptr_t)p->x) &&
                   make(&from_w, &plain_w, (void *)(uintptr_t)p->w) &&
                   make(&x_memory, &x, DNNL_MEMORY_ALLOCATE) &&
                   make(&w_memory, packed, DNNL_MEMORY_ALLOCATE) && make(&y_memory, &y, p->y) &&
                   convert(from_x, x_memory) && convert(from_w, w_memory);
    }
    (void)dnnl_memory_destroy(from_x);
    (void)dnnl_memory_destroy(from_w);
    (void)dnnl_primitive_desc_destroy(primitive);
    return is_ready;
}

static bool prepare_fp32(const struct problem *p)
{
    return prepare(p, dnnl_f32, dnnl_f32);
}

static bool prepare_bf16(const struct problem *p)
{
    return prepare(p, dnnl_bf16, dnnl_bf16);
}

static bool prepare_int8(const struct problem *p)
{
    return prepare(p, dnnl_u8, dnnl_s8);
}

static void run(const struct problem *p)
{
    (void)p;
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, x_memory}, {DNNL_ARG_WEIGHTS, w_memory}, {DNNL_ARG_DST, y_memory}};
    if (dnnl_primitive_execute(product, stream, 3, args) != dnnl_success ||
        dnnl_stream_wait(stream) != dnnl_success) {
        exit(70);
    }
}

static void finish(void)
{
    (void)dnnl_primitive_destroy(product);
    (void)dnnl_memory_destroy(x_memory);
    (void)dnnl_memory_destroy(w_memory);
    (void)dnnl_memory_destroy(y_memory);
    product = NULL;
    x_memory = w_memory = y_memory = NULL;
}

const struct engine bench_onednn_fp32 = {"oneDNN",     "fp32", open_onednn,
                                         prepare_fp32, run,    finish};
const struct engine bench_onednn_bf16 = {"oneDNN bf16", "16 bits", open_onednn,
                                         prepare_bf16,  run,       finish};
const struct engine bench_onednn_int8 = {"oneDNN int8", "8 bits", open_onednn,
                                         prepare_int8,  run,      finish};
