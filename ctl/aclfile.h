/* SPDX-License-Identifier: Apache-2.0 */
/* aclfile: where a folder's rights are kept: its courierimapacl; of a name that is only a level of others,
 * courierimaphieracl/NAME. One that has none has those of the level above. */
#pragma once
#include "common/imap/acl.h"

/* folder: "INBOX", "INBOX.a". -1: *e. */
int aclfile_read(int maildir_fd, struct str folder, struct acl *a, struct err *e);
int aclfile_write(int maildir_fd, struct str folder, const struct acl *a, struct err *e);
/* Removes what courierimaphieracl has of names that are gone. */
int aclfile_reset(int maildir_fd, struct err *e);
