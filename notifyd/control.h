/* SPDX-License-Identifier: Apache-2.0 */
/* control: RUNDIR/notifyd.ctl, for posthousectl. */
#pragma once
#include "common/base/err.h"

struct notifyd;
struct loop;
struct control_server;
/* nd's counters are read when they are asked for. NULL with *e: the socket can't be had. */
struct control_server *notifyd_control(struct notifyd *nd, struct loop *l, const char *rundir, struct err *e);
