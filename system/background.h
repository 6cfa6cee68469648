/*
 * -daemonize and -pidfile: a process that goes into the background when it is ready, and the file that says its number.
 */
#ifndef SYSTEM_BACKGROUND_H
#define SYSTEM_BACKGROUND_H

#include <stdbool.h>

struct background {
    bool daemon;
    int ready;        /* written when the machine is there; -1: nobody waits */
    int pidfile_fd;   /* locked; -1: none */
    const char *pidfile;
};

/*
 * Both return NULL, or one line to be freed. Before any thread is made: with `daemon` the caller's process waits here
 * until the one that goes on is ready, and ends.
 */
char *background_begin(struct background *b, bool daemon, const char *pidfile);
/* The machine is there; the folder stays, since files are named from it (a reset reads the kernel again). */
char *background_ready(struct background *b);
/* Removes the file. */
void background_end(struct background *b);

#endif
