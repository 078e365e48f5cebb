/* The tile unit on machines that lack it. Its instructions are undefined there and the system
 * sends SIGILL; the handler does what the processor's manual says that they do, in plain C, and
 * goes on behind them. So it is the compiled kernels that run: their encodings, addresses and
 * order of instructions. What the unit would refuse (a register that is not set up, shapes that
 * do not fit) ends the program, as there. Each thread has a unit of its own.
 *
 * An instruction is c4, the inverted bits R X B above the map of opcodes (2), then W (0), the
 * inverted number of the third register, L (0) and the prefix; opcode; operands. */
#include "tile_unit.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/tensor_priv.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <ucontext.h>

enum { REGISTERS = 8, ROWS = 16, ROW_BYTES = 64, ROW_WORDS = ROW_BYTES / 4 };

/* The operand of ldtilecfg. */
struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static _Thread_local struct {
    struct config config;
    unsigned char at[REGISTERS][ROWS][ROW_BYTES];
} unit;

static _Thread_local size_t n_set_ups;

struct instruction {
    unsigned sum, a, b; /* registers: what is written or stored, and the factors */
    char *at;           /* memory: its first row, and how far the others are apart */
    size_t stride, n_bytes;
};

/* ---- what instructions do; false: refused ---- */

static bool set_up(const struct instruction *i)
{
    struct config config;
    memcpy(&config, i->at + i->stride, sizeof config);
    if (config.palette != 1 || config.start_row != 0) {
        return false;
    }
    for (size_t r = 0; r < 16; r++) {
        const size_t rows = config.rows[r], n_bytes = config.row_bytes[r];
        if ((rows == 0) != (n_bytes == 0) || (r >= REGISTERS && rows != 0) || rows > ROWS ||
            n_bytes > ROW_BYTES) {
            return false;
        }
    }
    memset(&unit, 0, sizeof unit);
    unit.config = config;
    n_set_ups++;
    return true;
}

static bool release(const struct instruction *i)
{
    (void)i;
    memset(&unit, 0, sizeof unit);
    return true;
}

static bool zero(const struct instruction *i)
{
    memset(unit.at[i->sum], 0, sizeof unit.at[i->sum]);
    return unit.config.rows[i->sum] != 0;
}

static bool load(const struct instruction *i)
{
    if (!zero(i)) {
        return false;
    }
    for (size_t r = 0; r < unit.config.rows[i->sum]; r++) {
        memcpy(unit.at[i->sum][r], i->at + r * i->stride, unit.config.row_bytes[i->sum]);
    }
    return true;
}

static bool store(const struct instruction *i)
{
    for (size_t r = 0; r < unit.config.rows[i->sum]; r++) {
        memcpy(i->at + r * i->stride, unit.at[i->sum][r], unit.config.row_bytes[i->sum]);
    }
    return unit.config.rows[i->sum] != 0;
}

/* [m, k words] times [k, n words]. */
static bool do_shapes_fit(const struct instruction *i)
{
    const struct config *c = &unit.config;
    return c->rows[i->sum] != 0 && c->rows[i->a] == c->rows[i->sum] &&
           c->row_bytes[i->b] == c->row_bytes[i->sum] &&
           c->row_bytes[i->a] == 4 * c->rows[i->b] && i->sum != i->a && i->sum != i->b &&
           i->a != i->b;
}

/* Denormals are 0 on the way in and out. */
static inline __attribute__((always_inline)) float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0F, x) : x;
}

static inline __attribute__((always_inline)) void widen(const unsigned char *row, float *out)
{
    uint16_t halves[2 * ROW_WORDS];
    memcpy(halves, row, sizeof halves);
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        const uint32_t bits = (uint32_t)halves[i] << 16;
        float x = 0;
        memcpy(&x, &bits, sizeof x);
        out[i] = flushed(x);
    }
}

/* Pairs of bf16, sums of floats. Firsts and seconds of pairs have sums of their own, each a
 * chain of fused multiply-adds over k from 0; the two are added, then that to what was there.
 */
__attribute__((target("avx512f,fma"))) static bool add_bf16(const struct instruction *i)
{
    float x[2 * ROW_WORDS], y[ROWS][2 * ROW_WORDS], c[ROW_WORDS];
    if (!do_shapes_fit(i)) {
        return false;
    }
    for (size_t k = 0; k < ROWS; k++) {
        widen(unit.at[i->b][k], y[k]);
    }
    for (size_t m = 0; m < unit.config.rows[i->sum]; m++) {
        float chains[2 * ROW_WORDS] = {0};
        widen(unit.at[i->a][m], x);
        for (size_t k = 0; k < unit.config.rows[i->b]; k++) {
            for (size_t n = 0; n < (size_t)2 * ROW_WORDS; n++) {
                chains[n] = flushed(fmaf(x[2 * k + n % 2], y[k][n], chains[n]));
            }
        }
        memcpy(c, unit.at[i->sum][m], sizeof c);
        for (size_t n = 0; n < ROW_WORDS; n++) {
            c[n] = flushed(flushed(c[n]) + flushed(chains[2 * n] + chains[2 * n + 1]));
        }
        memcpy(unit.at[i->sum][m], c, sizeof c);
    }
    return true;
}

/* Fours of unsigned and of signed bytes, sums of 32 bits. */
__attribute__((target("avx512f"))) static bool add_int8(const struct instruction *i)
{
    if (!do_shapes_fit(i)) {
        return false;
    }
    for (size_t m = 0; m < unit.config.rows[i->sum]; m++) {
        uint32_t c[ROW_WORDS];
        memcpy(c, unit.at[i->sum][m], sizeof c);
        for (size_t k = 0; k < 4U * unit.config.rows[i->b]; k++) {
            for (size_t n = 0; n < ROW_WORDS; n++) {
                const int32_t weight = (int8_t)unit.at[i->b][k / 4][4 * n + k % 4];
                c[n] += (uint32_t)(unit.at[i->a][m][k] * weight);
            }
        }
        memcpy(unit.at[i->sum][m], c, sizeof c);
    }
    return true;
}

/* ---- which instruction it is ---- */

enum prefix { NONE, P66, PF3, PF2 };

static const struct kind {
    uint8_t opcode, prefix;
    bool has_memory;
    bool (*run)(const struct instruction *i);
} kinds[] = {{0x49, NONE, true, set_up},   {0x49, NONE, false, release},
             {0x49, PF2, false, zero},     {0x4b, PF2, true, load},
             {0x4b, P66, true, load},      {0x4b, PF3, true, store},
             {0x5c, PF3, false, add_bf16}, {0x5e, P66, false, add_int8}};

static const struct kind *kind_of(const uint8_t *code)
{
    if (code[0] != 0xc4 || (code[1] & 0x9f) != 0x82 || (code[2] & 0x84) != 0) {
        return NULL;
    }
    const bool has_memory = code[4] >> 6 != 3;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (kinds[k].opcode == code[3] && kinds[k].prefix == (code[2] & 3) &&
            kinds[k].has_memory == has_memory) {
            return &kinds[k];
        }
    }
    return NULL;
}

static uint64_t value_of(const greg_t *registers, unsigned number)
{
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)registers[places[number]];
}

/* Memory is base + displacement and index · scale, which is how far rows are apart. */
static void find_memory(const uint8_t *code, const greg_t *registers, struct instruction *out)
{
    const unsigned mode = code[4] >> 6, x = code[1] & 0x40 ? 0 : 8, b = code[1] & 0x20 ? 0 : 8;
    const uint8_t *next = code + 5;
    unsigned base = code[4] & 7;
    const bool has_index = base == 4;
    uint64_t index = 0, at = 0;
    if (has_index) {
        const unsigned name = (*next >> 3 & 7) + x;
        index = name == 4 ? 0 : value_of(registers, name) << (*next >> 6);
        base = *next++ & 7;
    }
    const bool has_base = mode != 0 || base != 5;
    if (mode == 1) {
        at = (uint64_t)(int8_t)*next++;
    } else if (mode == 2 || !has_base) {
        int32_t displacement = 0;
        memcpy(&displacement, next, sizeof displacement);
        next += sizeof displacement;
        at = (uint64_t)displacement;
    }
    if (has_base) {
        at += value_of(registers, base + b);
    } else if (!has_index) { /* behind the instruction */
        at += (uint64_t)(uintptr_t)next;
    }
    out->at = (char *)(uintptr_t)at;
    out->stride = index;
    out->n_bytes = (size_t)(next - code);
}

static bool is_stand_in_wanted; /* though there is a unit */

/* A unit that was not asked for still takes its set-up and gives it up without a signal: they
 * stand in the state that the signal saved (component 17 of XSAVE). */
static void read_set_up(const ucontext_t *context)
{
    const char *saved = (const char *)context->uc_mcontext.fpregs;
    unsigned size = 0, at = 0, c = 0, d = 0;
    struct config config = {0};
    uint64_t components = 0;
    memcpy(&components, saved + 512, sizeof components);
    if ((components >> 17 & 1) != 0 && __get_cpuid_count(0xd, 17, &size, &at, &c, &d) != 0) {
        memcpy(&config, saved + at, sizeof config);
    }
    if (memcmp(&config, &unit.config, sizeof config) != 0) {
        memset(&unit, 0, sizeof unit);
        unit.config = config;
        n_set_ups += config.palette != 0;
    }
}

/* Run the instruction at code; false: it is none of these, refused, or the unit's own. */
static bool run_one(const uint8_t *code, const greg_t *registers, size_t *n_bytes)
{
    const struct kind *kind = kind_of(code);
    if (kind == NULL || (is_stand_in_wanted && (kind->run == set_up || kind->run == release))) {
        return false;
    }
    struct instruction i = {
        .sum = code[4] >> 3 & 7, .a = code[4] & 7, .b = ~code[2] >> 3 & 7, .n_bytes = 5};
    if (kind->has_memory) {
        find_memory(code, registers, &i);
    }
    *n_bytes = i.n_bytes;
    return kind->run(&i);
}

/* As many as stand in a row, since a signal takes longer than most of them. */
static void handle(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const greg_t start = registers[REG_RIP];
    size_t n_bytes = 0;
    (void)info;
    if (is_stand_in_wanted) {
        read_set_up(context);
    }
    while (run_one((const uint8_t *)(uintptr_t)registers[REG_RIP], registers, &n_bytes)) {
        registers[REG_RIP] += (greg_t)n_bytes;
    }
    if (registers[REG_RIP] == start) {
        signal(number, SIG_DFL); /* which it meets when it is tried again */
    }
}

static bool is_there; /* the unit itself */

bool tile_unit_use(void)
{
    const struct ss_tensor_kernels *in_use = ss_tensor_kernels();
    is_stand_in_wanted = getenv("SS_TEST_STAND_IN") != NULL;
    is_there = !is_stand_in_wanted && ss_tensor_kernels_use("amx");
    if (is_there) {
        return true;
    }
    if (!__builtin_cpu_supports("avx512bf16") || !ss_tensor_kernels_use("avx512-vnni")) {
        return false;
    }
    /* Again in each test: the test library has handlers of its own for the time of one. */
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    const bool is_handled = sigaction(SIGILL, &action, NULL) == 0;
    ss_tensor_kernels_set(is_handled ? ss_tensor_kernels_find("amx") : in_use);
    return is_handled;
}

size_t tile_unit_n_set_ups(void)
{
    return n_set_ups;
}

/* The processor says so of the unit itself: XGETBV 1, bits 17 and 18. */
bool tile_unit_is_held(void)
{
    if (!is_there && !is_stand_in_wanted) {
        return unit.config.palette != 0;
    }
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return (low & 0x60000) != 0;
}

#else
bool tile_unit_use(void)
{
    return false;
}

size_t tile_unit_n_set_ups(void)
{
    return 0;
}

bool tile_unit_is_held(void)
{
    return false;
}
#endif
