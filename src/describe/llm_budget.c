/* What may be spent. A request is sent only if the most that it can cost fits beside what is
 * spent and what others under way may cost, so that a limit holds whatever runs at once. */
#include "describe/llm_priv.h"

double ss_describe_llm_cost(const struct ss_describe_llm_limits *limits, uint64_t n_in,
                            uint64_t n_out)
{
    return ((double)n_in * limits->price_in + (double)n_out * limits->price_out) / 1e6;
}

ss_describe_llm_grant ss_describe_llm_reserve(struct ss_describe_llm_budget *budget,
                                              uint64_t n_in, uint64_t n_out)
{
    const struct ss_describe_llm_limits *limits = &budget->limits;
    const struct ss_describe_llm_spent *spent = &budget->spent;
    const uint64_t all_in = spent->n_in + budget->n_in + n_in;
    const uint64_t all_out = spent->n_out + budget->n_out + n_out;
    budget->over = NULL;
    if (limits->max_calls > 0 && spent->n_calls >= limits->max_calls) {
        budget->over = "max_calls";
        return SS_DESCRIBE_LLM_OVER;
    }
    if (limits->max_tokens > 0 && all_in + all_out > limits->max_tokens) {
        budget->over = "max_llm_tokens";
    }
    if (limits->max_cost > 0 &&
        ss_describe_llm_cost(limits, all_in, all_out) > limits->max_cost) {
        budget->over = "max_cost";
    }
    if (budget->over != NULL) {
        return budget->n_open > 0 ? SS_DESCRIBE_LLM_WAIT : SS_DESCRIBE_LLM_OVER;
    }
    budget->n_in += n_in;
    budget->n_out += n_out;
    budget->n_open++;
    budget->spent.n_calls++;
    return SS_DESCRIBE_LLM_GRANTED;
}

void ss_describe_llm_settle(struct ss_describe_llm_budget *budget, uint64_t reserved_in,
                            uint64_t reserved_out, uint64_t n_in, uint64_t n_out)
{
    budget->n_in -= reserved_in;
    budget->n_out -= reserved_out;
    budget->n_open--;
    budget->spent.n_in += n_in;
    budget->spent.n_out += n_out;
    budget->spent.cost =
        ss_describe_llm_cost(&budget->limits, budget->spent.n_in, budget->spent.n_out);
}
