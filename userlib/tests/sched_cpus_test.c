// SPDX-License-Identifier: MIT
/* Quotas of cgroups, in trees of files made for the test. */
#include <sys/stat.h>

#include "sched_rig.h"

static char top[64];

static void put(const char *path, const char *text)
{
	char full[512], *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (slash = full + strlen(top); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	f = fopen(full, "w");
	if (!EXPECT(f))
		return;
	for (; *text; text++) {
		/* @ is the top directory */
		if (*text == '@')
			fputs(top, f);
		else
			fputc(*text, f);
	}
	fclose(f);
}

static void empty(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/*", top);
	EXPECT(!system(command));
}

static void v2_counts_the_tightest_directory_upwards(void)
{
	empty();
	put("cgroup", "0::/a/b/c\n");
	put("mountinfo", "30 20 0:26 / @/cg rw,nosuid - cgroup2 cgroup2 rw\n");
	EXPECT(bw_cpus_quota(top) == 0);
	put("cg/a/b/c/cpu.max", "max 100000\n");
	EXPECT(bw_cpus_quota(top) == 0);
	put("cg/a/cpu.max", "350000 100000\n");
	EXPECT(bw_cpus_quota(top) == 4);
	put("cg/a/b/c/cpu.max", "500000 100000\n");
	EXPECT(bw_cpus_quota(top) == 4);
	put("cg/a/b/cpu.max", "10000 100000\n");
	EXPECT(bw_cpus_quota(top) == 1);
}

static void v1_counts_the_hierarchy_of_the_cpu_controller(void)
{
	empty();
	put("cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/box/job\n0::/\n");
	put("mountinfo",
	    "30 20 0:26 / @/cpuset rw - cgroup cgroup rw,cpuset\n"
	    "31 20 0:27 / @/cpu rw master:5 - cgroup cgroup rw,cpu,cpuacct\n");
	put("cpuset/box/job/cpu.cfs_quota_us", "100000\n");
	put("cpu/box/job/cpu.cfs_quota_us", "-1\n");
	put("cpu/box/job/cpu.cfs_period_us", "100000\n");
	EXPECT(bw_cpus_quota(top) == 0);
	put("cpu/box/cpu.cfs_quota_us", "200000\n");
	put("cpu/box/cpu.cfs_period_us", "100000\n");
	EXPECT(bw_cpus_quota(top) == 2);
}

static void a_mount_of_a_part_of_the_tree_is_looked_at_from_there(void)
{
	empty();
	put("cgroup", "0::/docker/box/job\n");
	put("mountinfo",
	    "30 20 0:26 /docker/box @/cg rw - cgroup2 cgroup2 rw\n");
	put("cg/job/cpu.max", "300000 100000\n");
	put("cg/docker/box/job/cpu.max", "100000 100000\n");
	EXPECT(bw_cpus_quota(top) == 3);
	put("cg/cpu.max", "200000 100000\n");
	EXPECT(bw_cpus_quota(top) == 2);
	put("cgroup", "0::/elsewhere\n");
	EXPECT(bw_cpus_quota(top) == 2);
}

static void nonsense_is_no_quota(void)
{
	empty();
	EXPECT(bw_cpus_quota(top) == 0);
	put("cgroup", "0\n:\n::\n0::/a\n");
	put("mountinfo", "1 2\n - x\n1 2 3 4 - cgroup2\n"
	    "1 2 3 / @/cg rw - cgroup2 x rw\n");
	put("cg/a/cpu.max", "many 5\n");
	EXPECT(bw_cpus_quota(top) == 0);
	put("cg/a/cpu.max", "5 0\n");
	EXPECT(bw_cpus_quota(top) == 0);
	EXPECT(bw_cpus() >= 1 && bw_cpus() <= BW_MAX_PROCS);
}

int main(void)
{
	snprintf(top, sizeof(top), "/tmp/burrow-cpus-XXXXXX");
	if (!mkdtemp(top)) {
		printf("Bail out! no place for files\n");
		return 1;
	}
	TEST(v2_counts_the_tightest_directory_upwards);
	TEST(v1_counts_the_hierarchy_of_the_cpu_controller);
	TEST(a_mount_of_a_part_of_the_tree_is_looked_at_from_there);
	TEST(nonsense_is_no_quota);
	empty();
	rmdir(top);
	return tap_end();
}
