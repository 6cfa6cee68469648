/*
 * `-sandbox on`: once a machine is set up, the process can ask the kernel only for what a running machine needs
 * (seccomp(2), by libseccomp). What nobody should ask for ends the process; what is merely not needed is "not
 * implemented".
 */
#ifndef SYSTEM_SANDBOX_H
#define SYSTEM_SANDBOX_H

#include <stdbool.h>

enum sandbox_rule { SANDBOX_DENY, SANDBOX_ALLOW, SANDBOX_CHILDREN };

struct sandbox {
    bool on;
    enum sandbox_rule obsolete;            /* calls that nobody has used for decades */
    enum sandbox_rule elevateprivileges;   /* changing users and groups; CHILDREN: only programs it starts cannot gain any */
    enum sandbox_rule spawn;               /* processes and other programs */
    enum sandbox_rule resourcecontrol;     /* affinity, priorities, limits */
};

/* Reads "on|off[,obsolete=…][,elevateprivileges=…][,spawn=…][,resourcecontrol=…]". NULL, or one line to be freed. */
char *sandbox_read(struct sandbox *s, const char *text);
/* Closes the sandbox around all threads, for good. NULL, or one line to be freed. */
char *sandbox_close(const struct sandbox *s);

#endif
