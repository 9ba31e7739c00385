// SPDX-License-Identifier: MIT
/* malloc_early_so: the library of malloc_early.c. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

char *greet(void);

static char *made;

static void *make(void *arg)
{
	made = strdup(arg);
	return NULL;
}

/* Allocates in a thread, while the loader's lock is held. */
__attribute__((constructor)) static void begin(void)
{
	pthread_t id;

	pthread_create(&id, NULL, make, "made by a thread of a constructor");
	pthread_join(id, NULL);
}

__attribute__((destructor)) static void end(void)
{
	free(made);
}

char *greet(void)
{
	return strdup(made);
}
