/* An edge is a node, a byte and the node that it leads to, packed into 64 bits; a step is one
 * look into an open-addressed table. Against arrays of children this takes 12 bytes for an edge
 * instead of a table a node, and a step still costs about one cache line. Probes are bounded
 * while the trie is filled, so that no file can make searching it slow. */
#include "tokenizer/trie.h"

#include "base/mem.h"

enum {
    FIRST_SLOTS = 1 << 8,
    MAX_PROBES = 1 << 12 /* far beyond chance: only a file made to collide comes here */
};

/* Put an edge into a table with room; false if its place is too far off. */
static bool put_edge(const struct ss_tokenizer_trie *trie, uint64_t edge)
{
    size_t slot = ss_tokenizer_trie_slot(trie, edge);
    for (size_t probes = 0; probes < MAX_PROBES; probes++) {
        if (trie->edges[slot] == 0) {
            trie->edges[slot] = edge;
            return true;
        }
        slot = (slot + 1) & (trie->n_slots - 1);
    }
    return false;
}

/* Make room for one more edge, at most two thirds full. */
static ss_status grow_edges(struct ss_tokenizer_trie *trie, ss_err *err)
{
    struct ss_tokenizer_trie bigger = *trie;
    if (trie->n_nodes * 3 <= trie->n_slots * 2) {
        return SS_OK;
    }
    bigger.n_slots = trie->n_slots == 0 ? FIRST_SLOTS : trie->n_slots * 2;
    SS_ALLOC_OR_RETURN(bigger.edges, bigger.n_slots);
    for (size_t slot = 0; slot < trie->n_slots; slot++) {
        if (trie->edges[slot] != 0 && !put_edge(&bigger, trie->edges[slot])) {
            ss__free(bigger.edges);
            return ss__fail(err, SS_E_LIMIT, "the vocabulary can not be indexed");
        }
    }
    ss__free(trie->edges);
    trie->edges = bigger.edges;
    trie->n_slots = bigger.n_slots;
    return SS_OK;
}

/* A node of its own for each beginning of a text; its value is -1 until a text ends there. */
static ss_status add_node(struct ss_tokenizer_trie *trie, uint32_t *node, ss_err *err)
{
    if (trie->n_nodes >= SS_TOKENIZER_TRIE_MAX_NODES) {
        return ss__fail(err, SS_E_LIMIT, "the vocabulary needs more than %d nodes",
                        SS_TOKENIZER_TRIE_MAX_NODES);
    }
    SS_GROW_OR_RETURN(trie->values, trie->values_capacity, trie->n_nodes + 1);
    trie->values[trie->n_nodes] = -1;
    *node = (uint32_t)trie->n_nodes++;
    return grow_edges(trie, err);
}

ss_status ss_tokenizer_trie_add(struct ss_tokenizer_trie *trie, const char *text,
                                size_t n_bytes, int32_t value, ss_err *err)
{
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    if (trie->n_nodes == 0) {
        SS_RETURN_IF_ERROR(add_node(trie, &node, err));
    }
    for (size_t i = 0; i < n_bytes; i++) {
        uint32_t child = ss_tokenizer_trie_step(trie, node, (uint8_t)text[i]);
        if (child == 0) {
            SS_RETURN_IF_ERROR(add_node(trie, &child, err));
            const uint64_t edge =
                (uint64_t)node << 32 | (uint64_t)(uint8_t)text[i] << 24 | child;
            if (!put_edge(trie, edge)) {
                return ss__fail(err, SS_E_LIMIT, "the vocabulary can not be indexed");
            }
        }
        node = child;
    }
    trie->values[node] = value;
    return SS_OK;
}

void ss_tokenizer_trie_release(struct ss_tokenizer_trie *trie)
{
    ss__free(trie->edges);
    ss__free(trie->values);
    *trie = (struct ss_tokenizer_trie){0};
}

/* 0 where the text leaves the trie: the root is nobody's child. */
uint32_t ss_tokenizer_trie_walk(const struct ss_tokenizer_trie *trie, const char *text,
                                size_t n_bytes)
{
    uint32_t node = SS_TOKENIZER_TRIE_ROOT;
    for (size_t i = 0; i < n_bytes && trie->n_nodes > 0; i++) {
        node = ss_tokenizer_trie_step(trie, node, (uint8_t)text[i]);
        if (node == 0) {
            break;
        }
    }
    return node;
}

/* The empty text ends at the root, which may have a value of its own. */
int32_t ss_tokenizer_trie_find(const struct ss_tokenizer_trie *trie, const char *text,
                               size_t n_bytes)
{
    if (trie->n_nodes == 0) {
        return -1;
    }
    const uint32_t node = ss_tokenizer_trie_walk(trie, text, n_bytes);
    return node == 0 && n_bytes > 0 ? -1 : trie->values[node];
}
