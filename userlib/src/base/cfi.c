// SPDX-License-Identifier: MIT
/*
 * cfi: from an address to a row of rules.
 *
 *	.eh_frame_hdr	sorted pairs: first address of a function, its FDE
 *	  FDE		one function: where it is, and a program
 *	    CIE		what many functions share: encodings, how it begins
 *
 * Both programs are run up to the address. Rows are kept on a small stack for
 * epilogues in the middle of functions (remember, restore).
 *
 * Not known, and then the walk ends: frame addresses that are expressions (of
 * linkage tables and of signal frames), tables in encodings that GNU ld and lld
 * do not make. Registers by expression count as lost.
 */
#include "cfi.h"

#define MAX_ROWS	4U

/* Bytes that are read one after the other; at the end all is 0. */
struct bytes {
	const u8 *at;
	const u8 *end;
};

/**
 * struct fde - one function						[caller]
 * @start:	its first address
 * @code:	factor of advances
 * @data:	factor of offsets
 * @ra:		column of the return address
 * @first:	program of its CIE
 * @then:	its own
 */
struct fde {
	u64 start;
	u64 code;
	s64 data;
	u32 ra;
	struct bytes first;
	struct bytes then;
};

static u64 get(struct bytes *b, u32 n)
{
	u64 v = 0;

	if ((size_t)(b->end - b->at) < n) {
		b->at = b->end;
		return 0;
	}
	memcpy(&v, b->at, n);
	b->at += n;
	return v;
}

static u64 get_uleb(struct bytes *b)
{
	u64 v = 0;
	u32 shift = 0;
	u8 byte;

	do {
		byte = (u8)get(b, 1);
		if (shift < 64)
			v |= (u64)(byte & 127) << shift;
		shift += 7;
	} while (byte & 128 && b->at < b->end);
	return v;
}

static s64 get_sleb(struct bytes *b)
{
	u64 v = 0;
	u32 shift = 0;
	u8 byte;

	do {
		byte = (u8)get(b, 1);
		if (shift < 64)
			v |= (u64)(byte & 127) << shift;
		shift += 7;
	} while (byte & 128 && b->at < b->end);
	if (byte & 64 && shift < 64)
		v |= ~0ULL << shift;
	return (s64)v;
}

/* An address in one of the encodings that occur (DW_EH_PE_*); 0: another. */
static u64 get_encoded(struct bytes *b, u8 how, u64 data)
{
	u64 here = (u64)(uintptr_t)b->at, v;

	switch (how & 15) {
	case 0:
	case 4:
	case 12:
		v = get(b, 8);
		break;
	case 3:
		v = get(b, 4);
		break;
	case 11:
		v = (u64)(s64)(s32)get(b, 4);
		break;
	default:
		return 0;
	}
	switch (how & 0x70) {
	case 0:
		return v;
	case 0x10:
		return v + here;
	case 0x30:
		return v + data;
	default:
		return 0;
	}
}

/* A CIE or a FDE: from behind its length to its end. */
static struct bytes entry_at(const struct bw_module *m, u64 at)
{
	struct bytes b = { (const u8 *)(uintptr_t)at,
			   (const u8 *)(uintptr_t)m->hi };
	u64 len;

	if (at < m->lo || at >= m->hi)
		return (struct bytes){ NULL, NULL };
	len = get(&b, 4);
	if (len == 0xffffffff)
		len = get(&b, 8);
	if (len > (u64)(b.end - b.at))
		return (struct bytes){ NULL, NULL };
	b.end = b.at + len;
	return b;
}

/* How addresses of its functions are written; false: we do not know. */
static bool cie_read(struct bytes b, struct fde *f, u8 *how, bool *sized)
{
	const char *extra;
	u8 version;

	get(&b, 4);
	version = (u8)get(&b, 1);
	extra = (const char *)b.at;
	while (get(&b, 1))
		;
	if (version != 1 && version != 3)
		return false;
	f->code = get_uleb(&b);
	f->data = get_sleb(&b);
	f->ra = (u32)(version == 1 ? get(&b, 1) : get_uleb(&b));
	*how = 0;
	*sized = *extra == 'z';
	if (*sized) {
		u64 len = get_uleb(&b);
		struct bytes x = { b.at, b.at + len };

		if (len > (u64)(b.end - b.at))
			return false;
		b.at += len;
		while (*++extra) {
			if (*extra == 'R')
				*how = (u8)get(&x, 1);
			else if (*extra == 'L')
				get(&x, 1);
			else if (*extra == 'P')
				get_encoded(&x, (u8)get(&x, 1) & 15, 0);
		}
	}
	f->first = b;
	return f->ra < BW_UNWIND_REGS;
}

static bool fde_read(const struct bw_module *m, u64 at, u64 pc, struct fde *f)
{
	struct bytes b = entry_at(m, at), cie;
	u64 here = (u64)(uintptr_t)b.at, bytes;
	bool sized;
	u8 how;

	if (!b.at)
		return false;
	cie = entry_at(m, here - get(&b, 4));
	if (!cie.at || !cie_read(cie, f, &how, &sized))
		return false;
	f->start = get_encoded(&b, how, 0);
	bytes = get_encoded(&b, how & 15, 0);
	if (pc - f->start >= bytes)
		return false;
	if (sized) {
		u64 len = get_uleb(&b);

		if (len > (u64)(b.end - b.at))
			return false;
		b.at += len;
	}
	f->then = b;
	return true;
}

/* One rule after the other, where nothing is sorted. */
static bool fde_scan(const struct bw_module *m, u64 pc, struct fde *f)
{
	struct bytes all = { m->rules, m->rules + m->rules_bytes };

	while (all.at < all.end) {
		u64 at = (u64)(uintptr_t)all.at;
		struct bytes b = entry_at(m, at), head = b;

		/* a length of 0 ends it; a CIE has 0 where a FDE has its CIE */
		if (!b.at || b.at == b.end)
			return false;
		all.at = b.end;
		if (get(&head, 4) && fde_read(m, at, pc, f))
			return true;
	}
	return false;
}

/* The last function of the sorted table that begins at or before @pc. */
static bool fde_find(const struct bw_module *m, u64 pc, struct fde *f)
{
	u64 data = (u64)(uintptr_t)m->eh, lo = 0, hi;
	struct bytes b = { m->eh, m->eh + m->eh_bytes };
	const s32 *pair;
	u8 ptr, nr, table;

	if (!m->eh)
		return fde_scan(m, pc, f);
	if (get(&b, 1) != 1)
		return false;
	ptr = (u8)get(&b, 1);
	nr = (u8)get(&b, 1);
	table = (u8)get(&b, 1);
	get_encoded(&b, ptr, data);
	hi = get_encoded(&b, nr, data);
	if (table != 0x3b || !hi || hi > (u64)(b.end - b.at) / 8)
		return false;
	pair = (const void *)b.at;
	while (hi - lo > 1) {
		u64 mid = (lo + hi) / 2;

		if (data + (u64)(s64)pair[2 * mid] <= pc)
			lo = mid;
		else
			hi = mid;
	}
	return fde_read(m, data + (u64)(s64)pair[2 * lo + 1], pc, f);
}

/**
 * struct run - programs while they run					[caller]
 * @f:		whose
 * @pc:		where they are
 * @until:	and where they are to stop
 * @row:	what holds now
 * @begin:	what held before the function's own program
 * @kept:	remembered rows
 * @nr_kept:	how many
 * @bad:	there was something we do not know
 */
struct run {
	const struct fde *f;
	u64 pc;
	u64 until;
	struct bw_cfi_row row;
	struct bw_cfi_row begin;
	struct bw_cfi_row kept[MAX_ROWS];
	u32 nr_kept;
	bool bad;
};

static void rule(struct run *r, u64 reg, enum bw_cfi_how how, s64 value)
{
	/* vector registers and the like: nobody asks */
	if (reg < BW_UNWIND_REGS)
		r->row.reg[reg] = (struct bw_cfi_rule){ how, value };
}

static void rule_reg(struct run *r, u64 reg, u64 other)
{
	if (other < BW_UNWIND_REGS)
		rule(r, reg, BW_CFI_REG, (s64)other);
	else
		rule(r, reg, BW_CFI_NONE, 0);
}

static void restore(struct run *r, u64 reg)
{
	if (reg < BW_UNWIND_REGS)
		r->row.reg[reg] = r->begin.reg[reg];
}

static void cfa(struct run *r, u64 reg, s64 off)
{
	r->row.cfa_reg = reg;
	r->row.cfa_off = off;
	r->row.cfa_known = reg < BW_UNWIND_REGS;
}

static void skip_block(struct bytes *b)
{
	u64 len = get_uleb(b);

	b->at += min(len, (u64)(b->end - b->at));
}

static void remember(struct run *r)
{
	if (r->nr_kept == MAX_ROWS)
		r->bad = true;
	else
		r->kept[r->nr_kept++] = r->row;
}

static void recall(struct run *r)
{
	if (r->nr_kept)
		r->row = r->kept[--r->nr_kept];
	else
		r->bad = true;
}

/* Where the frame is. False: it is none of these. */
static bool op_cfa(struct run *r, u8 op, struct bytes *b)
{
	u64 reg;

	switch (op) {
	case 0x0c:				/* def_cfa */
		reg = get_uleb(b);
		cfa(r, reg, (s64)get_uleb(b));
		return true;
	case 0x12:				/* def_cfa_sf */
		reg = get_uleb(b);
		cfa(r, reg, get_sleb(b) * r->f->data);
		return true;
	case 0x0d:				/* def_cfa_register */
		cfa(r, get_uleb(b), r->row.cfa_off);
		return true;
	case 0x0e:				/* def_cfa_offset */
		r->row.cfa_off = (s64)get_uleb(b);
		return true;
	case 0x13:				/* def_cfa_offset_sf */
		r->row.cfa_off = get_sleb(b) * r->f->data;
		return true;
	case 0x0f:				/* def_cfa_expression */
		skip_block(b);
		r->row.cfa_known = false;
		return true;
	default:
		return false;
	}
}

/* Where a register is. False: it is none of these. */
static bool op_rule(struct run *r, u8 op, struct bytes *b)
{
	u64 reg = op < 0x05 || op > 0x16 || op == 0x0a || op == 0x0b ? 0 :
		  get_uleb(b);

	switch (op) {
	case 0x05:				/* offset_extended */
		rule(r, reg, BW_CFI_AT, (s64)get_uleb(b) * r->f->data);
		return true;
	case 0x11:				/* offset_extended_sf */
		rule(r, reg, BW_CFI_AT, get_sleb(b) * r->f->data);
		return true;
	case 0x14:				/* val_offset */
		rule(r, reg, BW_CFI_IS, (s64)get_uleb(b) * r->f->data);
		return true;
	case 0x15:				/* val_offset_sf */
		rule(r, reg, BW_CFI_IS, get_sleb(b) * r->f->data);
		return true;
	case 0x06:				/* restore_extended */
		restore(r, reg);
		return true;
	case 0x07:				/* undefined */
		rule(r, reg, BW_CFI_NONE, 0);
		return true;
	case 0x08:				/* same_value */
		rule(r, reg, BW_CFI_SAME, 0);
		return true;
	case 0x09:				/* register */
		rule_reg(r, reg, get_uleb(b));
		return true;
	case 0x10:				/* expression */
	case 0x16:				/* val_expression */
		skip_block(b);
		rule(r, reg, BW_CFI_NONE, 0);
		return true;
	default:
		return false;
	}
}

static void op_rest(struct run *r, u8 op, struct bytes *b)
{
	switch (op) {
	case 0x00:				/* nop */
	case 0x2d:				/* signed return addresses */
		break;
	case 0x02:				/* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		r->pc += get(b, 1U << (op - 2)) * r->f->code;
		break;
	case 0x0a:
		remember(r);
		break;
	case 0x0b:
		recall(r);
		break;
	case 0x2e:				/* GNU_args_size */
		get_uleb(b);
		break;
	default:
		r->bad = true;
	}
}

static void program(struct run *r, struct bytes b)
{
	while (b.at < b.end && r->pc <= r->until && !r->bad) {
		u8 op = (u8)get(&b, 1), low = op & 63;

		switch (op >> 6) {
		case 1:				/* advance_loc */
			r->pc += low * r->f->code;
			break;
		case 2:				/* offset */
			rule(r, low, BW_CFI_AT, (s64)get_uleb(&b) * r->f->data);
			break;
		case 3:
			restore(r, low);
			break;
		default:
			if (op >= 0x0c && op <= 0x13 && op_cfa(r, op, &b))
				break;
			if (!op_rule(r, op, &b))
				op_rest(r, op, &b);
		}
	}
}

bool bw_cfi_row_at(const struct bw_module *m, u64 pc, struct bw_cfi_row *row)
{
	struct fde f;
	struct run r = { .f = &f, .until = pc };

	if (!fde_find(m, pc, &f))
		return false;
	r.row.ra = f.ra;
	r.pc = f.start;
	program(&r, f.first);
	r.begin = r.row;
	r.pc = f.start;
	program(&r, f.then);
	*row = r.row;
	return !r.bad;
}
