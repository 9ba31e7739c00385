// SPDX-License-Identifier: MIT
/*
 * malloc_early: allocates where programs seldom look: in constructors, in a
 * library that dlopen() brings, in atexit() handlers, in destructors of threads,
 * from threads that a library's constructor made. Prints a line for each, the same
 * with any malloc. preload.sh runs it.
 *
 *	malloc_early LIBRARY	malloc_early_so.c
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *from_constructor;
static pthread_key_t key;

static void say(const char *what, const char *text)
{
	char line[100];
	int n = snprintf(line, sizeof(line), "%s: %s\n", what, text);

	if (write(1, line, (size_t)n) != n)
		_exit(3);
}

/* A text in as many blocks as it takes to be sure. */
static char *copies(const char *text)
{
	char *p = NULL;
	size_t n = strlen(text) + 1, i;

	for (i = 0; i < 1000; i++) {
		free(p);
		p = malloc(n + i * 37);
		memcpy(p, text, n);
	}
	return p;
}

__attribute__((constructor(101))) static void first(void)
{
	from_constructor = copies("constructor");
}

__attribute__((destructor(101))) static void last(void)
{
	say("destructor", from_constructor);
	free(from_constructor);
}

static void at_exit(void)
{
	char *p = copies("atexit");

	say("atexit", p);
	free(p);
}

static void thread_ends(void *arg)
{
	say("thread ends", arg);
	free(arg);
	free(copies("more"));
}

static void *thread(void *arg)
{
	pthread_setspecific(key, copies("thread"));
	return strdup(arg);
}

/* Keys beyond the first 32 have their values in allocated memory. */
static void keys_make(void)
{
	pthread_key_t unused;
	int i;

	for (i = 0; i < 40; i++)
		pthread_key_create(&unused, NULL);
	pthread_key_create(&key, thread_ends);
}

int main(int argc, char **argv)
{
	char *(*greet)(void);
	pthread_t id;
	void *lib, *got;
	char *p;

	setvbuf(stdout, malloc(4096), _IOFBF, 4096);
	say("constructor", from_constructor);
	atexit(at_exit);
	keys_make();
	pthread_create(&id, NULL, thread, "joined");
	pthread_join(id, &got);
	say("thread", got);
	free(got);
	lib = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!lib)
		return 1;
	greet = (char *(*)(void))dlsym(lib, "greet");
	p = greet();
	say("dlopen", p);
	dlclose(lib);
	free(p);
	printf("stdio works\n");
	return 0;
}
