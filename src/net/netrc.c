/* A parser of words that does not copy the file: one buffer has the word under way. What is no
 * keyword is passed over, so that files for other programs are read too. */
#include "net/netrc.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { MAX_NETRC_BYTES = 1 << 20 };

struct words {
    const char *at, *end;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A comment goes to the end of its line. */
static void skip_line(struct words *words)
{
    while (words->at < words->end && *words->at != '\n') {
        words->at++;
    }
}

/* A macro lasts to the next empty line. */
static void skip_macro(struct words *words)
{
    bool line_is_empty = false;
    for (; words->at < words->end; words->at++) {
        if (*words->at == '\n' && line_is_empty) {
            return;
        }
        line_is_empty = *words->at == '\n' || (line_is_empty && *words->at == '\r');
    }
}

static void skip_space(struct words *words)
{
    while (words->at < words->end && (is_space(*words->at) || *words->at == '#')) {
        if (*words->at == '#') {
            skip_line(words);
        } else {
            words->at++;
        }
    }
}

/* A backslash takes the next character as it is; a quote that is not closed lasts to the
 * end. */
static void take_quoted(struct words *words, struct ss__buf *word)
{
    for (words->at++; words->at < words->end && *words->at != '"'; words->at++) {
        words->at += *words->at == '\\' && words->at + 1 < words->end;
        ss__buf_add_byte(word, *words->at);
    }
    words->at += words->at < words->end;
}

/* The next word as a string; NULL at the end or when memory ran out. A secret may begin with
 * '#', so comments are known only where a keyword may stand. */
static const char *next_word(struct words *words, struct ss__buf *word, bool comments)
{
    word->n_bytes = 0;
    if (comments) {
        skip_space(words);
    }
    while (words->at < words->end && is_space(*words->at)) {
        words->at++;
    }
    if (words->at == words->end) {
        return NULL;
    }
    if (*words->at == '"') {
        take_quoted(words, word);
        return ss__buf_text(word);
    }
    for (; words->at < words->end && !is_space(*words->at); words->at++) {
        ss__buf_add_byte(word, *words->at);
    }
    return ss__buf_text(word);
}

/* What an entry under way is about. */
typedef enum { ENTRY_OTHER, ENTRY_DEFAULT, ENTRY_MACHINE } entry_kind;

struct search {
    const char *machine;
    entry_kind entry, best; /* of the entry under way, and of the password that is kept */
    struct ss__buf *password;
};

/* The machine's own entry counts over `default`, and of equal entries the later one. */
static void keep_password(struct search *search, const char *value)
{
    if (search->entry != ENTRY_OTHER && search->entry >= search->best) {
        search->best = search->entry;
        search->password->n_bytes = 0;
        ss__buf_add_text(search->password, value);
    }
}

/* Act on a keyword; false at the end of the text. */
static bool take_keyword(struct search *search, struct words *words, const char *keyword,
                         struct ss__buf *word)
{
    const bool begins_machine = strcmp(keyword, "machine") == 0;
    const bool is_password = strcmp(keyword, "password") == 0;
    if (strcmp(keyword, "default") == 0) {
        search->entry = ENTRY_DEFAULT;
        return true;
    }
    if (strcmp(keyword, "macdef") == 0) {
        skip_macro(words);
        return true;
    }
    if (!begins_machine && !is_password && strcmp(keyword, "login") != 0 &&
        strcmp(keyword, "account") != 0) {
        return true; /* a word of no meaning */
    }
    const char *value = next_word(words, word, false);
    if (value != NULL && begins_machine) {
        search->entry = strcmp(value, search->machine) == 0 ? ENTRY_MACHINE : ENTRY_OTHER;
    } else if (value != NULL && is_password) {
        keep_password(search, value);
    }
    return value != NULL;
}

/* An entry's words come in any order and on any line. */
void ss_net_netrc_find(const char *text, size_t n_bytes, const char *machine,
                       struct ss__buf *password, bool *found)
{
    struct words words = {text, text + n_bytes};
    struct search search = {.machine = machine, .password = password};
    struct ss__buf keyword = {0}, value = {0};
    const char *word = NULL;
    do {
        word = next_word(&words, &keyword, true);
    } while (word != NULL && take_keyword(&search, &words, word, &value));
    *found = search.best != ENTRY_OTHER;
    password->failed |= keyword.failed || value.failed;
    ss__buf_release(&keyword);
    ss__buf_release(&value);
}

/* The user's file, to be released; NULL where there is none. */
static char *user_file(void)
{
    static const char *const names[] = {".netrc", "_netrc"};
    const char *named = getenv("NETRC");
    const char *home = getenv("HOME");
    if (named != NULL && *named != '\0') {
        return ss__strdup(named);
    }
    for (size_t i = 0; home != NULL && i < sizeof names / sizeof *names; i++) {
        char *path = ss__path_join(home, names[i]);
        if (path != NULL && ss__path_stat(path) == SS__PATH_FILE) {
            return path;
        }
        ss__free(path);
    }
    return NULL;
}

ss_status ss_net_netrc_password(const char *machine, struct ss__buf *password, bool *found,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    char *path = user_file();
    *found = false;
    const ss__path_kind kind = path == NULL ? SS__PATH_NONE : ss__path_stat(path);
    if (kind == SS__PATH_NONE || kind == SS__PATH_BROKEN) {
        goto out;
    }
    SS_TRY(ss__file_read(path, MAX_NETRC_BYTES, &text, err));
    ss_net_netrc_find(text.data, text.n_bytes, machine, password, found);
    SS_TRY(ss__buf_check(password, err));
out:
    ss__buf_release(&text);
    ss__free(path);
    return status;
}
