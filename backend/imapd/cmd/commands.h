/* SPDX-License-Identifier: Apache-2.0 */
/* commands: what cmdtable.c needs of the files in this directory. */
#pragma once
#include "backend/imapd/cmd.h"

cmd_run_fn append_start, capability_start, check_start, close_start, copy_start, create_start,
	delete_start, enable_start, examine_start, expunge_start, id_start, idle_start, list_start,
	logout_start, lsub_start, move_start, namespace_start, noop_start, rename_start,
	select_start, status_start, store_start, subscribe_start, unselect_start, unsubscribe_start,
	getquota_start, getquotaroot_start, setquota_start;
/* COPY, MOVE into the Outbox (outcopy.c). */
enum cmd_next outcopy_start(struct cmd *cmd, const struct uids *set, struct str to, bool move);
