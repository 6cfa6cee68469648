/*
 * A program in the guest's memory: its segments, its loader, its stack, its vDSO. Documentation: elf(5), getauxval(3).
 */
#ifndef LINUX_USER_LOAD_H
#define LINUX_USER_LOAD_H

#include <limits.h>

#include "binfmt/plan.h"
#include "linux-user/task.h"

/* An executable file being looked at: its bytes are mapped into metic's own memory while it is open. */
struct program_file {
    int fd;
    const uint8_t *bytes;
    size_t size;
    struct load_plan plan;
};

/* What to run. After scripts have been resolved: path is an ELF file, argv what it shall see. */
struct program {
    char path[PATH_MAX];    /* host path */
    const char *name;       /* as the user gave it, also of a script: AT_EXECFN */
    const char *const *argv;
    const char *const *envp;
    uint64_t stack_size;    /* bytes */
    struct program_file file, loader; /* loader.fd < 0: none */
};

/*
 * Opens and maps a regular file that may be executed, unplanned. 0 or -errno. Freed by program_close, which also takes
 * a file that was never opened (fd -1).
 */
int program_open(struct program_file *f, const char *path);
/* The same for a file that is open already; takes the descriptor over, even on an error. */
int program_take(struct program_file *f, int fd);
void program_close(struct program_file *f);

/* Plans an opened file for the ABI. NULL, or the sentence that says why it can't be run. */
const char *program_plan(const struct linux_abi *abi, struct program_file *f);
/*
 * The path of the loader that the planned program asks for ("" if none), and in *sysroot the root it was looked for in:
 * `wanted`, root or NULL. Both buffers are the caller's and live as long as the answers.
 */
const char *program_loader(const struct linux_abi *abi, const struct program_file *f, const char *wanted,
                           const char **sysroot, char root[PATH_MAX], char path[PATH_MAX]);

/* Maps a planned file's segments; *bias: what was added to their addresses. is_library: a loader, too. 0 or -errno. */
int program_map(struct mm *mm, const struct program_file *f, bool is_library, uint64_t *bias);
/*
 * Maps the planned program into p->mm, fills p's addresses and makes the cpu ready to run its first instruction.
 * 0 or -errno (-ENOMEM: an address is taken, -E2BIG: arguments larger than a quarter of the stack).
 */
int program_load(struct process *p, struct cpu *cpu, const struct program *prog);

#endif
