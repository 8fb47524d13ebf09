// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* A guest of one's own: it counts, shouts, asks, and can fail. */
#include <hlk_rt.h>

static unsigned int counter;

/* How often it was called since the boot */
static int count(struct hlk_req *req)
{
	hlk_answer(req, "%u", ++counter);
	return 0;
}

HLK_FUNCTION(count, count);

/* The argument in capitals */
static int shout(struct hlk_req *req)
{
	uint32_t i;

	if (req->arg_len > req->out_size)
		return 90;	/* EMSGSIZE */
	for (i = 0; i < req->arg_len; i++)
		req->out[i] = req->arg[i] >= 'a' && req->arg[i] <= 'z' ?
			      req->arg[i] - 'a' + 'A' : req->arg[i];
	req->out_len = req->arg_len;
	counter++;
	return 0;
}

HLK_FUNCTION(shout, shout);

/* Ask the host what the argument is in its words */
static int ask(struct hlk_req *req)
{
	int len = hlk_call_host("word", req->arg, req->arg_len, req->out, req->out_size);

	if (len < 0)
		return -len;
	req->out_len = len;
	return 0;
}

HLK_FUNCTION(ask, ask);

/* Never come to an end */
static int spin(struct hlk_req *req)
{
	while (req)
		asm volatile("pause");
	return 0;
}

HLK_FUNCTION(spin, spin);

/* Write to where there is no memory */
static int wild(struct hlk_req *req)
{
	*(volatile uint32_t *)0xdeadb000 = req->arg_len;
	return 0;
}

HLK_FUNCTION(wild, wild);

/*
 * Once, at the boot: what is done here is in the snapshot. That holds what the page directories
 * map which are published here; this guest has one, that of the boot.
 */
void hlk_init(void)
{
	uint32_t root = read_cr3();

	hlk_publish_roots(&root, 1);
	hlk_printf("ready at %u\n", counter);
}
