/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/loginexec.h"
#include "common/ipc/text.h"

void loginexec_run_put(struct buf *b, const struct loginexec_run *r)
{
	wire_str(b, r->user);
	wire_u32(b, r->uid);
	wire_u32(b, r->gid);
	wire_str(b, r->home);
	wire_str(b, r->session);
}

bool loginexec_run_get(struct str body, struct loginexec_run *r)
{
	struct wire w = wire_reader(body);

	r->user = ipc_get_line(&w, IPC_NAME_MAX);
	r->uid = wire_get_u32(&w);
	r->gid = wire_get_u32(&w);
	r->home = ipc_get_line(&w, IPC_NAME_MAX);
	r->session = ipc_get_word(&w, 64);
	return wire_end(&w);
}
