/*
 * A machine's memory as its devices lay it out: regions form a tree, and the tree flattens to a map from addresses to
 * what answers there.
 *
 *   system (container)
 *     +-- ram       at 0x80000000, priority 0
 *     +-- uart      at 0x10000000, priority 0, input/output
 *     +-- window    at 0x40000000, priority 1, an alias of pci from 0x1000
 *
 * A container has no bytes of its own; its children lie over each other by priority, of equal ones the one added last
 * on top, and nothing of a child reaches out of its container. An alias shows a part of another region elsewhere. A
 * region may be the child of one container only, but be shown by any number of aliases. Priorities compare children of
 * one container only.
 *
 * A device's region says which sizes the hardware accepts (`valid`; others are bus errors) and which its functions
 * implement (`impl`; accesses are split or widened to these). It sees offsets into its region, never addresses.
 *
 * Threads: the tree changes under the machine's lock (softmmu/machine.h), devices' functions are called under it. RAM
 * is read and written without; lookups for it are safe at any time.
 */
#ifndef SOFTMMU_MEMORY_H
#define SOFTMMU_MEMORY_H

#include <pthread.h>

#include "base/bits.h"

enum mem_result {
    MEM_OK,
    MEM_DECODE_ERROR, /* nothing answers at the address */
    MEM_DEVICE_ERROR, /* the device does not take this size or alignment */
};

struct mem_sizes {
    uint8_t min, max; /* bytes: 1, 2, 4 or 8; 0: 1 and 8 */
    bool unaligned;
};

/* Values are as the device's registers hold them: the byte at the lowest offset is the least significant one, of a
   big-endian device the most significant one. Size: 1, 2, 4 or 8 bytes. */
struct mem_ops {
    uint64_t (*read)(void *device, uint64_t offset, unsigned size);
    void (*write)(void *device, uint64_t offset, uint64_t value, unsigned size);
    struct mem_sizes valid; /* what the hardware accepts */
    struct mem_sizes impl;  /* what the functions implement; a narrower write comes with zeros around it */
    bool big_endian;
};

enum mem_kind {
    MEM_CONTAINER,
    MEM_RAM,
    MEM_ROM,        /* reads are memory; writes are dropped, or go to `ops` when there are any (flash) */
    MEM_IO,
    MEM_ALIAS,
};

enum { MEM_PAGE_SHIFT = 12 };

/* Who wants to know of writes to RAM; bits of a page's dirty byte. */
enum {
    DIRTY_CODE = 1,     /* clear: the page holds code that has been translated */
    DIRTY_SNAPSHOT = 2, /* clear: unchanged since the last pass of a snapshot */
    DIRTY_DISPLAY = 4,  /* clear: unchanged since the last picture */
    DIRTY_ALL = 7,
};

/* Owned by the device or board that initialises it; stays where it is while it has a parent. */
struct mem_region {
    const char *name;
    uint64_t size; /* bytes; UINT64_MAX: as far as addresses go */
    enum mem_kind kind;
    bool disabled;
    bool direct_off; /* MEM_ROM: reads go to `ops`, too (flash that is being programmed) */
    const struct mem_ops *ops;
    void *device;            /* first argument of ops */
    uint8_t *host;           /* RAM, ROM: its bytes */
    uint8_t *dirty;          /* RAM: DIRTY_… per page */
    struct mem_region *target; /* MEM_ALIAS */
    uint64_t target_offset;
    /* place in the tree */
    struct mem_region *parent, *first_child, *next;
    uint64_t at; /* offset in the parent */
    int priority;
};

void mem_init_container(struct mem_region *r, const char *name, uint64_t size);
void mem_init_io(struct mem_region *r, const char *name, uint64_t size, const struct mem_ops *ops, void *device);
void mem_init_alias(struct mem_region *r, const char *name, struct mem_region *target, uint64_t offset, uint64_t size);
/* Memory of its own, zeroed, that costs only what is touched. False, errno set, without room. Freed by mem_free(). */
bool mem_init_ram(struct mem_region *r, const char *name, uint64_t size);
/* `ops`: what writes do, or NULL: they are dropped. */
bool mem_init_rom(struct mem_region *r, const char *name, uint64_t size, const struct mem_ops *ops, void *device);
/* Gives memory of RAM and ROM back; the region has no parent any more. */
void mem_free(struct mem_region *r);

/* --- the flat map --- */

/* [first, last] is answered by the region from `offset` on. */
struct mem_range {
    uint64_t first, last;
    struct mem_region *region;
    uint64_t offset;
};

struct mem_map {
    unsigned n;
    struct mem_range range[];
};

/* An address space: what a processor, or a device that reads memory by itself, sees. */
struct mem_space {
    struct mem_region *root;
    struct mem_map *map;
    pthread_rwlock_t lock; /* the pointer above */
    unsigned batch;        /* depth of mem_begin() */
    bool changed;          /* while batch > 0: the map is to be made again */
    /* Called when the map has changed, and (code_written) when bytes of a page with translated code have changed. */
    void (*remapped)(void *opaque);
    void (*code_written)(void *opaque, struct mem_region *ram, uint64_t offset, uint64_t size);
    void *opaque;
};

/* An empty space of the size, its root a container of its own. False without memory. */
bool mem_space_init(struct mem_space *s, const char *name, uint64_t size);
void mem_space_free(struct mem_space *s);

/* Changes of the tree, each seen in the map at once; between mem_begin() and mem_end() only at the end. */
void mem_begin(struct mem_space *s);
void mem_end(struct mem_space *s);
void mem_add(struct mem_space *s, struct mem_region *parent, uint64_t at, struct mem_region *child, int priority);
void mem_remove(struct mem_space *s, struct mem_region *child);
void mem_move(struct mem_space *s, struct mem_region *child, uint64_t at);
void mem_enable(struct mem_space *s, struct mem_region *r, bool on);
/* Flash: do reads find the bytes, or go to `ops`? */
void mem_rom_direct(struct mem_space *s, struct mem_region *r, bool direct);

/* What answers at addr; false: nothing. Safe in any thread. */
bool mem_lookup(struct mem_space *s, uint64_t addr, struct mem_range *out);
/* Are the range's bytes memory of the host, to be used without a device's function? */
bool mem_is_direct(const struct mem_range *r, bool write);

/* --- accesses --- */

/*
 * One access by a processor: 1, 2, 4 or 8 bytes, little-endian, not across a region's end. Input/output under the
 * machine's lock, which the caller holds.
 */
enum mem_result mem_load(struct mem_space *s, uint64_t addr, unsigned size, uint64_t *value);
enum mem_result mem_store(struct mem_space *s, uint64_t addr, unsigned size, uint64_t value);
/* Any number of bytes, by devices, loaders and debuggers; stops at the first error. */
enum mem_result mem_read(struct mem_space *s, uint64_t addr, void *buf, uint64_t n);
enum mem_result mem_write(struct mem_space *s, uint64_t addr, const void *buf, uint64_t n);
/* RAM as the host sees it. */
struct mem_host {
    uint8_t *p;
    uint64_t n; /* bytes that lie there together, at most as many as were asked for */
    struct mem_region *ram;
    uint64_t offset; /* of p in the region */
};
/*
 * The bytes of RAM at addr; false: something else answers there. Valid while the map is. Who writes them calls
 * mem_wrote().
 */
bool mem_host(struct mem_space *s, uint64_t addr, uint64_t n, struct mem_host *out);
/*
 * After RAM has been written through a host address: tells those who watch its pages. In this order, so that what was
 * made of the old bytes meanwhile is found.
 */
void mem_wrote(struct mem_space *s, struct mem_region *ram, uint64_t offset, uint64_t size);
/*
 * Clears the bits for the pages of [offset, offset + size), so that the next write is told. Returns those that were
 * set.
 */
uint8_t mem_watch(struct mem_region *ram, uint64_t offset, uint64_t size, uint8_t bits);

/* One access to a region's functions, split and widened as its sizes ask. */
enum mem_result mem_io_load(const struct mem_region *r, uint64_t offset, unsigned size, uint64_t *value);
enum mem_result mem_io_store(const struct mem_region *r, uint64_t offset, unsigned size, uint64_t value);

#endif
