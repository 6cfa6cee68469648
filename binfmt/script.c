/* Scripts: the "#!" line as Linux reads it (execve(2), "Interpreter scripts"; fs/binfmt_script.c for the blanks). */
#include <string.h>

#include "binfmt/plan.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

enum script_result script_plan(const uint8_t *bytes, size_t n, struct script_plan *plan)
{
    plan->interp[0] = plan->arg[0] = 0;
    if (n < 2 || bytes[0] != '#' || bytes[1] != '!')
        return SCRIPT_NO;
    if (n > SCRIPT_HEAD)
        n = SCRIPT_HEAD;
    size_t end = 2;
    while (end < n && bytes[end] != '\n' && bytes[end])
        end++;
    /* A file that ends without a newline is complete; a line longer than the head may be cut in its argument only. */
    bool complete = end < n || n < SCRIPT_HEAD;
    size_t start = 2;
    while (start < end && is_blank(bytes[start]))
        start++;
    size_t stop = start;
    while (stop < end && !is_blank(bytes[stop]))
        stop++;
    if (stop == start || (!complete && stop == end))
        return SCRIPT_BAD;
    memcpy(plan->interp, bytes + start, stop - start);
    plan->interp[stop - start] = 0;
    while (stop < end && is_blank(bytes[stop]))
        stop++;
    while (end > stop && is_blank(bytes[end - 1]))
        end--;
    memcpy(plan->arg, bytes + stop, end - stop);
    plan->arg[end - stop] = 0;
    return SCRIPT_YES;
}
