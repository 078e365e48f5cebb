/* What the names of a pickle share: their arguments, values that stand for what is not read,
 * and the effect of a call. */
#include "weights/pickle_priv.h"

typedef struct ss_weights_pickle_node node;

/* Sizes, offsets and strides: negative ones, which torch allows nowhere either, are refused. */
bool ss_weights_pickle_is_count(const node *value)
{
    return value->kind == SS_WEIGHTS_PICKLE_INT && value->as.integer >= 0;
}

ss_status ss_weights_pickle_need_arguments(const struct ss_weights_pickle *self,
                                           const node *arguments, size_t least, size_t most,
                                           ss_err *err)
{
    return arguments->n >= least && arguments->n <= most
               ? SS_OK
               : ss_weights_pickle_bad(self, "a name is used with a wrong number of arguments",
                                       err);
}

/* For what is let pass and not read: an optimizer's state, a logger, a set. `what` has to
 * outlive the pickle. */
ss_status ss_weights_pickle_opaque(struct ss_weights_pickle *self, const char *what, node **out,
                                   ss_err *err)
{
    const ss_status status = ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_OPAQUE, out, err);
    if (status == SS_OK) {
        (*out)->as.text = what;
    }
    return status;
}

/* Calls nest only by from_type, which refuses itself: no recursion that a file could drive. */
ss_status ss_weights_pickle_reduce(struct ss_weights_pickle *self, const node *callable,
                                   node *arguments, node **out, ss_err *err)
{
    const struct ss_weights_pickle_global *global = callable->as.global;
    if (global->role == SS_WEIGHTS_ROLE_CALL) {
        return global->call(self, arguments, out, err);
    }
    if (global->role == SS_WEIGHTS_ROLE_NAMESPACE) {
        const ss_status status = ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_DICT, out, err);
        if (status == SS_OK) {
            (*out)->takes_state = true;
        }
        return status;
    }
    return global->role == SS_WEIGHTS_ROLE_CLASS
               ? ss_weights_pickle_opaque(self, global->name, out, err)
               : ss_weights_pickle_bad(self, "a type is called as if it were a function", err);
}
