/*
 * The translation cache's files: one per guest file, address it is mapped at, and everything else its translations
 * depend on. A file is mapped whole and used as it lies:
 *
 *     header     one page
 *     cells      struct code_exit, number 0 last; whole pages, private and writable. Some hold counters instead: their
 *                `unlinked` is 0, the other words are a counter each
 *     code       whole pages; the cells lie in front of it, so that both can grow without moving
 *     blocks     struct disk_block by rising place in the code
 *     index      hash table of numbers of blocks, plus 1
 *     faults     struct fault_point
 *     locs, consts   what the fault points refer to, counted from the block's first
 *
 * Distances between code and cells are what they are; the cells hold addresses for `centre`, where the code wants to
 * be.
 */
#ifndef EXEC_DISK_FORMAT_H
#define EXEC_DISK_FORMAT_H

#include "exec/target.h"
#include "tcg/host.h"

#define DISK_MAGIC "metic tc"
enum {
    DISK_VERSION = 2,          /* of this format */
    DISK_PAGE = 4096,
    DISK_MAX_CODE = 48 << 20,  /* bytes */
    DISK_MAX_CELLS = 24 << 20, /* bytes */
    DISK_SPAN = 128 << 20,     /* addresses of the host that one file's mapping may take, code in the middle */
    DISK_BUILD_ID = 20,
};

/* What a file's translations depend on; no padding, compared as bytes. */
struct disk_key {
    uint32_t version;
    uint8_t build[DISK_BUILD_ID]; /* metic's own link-time build id */
    char guest[16];
    uint64_t host_features;       /* tcg_host.features() */
    uint64_t options;             /* what else changes the code that is made: tiers */
    uint64_t bias;                /* guest address of the guest file's first byte */
    struct code_file_id file;
};

struct disk_header {
    char magic[8];
    uint64_t sum;  /* of the whole file, with this as 0 */
    uint64_t size; /* bytes of the whole file */
    struct disk_key key;
    uint64_t centre; /* host address the code wants */
    uint32_t ncells;
    uint32_t code_bytes;
    uint32_t nblocks;
    uint32_t index_size; /* entries: a power of two */
    uint32_t nfaults, nlocs, nconsts;
    uint32_t pc_start, pc_end; /* offsets in the guest file: all that the code may lead to, from one unit into the next, lies between */
    uint32_t zero;
};

struct disk_block {
    uint32_t pc;    /* offset in the guest file */
    uint32_t mode;
    uint32_t bytes; /* of guest code */
    uint32_t code, code_bytes, dead_off;
    uint32_t first_fault, first_loc, first_const;
    uint16_t nfaults;
    uint16_t quick;   /* of the quick tier: */
    uint32_t promote; /* 1 + number of the cell of its way to the hot tier; 0: none */
    uint32_t counter; /* its counter lies so many bytes in front of the code; 0: none */
};

/* Offsets in the file. */
struct disk_layout {
    uint64_t cells, code, blocks, index, faults, locs, consts, end;
};

/* False: the header's numbers can't be right. */
bool disk_layout(const struct disk_header *h, struct disk_layout *l);

/* A cache file, mapped. */
struct disk_map {
    uint8_t *at;
    size_t size;
    const struct disk_header *h;
    struct code_exit *cells_end; /* cell i is cells_end[-1 - i] */
    uint8_t *code;
    const struct disk_block *blocks;
    const uint32_t *index;
    const struct fault_point *faults;
    const struct reg_loc *locs;
    const uint64_t *consts;
};

/* Points into a file that lies at `at`; its header has been found right. */
void disk_map_set(struct disk_map *m, uint8_t *at);
/*
 * Maps the file if it is whole and the key is its own: to run, its code executable, near its preferred address if that
 * is free; or only to read. The checksum is verified before anything becomes executable, if the file is not one that
 * has been `checked`. False: not to be used.
 */
bool disk_map_open(struct disk_map *m, int fd, const struct disk_key *key, bool to_run, bool checked);
void disk_map_close(struct disk_map *m);

/* 24 bits. */
uint32_t disk_hash(uint32_t pc, uint32_t mode);
/* Number of the block for a guest file's offset in the mode, or -1. */
int64_t disk_map_find(const struct disk_map *m, uint32_t pc, uint32_t mode);
/* Fills an index of h->index_size entries for m's blocks. */
void disk_map_make_index(const struct disk_map *m, uint32_t *index);

#endif
