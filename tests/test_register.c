/* binfmt_misc entries: what they match, what is written to the kernel and read from it. */
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "binfmt/persist.h"
#include "binfmt/register.h"
#include "exec/target.h"

static const struct target little = {.name = "little", .elf_machine = EM_RISCV, .elf_class = ELFCLASS64, .elf_data = ELFDATA2LSB};
static const struct target big = {.name = "big", .elf_machine = EM_PPC64, .elf_class = ELFCLASS64, .elf_data = ELFDATA2MSB};

/* As the kernel compares. */
static bool taken(const struct binfmt_entry *e, const uint8_t *head)
{
    for (unsigned i = 0; i < e->nmagic; i++)
        if ((head[e->offset + i] ^ e->magic[i]) & e->mask[i])
            return false;
    return true;
}

static bool takes(const struct target *t, unsigned at, uint8_t value)
{
    struct binfmt_entry e;
    binfmt_magic(t, &e);
    uint8_t head[BINFMT_HEAD];
    memcpy(head, e.magic, sizeof head);
    head[at] = value;
    return taken(&e, head);
}

Test(register, magic)
{
    cr_assert(takes(&little, EI_OSABI, ELFOSABI_LINUX));
    cr_assert(!takes(&little, EI_OSABI, ELFOSABI_FREEBSD));
    cr_assert(takes(&little, EI_ABIVERSION, 'A')); /* AppImage's mark */
    cr_assert(takes(&little, 16, ET_DYN));
    cr_assert(!takes(&little, 16, ET_REL));
    cr_assert(!takes(&little, 16, ET_CORE));
    cr_assert(!takes(&little, EI_CLASS, ELFCLASS32));
    cr_assert(!takes(&little, 18, EM_X86_64));
    cr_assert(!takes(&little, 3, 'G'));
    cr_assert(takes(&big, 17, ET_DYN));
    cr_assert(!takes(&big, 16, ET_DYN));
    cr_assert(!takes(&big, 19, EM_S390));
}

Test(register, matches)
{
    struct binfmt_entry e;
    binfmt_magic(&little, &e);
    cr_assert(binfmt_matches(&e, &little));
    cr_assert(!binfmt_matches(&e, &big));
    e.magic[16] = ET_DYN;
    e.mask[16] = 0xff; /* position-independent programs alone */
    cr_assert(binfmt_matches(&e, &little));
    struct binfmt_entry wide = {.offset = 0, .nmagic = 4, .magic = ELFMAG, .mask = {0xff, 0xff, 0xff, 0xff}};
    cr_assert(binfmt_matches(&wide, &little) && binfmt_matches(&wide, &big));
    struct binfmt_entry beyond = {.offset = 250, .nmagic = 4};
    cr_assert(!binfmt_matches(&beyond, &little));
    struct binfmt_entry extension = {.nmagic = 0};
    cr_assert(!binfmt_matches(&extension, &little));
}

Test(register, text)
{
    struct binfmt_entry e, back = {.nmagic = 1};
    cr_assert(binfmt_parse("enabled\ninterpreter /a/b c\nflags: POCF\noffset 3\nmagic 7f45ff\nmask ff0f00\n", &e));
    cr_assert(e.enabled && e.offset == 3 && e.nmagic == 3 && e.magic[2] == 0xff && e.mask[1] == 0x0f);
    cr_assert_str_eq(e.interpreter, "/a/b c");
    cr_assert_str_eq(e.flags, "POCF");
    char line[BINFMT_LINE];
    strcpy(e.name, "n");
    cr_assert(binfmt_line(&e, line));
    cr_assert_str_eq(line, ":n:M:3:\\x7f\\x45\\xff:\\xff\\x0f\\x00:/a/b c:POCF");
    cr_assert(binfmt_parse("disabled\ninterpreter /x\nflags: \nextension .jar\n", &back));
    cr_assert(!back.enabled && !back.nmagic);
    cr_assert(!binfmt_parse("", &back));
    memset(e.interpreter, 'x', BINFMT_LINE);
    e.interpreter[BINFMT_LINE] = 0;
    cr_assert(!binfmt_line(&e, line));
}

Test(register, explanations)
{
    cr_assert(strstr(binfmt_explain(BINFMT_STEP_MOUNT, -ENODEV), "CONFIG_BINFMT_MISC"));
    cr_assert(strstr(binfmt_explain(BINFMT_STEP_ADD, -EEXIST), "--name"));
    cr_assert_str_eq(binfmt_explain(BINFMT_STEP_REMOVE, -ENOSPC), strerror(ENOSPC));
    cr_assert_eq(binfmt_form("debian"), BINFMT_DEBIAN);
    cr_assert_eq(binfmt_form("x"), BINFMT_FORM_COUNT);
}
