/* Which host this program was built for. */
#include <stddef.h>

#include "tcg/host.h"

const struct tcg_host *tcg_host_native(void)
{
#if defined(__x86_64__)
    return &tcg_host_x86_64;
#else
    return NULL;
#endif
}
