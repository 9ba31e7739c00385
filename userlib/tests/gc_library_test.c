// SPDX-License-Identifier: MIT
/* Roots that come and go: the data of libraries that are loaded while Gs run. */
#include <dlfcn.h>
#include <limits.h>

#include "gc_rig.h"

#define NR	3

/**
 * struct library - gc_library_so.c
 * @handle:	of dlopen()
 * @at:		where it has a pointer: .data, .bss, a thread's variable
 */
struct library {
	void *handle;
	void *volatile *at[NR];
};

static u64 secret[NR];

/* Beside the flavours' directories. */
static void *library_open(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);
	u32 up;

	if (n < 0)
		return NULL;
	path[n] = '\0';
	for (up = 0; up < 3 && strrchr(path, '/'); up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/gc_library.so");
	return dlopen(path, RTLD_NOW);
}

static bool library_load(struct library *l)
{
	void *volatile *(*tls)(void);

	l->handle = library_open();
	if (!EXPECT(l->handle)) {
		printf("# %s\n", dlerror());
		return false;
	}
	l->at[0] = dlsym(l->handle, "library_data");
	l->at[1] = dlsym(l->handle, "library_bss");
	tls = (void *volatile *(*)(void))dlsym(l->handle, "library_tls");
	l->at[2] = tls();
	return true;
}

static __attribute__((noinline)) void fill(const struct library *l)
{
	u32 i;

	for (i = 0; i < NR; i++) {
		secret[i] = secret_of(48);
		*l->at[i] = (void *)(uintptr_t)~secret[i];
	}
}

static void round_of(const struct library *l, bool *went)
{
	u32 i;

	fill(l);
	for (i = 0; i < 2; i++)
		collect();
	for (i = 0; i < NR; i++)
		if (!EXPECT(is_there(secret[i])))
			printf("# root %u\n", i);
	for (i = 0; i < NR; i++)
		*l->at[i] = NULL;
	collect();
	for (i = 0; i < NR; i++)
		went[i] |= !is_there(secret[i]);
}

static int library_main(void *arg)
{
	bool went[NR] = { false };
	struct library l;
	u32 i;

	/* a variable of a thread, in a library that came after it: to be named */
	bw_lock_thread();
	collect();
	for (i = 0; i < 10 && library_load(&l); i++) {
		EXPECT(!bw_root_add((void *)l.at[2], sizeof(void *)));
		round_of(&l, went);
		bw_root_del((void *)l.at[2]);
		EXPECT(!dlclose(l.handle));
		/* nobody looks at where it was */
		collect();
	}
	/* now and then a stale word keeps one, but not each time */
	for (i = 0; i < NR; i++)
		EXPECT(went[i]);
	bw_unlock_thread();
	return 0;
}

static void what_a_loaded_library_points_to_lives_until_it_goes(void)
{
	in_run(library_main);
}

static u32 over;

/* Comes and goes while others have the world stopped. */
static void *loader(void *arg)
{
	struct library l;

	while (!READ_ONCE(over) && library_load(&l))
		EXPECT(!dlclose(l.handle));
	return NULL;
}

static int loader_main(void *arg)
{
	pthread_t t;
	u32 i;

	over = 0;
	EXPECT(!pthread_create(&t, NULL, loader, NULL));
	for (i = 0; i < (SLOW ? 20 : 100); i++) {
		secret_of(64);
		bw_gc();
	}
	WRITE_ONCE(over, 1);
	pthread_join(t, NULL);
	return 0;
}

static void libraries_come_and_go_while_there_are_cycles(void)
{
	in_run(loader_main);
}

int main(void)
{
	gc_as_usual();
	TEST(what_a_loaded_library_points_to_lives_until_it_goes);
	TEST(libraries_come_and_go_while_there_are_cycles);
	return tap_end();
}
