/* The file of a state. Little-endian:
 *
 *   "SSSTATE\n", u64 version
 *   the sections, one behind the other, each filled up with zeros to a multiple of 8 bytes
 *   u64 [N_SECTIONS, 2]  where each begins, and its bytes; 0 bytes: there is none
 *   64 hexadecimal digits: the SHA-256 of all bytes before
 *   "SSSTEND\n"
 *
 * The first sections are the same for everybody who did the same. The id of a part is the
 * SHA-256 of them. Reading checks the hash first; since whoever wrote the file may have put in
 * the right one, everything is checked that the hash covers as well. */
#include "pass/state.h"

#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sort.h"

enum section {
    SECTION_FIRES,
    SECTION_TOP,
    SECTION_HISTOGRAMS,
    SECTION_EVIDENCE,
    SECTION_CENTROIDS,
    SECTION_PAIRS,
    SECTION_FACTS,
    SECTION_IDENTITY,
    N_COMMON_SECTIONS,
    SECTION_RECORD = N_COMMON_SECTIONS,
    N_SECTIONS
};

enum { STATE_VERSION = 1, HASH_BYTES = 64, MAGIC_BYTES = 8, HEAD_BYTES = 16 };
static const char magic[MAGIC_BYTES] = {'S', 'S', 'S', 'T', 'A', 'T', 'E', '\n'};
static const char end_magic[MAGIC_BYTES] = {'S', 'S', 'S', 'T', 'E', 'N', 'D', '\n'};
#define DEFAULT_PAIR_BYTES UINT64_C(512000000)

void ss_pass_state_release(struct ss_pass_state *state)
{
    ss_pass_gather_abort(&state->gathered);
    ss_pass_facts_release(&state->facts);
    ss__json_free(state->identity);
    *state = (struct ss_pass_state){.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
}

/* ---- writing ---- */

struct writing {
    struct ss_pass_state *state;
    struct ss__out out;
    struct ss__buf *bytes;         /* in place of the file; nullable */
    struct ss__hash *all, *common; /* of all bytes; of the common sections, NULL behind them */
    uint64_t at;
    uint64_t places[N_SECTIONS][2];
};

static ss_status put_raw(struct writing *writing, const void *data, size_t n_bytes, ss_err *err)
{
    if (writing->bytes == NULL) {
        return ss__out_write(&writing->out, data, n_bytes, err);
    }
    ss__buf_add(writing->bytes, data, n_bytes);
    return ss__buf_check(writing->bytes, err);
}

static ss_status put_bytes(void *user, const void *data, size_t n_bytes, ss_err *err)
{
    struct writing *writing = user;
    ss__hash_add(writing->all, data, n_bytes);
    if (writing->common != NULL) {
        ss__hash_add(writing->common, data, n_bytes);
    }
    writing->at += n_bytes;
    return put_raw(writing, data, n_bytes, err);
}

static ss_status put_json(struct writing *writing, struct ss__json_writer *json, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__buf_check(&json->buf, err));
    SS_TRY(put_bytes(writing, json->buf.data, json->buf.n_bytes, err));
out:
    ss__buf_release(&json->buf);
    return status;
}

static ss_status put_facts(struct writing *writing, ss_err *err)
{
    struct ss__json_writer json = {.style = SS__JSON_COMPACT};
    const struct ss_pass_gathered *gathered = &writing->state->gathered;
    ss__put_open(&json, NULL, '{');
    ss__put_count(&json, "evidence", (uint64_t)gathered->evidence.kind);
    ss_pass_facts_put(&json, &writing->state->facts);
    ss__put_close(&json, '}');
    return put_json(writing, &json, err);
}

static ss_status put_identity(struct writing *writing, ss_err *err)
{
    struct ss__json_writer json = {.style = SS__JSON_COMPACT};
    ss__put_tree(&json, NULL, writing->state->identity);
    return put_json(writing, &json, err);
}

static ss_status put_record(struct writing *writing, ss_err *err)
{
    struct ss__json_writer json = {.style = SS__JSON_COMPACT};
    ss__put_open(&json, NULL, '{');
    ss_pass_facts_put_record(&json, &writing->state->facts);
    ss__put_close(&json, '}');
    return put_json(writing, &json, err);
}

static ss_status put_section(struct writing *writing, enum section section, ss_err *err)
{
    const struct ss_pass_gathered *gathered = &writing->state->gathered;
    const bool has_evidence = gathered->evidence.kind != SS_EVIDENCE_NONE;
    switch (section) {
    case SECTION_FIRES:
        return ss_stats_fires_save(&gathered->fires, put_bytes, writing, err);
    case SECTION_TOP:
        return ss_stats_top_save(gathered->top, put_bytes, writing, err);
    case SECTION_HISTOGRAMS:
        return has_evidence ? ss_stats_magnitudes_save_bytes(&gathered->evidence.magnitudes,
                                                             put_bytes, writing, err)
                            : SS_OK;
    case SECTION_EVIDENCE:
        return has_evidence ? ss_stats_evidence_save(gathered->evidence.evidence, put_bytes,
                                                     writing, err)
                            : SS_OK;
    case SECTION_CENTROIDS:
        return gathered->graph.has_centroids
                   ? ss_stats_centroids_save(&gathered->graph.centroids, put_bytes, writing,
                                             err)
                   : SS_OK;
    case SECTION_PAIRS:
        return gathered->graph.pairs == NULL
                   ? SS_OK
                   : ss_stats_pairs_save(gathered->graph.pairs, put_bytes, writing, err);
    case SECTION_FACTS:
        return put_facts(writing, err);
    case SECTION_IDENTITY:
        return put_identity(writing, err);
    default:
        return put_record(writing, err);
    }
}

static int compare_parts(const void *a, const void *b)
{
    const struct ss_pass_part *x = a, *y = b;
    return (x->part > y->part) - (x->part < y->part);
}

/* The number of a part that has none: digits of its id. */
static void number_part(struct ss_pass_facts *facts)
{
    enum { N_DIGITS = 15 };
    static const char digits[] = "0123456789abcdef";
    uint64_t number = 0;
    for (size_t i = 0; i < N_DIGITS && facts->parts[0].id[i] != '\0'; i++) {
        number = 16 * number + (uint64_t)(strchr(digits, facts->parts[0].id[i]) - digits);
    }
    facts->parts[0].part = number == 0 ? 1 : number;
    ss__sort(facts->parts, facts->n_done, sizeof *facts->parts, compare_parts);
}

/* A part that has no id gets that of its content, before its record is written. */
static ss_status end_common(struct writing *writing, ss_err *err)
{
    struct ss_pass_facts *facts = &writing->state->facts;
    char hex[SS__HASH_HEX_BYTES];
    ss__hash_finish(writing->common, hex);
    ss__hash_free(writing->common);
    writing->common = NULL;
    if (facts->n_done > 0 && facts->parts[0].id[0] == '\0') {
        facts->parts[0].id = ss__arena_strndup(&facts->arena, hex, strlen(hex));
        if (facts->parts[0].id == NULL) {
            facts->parts[0].id = "";
            return ss__fail_nomem(err, "the id of a part");
        }
        if (facts->parts[0].part == 0) {
            number_part(facts);
        }
    }
    return SS_OK;
}

static ss_status put_sections(struct writing *writing, ss_err *err)
{
    static const char zeros[8];
    for (int i = 0; i < N_SECTIONS; i++) {
        if (i == N_COMMON_SECTIONS) {
            SS_RETURN_IF_ERROR(end_common(writing, err));
        }
        writing->places[i][0] = writing->at;
        SS_RETURN_IF_ERROR(put_section(writing, (enum section)i, err));
        writing->places[i][1] = writing->at - writing->places[i][0];
        SS_RETURN_IF_ERROR(put_bytes(writing, zeros, (size_t)(-writing->at & 7), err));
    }
    return SS_OK;
}

static ss_status put_file(struct writing *writing, ss_err *err)
{
    const uint64_t version = STATE_VERSION;
    char hex[SS__HASH_HEX_BYTES];
    SS_RETURN_IF_ERROR(ss__hash_new(SS__HASH_SHA256, &writing->all, err));
    SS_RETURN_IF_ERROR(put_bytes(writing, magic, sizeof magic, err));
    SS_RETURN_IF_ERROR(put_bytes(writing, &version, sizeof version, err));
    SS_RETURN_IF_ERROR(ss__hash_new(SS__HASH_SHA256, &writing->common, err));
    SS_RETURN_IF_ERROR(put_sections(writing, err));
    SS_RETURN_IF_ERROR(put_bytes(writing, writing->places, sizeof writing->places, err));
    ss__hash_finish(writing->all, hex);
    SS_RETURN_IF_ERROR(put_raw(writing, hex, HASH_BYTES, err));
    return put_raw(writing, end_magic, sizeof end_magic, err);
}

static ss_status write_opened(struct writing *writing, ss_status status, ss_err *err)
{
    if (status == SS_OK) {
        status = put_file(writing, err);
    }
    if (status == SS_OK) {
        status = ss__out_commit(&writing->out, err);
    }
    ss__out_abort(&writing->out);
    ss__hash_free(writing->all);
    ss__hash_free(writing->common);
    return status;
}

ss_status ss_pass_state_write(struct ss_pass_state *state, const char *path, ss_err *err)
{
    struct writing writing = {.state = state, .out = SS__OUT_CLOSED};
    return write_opened(&writing, ss__out_open(path, &writing.out, err), err);
}

ss_status ss_pass_state_write_named(struct ss_pass_state *state, const char *path, bool force,
                                    ss_err *err)
{
    struct writing writing = {.state = state, .out = SS__OUT_CLOSED};
    return write_opened(&writing, ss__out_open_named(path, force, &writing.out, err), err);
}

ss_status ss_pass_state_write_bytes(struct ss_pass_state *state, struct ss__buf *bytes,
                                    ss_err *err)
{
    struct writing writing = {.state = state, .out = SS__OUT_CLOSED, .bytes = bytes};
    const ss_status status = put_file(&writing, err);
    ss__hash_free(writing.all);
    ss__hash_free(writing.common);
    return status;
}

/* ---- reading ---- */

struct section_bytes {
    const uint8_t *data;
    size_t n_bytes;
};

struct reading {
    const char *path;
    struct section_bytes whole;
    uint64_t pairs_bytes;
    struct ss_pass_state *state;
    struct section_bytes sections[N_SECTIONS];
};

static ss_status fail_state(const struct reading *reading, const char *what, ss_err *err)
{
    return ss__fail_file(err, reading->path, SS_E_DATA,
                         "this is not the state of an analysis, or it is damaged: %s", what);
}

static ss_status check_head(const struct reading *reading, ss_err *err)
{
    const struct section_bytes *map = &reading->whole;
    uint64_t version = 0;
    if (map->n_bytes < HEAD_BYTES || memcmp(map->data, magic, sizeof magic) != 0) {
        return fail_state(reading, "it begins otherwise", err);
    }
    memcpy(&version, map->data + sizeof magic, sizeof version);
    return version == STATE_VERSION
               ? SS_OK
               : ss__fail_file(err, reading->path, SS_E_UNSUPPORTED,
                               "a state of version %llu; this saescope reads version %d: use "
                               "the one that made it, or make its part again",
                               (unsigned long long)version, STATE_VERSION);
}

static ss_status check_hash(const struct reading *reading, ss_err *err)
{
    const struct section_bytes *map = &reading->whole;
    struct ss__hash *hash = NULL;
    char hex[SS__HASH_HEX_BYTES];
    const size_t n_tail = N_SECTIONS * 2 * sizeof(uint64_t) + HASH_BYTES + MAGIC_BYTES;
    if (map->n_bytes < HEAD_BYTES + n_tail || map->n_bytes % 8 != 0 ||
        memcmp(map->data + map->n_bytes - MAGIC_BYTES, end_magic, MAGIC_BYTES) != 0) {
        return fail_state(reading, "it is cut off", err);
    }
    const size_t n_hashed = map->n_bytes - HASH_BYTES - MAGIC_BYTES;
    SS_RETURN_IF_ERROR(ss__hash_new(SS__HASH_SHA256, &hash, err));
    ss__hash_add(hash, map->data, n_hashed);
    ss__hash_finish(hash, hex);
    ss__hash_free(hash);
    return memcmp(hex, map->data + n_hashed, HASH_BYTES) == 0
               ? SS_OK
               : fail_state(reading, "its SHA-256 is another than it says", err);
}

/* Sections follow one another without a gap. */
static ss_status find_sections(struct reading *reading, ss_err *err)
{
    const struct section_bytes *map = &reading->whole;
    const size_t n_table = N_SECTIONS * 2 * sizeof(uint64_t);
    const size_t end = map->n_bytes - MAGIC_BYTES - HASH_BYTES - n_table;
    uint64_t places[N_SECTIONS][2], at = HEAD_BYTES;
    memcpy(places, map->data + end, n_table);
    for (size_t i = 0; i < N_SECTIONS; i++) {
        if (places[i][0] != at || places[i][1] > end - at) {
            return fail_state(reading, "its sections", err);
        }
        reading->sections[i] = (struct section_bytes){map->data + at, (size_t)places[i][1]};
        at += places[i][1] + (-places[i][1] & 7);
        if (at > end) {
            return fail_state(reading, "its sections", err);
        }
    }
    return at == end ? SS_OK : fail_state(reading, "its sections", err);
}

static ss_status read_json(const struct reading *reading, enum section section,
                           struct ss__json **out, ss_err *err)
{
    const struct section_bytes *bytes = &reading->sections[section];
    SS_RETURN_IF_ERROR(
        ss__json_parse(reading->path, (const char *)bytes->data, bytes->n_bytes, out, err));
    return ss__json_is_object(*out) ? SS_OK : fail_state(reading, "its facts", err);
}

/* The kind of evidence goes with its sections. */
static ss_status read_kind(struct reading *reading, const struct ss__json *facts, ss_err *err)
{
    const struct ss__json *kind = ss__json_get(facts, "evidence");
    const int64_t value = ss__json_integer(kind);
    const bool has_none = reading->sections[SECTION_EVIDENCE].n_bytes == 0;
    if (!ss__json_is_integer(kind) || value < 0 || value > SS_EVIDENCE_NONE ||
        has_none != (value == SS_EVIDENCE_NONE) ||
        has_none != (reading->sections[SECTION_HISTOGRAMS].n_bytes == 0)) {
        return fail_state(reading, "its evidence", err);
    }
    reading->state->gathered.evidence.kind = (ss_evidence)value;
    return SS_OK;
}

static ss_status read_facts(struct reading *reading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *facts = NULL, *record = NULL;
    SS_TRY(read_json(reading, SECTION_IDENTITY, &reading->state->identity, err));
    SS_TRY(read_json(reading, SECTION_FACTS, &facts, err));
    SS_TRY(read_json(reading, SECTION_RECORD, &record, err));
    SS_TRY(ss_pass_facts_read(&reading->state->facts, reading->path, facts, record, err));
    SS_TRY(read_kind(reading, facts, err));
out:
    ss__json_free(facts);
    ss__json_free(record);
    return status;
}

static ss_status read_evidence(struct reading *reading, ss_err *err)
{
    struct ss_pass_evidence_gathered *gathered = &reading->state->gathered.evidence;
    const struct section_bytes *bins = &reading->sections[SECTION_HISTOGRAMS];
    const struct section_bytes *texts = &reading->sections[SECTION_EVIDENCE];
    SS_RETURN_IF_ERROR(ss_stats_magnitudes_load_bytes(&gathered->magnitudes, bins->data,
                                                      bins->n_bytes, reading->path, err));
    return ss_stats_evidence_load(texts->data, texts->n_bytes, reading->path,
                                  &gathered->evidence, err);
}

static ss_status read_reducers(struct reading *reading, ss_err *err)
{
    struct ss_pass_gathered *gathered = &reading->state->gathered;
    const struct section_bytes *sections = reading->sections;
    SS_RETURN_IF_ERROR(ss_stats_fires_load(&gathered->fires, sections[SECTION_FIRES].data,
                                           sections[SECTION_FIRES].n_bytes, reading->path,
                                           err));
    SS_RETURN_IF_ERROR(ss_stats_top_load(sections[SECTION_TOP].data,
                                         sections[SECTION_TOP].n_bytes, reading->path,
                                         &gathered->top, err));
    if (gathered->evidence.kind != SS_EVIDENCE_NONE) {
        SS_RETURN_IF_ERROR(read_evidence(reading, err));
    }
    gathered->graph.has_centroids = sections[SECTION_CENTROIDS].n_bytes > 0;
    if (gathered->graph.has_centroids) {
        SS_RETURN_IF_ERROR(ss_stats_centroids_load(
            &gathered->graph.centroids, sections[SECTION_CENTROIDS].data,
            sections[SECTION_CENTROIDS].n_bytes, reading->path, err));
    }
    return sections[SECTION_PAIRS].n_bytes == 0
               ? SS_OK
               : ss_stats_pairs_load(sections[SECTION_PAIRS].data,
                                     sections[SECTION_PAIRS].n_bytes, reading->path,
                                     reading->pairs_bytes > 0 ? reading->pairs_bytes
                                                              : DEFAULT_PAIR_BYTES,
                                     &gathered->graph.pairs, err);
}

/* Reducers of one state have one number of features, and saw the same rows. */
static bool is_consistent(const struct ss_pass_state *state)
{
    const struct ss_pass_gathered *gathered = &state->gathered;
    const size_t n = gathered->fires.n_features;
    const uint64_t n_rows = gathered->fires.n_rows;
    const struct ss_stats_evidence *evidence = gathered->evidence.evidence;
    const struct ss_stats_pairs *pairs = gathered->graph.pairs;
    bool fits =
        ss_stats_top_n_features(gathered->top) == n && n_rows == state->facts.counts.n_used;
    if (evidence != NULL) {
        fits = fits && ss_stats_evidence_options(evidence)->n_features == n &&
               gathered->evidence.magnitudes.n_features == n &&
               ss_stats_evidence_n_rows(evidence, 0) + ss_stats_evidence_n_rows(evidence, 1) ==
                   n_rows;
    }
    if (gathered->graph.has_centroids) {
        fits = fits && gathered->graph.centroids.n_features == n &&
               gathered->graph.centroids.n_rows == n_rows;
    }
    return fits &&
           (pairs == NULL ||
            (ss_stats_pairs_n_features(pairs) == n &&
             ss_stats_pairs_n_rows(pairs, 0) + ss_stats_pairs_n_rows(pairs, 1) == n_rows));
}

static ss_status read_whole(struct reading *reading, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_head(reading, err));
    SS_RETURN_IF_ERROR(check_hash(reading, err));
    SS_RETURN_IF_ERROR(find_sections(reading, err));
    SS_RETURN_IF_ERROR(read_facts(reading, err));
    SS_RETURN_IF_ERROR(read_reducers(reading, err));
    return is_consistent(reading->state)
               ? SS_OK
               : fail_state(reading, "its sections are not of one analysis", err);
}

ss_status ss_pass_state_read(const char *path, uint64_t pairs_bytes,
                             struct ss_pass_state *state, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    struct reading reading = {.path = path, .pairs_bytes = pairs_bytes, .state = state};
    *state = (struct ss_pass_state){.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    SS_TRY(ss__file_load(path, &map, err));
    reading.whole = (struct section_bytes){map.data, map.n_bytes};
    SS_TRY(read_whole(&reading, err));
out:
    ss__map_release(&map);
    return status;
}

ss_status ss_pass_state_read_bytes(const char *name, struct ss_text bytes, uint64_t pairs_bytes,
                                   struct ss_pass_state *state, ss_err *err)
{
    ss_status status = SS_OK;
    uint8_t *aligned = NULL; /* sections are read where they lie */
    const uint8_t *data = (const uint8_t *)bytes.data;
    struct reading reading = {.path = name, .pairs_bytes = pairs_bytes, .state = state};
    *state = (struct ss_pass_state){.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    if ((uintptr_t)data % sizeof(uint64_t) != 0) {
        SS_ALLOC(aligned, bytes.n_bytes);
        memcpy(aligned, data, bytes.n_bytes);
        data = aligned;
    }
    reading.whole = (struct section_bytes){data, bytes.n_bytes};
    SS_TRY(read_whole(&reading, err));
out:
    ss__free(aligned);
    return status;
}
