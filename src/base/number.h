/* Numbers as text, independent of the locale: what the library writes and reads is the same on
 * every machine, and the same as Python's. Nothing here takes memory; threads: any. */
#ifndef SS_BASE_NUMBER_H
#define SS_BASE_NUMBER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SS__DOUBLE_TEXT_BYTES = 32 };

/* The shortest decimal text that reads back as the same double, written as Python's repr and
 * json.dumps write it ("0.1", "1e-07", "1.0", "NaN", "Infinity"). Returns its length. */
size_t ss__format_double(double value, char out[SS__DOUBLE_TEXT_BYTES]);

/* Read a whole text as a decimal number, correctly rounded; false if it is not one. */
bool ss__parse_double(const char *text, size_t n_bytes, double *value);

/* Read a whole text as an unsigned decimal number; false on anything else or overflow. */
bool ss__parse_u64(const char *text, size_t n_bytes, uint64_t *value);

/* A count with separators, as people read it: "19,990". Returns `out`. */
enum { SS__COUNT_TEXT_BYTES = 28 };
const char *ss__format_count(uint64_t n, char out[SS__COUNT_TEXT_BYTES]);

/* The same with a noun that takes an s: "1 row", "19,990 rows". Returns `out`. */
enum { SS__COUNTED_TEXT_BYTES = 64 };
const char *ss__format_counted(uint64_t n, const char *noun, char out[SS__COUNTED_TEXT_BYTES]);

/* vsnprintf and snprintf with a decimal point, whatever locale the program has set. */
int ss__vsnprintf(char *out, size_t capacity, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
int ss__snprintf(char *out, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The "C" locale for the calling thread, around calls into libraries that read or write numbers
 * by the locale; the locale of the process stays. Give the result to ss__locale_leave. */
void *ss__locale_enter(void);
void ss__locale_leave(void *previous);

/* Whether two texts are equal but for the case of ASCII letters. (strcasecmp follows the
 * locale: in a Turkish one 'I' is not 'i'.) */
bool ss__equal_ignoring_case(const char *a, const char *b);
/* The same of their first n bytes; a text may end before, and the other then has to as well. */
bool ss__begin_alike_ignoring_case(const char *a, const char *b, size_t n);

#endif
