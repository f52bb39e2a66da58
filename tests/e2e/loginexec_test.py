# SPDX-License-Identifier: Apache-2.0
"""loginexec (R76) and how it may misbehave (B72): a file of an account's that runs at its logins."""
import os
import threading
import time

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, Server, wait_for


@pytest.fixture(scope="module")
def site():
    server = Server(users=["demo"] + ["u%d" % i for i in range(20)], LOGINEXEC=1, LOGINEXEC_TIMEOUT=1,
                    LOGINEXEC_OUTPUT_MAX=2000).start()
    yield server
    server.stop()


def put(site, user, script, mode=0o700, name="loginexec"):
    path = os.path.join(site.make_maildir(user), name)
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, mode)
    site.give(os.path.join(site.mail, user))
    return path


def login(site, user):
    with Imap(site.port) as c:
        return c.cmd("LOGIN %s %s" % (user, user))


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def processes_with(word):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as f:
                line = f.read().decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


def test_runs_before_the_ok_as_the_account_and_goes(site):
    path = put(site, "u0", "echo said by the hook\nid -u >out; id -g >>out; pwd >>out; env >env\n"
                           "ls -l /proc/self/fd >fds\n")
    assert login(site, "u0").ok
    out = os.path.join(os.path.dirname(path), "out")
    uid, gid, cwd = text_of(out).split()
    assert (int(uid), cwd) == (MAIL_UID, site.maildir("u0")) and int(gid) == (MAIL_UID if ROOT else os.getgid())
    assert not os.path.exists(path)
    assert "said by the hook" in site.log()
    environment = text_of(os.path.join(os.path.dirname(path), "env"))
    assert "USER=u0" in environment and "PH_" not in environment
    fds = text_of(os.path.join(os.path.dirname(path), "fds"))
    assert "socket:" not in fds and ".key" not in fds and "passwd" not in fds
    os.unlink(out)
    assert login(site, "u0").ok and not os.path.exists(out)


def test_other_exits_keep_it_and_it_runs_at_each_login(site):
    path = put(site, "u1", "echo x >>count\nexit 3\n")
    count = os.path.join(os.path.dirname(path), "count")
    with Imap(site.port) as first:  # one imapd all the time
        first.login("u1")
        assert login(site, "u1").ok and login(site, "u1").ok
    assert text_of(count) == "x\n" * 3 and os.path.exists(path)
    assert "exit 3" in site.log()


def test_a_link_runs_what_it_leads_to_and_only_the_link_goes(site):
    target = put(site, "u2", "touch ran\n", name="target")
    link = os.path.join(os.path.dirname(target), "loginexec")
    os.symlink("target", link)
    site.give(os.path.join(site.mail, "u2"))
    assert login(site, "u2").ok
    assert os.path.exists(os.path.join(os.path.dirname(target), "ran"))
    assert os.path.exists(target) and not os.path.lexists(link)


def test_hanging_is_ended_with_all_that_it_started(site):
    path = put(site, "u3", "sleep 98701 &\nsetsid sleep 98702 &\nsleep 98703\n")
    began = time.monotonic()
    assert login(site, "u3").ok
    assert time.monotonic() - began > 0.9
    assert os.path.exists(path) and "LOGINEXEC_TIMEOUT" in site.log()
    assert not processes_with("9870")


def test_what_stays_behind_after_exit_0_is_ended_too(site):
    put(site, "u4", "setsid sleep 98711 >/dev/null 2>&1 &\nsleep 98712 &\nexit 0\n")
    assert login(site, "u4").ok
    assert not processes_with("9871")


def test_others_log_in_while_one_hangs(site):
    put(site, "u5", "sleep 98721\n")
    slow = threading.Thread(target=login, args=(site, "u5"))
    slow.start()
    wait_for("the hook", lambda: processes_with("98721"))
    assert login(site, "u6").ok
    assert processes_with("98721")
    slow.join()


def test_many_logins_at_once_run_it_once_where_it_succeeds(site):
    put(site, "u7", "echo x >>count\n")
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(login(site, "u7").ok)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert replies == [True] * 8
    assert text_of(os.path.join(site.maildir("u7"), "count")) == "x\n"


def test_floods_are_cut(site):
    put(site, "u8", "yes flooding\n")
    before = len(site.log())
    assert login(site, "u8").ok
    log = site.log()[before:]
    assert "flooding" in log and len(log) < 40000 and "bytes_not_logged" in log


def test_signals_removal_and_replacement(site):
    path = put(site, "u9", "kill -SEGV $$\n")
    assert login(site, "u9").ok and os.path.exists(path) and "signal 11" in site.log()
    put(site, "u9", "rm loginexec\n")
    assert login(site, "u9").ok and not os.path.exists(path)
    put(site, "u9", "mv loginexec old; echo other >loginexec\n")
    assert login(site, "u9").ok and text_of(path) == "other\n"


@pytest.mark.parametrize("kind", ["mode", "world", "directory", "fifo", "dangling", "format", "foreign"])
def test_what_is_not_run_lets_the_login_through(site, kind):
    user = "u%d" % (10 + ["mode", "world", "directory", "fifo", "dangling", "format", "foreign"].index(kind))
    path = os.path.join(site.make_maildir(user), "loginexec")
    if kind == "directory":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path, 0o700)
    elif kind == "dangling":
        os.symlink("/nowhere/at/all", path)
    else:
        put(site, user, "touch ran\n" if kind != "format" else "", mode={"mode": 0o600, "world": 0o777}.get(kind, 0o700))
        if kind == "format":
            with open(path, "wb") as f:
                f.write(b"\0\1\2 not a program")
    site.give(os.path.join(site.mail, user))
    if kind == "foreign":
        if not ROOT:
            pytest.skip("gives files away")
        os.chown(path, MAIL_UID + 1, MAIL_UID)
        os.chmod(path, 0o755)
    before = len(site.log())
    assert login(site, user).ok
    assert os.path.lexists(path)
    assert not os.path.exists(os.path.join(site.maildir(user), "ran"))
    assert "loginexec" in site.log()[before:]


def test_off_by_default(server):
    s = server().start()
    path = put(s, "demo", "touch ran\n")
    assert login(s, "demo").ok and os.path.exists(path)
    assert not os.path.exists(os.path.join(s.maildir(), "ran"))
