/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include "common/base/vec.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"
#include "frontend/frontend.h"

int authd_check(struct err *e)
{
	VEC(const char *) args = {0};
	int status = 1;
	pid_t pid;

	for (const char *const *a = main_child_args(); *a; a++)
		*vec_push(&args) = *a;
	*vec_push(&args) = "--check";
	*vec_push(&args) = NULL;
	pid = proc_spawn("authd", args.a, NULL, 0, e);
	vec_free(&args);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : err_set(e, 0, "authd can't work with them: see its line above");
}
