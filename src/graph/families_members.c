/* The lists of members that all rules fill. */
#include "graph/families_priv.h"

enum { MOST_MEMBERS = INT32_MAX };

ss_status ss_graph_begin_family(struct ss_graph_families *families, uint32_t root, size_t round,
                                ss_err *err)
{
    SS_GROW_OR_RETURN(families->families, families->families_capacity, families->n + 1);
    families->families[families->n++] = (struct ss_graph_family){
        .root = root, .round = (uint32_t)round, .first = families->n_members};
    return SS_OK;
}

ss_status ss_graph_add_member(struct ss_graph_families *families, uint32_t member, ss_err *err)
{
    if (families->n_members >= MOST_MEMBERS) {
        return ss__fail(err, SS_E_LIMIT,
                        "families overlap so much that they have more than %d members: choose "
                        "the rule parents",
                        MOST_MEMBERS);
    }
    SS_GROW_OR_RETURN(families->members, families->members_capacity, families->n_members + 1);
    families->members[families->n_members++] = member;
    families->families[families->n - 1].n++;
    return SS_OK;
}

void ss_graph_drop_family(struct ss_graph_families *families)
{
    families->n_members = families->families[--families->n].first;
}

int ss_graph_compare_features(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double ss_graph_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    size_t n_both = 0;
    for (size_t i = 0, j = 0; i < n_a && j < n_b;) {
        const uint32_t x = a[i], y = b[j];
        n_both += x == y;
        i += x <= y;
        j += y <= x;
    }
    const size_t n_any = n_a + n_b - n_both;
    return n_any == 0 ? 0 : (double)n_both / (double)n_any;
}
