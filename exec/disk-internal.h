/* What the files of the translation cache share; nobody else includes it. */
#ifndef EXEC_DISK_INTERNAL_H
#define EXEC_DISK_INTERNAL_H

#include "exec/disk-format.h"
#include "exec/disk.h"
#include "exec/exec-internal.h"

enum { DISK_NAME = 40 };

/* A translation made by this process that may be stored. */
struct disk_unit {
    struct code_block *block;
    struct code_exit *exits; /* nexits cells in a row */
    uint32_t nexits;
    uint32_t first_ref, nrefs; /* in the image's refs */
};

/* struct code_ref of a unit that may be stored, in less room. */
struct disk_ref {
    uint32_t end;
    uint32_t pc;   /* REF_UNIT: offset in the guest file; NOT_IN_FILE: elsewhere */
    uint16_t exit; /* its number in the unit's cells */
    uint8_t kind;
    uint8_t cell;  /* REF_JUMP: a REF_CELL of the same exit ends so many bytes behind it; 0: none */
};
#define NOT_IN_FILE UINT32_MAX

/* The translations of one mapping of a guest file: those of the cache, and new ones. */
struct image {
    struct code_file file;
    struct disk_key key;
    bool closed;         /* the guest has changed the code: nothing is found or kept any more */
    bool opened;         /* the cache has been asked */
    bool seen;           /* there is nothing that serves, but an earlier process has run the file */
    bool running;        /* the map's code may be running */
    struct disk_map map; /* at NULL: the cache has nothing */
    struct disk_unit *units;
    uint32_t nunits, max_units;
    uint32_t inherited;  /* the first of these: the process that forked this one stores them, too */
    struct disk_ref *refs;
    uint32_t nrefs, max_refs;
    struct code_block **made; /* of the map's blocks, by number: those that were looked for */
    struct arena arena;
};

/* --- disk.c --- */
const struct image *disk_image_of(struct exec *x, uint64_t pc); /* NULL: none is open for it */

/* --- disk-save.c: stores what is worth it; x->lock held, no other threads --- */
void disk_save(struct exec *x, bool is_end);

/* --- disk-dir.c --- */
/* What is known of a file before it is read. */
struct disk_found {
    bool own;     /* it is the user's */
    bool seen;    /* there is none but the user's empty one, of disk_first_sight() */
    bool checked; /* it is what was found whole since the machine has started */
};
/* Opens the file for the key to read: the user's, or one that serves all (*key becomes its). -1: none, or not safe. */
int disk_open_file(const struct disk *d, struct disk_key *key, struct disk_found *found);
/* The file, just opened so and unchecked, has been found whole. */
void disk_found_whole(const struct disk *d, int fd, const struct disk_found *found);
/* Where the code of the key's file would like to be. */
uint64_t disk_centre(const struct disk *d, const struct disk_key *key);
/*
 * True: there was no file for the key, and now there is an empty one, which says that the guest file has been run. It
 * is not found by disk_open_file().
 */
bool disk_first_sight(const struct disk *d, const struct disk_key *key);
/* Was the user's file for the key written some seconds ago or earlier? */
bool disk_is_settled(const struct disk *d, const struct disk_key *key);
/*
 * Replacing the user's file for the key. disk_store_begin() is false when nothing can be written, or another process is
 * at it. disk_store_write() appends, disk_store_patch() changes what is there. disk_store_end() puts what was written
 * in the file's place, or leaves that alone; true: it is there.
 */
struct disk_store {
    int folder, fd;
    uint64_t size; /* written so far */
};
bool disk_store_begin(struct disk_store *s, const struct disk *d, const struct disk_key *key);
bool disk_store_write(struct disk_store *s, const void *bytes, size_t size);
bool disk_store_patch(struct disk_store *s, uint64_t at, const void *bytes, size_t size);
bool disk_store_end(struct disk_store *s, const struct disk *d, const struct disk_key *key, bool keep);
/* Fills version and build of a key. */
void disk_key_start(const struct disk *d, struct disk_key *key);
/* The key, all of it known, as this folder's files have it; false: the guest file can't be known again there. */
bool disk_key_finish(const struct disk *d, struct disk_key *key);

#endif
