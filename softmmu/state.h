/*
 * A machine's saved state as a stream of bytes, in a file or inside a disk image: named items and pages of memory, each
 * with a checksum.
 *
 *   header   "metic machine" and zeros (16 bytes), version (4), CRC-32 of these 20 bytes (4)
 *   record   kind (4), length of the device's name (2), of the item's (2), of the content (8), CRC-32 of names and
 * content (4), CRC-32 of these 20 bytes (4); then the device's name, the item's name, the content
 *
 * Numbers are little-endian. Kinds are items; memory (content: an offset of 8 bytes, then bytes of the region that is
 * named by device and item; what no record has is zero); and the end, whose content is the number of records before it.
 * What follows the end is not looked at.
 *
 * A reader checks all of it before the first item is used: what is torn, damaged or hostile ends in one line.
 */
#ifndef SOFTMMU_STATE_H
#define SOFTMMU_STATE_H

#include "softmmu/memory.h"

enum { STATE_VERSION = 1, STATE_MAX_NAME = 255, STATE_MAX_ITEM = 16 << 20 };

/* --- writing --- */

struct state_writer;

/* Bytes in order; an errno, 0: done. After an error nothing more is written. NULL without memory. */
struct state_writer *state_writer_new(int (*write)(void *opaque, const void *bytes, size_t n), void *opaque);
void state_put(struct state_writer *w, const char *device, const char *name, const void *bytes, size_t n);
/* The bytes of memory that are not zero, by pages. */
void state_put_memory(struct state_writer *w, const char *device, const char *name, const uint8_t *bytes, uint64_t n);
/* Ends the stream, tells its length and frees the writer. The first error there was. */
int state_writer_end(struct state_writer *w, uint64_t *length);

/* --- reading --- */

struct state_reader;

/* Reads and checks a stream of at most `size` bytes; read() gives any range of them, or an errno. NULL: *error, to be
   freed; `what` names the stream there. */
struct state_reader *state_reader_new(const char *what, uint64_t size,
                                      int (*read)(void *opaque, uint64_t at, void *bytes, uint64_t n), void *opaque,
                                      char **error);
void state_reader_free(struct state_reader *r);
/* The item of this name and size; bytes NULL: only whether it is there. */
bool state_get(struct state_reader *r, const char *device, const char *name, void *bytes, size_t n);
/* The size of an item; UINT64_MAX: it is not there. */
uint64_t state_size(struct state_reader *r, const char *device, const char *name);
/* Does all that is saved of the memory lie within n bytes? */
bool state_memory_fits(struct state_reader *r, const char *device, const char *name, uint64_t n);
/* Puts memory as it was into the n bytes of RAM, or ROM, of the region. Pages that are so already are not touched; who
   watches the others is told. An errno; 0: done. */
int state_get_memory(struct state_reader *r, const char *device, const char *name, struct mem_space *s,
                     struct mem_region *to);
/* The device of an item or a memory that nobody has asked for; NULL: there is none. */
const char *state_unused(const struct state_reader *r);

#endif
