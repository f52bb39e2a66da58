# SPDX-License-Identifier: Apache-2.0
"""The process boundary as somebody sees it who has got in somewhere (BADINPUT.md, rows "hand-over"; DESIGN.md P3, P8)."""
import ctypes
import errno
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from lib.gate import GIVE, REFUSED, TAKEN, Gate, send, text
from lib.guard import Guard, imapd_of, programs
from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for

pytestmark = pytest.mark.skipif(not ROOT, reason="only root can play all the parts")
GID = MAIL_UID


def account_of(s, user):
    return user, MAIL_UID, GID, os.path.join(s.mail, user)


def as_uid(uid, code, *args):
    """Runs Python text as another user; what it printed."""
    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    done = subprocess.run([sys.executable, "-c", code, *args], preexec_fn=become, capture_output=True, text=True, timeout=20)
    return done.stdout.strip() + done.stderr.strip()


CONNECT = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(5)
try:
    s.connect(sys.argv[1])
    s.send(bytes.fromhex(sys.argv[2]))
    print('closed' if s.recv(65536) == b'' else 'answered')
except OSError as e:
    print(e.__class__.__name__)
"""
WANT_NONCES = struct.pack("<HHII", 1, 1, 4, 8).hex()


@pytest.mark.parametrize("uid", [MAIL_UID, 65534, 61902])
def test_only_login_workers_reach_the_backend(server, uid):
    """P3: neither a mail user, nor nobody, nor authd gets a nonce, even where the socket's mode were wrong."""
    s = server().start()
    path = os.path.join(s.run, "backend.sock")
    assert as_uid(uid, CONNECT, path, WANT_NONCES) in ("PermissionError", "closed")
    os.chmod(path, 0o666)
    os.chmod(s.run, 0o755)
    assert as_uid(uid, CONNECT, path, WANT_NONCES) in ("closed", "PermissionError", "ConnectionResetError", "BrokenPipeError")
    assert "worker-refused" in s.log()
    with Imap(s.port) as c:
        c.login()


def test_mail_users_reach_no_file_of_the_run_directory(server):
    """P3, P8: the ticket key and every socket"""
    s = server().start()
    with Imap(s.port) as c:
        c.login()
        for base, _, files in os.walk(s.run):
            for name in files:
                path = os.path.join(base, name)
                assert "Error" in as_uid(MAIL_UID, "import sys; open(sys.argv[1], 'rb'); print('opened')", path), path


@pytest.mark.parametrize("change", ["user", "uid", "home", "protocol", "truncated", "longer", "other key"])
def test_a_ticket_fits_one_record_only(server, change):
    """B29, B30: no field of a good ticket can be changed, none added by what stands in a string."""
    s = server(users=["demo", "bob"]).start()
    g = Gate(s.run)
    mine, theirs = socket.socketpair()
    good = g.ticket(*account_of(s, "demo"))
    bad = {"user": good.replace(text("demo"), text("root")), "uid": good.replace(struct.pack("<I", MAIL_UID), struct.pack("<I", MAIL_UID + 1)),
           "home": good.replace(b"/demo", b"/bobb"), "protocol": good.replace(b"imap", b"pop3"), "truncated": good[:-1],
           "longer": good + b"\0", "other key": g.ticket(*account_of(s, "demo"), key=os.urandom(32))}[change]
    assert bad != good
    g.give(bad, theirs.fileno())
    assert g.answer()[0] == REFUSED
    g.give(good, theirs.fileno())
    assert g.answer()[0] == TAKEN
    mine.close()


@pytest.mark.parametrize("tag", ["a\r\n* BYE", "x" * 5000, "", "a b", "a\0b", "\t"])
def test_odd_tags_in_the_hand_over(server, tag):
    """B29: the worker is not believed either: the link ends, or the client gets nothing but one line."""
    s = server().start()
    guard, g = Guard(s), Gate(s.run, timeout=5)
    mine, theirs = socket.socketpair()
    mine.settimeout(5)
    with theirs:
        g.give(g.ticket(*account_of(s, "demo")), theirs.fileno(), tag=tag)
    try:
        if g.answer()[0] == TAKEN:
            assert b"\n* BYE" not in mine.recv(65536)
    except (EOFError, OSError):
        pass
    with Imap(s.port) as c:
        c.login()
    guard.check()


def test_nonsense_from_a_login_worker(server):
    """B28, B29: lengths that lie, unknown types, half messages; each ends its own link alone."""
    s = server().start()
    guard, held = Guard(s), len(os.listdir("/proc/%d/fd" % s.processes["backend"].pid))
    good = Gate(s.run)
    for data in (b"", b"\0", struct.pack("<HHI", GIVE, 1, 0xffffffff), struct.pack("<HHI", 77, 1, 0), struct.pack("<HHI", GIVE, 9, 0),
                 struct.pack("<HHI", GIVE, 1, 8) + struct.pack("<II", 1, 0xffffffff), struct.pack("<HHI", 1, 1, 4) + b"\xff" * 4,
                 os.urandom(5000), struct.pack("<HHI", GIVE, 1, 60000) + b"\0" * 60000):
        g = Gate(s.run, timeout=5)
        if data:
            g.sock.send(data)
            try:
                assert g.sock.recv(100) == b""
            except ConnectionResetError:
                pass
        g.close()
    for body in (b"", struct.pack("<I", 1), struct.pack("<I", 1) + text(b"") * 3, struct.pack("<I", 1) + text(b"") * 9):
        g = Gate(s.run, timeout=5)
        mine, theirs = socket.socketpair()
        send(g.sock, GIVE, body, [theirs.fileno()])
        theirs.close()
        try:
            assert g.sock.recv(100) == b"" and mine.recv(1) == b""
        except ConnectionResetError:
            pass
        g.close()
    good.login(*account_of(s, "demo")).close()
    wait_for("descriptors to be closed", lambda: len(os.listdir("/proc/%d/fd" % s.processes["backend"].pid)) <= held + 3)
    guard.check()


def test_nonsense_to_every_socket(server):
    """B28, B33: as root, to each socket of the run directory: no daemon ends."""
    s = server().start()
    guard = Guard(s)
    for _ in range(3):
        for name in os.listdir(s.run):
            path = os.path.join(s.run, name)
            for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for data in (b"\0", b"\xff" * 100, os.urandom(3000), struct.pack("<HHI", 1, 1, 0xffffff), b"GET / HTTP/1.0\r\n\r\n"):
                    with socket.socket(socket.AF_UNIX, kind) as c:
                        c.settimeout(0.02)
                        try:
                            c.connect(path)
                            socket.send_fds(c, [data], [0, 1, 2] if len(data) > 50 else [])
                            c.recv(100)
                        except OSError:
                            pass
    with Imap(s.port) as c:
        c.login()
        c.ok("SELECT INBOX")
        c.idle()
        s.deliver()
        c.idle_until("EXISTS")
    guard.check()


# ---- what an imapd could do if it were somebody else's --------------------------------------------------
class Regs(ctypes.Structure):
    _fields_ = [(n, ctypes.c_ulonglong) for n in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()]


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
ATTACH, DETACH, GETREGS, SETREGS, STEP = 16, 17, 12, 13, 9
OPENAT, SOCKET, CONNECT_NR, EXECVE, KILL = 257, 41, 42, 59, 62


class Puppet:
    """A process that makes the system calls we want: a taken-over imapd."""

    def __init__(self, pid):
        self.pid, self.saved = pid, Regs()
        self.trace(ATTACH)
        os.waitpid(pid, 0)
        self.trace(GETREGS, data=ctypes.byref(self.saved))
        with open("/proc/%d/mem" % pid, "rb") as f:
            f.seek(self.saved.rip - 2)
            assert f.read(2) == b"\x0f\x05"  # it waits in a system call

    def trace(self, what, data=None):
        assert LIBC.ptrace(what, self.pid, None, ctypes.cast(data, ctypes.c_void_p) if data else None) >= 0, os.strerror(ctypes.get_errno())

    def call(self, number, *args):
        """The result, or -errno. Byte strings are put on its stack."""
        regs, values = Regs.from_buffer_copy(self.saved), []
        at = self.saved.rsp - 8192
        with open("/proc/%d/mem" % self.pid, "r+b", buffering=0) as f:
            for a in args:
                if isinstance(a, bytes):
                    f.seek(at)
                    f.write(a + b"\0")
                    values.append(at)
                    at += 256
                else:
                    values.append(a & 0xffffffffffffffff)
        regs.rax, regs.rip, regs.orig_rax = number, self.saved.rip - 2, 0xffffffffffffffff
        for name, value in zip(("rdi", "rsi", "rdx", "r10"), values + [0] * 4):
            setattr(regs, name, value)
        self.trace(SETREGS, data=ctypes.byref(regs))
        self.trace(STEP)
        os.waitpid(self.pid, 0)
        self.trace(GETREGS, data=ctypes.byref(regs))
        return ctypes.c_longlong(regs.rax).value

    def release(self):
        self.trace(SETREGS, data=ctypes.byref(self.saved))
        self.trace(DETACH)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="registers of x86_64")
def test_a_taken_over_imapd_is_locked_in(server):
    """P8: all users have one uid; Landlock alone keeps demo's imapd from bob's mail, from exec and from the network."""
    s = server(users=["demo", "bob"])
    for user in ("demo", "bob"):
        s.deliver(b"Subject: secret of %s\n\nx\n" % user.encode(), user=user)
    s.start()
    with Imap(s.port) as c:
        c.login()
        c.ok("SELECT INBOX")
        time.sleep(0.1)
        pid = imapd_of(s, "demo")
        guard = programs(s)
        p = Puppet(pid)
        try:
            def open_(path, flags=os.O_RDONLY):
                return p.call(OPENAT, -100, path.encode(), flags, 0o600)

            own = [os.path.join(s.maildir(), "cur", n) for n in os.listdir(s.maildir() + "/cur")][0]
            others = [os.path.join(s.maildir("bob"), "new", n) for n in os.listdir(s.maildir("bob") + "/new")][0]
            assert open_(own) >= 0
            os.symlink(others, s.maildir() + "/cur/link")
            for path in (others, s.maildir("bob"), s.maildir() + "/cur/link", s.maildir() + "/../../bob/Maildir/new", "/etc/passwd",
                         s.passwd, "/proc/1/status", os.path.join(s.run, "ticket.key"), "/tmp"):
                assert open_(path) in (-errno.EACCES, -errno.EPERM), path
            for path in (s.maildir("bob") + "/new/planted", os.path.join(s.mail, "demo", "outside"), "/tmp/outside-of-imapd"):
                assert open_(path, os.O_RDWR | os.O_CREAT) == -errno.EACCES, path
                assert not os.path.exists(path)
            # linking somebody else's file into the own store
            assert p.call(265, -100, others.encode(), -100, (s.maildir() + "/cur/stolen").encode()) < 0
            tcp = p.call(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
            address = struct.pack("<H", socket.AF_INET) + struct.pack(">H", s.port) + socket.inet_aton("127.0.0.1") + b"\0" * 8
            assert tcp < 0 or p.call(CONNECT_NR, tcp, address, 16) in (-errno.EACCES, -errno.EPERM)
            assert p.call(EXECVE, b"/bin/true", 0, 0) < 0
            assert p.call(KILL, s.processes["backend"].pid, signal.SIGKILL) < 0
        finally:
            p.release()
        os.unlink(s.maildir() + "/cur/link")
        c.ok("NOOP")
        assert {p for p in guard if guard[p] != "imapd"} <= set(programs(s))
