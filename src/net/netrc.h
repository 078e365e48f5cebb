/* Passwords of machines from a netrc file: words `machine NAME login USER password SECRET`, in
 * any order within a machine, on any number of lines; `default` stands for every machine that
 * is not named; `macdef` begins a macro, which ends at an empty line. A word in double quotes
 * may hold spaces. '#' at the start of a word begins a comment. */
#ifndef SS_NET_NETRC_H
#define SS_NET_NETRC_H

#include "base/buf.h"
#include "base/error.h"

/* Append the password that netrc text holds for a machine; *found tells whether there is one.
 * The last entry that names the machine wins, as for the store's own client; then `default`.
 * Memory shows as password->failed. */
void ss_net_netrc_find(const char *text, size_t n_bytes, const char *machine,
                       struct ss__buf *password, bool *found);

/* The same from the user's file: $NETRC, else ~/.netrc, else ~/_netrc. A missing file is no
 * error. Errors: SS_E_IO, SS_E_NOINPUT (no permission), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_netrc_password(const char *machine, struct ss__buf *password,
                                            bool *found, ss_err *err);

#endif
