/* SPDX-License-Identifier: Apache-2.0 */
/* notice: msg/shutdown and msg/motd of CYRUS_DIR, for the workers, who have no files. */
#include "common/base/log.h"
#include "common/sys/cyrusmsg.h"
#include "frontend/frontend.h"

static struct cyrusmsg msg;

void notice_send(struct child *worker)
{
	struct buf b = BUF_INIT;

	wire_str(&b, str_c(msg.shutdown));
	wire_str(&b, str_c(msg.motd));
	if (worker->link && link_send(worker->link, SUP_NOTICE, buf_str(&b), NULL, 0))
		LOG(L_ERROR, "child not reached", L_U("number", worker->number));
	buf_deinit(&b);
}

void notice_look(struct frontend *f)
{
	bool changed = cyrusmsg_look(f->set->cyrus_dir, &msg);

	if (msg.fault_is_new)
		LOG(L_WARN, "cyrus-file", L_C("error", msg.fault.text));
	if (!changed)
		return;
	LOG(L_INFO, "messages read", L_C("shutdown", msg.shutdown), L_C("motd", msg.motd));
	for (unsigned i = 0; f->workers && i < f->nworkers; i++)
		notice_send(&f->workers[i]);
}
