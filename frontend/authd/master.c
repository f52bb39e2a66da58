/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/master.h"
#include "frontend/authd/account.h"

bool master_split(const struct settings *set, struct str login, struct str *user,
		  struct str *master)
{
	size_t at = set->master_separator[0] ? str_find(login, set->master_separator[0]) : login.n;

	if (at == 0 || at + 1 >= login.n)
		return false;
	*user = str_sub(login, 0, at);
	*master = str_from(login, at + 1);
	return true;
}

bool master_is(const struct settings *set, struct str login, const struct user_record *r,
	       enum sasl_id mechanism)
{
	if (settings_list_has(set->master_users, login) || settings_list_has(set->master_users, r->user))
		return true;
	return mechanism != SASL_EXTERNAL && account_option_on(r->options, "master");
}
