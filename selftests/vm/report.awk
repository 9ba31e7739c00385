# SPDX-License-Identifier: MIT
#
# report.awk: read the guest's report as it comes, say how it goes, count.
#
# Variables: nonce, expected (programs in the list), summary (a file to write
# "passed failed skipped" to), verbose. Exit status: 0 no failure, 1 failures,
# 2 the guest did not get to its end.
#
# A program that speaks TAP counts by its top-level result lines, another one
# as one by its exit status (4 is a skip). A result that is announced and never
# comes, a non-zero exit without a failed result, a dirty kernel log and every
# @fail of the guest are a failure each. Of KUnit's results the leaves count.

# The program's name and its arguments, without the program's directory.
function base(path) { sub(/^[^ ]*\//, "", path); return path }

function reason(text)
{
	if (match(text, /# *[Ss][Kk][Ii][Pp]/))
		text = substr(text, RSTART + RLENGTH)
	sub(/^[ :-]+/, "", text)
	return text == "" ? "no reason given" : text
}

function title(text)
{
	sub(/^(not )?ok *[0-9]* *-? */, "", text)
	sub(/ *#.*/, "", text)
	return text
}

function fail(what)
{
	failed++
	failures[++nr_failures] = what
	print "  FAIL  " what
}

function skip(what, why)
{
	skipped++
	print "  skip  " what " # SKIP " why
}

# One result line, of a program or a leaf of KUnit's tree.
function result(where, line)
{
	if (line ~ /^not ok/)
		fail(where ": " title(line))
	else if (line ~ /# *[Ss][Kk][Ii][Pp]/)
		skip(where ": " title(line), reason(line))
	else
		passed++
}

function begin(path)
{
	program = base(path)
	running = 1
	nr_lines = results = plan = bad = 0
	skip_all = ""
	p0 = passed; f0 = failed; s0 = skipped
}

function out(line)
{
	lines[nr_lines++] = line
	if (verbose)
		print "        " line
	if (line ~ /^(not )?ok( |$)/) {
		results++
		bad += line ~ /^not ok/
		result(program, line)
	} else if (line ~ /^1\.\.[0-9]+/) {
		plan = substr(line, 4) + 0
		if (plan == 0)
			skip_all = reason(line)
	} else if (line ~ /^Bail out!/) {
		bad++
		fail(program ": " line)
	}
}

function show_output(  i)
{
	i = nr_lines > 60 ? nr_lines - 60 : 0
	if (i)
		print "        ..."
	for (; i < nr_lines; i++)
		print "        " lines[i]
}

# The slowest, of those that took seconds.
function show_slowest(  i, k, most, text)
{
	for (i = 0; i < 8; i++) {
		most = ""
		for (k in took)
			if (most == "" || took[k] > took[most])
				most = k
		if (most == "" || took[most] < 1000)
			break
		text = text sprintf("%s%s %d s", text == "" ? "" : ", ", \
				    most, took[most] / 1000)
		delete took[most]
	}
	if (text != "")
		print "slowest: " text
}

function end(how, kmsg, ms,  skips)
{
	skips = skipped - s0
	took[program] += ms
	if (skip_all != "" && how == "exit 0")
		how = "exit 4"
	if (results < plan)
		fail(program ": " plan " results announced, " results " came")
	if (how == "exit 0" && !results && !plan)
		passed++
	else if (how == "exit 4" && !results)
		skip(program, skip_all != "" ? skip_all : \
		     nr_lines ? reason(lines[nr_lines - 1]) : "no reason given")
	else if (how == "exit 4" && !bad && skips == results)
		;
	else if (how !~ /^exit/ || (how != "exit 0" && !bad))
		fail(program ": ended with " how)
	if (kmsg == "dirty")
		fail(program ": the kernel log got dirty")
	if (failed > f0 && !verbose)
		show_output()
	printf "%-6s %s: %d passed, %d failed, %d skipped, %.1f s\n", \
		(failed > f0 ? "not ok" : "ok"), program, \
		passed - p0, failed - f0, skipped - s0, ms / 1000
	running = 0
	ended++
}

# KTAP indents a subtest by four; a result with none inside it is a leaf.
function kunit(line,  depth, d)
{
	if (verbose)
		print "        " line
	match(line, /^ */)
	depth = int(RLENGTH / 4)
	line = substr(line, RLENGTH + 1)
	if (line !~ /^(not )?ok /)
		return
	if (!(depth in inner))
		result(suite, line)
	else if (line ~ /^not ok/ && failed == inner[depth])
		fail(suite ": " title(line))
	delete inner[depth]
	for (d = 0; d < depth; d++)
		if (!(d in inner))
			inner[d] = failed - (line ~ /^not ok/)
}

# A suite's own lines may carry the name of the suite only: one summary each.
function suite_end()
{
	if (suite == "")
		return
	printf "%-6s kunit %s: %d passed, %d failed, %d skipped\n", \
		(failed > f0 ? "not ok" : "ok"), suite, \
		passed - p0, failed - f0, skipped - s0
	suite = ""
}

{
	key = $1
	text = substr($0, length(key) + 2)
	sub(/\r$/, "", text)
	if (key != "@kunit")
		suite_end()
}
key == "@boot"	{ print "booted " text; next }
key == "@begin"	{ sub(/^[0-9]+ /, "", text); begin(text); next }
key == "@out"	{ out(text); next }
key == "@end" {
	kmsg = ms = text
	sub(/.*kmsg=/, "", kmsg)
	sub(/.* ms=/, "", ms)
	sub(/^[0-9]+ /, "", text)
	sub(/ ms=.*/, "", text)
	end(text, kmsg, ms + 0)
	next
}
key == "@suite"	{
	suite = text
	p0 = passed; f0 = failed; s0 = skipped
	split("", inner)
	next
}
key == "@kunit"	{ kunit(text); next }
key == "@kmsg"	{ print "  kmsg  " text; next }
key == "@diag"	{ print "  diag  " text; next }
key == "@note"	{ print "  note  " text; next }
key == "@fail"	{ fail(text); next }
key == "@done"	{ done = text == nonce; next }

END {
	if (running)
		fail(program ": the machine died in it")
	if (ended + running < expected)
		fail(expected - ended - running " programs were not run")
	if (!done)
		fail("the machine did not get to its end")
	show_slowest()
	if (nr_failures > 1 || !done) {
		print "failures:"
		for (i = 1; i <= nr_failures; i++)
			print "  " failures[i]
	}
	printf "%d %d %d\n", passed, failed, skipped >summary
	exit !done ? 2 : failed > 0
}
