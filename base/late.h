/* Relocations that tools/laterelocs.py took out of the program's start. */
#ifndef BASE_LATE_H
#define BASE_LATE_H

/*
 * Makes data in sections named `late_data` usable; to be called before anything in them is touched. Does nothing in a
 * program that the tool has not changed, or when called again.
 */
void late_relocate(void);
/*
 * What describes them is not needed by most processes, but mapped for all where the kernel maps a whole large folio of
 * the file for its first page: it is taken off what the process uses, until it is needed or the program's ELF header
 * looked at.
 */
void late_rest(void);

#endif
