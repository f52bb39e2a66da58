/* SPDX-License-Identifier: Apache-2.0 */
/* authtest: posthousectl wants to know what a login would find; authd is asked, the answer handed back. */
#include "common/ipc/auth.h"
#include "frontend/frontend.h"

struct asker {
	struct list link;
	struct control_client *who;
	uint32_t id;
};

static void over(struct asker *a, bool ok, const char *text)
{
	control_answer_end(a->who, ok, text);
	list_remove(&a->link);
	free(a);
}

static struct asker *find(struct frontend *f, uint32_t id)
{
	list_foreach(e, &f->testing)
		if (list_entry(e, struct asker, link)->id == id)
			return list_entry(e, struct asker, link);
	return NULL;
}

static void put(struct control_row *row, const char *name, struct str value)
{
	row->name[row->n] = str_c(name);
	row->value[row->n++] = value;
}

static void put_record(struct control_row *row, const struct user_record *r, char numbers[2][16])
{
	snprintf(numbers[0], 16, "%u", r->uid);
	snprintf(numbers[1], 16, "%u", r->gid);
	put(row, "address", r->user);
	put(row, "uid", str_c(numbers[0]));
	put(row, "gid", str_c(numbers[1]));
	put(row, "home", r->home);
	put(row, "maildir", r->maildir);
	put(row, "quota", r->quota);
	put(row, "options", r->options);
	put(row, "mailhost", r->mailhost);
}

int authtest_authd_said(struct frontend *f, struct str body)
{
	static const char *const words[AUTH_RESULT_N] = {"ok",	     "mismatch", "unknown",
							 "disabled", "expired",	 "impossible",
							 "tempfail", "next",	 "malformed"};
	struct wire w = wire_reader(body);
	uint32_t id = wire_get_u32(&w);
	uint8_t result = wire_get_u8(&w);
	struct str by = wire_get_str(&w, IPC_NAME_MAX), text = wire_get_str(&w, IPC_TEXT_MAX);
	struct user_record record;
	struct control_row row = {.n = 0};
	struct asker *a = find(f, id);
	char numbers[2][16];

	if (result >= AUTH_RESULT_N)
		return -1;
	put(&row, "result", str_c(words[result]));
	put(&row, "module", by);
	put(&row, "text", text);
	if (w.n > 0) {
		user_record_get(&w, &record);
		put_record(&row, &record, numbers);
	}
	if (!wire_end(&w))
		return -1;
	if (!a)
		return 0;
	control_answer_row(a->who, &row);
	over(a, true, "");
	return 0;
}

void authtest_authd_gone(struct frontend *f)
{
	list_foreach(e, &f->testing)
		over(list_entry(e, struct asker, link), false, "authd ended meanwhile; try again");
}

/* SERVICE USER [PASSWORD] */
void authtest_request(struct frontend *f, struct control_client *who,
		      const struct control_request *q)
{
	static uint32_t last;
	struct buf b = BUF_INIT;
	struct asker *a;

	if (q->nargs < 2 || q->nargs > 3 || q->arg[0].n > IPC_NAME_MAX ||
	    q->arg[1].n > IPC_NAME_MAX) {
		control_answer_end(who, false,
				   "authtest takes a service, a user, perhaps a password");
		return;
	}
	wire_u32(&b, ++last);
	wire_str(&b, q->arg[0]);
	wire_str(&b, q->arg[1]);
	wire_u8(&b, q->nargs == 3);
	wire_str(&b, q->nargs == 3 ? q->arg[2] : STR(""));
	if (!f->authd.link || link_send(f->authd.link, SUP_AUTHTEST, buf_str(&b), NULL, 0)) {
		control_answer_end(who, false, "authd isn't running just now; try again");
	} else {
		a = xcalloc(1, sizeof(*a));
		a->who = who;
		a->id = last;
		list_append(&f->testing, &a->link);
	}
	buf_wipe(&b);
}
