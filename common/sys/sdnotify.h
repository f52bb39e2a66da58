/* SPDX-License-Identifier: Apache-2.0 */
/* sdnotify: state for systemd ("READY=1", "STOPPING=1", "STATUS=...") where NOTIFY_SOCKET is set. */
#pragma once

/* Does nothing without NOTIFY_SOCKET. Several assignments: separated by newlines. */
void sdnotify(const char *text);
