#!/bin/bash
# SPDX-License-Identifier: MIT
# preload.sh BUILD RESULTS TEST...: libburrow-malloc.so in other people's programs.
# The tests of malloc run with it preloaded; then programs of the system do
# something each, with it and without, and must say the same. Prints TAP.
# A program that is not installed is a skip that names its package.
set -u
unset BURROW LD_PRELOAD
build=$(realpath "$1")
results=$2
shift 2
here=$(cd "$(dirname "$0")/../.." && pwd)
lib=$build/libburrow-malloc.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$results"
tap=$results/lib-preload.tap
exec > >(tee "$tap") 2>&1
nr=0
bad=0

tell()	# STATUS SENTENCE
{
	nr=$((nr + 1))
	[ "$1" = 0 ] && echo "ok $nr - $2" && return
	echo "not ok $nr - $2"
	bad=1
}

skip()	# SENTENCE REASON
{
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

# same SENTENCE NEEDS PACKAGE COMMAND...: COMMAND (a function may be it) with
# $PRELOAD set and not; it ends well both times and prints the same.
same()
{
	local sentence=$1 needs=$2 package=$3 status

	shift 3
	if ! command -v "$needs" >/dev/null; then
		skip "$sentence" "$needs is not installed (package $package)"
		return
	fi
	rm -rf "$work/run"
	mkdir "$work/run"
	(cd "$work/run" && preload="" "$@") >"$work/plain" 2>"$work/plain.err"
	status=$?
	if [ $status != 0 ]; then
		sed 's/^/# /' "$work/plain.err" | head -n 5
		skip "$sentence" "it ends with $status without us, too"
		return
	fi
	rm -rf "$work/run"
	mkdir "$work/run"
	(cd "$work/run" && preload=$lib "$@") >"$work/ours" 2>"$work/ours.err"
	status=$?
	[ -s "$work/plain" ] && [ $status = 0 ] &&
		cmp -s "$work/plain" "$work/ours" &&
		! grep -q '^burrow:\|ld.so' "$work/ours.err"
	tell $? "$sentence"
	[ $bad = 0 ] && return
	echo "# status $status"
	diff "$work/plain" "$work/ours" | sed 's/^/# /' | head -n 5
	sed 's/^/# /' "$work/ours.err" | head -n 5
}

# with COMMAND...: with our library, or without; none of them takes so long.
with() { LD_PRELOAD=$preload timeout 180 "$@"; }

run_sqlite()
{
	{
		echo 'create table t (a integer primary key, b text, c real);'
		echo 'with recursive n(i) as (values(1) union all'
		echo 'select i+1 from n where i < 40000) insert into t'
		echo 'select i, hex(i * 7919 % 10007) || i, i / 7.0 from n;'
		echo 'create index tb on t (b); create index tc on t (c);'
		echo 'update t set b = b || b where a % 3 = 0;'
		echo 'delete from t where a % 5 = 0;'
		echo 'select count(*), sum(length(b)), sum(a) from t;'
		echo 'select group_concat(b) from (select b from t order by c'
		echo 'desc limit 500); pragma integrity_check; vacuum;'
		echo 'select a, b from t order by b limit 200;'
	} | with sqlite3 test.db
	cksum <test.db
}

run_python()
{
	with python3 -X importtime -c '
import json, re, threading, zlib, hashlib
words = [str(i * 7919 % 10007) * (i % 9) for i in range(60000)]
text = json.dumps({w: words[i:i + 3] for i, w in enumerate(words)})
back = json.loads(text)
out = []
def work(k):
    out.append((k, len(re.findall("7[0-9]*1", text[k::8]))))
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(out), len(back))
print(hashlib.sha256(zlib.compress(text.encode(), 9)).hexdigest())
' 2>/dev/null
}

run_perl()
{
	with perl -e '
my %h; my $s = 42;
for (1 .. 200000) {
	$s = ($s * 1103515245 + 12345) % 2147483648;
	push @{$h{$s % 5000}}, "x" x ($s % 300);
	delete $h{$s % 4999} if $s % 7 == 0;
}
my $n = 0;
$n += length join ",", @{$h{$_}} for sort keys %h;
print scalar(keys %h), " $n\n";
print join(" ", map { $_ * 2 } sort { $a <=> $b } grep { /7/ } 1 .. 3000), "\n";'
}

# The compiler itself is a child: it gets the library, too.
run_gcc()
{
	local f

	for f in backend/user.c heap/pageheap.c malloc/depot.c; do
		with gcc -std=gnu11 -O2 -g -D_GNU_SOURCE= -fno-working-directory \
			-fdebug-prefix-map="$here"=. -I"$here/uapi" \
			-I"$here/userlib/include" -I"$here/userlib/src" \
			-I"$here/kmod" -S -o - "$here/userlib/src/$f" || return
	done
}

run_git()
{
	local i

	export GIT_AUTHOR_DATE='2000-01-01 00:00:00 +0000' HOME=$PWD
	export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE GIT_AUTHOR_NAME=a
	export GIT_COMMITTER_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_EMAIL=a@b
	with git init -q repo && cd repo || return
	for i in 1 2 3 4 5 6 7 8; do
		seq $((i * 1000)) | split -l 97 - "f$i."
		with git add . && with git commit -q -m "commit $i" || return
	done
	with git gc -q --aggressive && with git fsck --full --strict &&
		with git log --stat --format=%H && with git count-objects
}

run_redis()
{
	local pid status tries=0

	with redis-server --port 0 --unixsocket "$PWD/socket" --save '' \
		--appendonly no --activedefrag no >server.log 2>&1 &
	pid=$!
	until [ -S socket ]; do
		if ! kill -0 $pid 2>/dev/null || [ $((tries += 1)) = 600 ]; then
			cat server.log >&2
			kill $pid 2>/dev/null
			return 1
		fi
		read -r -t 0.05 <> <(:)
	done
	timeout 120 redis-benchmark -s socket -q -n 20000 -r 2000 -d 400 -P 8 \
		-t set,get,lpush,lpop,sadd,hset,zadd,lrange_100 >/dev/null
	status=$?
	redis-cli -s socket flushall
	seq 5000 | sed 's/.*/set key:& value-&-&-&/' |
		redis-cli -s socket >/dev/null
	redis-cli -s socket dbsize
	redis-cli -s socket eval "local n = 0
		for i = 1, 5000 do n = n + #redis.call('get', 'key:' .. i) end
		return n" 0
	# a child of fork() writes all of it down
	redis-cli -s socket save
	redis-cli -s socket config set dir "$PWD" >/dev/null
	redis-cli -s socket shutdown nosave
	[ $status = 0 ] || kill $pid 2>/dev/null
	wait $pid && return $status
}

run_stress()
{
	with stress-ng --malloc 2 --malloc-ops 20000 --malloc-bytes 64m \
		--malloc-pthreads 2 --verify --quiet 2>&1 && echo verified
}

run_early() { with "$build/preload/malloc_early" "$build/preload/early.so"; }

run_sort() { seq 300000 | with sort --parallel=4 -S 20M -r | cksum; }

preload=$lib with grep -q libburrow-malloc /proc/self/maps
tell $? "the library is in a program that has it preloaded"
# Each is a word in a page of its own for each process.
few=$(readelf -rW "$lib" | grep -c _RELATIVE)
[ "$few" -gt 0 ] && [ "$few" -le 300 ]
tell $? "few words of the library are addresses that loading changes"
for test in "$@"; do
	file=$results/lib-preload-$test.tap
	LD_PRELOAD=$lib BURROW_MODE=${BURROW_MODE:-user} \
		"$build/preload/$test" >"$file" 2>"$file.err"
	status=$?
	grep '^#\|^not ok' "$file"
	[ $status = 0 ] && grep -q '^1\.\.[1-9]' "$file"
	tell $? "$test, preloaded"
	rm -f "$file.err"
done
same "constructors, dlopen, atexit, thread destructors allocate" sh dash \
	run_early
same "sqlite3 says the same" sqlite3 sqlite3 run_sqlite
same "python3 says the same" python3 python3 run_python
same "perl says the same" perl perl run_perl
same "sort in threads says the same" sort coreutils run_sort
same "gcc compiles files of the tree to the same" gcc gcc run_gcc
same "git makes, packs and checks the same repository" git git run_git
same "redis-server serves redis-benchmark" redis-server redis-server run_redis
same "stress-ng's malloc stressor verifies" stress-ng stress-ng run_stress
echo "1..$nr"
exit $bad
