/* State over execve: see inherit.h. */
#include "linux-user/inherit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"

static const char magic[8] = "metic-i3";

/* What the next program is told: the kernel's SET_PERSONALITY on these architectures takes one bit away. */
static uint32_t next_personality(const struct process *p) { return p->personality & ~(uint32_t)READ_IMPLIES_EXEC; }

/* Of the process, in front of what its thread has. */
struct saved_process {
    uint32_t personality, mdwe;
};

static uint32_t next_mdwe(const struct process *p)
{
    uint32_t mdwe = mm_mdwe(p->mm);
    return mdwe & MDWE_NO_INHERIT ? 0 : mdwe;
}

int inherit_save(const struct task *t)
{
    const struct saved_process p = {next_personality(t->process), next_mdwe(t->process)};
    if (!t->seccomp.mode && !t->tracee.active && !debug_on(t->process) && !p.mdwe &&
        p.personality == (uint32_t)host_call(SYS_personality, 0xffffffff))
        return INHERIT_NOTHING;
    int fd = memfd_create("inherit", 0), copy = fd < 0 ? -1 : dup(fd);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
    bool ok = f && fwrite(magic, sizeof magic, 1, f) == 1 && fwrite(&p, sizeof p, 1, f) == 1 && seccomp_save(t, f) &&
              tracee_save(t, f) && debug_save(t, f);
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
    struct saved_process p;
    FILE *f = fdopen(fd, "r");
    bool ok = f && fread(head, sizeof head, 1, f) == 1 && !memcmp(head, magic, sizeof head) &&
              fread(&p, sizeof p, 1, f) == 1 && seccomp_restore(t, f) && tracee_restore(t, f) &&
              debug_restore(t->process, f);
    if (ok) {
        t->process->personality = p.personality;
        t->process->inherited_mdwe = p.mdwe;
    }
    if (f)
        fclose(f);
    return ok;
}
