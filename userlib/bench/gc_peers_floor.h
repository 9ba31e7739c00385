/* SPDX-License-Identifier: MIT */
/*
 * gc_peers's peer is nobody: what lives is calloc()ed, and what comes after is
 * zeroed in a ring. How long that takes at worst is the machine's doing. For the
 * rows live and requests alone.
 */
#define FLOOR	(1L << 17)

static long arg1;
static int depth_of(long mib);

static void *floor_node(void)
{
	static struct node *ring;
	static long made, kept;

	if (!ring) {
		ring = calloc(FLOOR, sizeof(*ring));
		kept = (2L << depth_of(arg1)) - 1;
	}
	if (made++ < kept)
		return calloc(1, sizeof(*ring));
	return memset(&ring[made % FLOOR], 0, sizeof(*ring));
}

#define NEW_TREE()		((struct tree *)calloc(1, sizeof(struct tree)))
#define NEW_NODE()		((struct node *)floor_node())
#define NEW_NUMBERS(n)		((double *)calloc((n), sizeof(double)))
#define NEW_POINTERS(n)		((struct node **)calloc((size_t)(n), 8))
#define SET(slot, value)	(*(slot) = (value))
#define COLLECT()		((void)0)
#define PEER_RUN(fn, arg)	fn(arg)
