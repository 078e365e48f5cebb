/* Download a remote file to the disk: resumable, locked, verified by its hash.
 *
 *   partial file  bytes are appended to it as they arrive. When the connection or the program
 *                 ends early it stays, and the next call hashes what is there and requests the
 *                 rest.
 *   lock          an exclusive flock on the partial file for as long as a call works on it, so
 *                 that two programs that want the same file download it once: the second waits,
 *                 and finds the finished file. The lock is of the open file and not of the name,
 *                 so after it was granted the name is looked up again: the holder before may
 *                 have renamed the file.
 *   hash          is computed while bytes arrive. Size and hash have to be right before the file
 *                 gets its name; a wrong file is dropped and downloaded once more from its
 *                 start, from a URL that is resolved anew.
 *   rename        the partial file is flushed (fsync) and renamed: readers see the whole file or
 *                 none. */
#ifndef SS_NET_DOWNLOAD_H
#define SS_NET_DOWNLOAD_H

#include "base/hash.h"
#include "net/net.h"

struct ss_net_download {
    const char *partial; /* on the same disk as `path`; its folder exists */
    const char *path;    /* the finished file; replaced if it is there */
    uint64_t n_bytes;    /* the size it must have; SS_NOWHERE: as the server says */
    ss__hash_kind kind;
    const char *hex;       /* the hash it must have; NULL: not known */
    const char *hash_head; /* bytes that are hashed before the content; NULL: none */
    size_t n_hash_head_bytes;
};

/* Download a file; the client's progress callback is called.
 *
 * remote   borrowed; read from where the partial file ends
 * name     of the file, for messages
 * Errors   SS_E_DATA (size or hash are wrong; nothing is left), SS_E_IO (disk, also one that
 *          has no room for it), those of ss_net_remote_read; on these the partial file stays,
 *          unless it is empty
 * Threads  the client's */
SS_MUST_USE ss_status ss_net_download_file(struct ss_net *net, struct ss_net_remote *remote,
                                           const char *name,
                                           const struct ss_net_download *options, ss_err *err);

/* Make the folders that a path names, but for its last component. */
SS_MUST_USE ss_status ss_net_make_parents(const char *path, ss_err *err);

#endif
