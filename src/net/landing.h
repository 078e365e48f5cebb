/* A file on a server lands in a place of the disk, whole and checked.
 *
 * Its bytes go to a partial file that stays when the way is cut, and the next call goes on with
 * it. While a call works on it, it holds an exclusive flock, so that two programs that want the
 * same file fetch it once. The content is hashed as it comes; when size and hash are right, it
 * is flushed to disk and renamed to its place. A wrong one is dropped and fetched once more
 * from the start, from an address that is asked for anew. */
#ifndef SS_NET_LANDING_H
#define SS_NET_LANDING_H

#include "base/hash.h"
#include "net/net.h"

struct ss_net_landing {
    const char *partial; /* on the same disk as `place`; its folder is there */
    const char *place;   /* where the file comes to rest; replaced if it is there */
    uint64_t n_bytes;    /* the size it must have; SS_NOWHERE: as the server says */
    ss__hash_kind kind;
    const char *hex;       /* the hash it must have; NULL: not known */
    const char *hash_head; /* bytes that are hashed before the content; NULL: none */
    size_t n_hash_head_bytes;
};

/* Land a file, telling the client's watch.
 *
 * remote   borrowed; read from where the partial file ends
 * name     of the file, for sentences
 * Errors   SS_E_DATA (size or hash are wrong; nothing is left), SS_E_IO (disk, also one that
 *          has no room for it), those of ss_net_remote_read; on these the partial file stays,
 *          unless it is empty
 * Threads  the client's */
SS_MUST_USE ss_status ss_net_land(struct ss_net *net, struct ss_net_remote *remote,
                                  const char *name, const struct ss_net_landing *landing,
                                  ss_err *err);

/* Make the folders that a file is to lie in. */
SS_MUST_USE ss_status ss_net_make_parents(const char *path, ss_err *err);

#endif
