/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what is made of the settings table: `settings-text sample` or `settings-text man`. */
#include <stdio.h>
#include <string.h>

#include "common/config/settings.h"

int main(int argc, char **argv)
{
	struct buf b = BUF_INIT;

	if (argc == 2 && strcmp(argv[1], "sample") == 0)
		settings_sample(&b);
	else if (argc == 2 && strcmp(argv[1], "man") == 0)
		settings_man(&b);
	else
		return 2;
	fwrite(buf_str(&b).p, 1, b.n, stdout);
	buf_deinit(&b);
	return 0;
}
