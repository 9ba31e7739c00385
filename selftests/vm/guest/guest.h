/* SPDX-License-Identifier: MIT */
/*
 * guest.h: what the four files of the guest's PID 1 know of each other.
 *
 *	init.c		boot, modules, the list of programs, power off
 *	program.c	run one program, within its time, and clean up after it
 *	kmsg.c		read the kernel log and judge it
 *	report.c	what the host gets to read
 *
 * All of it is single-threaded, and nothing here needs a lock.
 *
 * The report is a stream of lines on the second serial port, each a keyword
 * and its text; report.awk is the reader. Lines of a program's output come as
 * "@out ...", so no program can forge another keyword.
 */
#ifndef BURROW_VM_GUEST_H
#define BURROW_VM_GUEST_H

#include <stdbool.h>
#include <stddef.h>

/* report.c */
void report_open(void);
void report_drain(void);
__attribute__((format(printf, 1, 2))) void report(const char *fmt, ...);
void report_text(const char *keyword, const char *text, size_t len);
void report_file(const char *keyword, const char *path);
size_t read_text(const char *path, char *buf, size_t size);

/* kmsg.c */
int kmsg_open(void);
void kmsg_read(void);
bool kmsg_take_dirty(void);
void kmsg_report_last(void);

/* program.c */
void program_setup(int kmsg_fd, unsigned int slowness);
void program_run(unsigned int nr, char *line);
bool program_kill_all(void);

#endif
