/*
 * Descriptors of the emulator's own in a process whose numbers belong to the program under it: they have high numbers,
 * are closed on execve, and are known, so that the program's calls can be kept from them.
 */
#ifndef BASE_OWN_FDS_H
#define BASE_OWN_FDS_H

#include <stdbool.h>

enum { OWN_FDS_END = 1024 }; /* only numbers below are known; others are beyond what a program uses by itself */

/*
 * Moves a descriptor to a number where programs don't meet it, or, where none is to be had, leaves it. Answers its
 * number.
 */
int fd_hide(int fd);
/* One that has its place already. */
void fd_own(int fd);
/* It is to be closed by somebody else. */
void fd_disown(int fd);
/* Closes one of them; -1: none. */
void fd_close_own(int fd);
bool fd_is_own(int fd);

#endif
