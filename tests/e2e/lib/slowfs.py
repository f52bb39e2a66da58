#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""slowfs SOURCE MOUNTPOINT DELAYFILE: passes every call through to SOURCE, each after as many seconds as
DELAYFILE says (read at each call). Names behind the number can't be opened: EIO. skew=N there: file times are N seconds
off."""
import errno
import os
import sys
import time

from fusepy import FUSE, FuseOSError, Operations


class Slow(Operations):
    def __init__(self, root, delay_file):
        self.root, self.delay_file, self.skew = root, delay_file, 0

    def __call__(self, op, path, *args):
        broken = []
        try:
            with open(self.delay_file, encoding="ascii") as f:
                delay, *broken = f.read().split()
                time.sleep(float(delay))
        except (OSError, ValueError):
            pass
        self.skew = sum(int(word[5:]) for word in broken if word.startswith("skew="))
        if op == "open" and os.path.basename(path) in broken:
            raise FuseOSError(errno.EIO)
        try:
            return getattr(self, op)(os.path.join(self.root, path.lstrip("/")) if path is not None else None, *args)
        except OSError as fault:
            raise FuseOSError(fault.errno) from None
        except AttributeError:
            raise FuseOSError(errno.ENOSYS) from None

    def getattr(self, path, fh=None):
        st = os.lstat(path)
        found = {k: getattr(st, k) for k in ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink",
                                             "st_size", "st_uid", "st_ino")}
        found["st_mtime"] += self.skew
        return found

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(path)

    def mkdir(self, path, mode):
        os.mkdir(path, mode)

    def rmdir(self, path):
        os.rmdir(path)

    def unlink(self, path):
        os.unlink(path)

    def rename(self, old, new):
        os.rename(old, os.path.join(self.root, new.lstrip("/")))

    def link(self, target, name):
        os.link(os.path.join(self.root, name.lstrip("/")), target)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def chown(self, path, uid, gid):
        os.lchown(path, uid, gid)

    def truncate(self, path, length, fh=None):
        os.truncate(path, length)

    def utimens(self, path, times=None):
        os.utime(path, times)

    def open(self, path, flags):
        return os.open(path, flags & ~os.O_CREAT)

    def create(self, path, mode, fi=None):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def flush(self, path, fh):
        return 0

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        return 0

    def release(self, path, fh):
        os.close(fh)

    def statfs(self, path):
        st = os.statvfs(path)
        return {k: getattr(st, k) for k in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree",
                                            "f_files", "f_flag", "f_frsize", "f_namemax")}


if __name__ == "__main__":
    FUSE(Slow(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True, allow_other=os.geteuid() == 0, use_ino=True,
         attr_timeout=0, entry_timeout=0)
