/* A struct of an older caller is shorter: what it lacks is the default. One of a newer caller
 * is longer: what this library does not know has to be zero, else the call is refused rather
 * than half obeyed. docs/architecture.md, §8. */
#include "base/sized.h"

#include <string.h>

/* More than any of these structs will have; a struct_size beyond was never set. */
enum { MAX_BYTES = 1 << 14 };

static size_t size_of(const void *object)
{
    size_t n = 0;
    memcpy(&n, object, sizeof n);
    return n;
}

static bool is_set(const void *object)
{
    return size_of(object) > sizeof(size_t) && size_of(object) <= MAX_BYTES;
}

static ss_status fail_unset(const void *object, const char *name, ss_err *err)
{
    return ss__fail(err, SS_E_USAGE,
                    "struct_size of a struct %s is %zu; set it to the struct's size, as "
                    "%s_init does",
                    name, size_of(object), name);
}

ss_status ss__options_read(void *out, size_t n_out, const void *given, const char *name,
                           ss_err *err)
{
    const size_t n = given == NULL ? 0 : size_of(given);
    memset(out, 0, n_out);
    if (given != NULL && !is_set(given)) {
        return fail_unset(given, name, err);
    }
    for (size_t i = n_out; i < n; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return ss__fail(err, SS_E_UNSUPPORTED,
                            "struct %s sets a member that version %s of the library does not "
                            "have (byte %zu of %zu): the program was compiled with the header "
                            "of a newer one",
                            name, SS_VERSION, i, n);
        }
    }
    if (given != NULL) {
        memcpy(out, given, n < n_out ? n : n_out);
    }
    memcpy(out, &n_out, sizeof n_out);
    return SS_OK;
}

ss_status ss__result_check(const void *out, const char *name, ss_err *err)
{
    return out == NULL || is_set(out) ? SS_OK : fail_unset(out, name, err);
}

ss_status ss__result_write(void *out, const void *result, size_t n_result)
{
    if (!is_set(out)) {
        return SS_E_USAGE;
    }
    const size_t n = size_of(out), n_both = n < n_result ? n : n_result;
    memcpy((char *)out + sizeof n, (const char *)result + sizeof n, n_both - sizeof n);
    memset((char *)out + n_both, 0, n - n_both);
    return SS_OK;
}
