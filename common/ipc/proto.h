/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto: who may talk to whom, in one place. Every boundary between two processes has one header
 * with one numbered enum; direction and descriptors are said beside each row. All run over
 * io/link.h; bodies are encoded by ipc/wire.h, field by field, in the order of the struct.
 *
 *   link                                   header        made by
 *   frontend main  <-> login worker        supervise.h   socketpair at the start of the worker
 *   frontend main  <-> authd               supervise.h   socketpair at the start of authd
 *   imapd by inetd -> frontend main        inlet.h       RUNDIR/frontend.in
 *   login worker   <-> authd               auth.h        pair made by frontend main, passed to both
 *   login worker   <-> backend master      handoff.h     RUNDIR/backend.sock, connected by frontend main
 *   backend master <-> zygote              spawn.h       socketpair at the start of the zygote
 *   backend master <-> imapd               session.h     socketpair made by the zygote
 *   backend master <-> mailer              mailer.h      socketpair at the start of the mailer
 *   imapd          <-> mailer              mailer.h      pair made by the master, passed to both; one message
 *   backend master -> loginexec              loginexec.h   socketpair at the start of the program
 *   imapd          <-> notifyd             watch.h       RUNDIR/notifyd.sock, connected by the master
 *   posthousectl, frontend main <-> frontend|backend|notifyd  control.h  RUNDIR/{frontend,backend,notifyd}.ctl
 *
 * Each struct has NAME_put(struct buf *, const struct NAME *) and
 * bool NAME_get(struct str body, struct NAME *): false on any fault, left-over bytes included;
 * slices in the result point into body.
 */
#pragma once

#define IPC_NAME_MAX 512     /* user names, folder names, paths of a record */
#define IPC_TEXT_MAX 2048    /* texts for people */
#define IPC_UNREAD_MAX 49152 /* client bytes that travel with a hand-over */
