/*
 * A folder of the host, served by the 9P2000.L protocol (the Linux kernel's dialect; "9P2000.L" of the diod project's
 * protocol.md, and Plan 9's intro(5) for the rest). Transport independent: a message in, a message out.
 *
 * The guest's files are the folder's, with the rights of metic's own user. Nothing outside of the folder is reached:
 * names are single components, looked up from open folders, and symbolic links are the guest's to follow. Device nodes,
 * FIFOs and sockets are seen but never opened or made.
 */
#ifndef SOFTMMU_P9_H
#define SOFTMMU_P9_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { P9_MAX_MESSAGE = 512 * 1024 + 128 };

struct p9;

/* NULL, with one line to be freed in *error. */
struct p9 *p9_new(const char *folder, bool read_only, char **error);
void p9_free(struct p9 *s);
/* Forgets all files of the guest's: it has been reset. */
void p9_reset(struct p9 *s);
/*
 * Answers a message of n bytes. Returns the answer's size; 0: the message is none, or there is no room for an answer.
 */
size_t p9_serve(struct p9 *s, const uint8_t *message, size_t n, uint8_t *answer, size_t room);

#endif
