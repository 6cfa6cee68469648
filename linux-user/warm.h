/* Filling the translation cache ahead: code of a file is translated, nothing of the guest runs. */
#ifndef LINUX_USER_WARM_H
#define LINUX_USER_WARM_H

#include <stdint.h>

struct disk;

/*
 * Translates what can be reached from an ELF file's entry, symbols and unwind tables, and stores it. The number of
 * units stored; 0 also for a file that is nothing to translate. In a process of its own: the file stays mapped.
 */
uint64_t warm_file(const struct disk *d, const char *path);

#endif
