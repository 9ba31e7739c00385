// SPDX-License-Identifier: MIT
/* replay: gives each file it is named to the fuzz target, without a fuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES	(1 << 20)

static int replay(const char *path, uint8_t *room)
{
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(room, 1, MOST_BYTES, f);
	fclose(f);
	fprintf(stderr, "replay: %s (%zu bytes)\n", path, size);
	return LLVMFuzzerTestOneInput(room, size);
}

int main(int argc, char **argv)
{
	uint8_t *room = malloc(MOST_BYTES);
	int i, bad = !room || argc < 2;

	if (argc < 2)
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
	for (i = 1; i < argc && !bad; i++)
		bad = replay(argv[i], room);
	free(room);
	return bad;
}
