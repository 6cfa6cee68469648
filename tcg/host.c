/* The back end of the machine metic was compiled for. */
#include "tcg/host.h"

const struct tcg_host *tcg_host_native(void)
{
    return NULL; /* no instruction set has one: the interpreter runs everything */
}
