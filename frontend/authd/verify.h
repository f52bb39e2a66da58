/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify: does the password of a check belong to one of its credentials? On a thread, since hashes
 * are slow on purpose (P4).
 */
#pragma once
#include "frontend/authd/provider.h"

struct jobs;
/* AUTH_OK, AUTH_MISMATCH, or AUTH_IMPOSSIBLE where no credential for this service is of a kind that we
 * can compute. done is called on the loop, later. The check stays until then. */
typedef void verify_fn(struct check *c, enum auth_result r);
void verify_start(struct jobs *jobs, struct check *c, verify_fn *done);
/* Is this credential for the service ("imap")? */
bool verify_for_service(const struct credential *cr, struct str service);
