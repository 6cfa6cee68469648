/*
 * What guest processes tell each other. Each has a record of itself in its own memory, whose address stands at the end
 * of its vDSO; the vDSO is found through /proc/PID/auxv, which the host's kernel shows as the guest has it. Who may
 * read a process's memory is the host's to decide (ptrace(2), "ptrace access mode checking").
 */
#ifndef LINUX_USER_GUEST_PROCESS_H
#define LINUX_USER_GUEST_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process;
struct area_list;

/* What a process shows of itself: addresses are in its own memory. Both sides must be of the same version. */
struct guest_record {
    char magic[8];
    uint32_t version;
    uint32_t machine;  /* EM_… */
    uint32_t depth;    /* how many of metic this one runs in: 0: none */
    uint32_t reserved;
    uint64_t exe_path; /* string: host path of the program */
    uint64_t areas;    /* struct area_list */
    uint64_t tasks;    /* pointer to the first struct task */
    uint64_t process;  /* struct process */
    uint64_t changes;  /* struct code_changes */
    uint64_t auxv;     /* two words: start and end of what /proc/PID/auxv shows */
};

/* At the end of the vDSO's page. */
struct guest_mark {
    char magic[8];
    uint64_t record; /* address of the process's struct guest_record */
};

/* Fills p's record. Its paths and its mm must be there. */
void guest_record_fill(struct process *p);
/* The mark that the vDSO of p ends with. */
struct guest_mark guest_mark_of(const struct process *p);
/*
 * Tells the host's kernel where the guest's arguments, environment and code are: they are what /proc then shows. With
 * its auxiliary vector at the start of a program alone: the vector leads to the mark.
 */
void guest_show_to_host(const struct process *p, bool with_auxv);

/* The record of another process: false if it is no guest, or its memory can't be read. */
bool guest_record_read(pid_t pid, struct guest_record *r);
/* Its program's path. */
bool guest_exe_path(pid_t pid, const struct guest_record *r, char out[PATH_MAX]);
/* A copy of its mappings, areas_free()d by the caller. */
bool guest_areas(pid_t pid, const struct guest_record *r, struct area_list *out);

/* Its auxiliary vector: bytes copied to out, at most size. */
size_t guest_auxv(pid_t pid, const struct guest_record *r, void *out, size_t size);

/*
 * A message of tracee.h to another guest process, whose record has just been read: any of its threads gets it. about: a
 * process that it is about. False: not sent.
 */
bool guest_tell(pid_t pid, int message, pid_t about);

/* Whether a thread of the process is one of the guest's, and not the emulator's own. */
bool guest_has_thread(pid_t pid, const struct guest_record *r, pid_t tid);

/* Copies n bytes of another process's memory. False if not all of them are there. */
bool remote_read(pid_t pid, void *to, uint64_t from, uint64_t n);
bool remote_write(pid_t pid, uint64_t to, const void *from, uint64_t n);

#endif
