/* State over execve: see inherit.h. */
#include "linux-user/inherit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "linux-user/host.h"
#include "linux-user/task.h"

static const char magic[8] = "metic-i2";

/* What the next program is told: the kernel's SET_PERSONALITY on these architectures takes one bit away. */
static uint32_t next_personality(const struct process *p) { return p->personality & ~(uint32_t)READ_IMPLIES_EXEC; }

int inherit_save(const struct task *t)
{
    const uint32_t persona = next_personality(t->process);
    if (!t->seccomp.mode && !t->tracee.active && !debug_on(t->process) &&
        persona == (uint32_t)host_call(SYS_personality, 0xffffffff))
        return INHERIT_NOTHING;
    int fd = memfd_create("inherit", 0), copy = fd < 0 ? -1 : dup(fd);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
    bool ok = f && fwrite(magic, sizeof magic, 1, f) == 1 && fwrite(&persona, sizeof persona, 1, f) == 1 &&
              seccomp_save(t, f) && tracee_save(t, f) && debug_save(t, f);
    ok = f && !fclose(f) && ok;
    if (ok && !lseek(fd, 0, SEEK_SET))
        return fd;
    if (fd >= 0)
        close(fd);
    return INHERIT_FAILED;
}

bool inherit_restore(struct task *t, int fd)
{
    char head[sizeof magic];
    FILE *f = fdopen(fd, "r");
    bool ok = f && fread(head, sizeof head, 1, f) == 1 && !memcmp(head, magic, sizeof head) &&
              fread(&t->process->personality, sizeof t->process->personality, 1, f) == 1 && seccomp_restore(t, f) &&
              tracee_restore(t, f) && debug_restore(t->process, f);
    if (f)
        fclose(f);
    return ok;
}
