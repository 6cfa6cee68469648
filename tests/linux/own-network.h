/* A network of a program's own, with a loopback that is up. struct ifreq comes from <net/if.h> or <linux/if.h>, not from both. */
#ifndef TESTS_LINUX_OWN_NETWORK_H
#define TESTS_LINUX_OWN_NETWORK_H

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

/* False: the machine allows none. */
static bool own_network(void)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
        puts("no network namespaces here");
        return false;
    }
    struct ifreq lo = {.ifr_flags = IFF_UP};
    strcpy(lo.ifr_name, "lo");
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(ioctl(s, SIOCSIFFLAGS, &lo) == 0 && ioctl(s, SIOCGIFFLAGS, &lo) == 0 && lo.ifr_flags & IFF_LOOPBACK && lo.ifr_flags & IFF_UP);
    close(s);
    return true;
}

#endif
