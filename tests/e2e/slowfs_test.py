# SPDX-License-Identifier: Apache-2.0
"""P6: a store on a volume that delays every call by 5 s: other users are unaffected, and another session of
the same user still answers NOOP at once."""
import os
import subprocess
import sys
import time

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for

DELAY = 5.0


@pytest.fixture
def slow(server, tmp_path):
    s = server(users=["demo", "slow"])
    source = tmp_path / "source"
    for sub in ("cur", "new", "tmp"):
        os.makedirs(source / "Maildir" / sub)
    if ROOT:
        for base, dirs, _ in os.walk(source):
            for name in [""] + dirs:
                os.chown(os.path.join(base, name), MAIL_UID, MAIL_UID)
    mount = os.path.join(s.mail, "slow")
    os.mkdir(mount)
    delay = tmp_path / "delay"
    delay.write_text("0")
    p = subprocess.Popen(["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "lib", "slowfs.py"), str(source), mount,
                          str(delay)], stdout=sys.stderr)
    wait_for("the mount", lambda: os.path.ismount(mount))
    try:
        yield s, source / "Maildir", delay
    finally:
        delay.write_text("0")
        subprocess.run(["fusermount3", "-uz", mount], check=False)
        p.kill()  # imapd may still hold the volume: it would stay mounted
        p.wait(20)


def p99(times):
    return sorted(times)[int(len(times) * 0.99) - 1 if len(times) > 1 else 0]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no FUSE here")
def test_a_stalled_volume_holds_up_nobody_else(slow):
    s, source, delay = slow
    for i in range(30):
        path = source / "cur" / ("%d.M%d.x:2," % (1700000000 + i, i))
        path.write_text("Subject: %d\n\nbody\n" % i)
        if ROOT:
            os.chown(path, MAIL_UID, MAIL_UID)
    s.start()
    busy, quiet, idle = (Imap(s.port, timeout=300).login("slow") for _ in range(3))
    for c in (busy, quiet):
        c.ok("SELECT INBOX")
    other = Imap(s.port).login("demo")
    other.ok("SELECT INBOX")
    delay.write_text(str(DELAY))
    tag = busy.start("FETCH 1:* (BODY.PEEK[])")
    store = idle.start('STATUS "INBOX" (MESSAGES)')
    mine, others, logins = [], [], []
    end = time.monotonic() + 2 * DELAY
    while time.monotonic() < end:
        for client, times in ((other, others), (quiet, mine)):
            begin = time.monotonic()
            client.ok("NOOP")
            times.append(time.monotonic() - begin)
        begin = time.monotonic()
        with Imap(s.port) as c:
            c.login("demo")
        logins.append(time.monotonic() - begin)
        time.sleep(0.01)
    print("p99: NOOP of another user %.1f ms, same user %.1f ms, login of another user %.1f ms"
          % (p99(others) * 1000, p99(mine) * 1000, p99(logins) * 1000))
    assert max(others) < DELAY / 2 and max(mine) < DELAY / 2 and max(logins) < DELAY / 2
    delay.write_text("0")
    assert len(busy.finish(tag).untagged) >= 30
    idle.finish(store)


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no FUSE here")
def test_a_list_that_cannot_be_read_just_now_costs_no_uids(slow):
    """Another server's list: while the volume is at fault the folder can't be opened; then it has the list's UIDs."""
    s, source, delay = slow
    s.start()
    name = s.deliver(user="slow")
    listing = source / "courierimapuiddb"
    listing.write_text("1 795670445 50\n44 %s\n" % name)
    if ROOT:
        os.chown(listing, MAIL_UID, MAIL_UID)
    delay.write_text("0 courierimapuiddb")
    c = Imap(s.port)
    c.login("slow")
    assert c.cmd("SELECT INBOX").status == "NO"
    delay.write_text("0")
    assert c.ok("SELECT INBOX").find(r"UIDVALIDITY 795670445")
    assert c.ok("FETCH 1 UID").find(r"UID 44")
    c.close()
