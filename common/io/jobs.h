/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs: what may block on the mail volume runs here, on a few I/O threads; completions run on the
 * loop (DESIGN.md P6). Threads start when the first job comes and end after some idle seconds, so
 * that an idle process has none of their stacks.
 */
#pragma once
#include "common/base/list.h"

struct jobs;
struct loop;
struct job;
typedef void job_fn(struct job *j); /* container_of(j, struct my_job, job) */

struct job {
	job_fn *run;  /* on an I/O thread; touches nothing but its own job's data */
	job_fn *done; /* on the loop, later; may free the job */
	struct list link; /* owned by jobs while the job is under way */
};

struct jobs *jobs_new(struct loop *l, unsigned max_threads);
/* Order of start = order of submission; there is no order of completion. */
void jobs_submit(struct jobs *js, struct job *j);
size_t jobs_pending(const struct jobs *js); /* submitted, done() not yet called */
/* Waits for running jobs (their done() is called), then frees. Queued ones run too. */
void jobs_free(struct jobs **js);
