/* Calls of a guest that would take away descriptors of metic's own (base/own-fds.h). */
#ifndef LINUX_USER_FD_GUARD_H
#define LINUX_USER_FD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * close and dup3 of such a descriptor, and close_range, which goes around them. True: it was one of these, *result is
 * its result; the call (a CALL_…) is not to be made.
 */
bool guard_own_fds(int call, const uint64_t a[6], int64_t *result);

#endif
