/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd.h"
#include "backend/imapd/cmd/commands.h"

static const struct cmd_row rows[] = {
	{"APPEND", ST_BOTH, CMD_STREAM, append_start},
	{"AUTHENTICATE", 0, 0, NULL},
	{"CAPABILITY", ST_BOTH, 0, capability_start},
	{"CHECK", ST_SELECTED, 0, check_start},
	{"CLOSE", ST_SELECTED, 0, close_start},
	{"COPY", ST_SELECTED, CMD_UID, copy_start},
	{"CREATE", ST_BOTH, 0, create_start},
	{"DELETE", ST_BOTH, 0, delete_start},
	{"ENABLE", ST_BOTH, 0, enable_start},
	{"EXAMINE", ST_BOTH, 0, examine_start},
	{"EXPUNGE", ST_SELECTED, CMD_UID, expunge_start},
	{"FETCH", ST_SELECTED, CMD_UID | CMD_NO_EXPUNGE, fetch_start},
	{"GETQUOTA", ST_BOTH, 0, getquota_start},
	{"GETQUOTAROOT", ST_BOTH, 0, getquotaroot_start},
	{"ID", ST_BOTH, 0, id_start},
	{"IDLE", ST_BOTH, 0, idle_start},
	{"LIST", ST_BOTH, 0, list_start},
	{"LOGIN", 0, 0, NULL},
	{"LOGOUT", ST_BOTH, 0, logout_start},
	{"LSUB", ST_BOTH, 0, lsub_start},
	{"MOVE", ST_SELECTED, CMD_UID, move_start},
	{"NAMESPACE", ST_BOTH, 0, namespace_start},
	{"NOOP", ST_BOTH, 0, noop_start},
	{"RENAME", ST_BOTH, 0, rename_start},
	{"SEARCH", ST_SELECTED, CMD_UID | CMD_NO_EXPUNGE, search_start},
	{"SELECT", ST_BOTH, 0, select_start},
	{"SETQUOTA", ST_BOTH, 0, setquota_start},
	{"STARTTLS", 0, 0, NULL},
	{"STATUS", ST_BOTH, 0, status_start},
	{"STORE", ST_SELECTED, CMD_UID | CMD_NO_EXPUNGE, store_start},
	{"SUBSCRIBE", ST_BOTH, 0, subscribe_start},
	{"UNSELECT", ST_SELECTED, 0, unselect_start},
	{"UNSUBSCRIBE", ST_BOTH, 0, unsubscribe_start},
};

const struct cmd_row *cmdtable_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (str_ieq(name, str_c(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}
