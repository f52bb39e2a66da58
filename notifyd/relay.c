/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: what imapds tell each other (P15). To one whose queue is not empty only the newest
 * announcement per folder is kept: a later one says all that the earlier said.
 */
#include "notifyd/notifyd.h"

static void send_journal(struct sub *to, const struct watch_journal *j)
{
	struct watch_journal own = *j;
	struct buf b = BUF_INIT;

	own.folder = to->id;
	watch_journal_put(&b, &own);
	subscriber_send(to->owner, WATCH_JOURNAL, &b);
	buf_deinit(&b);
}

static void send_folders(struct subscriber *to)
{
	struct buf b = BUF_INIT;

	wire_u64(&b, to->dev);
	wire_u64(&b, to->ino);
	subscriber_send(to, WATCH_FOLDERS, &b);
	buf_deinit(&b);
}

static bool newer(const struct watch_journal *a, const struct watch_journal *b)
{
	return a->generation > b->generation ||
	       (a->generation == b->generation && a->offset > b->offset);
}

void relay_journal(struct sub *from, const struct watch_journal *j)
{
	from->owner->nd->n.journals++;
	if (!from->folder)
		return;
	list_foreach(e, &from->folder->members) {
		struct sub *to = list_entry(e, struct sub, folder_node);

		if (to->owner == from->owner || to->owner->dead)
			continue;
		if (link_queued(to->owner->link) == 0) {
			send_journal(to, j);
		} else if (list_empty(&to->news_node)) {
			to->journal = *j;
			list_append(&to->owner->news, &to->news_node);
		} else if (newer(j, &to->journal)) {
			to->journal = *j;
		}
	}
}

void relay_folders(struct subscriber *from)
{
	list_foreach(e, &from->store->members) {
		struct subscriber *to = list_entry(e, struct subscriber, store_node);

		if (to == from || to->dead)
			continue;
		if (link_queued(to->link) == 0)
			send_folders(to);
		else
			to->folders_news = true;
	}
}

void relay_waiting(struct subscriber *s)
{
	list_foreach(e, &s->news) {
		struct sub *to = list_entry(e, struct sub, news_node);

		list_remove(&to->news_node);
		send_journal(to, &to->journal);
	}
	if (s->folders_news) {
		s->folders_news = false;
		send_folders(s);
	}
}
