/* SPDX-License-Identifier: Apache-2.0 */
/* trustfiles: what frontend main sends for clientcert.h (SUP_TRUST, SUP_SERVER_CERTS), in memfds. */
#pragma once
#include "frontend/authd/clientcert.h"

/* -1: the descriptors are no such files. What can't be used is logged, and the one before stays. */
int trustfiles_take(struct clientcert *c, const int fds[2]);
int trustfiles_take_servers(struct clientcert *c, int fd);
