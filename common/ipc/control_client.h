/* SPDX-License-Identifier: Apache-2.0 */
/* control_client: one request of control.h from one of our daemons to another, without blocking. */
#pragma once
#include "common/ipc/control.h"

struct control_call;
/* ok and text are the other's end of the answer; false with a text where it could not be asked or gave
 * no answer within timeout_ms. Rows are passed over. Called once, later. */
typedef void control_call_fn(void *ctx, bool ok, struct str text);
void control_call(struct loop *l, const char *rundir, const char *daemon,
		  const struct control_request *r, uint64_t timeout_ms, control_call_fn *done,
		  void *ctx);
