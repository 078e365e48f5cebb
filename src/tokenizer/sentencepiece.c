/* sentencepiece.bpe.model: a model of SentencePiece, for the classes that have their vocabulary
 * in one. Protocol buffers, of which these fields count:
 *
 *   ModelProto      1 pieces (repeated)  2 trainer_spec  3 normalizer_spec
 *   SentencePiece   1 piece (text)  2 score (f32)  3 type: 1 normal, 3 control, 4 user-defined, …
 *   TrainerSpec     3 model_type: 1 Unigram
 *   NormalizerSpec  2 precompiled_charsmap (bytes)
 *
 * A field is a varint of number << 3 | form: 0 varint, 1 eight bytes, 2 length and bytes, 5
 * four bytes. The vocabulary of the classes is not that of the file: the first pieces are
 * replaced by tokens with a role, and the mask comes last. Lengths are compared with the bytes
 * that are left, messages are not nested deeper than these, and fields that do not count are
 * passed over. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/load_priv.h"

enum {
    FORM_VARINT = 0,
    FORM_8_BYTES = 1,
    FORM_BYTES = 2,
    FORM_4_BYTES = 5,
    MODEL_UNIGRAM = 1,
    PIECE_NORMAL = 1,
    PIECE_CONTROL = 3,
    PIECE_USER = 4
};

/* ---- fields ---- */

struct field {
    unsigned number, form;
    uint64_t value;       /* of a varint or of fixed bytes */
    struct ss_text bytes; /* of FORM_BYTES */
};

/* A message that is read field by field. */
struct message {
    const char *path;
    const char *file; /* where the file begins, for offsets */
    struct ss_text rest;
};

static ss_status fail_damaged(const struct message *message, ss_err *err)
{
    const ss_status status = ss__fail_file(err, message->path, SS_E_DATA,
                                           "this is no SentencePiece model, or a damaged one");
    ss__err_at_offset(err, (uint64_t)(message->rest.data - message->file));
    return status;
}

static void advance(struct message *message, size_t n)
{
    message->rest.data += n;
    message->rest.n_bytes -= n;
}

/* Seven bits a byte, the lowest first; the tenth byte has one bit left. */
static bool read_varint(struct message *message, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && message->rest.n_bytes > 0; shift += 7) {
        const uint8_t byte = (uint8_t)message->rest.data[0];
        advance(message, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return shift < 63 || byte < 2;
        }
    }
    return false;
}

static bool read_fixed(struct message *message, size_t n, uint64_t *value)
{
    if (message->rest.n_bytes < n) {
        return false;
    }
    *value = 0;
    memcpy(value, message->rest.data, n); /* little-endian */
    advance(message, n);
    return true;
}

/* A key is a field's number and form. Groups, which nobody writes any more, are a fault. */
static bool read_field(struct message *message, struct field *field)
{
    uint64_t key = 0;
    *field = (struct field){0};
    if (!read_varint(message, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3) {
        return false;
    }
    field->number = (unsigned)(key >> 3);
    field->form = key & 7;
    switch (field->form) {
    case FORM_VARINT:
        return read_varint(message, &field->value);
    case FORM_8_BYTES:
        return read_fixed(message, 8, &field->value);
    case FORM_4_BYTES:
        return read_fixed(message, 4, &field->value);
    case FORM_BYTES:
        if (!read_varint(message, &field->value) || field->value > message->rest.n_bytes) {
            return false;
        }
        field->bytes = (struct ss_text){message->rest.data, (size_t)field->value};
        advance(message, (size_t)field->value);
        return true;
    default:
        return false;
    }
}

/* The next field; false at the end. */
static ss_status next_field(struct message *message, struct field *field, bool *found,
                            ss_err *err)
{
    *found = message->rest.n_bytes > 0;
    return !*found || read_field(message, field) ? SS_OK : fail_damaged(message, err);
}

static struct message inside(const struct message *message, const struct field *field)
{
    return (struct message){message->path, message->file, field->bytes};
}

/* ---- the file ---- */

/* A file on its way to a vocabulary. */
struct building {
    struct ss_tokenizer_loading *loading;
    size_t n_pieces;   /* of the file */
    size_t n_replaced; /* how many of the first are left out */
};

struct piece {
    struct ss_text text;
    double score;
    uint64_t type;
};

/* Fields come in any order; of equal ones the last counts. */
static ss_status read_piece(struct message *message, struct piece *piece, ss_err *err)
{
    ss_status status = SS_OK;
    struct field field;
    bool found = false;
    *piece = (struct piece){.text = {"", 0}, .type = PIECE_NORMAL};
    for (;;) {
        SS_TRY(next_field(message, &field, &found, err));
        if (!found) {
            break;
        }
        if (field.number == 1 && field.form == FORM_BYTES) {
            piece->text = field.bytes;
        } else if (field.number == 2 && field.form == FORM_4_BYTES) {
            const uint32_t bits = (uint32_t)field.value;
            float score = 0;
            memcpy(&score, &bits, sizeof score);
            piece->score = (double)score;
        } else if (field.number == 3 && field.form == FORM_VARINT) {
            piece->type = field.value;
        }
    }
    if (ss__utf8_valid_prefix(piece->text.data, piece->text.n_bytes) < piece->text.n_bytes) {
        status = fail_damaged(message, err);
    }
out:
    return status;
}

static ss_status keep_token(struct ss_tokenizer_loading *loading, const struct piece *piece,
                            ss_err *err)
{
    const size_t n = piece->text.n_bytes;
    SS_GROW_OR_RETURN(loading->kept, loading->kept_capacity, loading->n_kept + 1);
    const char *text = ss__arena_strndup(&loading->self->texts, piece->text.data, n);
    if (text == NULL) {
        return ss__fail_nomem(err, "a token");
    }
    loading->kept[loading->n_kept++] =
        (struct ss_tokenizer_kept_token){{text, n}, piece->type == PIECE_CONTROL};
    return SS_OK;
}

/* Control and user-defined pieces are added tokens as well. */
static ss_status add_piece(struct building *building, const struct piece *piece, ss_err *err)
{
    struct ss_tokenizer_loading *loading = building->loading;
    if (piece->type == PIECE_CONTROL || piece->type == PIECE_USER) {
        SS_RETURN_IF_ERROR(keep_token(loading, piece, err));
    }
    if (building->n_pieces++ >= building->n_replaced) {
        SS_RETURN_IF_ERROR(ss_tokenizer_unigram_add(loading->self, piece->text.data,
                                                    piece->text.n_bytes, piece->score, err));
    }
    return SS_OK;
}

/* A file of another model type (BPE, word, char) has pieces and scores of another meaning. */
static ss_status check_trainer(struct message *message, ss_err *err)
{
    struct field field;
    bool found = true;
    while (found) {
        SS_RETURN_IF_ERROR(next_field(message, &field, &found, err));
        if (found && field.number == 3 && field.form == FORM_VARINT &&
            field.value != MODEL_UNIGRAM) {
            return ss__fail_file(err, message->path, SS_E_UNSUPPORTED,
                                 "the SentencePiece model is not of the kind Unigram");
        }
    }
    return SS_OK;
}

/* Only the map is taken of it. */
static ss_status read_normalizer(struct building *building, struct message *message,
                                 ss_err *err)
{
    struct field field;
    bool found = true;
    while (found) {
        SS_RETURN_IF_ERROR(next_field(message, &field, &found, err));
        if (found && field.number == 2 && field.form == FORM_BYTES && field.bytes.n_bytes > 0) {
            ss_tokenizer_charsmap_release(&building->loading->self->charsmap);
            SS_RETURN_IF_ERROR(
                ss_tokenizer_charsmap_parse(field.bytes.data, field.bytes.n_bytes,
                                            &building->loading->self->charsmap, err));
        }
    }
    return SS_OK;
}

/* 1 a piece, 2 the trainer, 3 the normaliser; all else is passed over. */
static ss_status read_model(struct building *building, struct message *message, ss_err *err)
{
    struct field field;
    struct piece piece;
    bool found = true;
    while (found) {
        SS_RETURN_IF_ERROR(next_field(message, &field, &found, err));
        struct message part = inside(message, &field);
        if (!found || field.form != FORM_BYTES) {
            continue;
        }
        if (field.number == 1) {
            SS_RETURN_IF_ERROR(read_piece(&part, &piece, err));
            SS_RETURN_IF_ERROR(add_piece(building, &piece, err));
        } else if (field.number == 2) {
            SS_RETURN_IF_ERROR(check_trainer(&part, err));
        } else if (field.number == 3) {
            SS_RETURN_IF_ERROR(read_normalizer(building, &part, err));
        }
    }
    return SS_OK;
}

static ss_status add_text(struct ss_tokenizer_loading *loading, const char *text, double score,
                          ss_err *err)
{
    return ss_tokenizer_unigram_add(loading->self, text, strlen(text), score, err);
}

/* The pieces that stand before those of the file: tokens with a role, or texts of the class. */
static ss_status add_first(struct building *building, ss_err *err)
{
    struct ss_tokenizer_loading *loading = building->loading;
    const struct ss_tokenizer_first_piece *first = loading->class->first_pieces;
    for (; first != NULL && (first->role != NULL || first->text != NULL); first++) {
        const char *text = first->role == NULL
                               ? first->text
                               : ss_tokenizer_load_role_text(loading, first->role);
        SS_RETURN_IF_ERROR(add_text(loading, text, first->score, err));
    }
    building->n_replaced = loading->class->n_replaced;
    return SS_OK;
}

/* The class's own first pieces, then the file's, then the mask. */
ss_status ss_tokenizer_load_sentencepiece(struct ss_tokenizer_loading *loading, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    struct building building = {.loading = loading};
    loading->has_kept = true;
    SS_TRY(ss__file_load(loading->vocab_path, &map, err));
    struct message message = {
        loading->vocab_path, (const char *)map.data, {(const char *)map.data, map.n_bytes}};
    SS_TRY(add_first(&building, err));
    SS_TRY(read_model(&building, &message, err));
    if (building.n_pieces <= building.n_replaced) {
        SS_FAIL_FILE(loading->vocab_path, SS_E_DATA,
                     "the SentencePiece model has %zu pieces, too few for the class %s",
                     building.n_pieces, loading->class->name);
    }
    SS_TRY(add_text(loading, ss_tokenizer_load_role_text(loading, "mask_token"), 0, err));
    SS_TRY(ss_tokenizer_unigram_prepare(loading->self, ss_tokenizer_unknown_id(loading), err));
out:
    ss__map_release(&map);
    return status;
}
