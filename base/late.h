/* Relocations that tools/laterelocs.py took out of the program's start. */
#ifndef BASE_LATE_H
#define BASE_LATE_H

/*
 * Makes data in sections named `late_data` usable; to be called before anything in them is touched. Does nothing in a
 * program that the tool has not changed, or when called again.
 */
void late_relocate(void);

#endif
