// SPDX-License-Identifier: MIT
/*
 * symbol: see symbol.h.
 *
 *	bw_symbols_begin()	the list of loaded objects, by dl_iterate_phdr()
 *	bw_symbol()
 *	  cached()		most stacks are made of the same few addresses
 *	  table_open()		the file, mapped when its first name is wanted
 *	bw_symbols_end()	files are unmapped
 *
 * A file is not trusted: what it says of itself is checked against its size.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmt.h"
#include "lock.h"
#include "symbol.h"

#define MAX_MODULES	256U
#define CACHE_SLOTS	512U

/**
 * struct table - symbols of a module's file				[SYMBOLS]
 * @file:	mapped, or NULL
 * @bytes:	size of that
 * @tried:	there is none
 * @sym:	the table
 * @nr:		its entries
 * @text:	the names
 * @text_bytes:	their size; the last byte is NUL
 */
struct table {
	const char *file;
	size_t bytes;
	bool tried;
	const Elf64_Sym *sym;
	u64 nr;
	const char *text;
	u64 text_bytes;
};

/**
 * struct named - what was found for an address				[SYMBOLS]
 * @name:	NULL: nothing
 * @off:	distance from there
 */
struct named {
	u64 pc;
	const char *name;
	u64 off;
};

static struct symbols {
	struct bw_lock lock;
	u32 nr;
	struct bw_module module[MAX_MODULES];
	struct table table[MAX_MODULES];
	struct named cache[CACHE_SLOTS];
} symbols = { .lock.rank = BW_RANK_SYMBOLS };

static void path_set(struct bw_module *m, const char *path)
{
	const char *slash;
	ssize_t n;

	if (path && *path) {
		bw_fmt(m->path, sizeof(m->path), "%s", path);
	} else {
		n = readlink("/proc/self/exe", m->path, sizeof(m->path) - 1);
		m->path[n > 0 ? n : 0] = '\0';
	}
	slash = strrchr(m->path, '/');
	m->name = slash ? slash + 1 : m->path;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct bw_module *m = &symbols.module[symbols.nr];
	int i;

	if (symbols.nr == MAX_MODULES)
		return 1;
	*m = (struct bw_module){ .lo = UINT64_MAX, .bias = info->dlpi_addr };
	for (i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *ph = &info->dlpi_phdr[i];
		u64 at = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD) {
			m->lo = min(m->lo, at);
			m->hi = max(m->hi, at + ph->p_memsz);
		} else if (ph->p_type == PT_GNU_EH_FRAME) {
			m->eh = (const u8 *)(uintptr_t)at;
			m->eh_bytes = ph->p_memsz;
		}
	}
	path_set(m, info->dlpi_name);
	symbols.table[symbols.nr] = (struct table){ .tried = false };
	symbols.nr++;
	return 0;
}

const struct bw_module *bw_module_of(u64 pc)
{
	u32 i;

	for (i = 0; i < symbols.nr; i++)
		if (pc >= symbols.module[i].lo && pc < symbols.module[i].hi)
			return &symbols.module[i];
	return NULL;
}

/* Is a section with whole entries of @size in the file? */
static bool fits(const struct table *t, u64 at, u64 bytes, u64 size)
{
	return at <= t->bytes && bytes <= t->bytes - at && at % 8 == 0 &&
	       bytes % size == 0;
}

/* A section with text, which ends in NUL; NULL: it is none. */
static const char *text_of(const struct table *t, const Elf64_Shdr *s)
{
	if (s->sh_offset >= t->bytes || !s->sh_size ||
	    s->sh_size > t->bytes - s->sh_offset ||
	    t->file[s->sh_offset + s->sh_size - 1])
		return NULL;
	return t->file + s->sh_offset;
}

static const Elf64_Shdr *sections(const struct table *t, u32 *nr)
{
	const Elf64_Ehdr *head = (const void *)t->file;

	if (t->bytes < sizeof(*head) || memcmp(t->file, ELFMAG, SELFMAG) ||
	    !fits(t, head->e_shoff, head->e_shnum * sizeof(Elf64_Shdr), 1))
		return NULL;
	*nr = head->e_shnum;
	return (const void *)(t->file + head->e_shoff);
}

/* The full symbol table, or else the one of what is exported. */
static void table_find(struct table *t)
{
	u32 i, nr = 0;
	const Elf64_Shdr *section = sections(t, &nr), *s;

	for (i = 0; i < nr; i++) {
		const char *text;

		s = &section[i];
		if ((s->sh_type != SHT_SYMTAB &&
		     (s->sh_type != SHT_DYNSYM || t->sym)) ||
		    !fits(t, s->sh_offset, s->sh_size, sizeof(*t->sym)) ||
		    s->sh_link >= nr)
			continue;
		text = text_of(t, &section[s->sh_link]);
		if (!text)
			continue;
		t->sym = (const void *)(t->file + s->sh_offset);
		t->nr = s->sh_size / sizeof(*t->sym);
		t->text = text;
		t->text_bytes = section[s->sh_link].sh_size;
	}
}

static void table_open(const struct bw_module *m, struct table *t)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	t->tried = true;
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	t->file = p;
	t->bytes = (size_t)st.st_size;
	table_find(t);
}

/* Static programs have rules, but no table of them that is sorted. */
static void rules_find(struct bw_module *m, struct table *t)
{
	const Elf64_Shdr *section, *names;
	const char *text;
	u32 i, nr = 0, at;

	table_open(m, t);
	section = t->file ? sections(t, &nr) : NULL;
	at = section ? ((const Elf64_Ehdr *)(const void *)t->file)->e_shstrndx :
		       0;
	names = at < nr ? &section[at] : NULL;
	text = names ? text_of(t, names) : NULL;
	for (i = 0; text && i < nr; i++) {
		const Elf64_Shdr *s = &section[i];

		if (s->sh_name >= names->sh_size ||
		    strcmp(text + s->sh_name, ".eh_frame") ||
		    s->sh_addr + m->bias < m->lo ||
		    s->sh_addr + m->bias + s->sh_size > m->hi)
			continue;
		m->rules = (const u8 *)(uintptr_t)(s->sh_addr + m->bias);
		m->rules_bytes = s->sh_size;
	}
}

void bw_symbols_begin(void)
{
	u32 i;

	bw_lock(&symbols.lock);
	symbols.nr = 0;
	memset(symbols.cache, 0, sizeof(symbols.cache));
	dl_iterate_phdr(add_module, NULL);
	for (i = 0; i < symbols.nr; i++)
		if (!symbols.module[i].eh)
			rules_find(&symbols.module[i], &symbols.table[i]);
}

void bw_symbols_end(void)
{
	u32 i;

	for (i = 0; i < symbols.nr; i++)
		if (symbols.table[i].file)
			munmap((void *)symbols.table[i].file,
			       symbols.table[i].bytes);
	symbols.nr = 0;
	bw_unlock(&symbols.lock);
}

/* The function of @t that holds @at, an address in its file. */
static void search(const struct table *t, u64 at, struct named *out)
{
	u64 i;

	for (i = 0; i < t->nr; i++) {
		const Elf64_Sym *s = &t->sym[i];
		u32 type = ELF64_ST_TYPE(s->st_info);

		if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    at - s->st_value >= s->st_size ||
		    s->st_name >= t->text_bytes)
			continue;
		out->name = t->text + s->st_name;
		out->off = at - s->st_value;
		return;
	}
}

static const struct named *cached(const struct bw_module *m, u64 pc)
{
	struct named *n = &symbols.cache[pc % CACHE_SLOTS];
	struct table *t = &symbols.table[m - symbols.module];

	if (n->pc == pc)
		return n;
	if (!t->tried)
		table_open(m, t);
	*n = (struct named){ .pc = pc };
	search(t, pc - m->bias, n);
	return n;
}

size_t bw_symbol(u64 pc, char *buf, size_t size)
{
	const struct bw_module *m = bw_module_of(pc);
	const struct named *n;

	if (!m)
		return bw_fmt(buf, size, "%p", (void *)(uintptr_t)pc);
	n = cached(m, pc);
	if (!n->name)
		return bw_fmt(buf, size, "%s+0x%lx", m->name,
			      (unsigned long)(pc - m->bias));
	if (!n->off)
		return bw_fmt(buf, size, "%s (%s)", n->name, m->name);
	return bw_fmt(buf, size, "%s+0x%lx (%s)", n->name,
		      (unsigned long)n->off, m->name);
}
