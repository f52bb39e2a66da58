# SPDX-License-Identifier: Apache-2.0
"""posthousectl deliverquota (FEATURES.md R13, R131, R137, R148) beside maildrop's program, and under a session in IDLE."""
import os
import re
import shutil
import subprocess
import threading
import time

import pytest

from lib.imap import Imap
from lib.peers import AS_OWNER, make_home
from lib.server import BIN, MAIL_UID, ROOT, Server

CTL = os.path.join(BIN, "posthousectl")
TEXT = b"Subject: d\n\n" + b"d" * 87 + b"\n"  # 100 bytes


def ours(*argv, text=TEXT, expect=0, prefix=(), **kw):
    done = subprocess.run([*prefix, CTL, "deliverquota", *argv], input=text, capture_output=True, timeout=60, check=False, cwd="/", **kw)
    assert done.returncode == expect, (argv, done)
    return done.stderr.decode(errors="replace")


def theirs(*argv, text=TEXT, expect=0):
    done = subprocess.run([*AS_OWNER, "deliverquota", *argv], input=text, capture_output=True, timeout=60, check=False, cwd="/")
    assert done.returncode == expect, (argv, done)


def lines(home):
    with open(home + "/maildirsize", encoding="ascii") as f:
        return f.read().splitlines()


def use(home):
    rows = [[int(n) for n in line.split()] for line in lines(home)[1:]]
    return [sum(n) for n in zip(*rows)]


def new(home):
    return sorted(os.listdir(home + "/new"))


def put(path, text):
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, 0o644)
    if ROOT:
        os.chown(path, MAIL_UID, MAIL_UID)
    return path


@pytest.fixture
def place():
    path = make_home()
    shutil.rmtree(path + "/Maildir", ignore_errors=True)
    for name in ("Ours", "Theirs"):
        assert subprocess.run([CTL, "maildirmake", path + "/" + name], check=False).returncode == 0
    yield path
    shutil.rmtree(path)


@pytest.fixture
def box(place):
    return place + "/Ours"


@pytest.mark.parametrize("quota", [(), ("1000S",), ("3C",), ("250S,10C",), ("10C,199S",), ("",), ("0S",)])
def test_as_maildrops(place, quota):
    """The same statuses, the same file, the same messages, at every step."""
    homes = (place + "/Ours", place + "/Theirs")
    for size in (50, 100, 150, 1000, 1):
        status = [subprocess.run([*command, home, *quota], input=b"x" * size, capture_output=True, check=False, cwd="/").returncode
                  for command, home in (((CTL, "deliverquota"), homes[0]), ((*AS_OWNER, "deliverquota"), homes[1]))]
        assert status[0] == status[1] and status[0] in (0, 77), (size, status)
        sizes = [sorted(os.path.getsize(h + "/new/" + n) for n in new(h)) for h in homes]
        assert sizes[0] == sizes[1]
        if quota and quota[0] not in ("", "0S"):
            assert use(homes[0]) == use(homes[1]) == [sum(sizes[0]), len(sizes[0])]
        else:
            assert not os.path.exists(homes[0] + "/maildirsize")


def test_several_lines_are_counted_again_at_once(box):
    ours(box, "250S")
    ours(box)
    os.unlink(box + "/new/" + new(box)[0])
    ours(box)
    ours(box, expect=77)
    assert use(box) == [200, 2]


def test_quota_that_says_nothing_keeps_the_files(box):
    ours(box, "150S")
    for quota in ("", "0S"):
        ours(box, quota, expect=77)
    ours(box, "210")  # bytes
    assert lines(box)[0] == "210S" and use(box) == [200, 2]


def test_each_goes_on_with_the_others_file(box):
    ours(box, "450S")
    theirs(box)
    ours(box)
    theirs(box)
    ours(box, expect=77)
    theirs(box, expect=77)
    assert use(box) == [400, 4] and os.listdir(box + "/tmp") == []
    os.unlink(box + "/new/" + new(box)[0])  # nobody said so: "full" is counted again ...
    ours(box, expect=77)  # ... but not for 15 minutes
    then = time.time() - 1000
    os.utime(box + "/maildirsize", (then, then))
    ours(box)
    assert use(box) == [400, 4]


def test_name_and_content(box):
    text = b"From: a\r\n\n\0\xff" + b"y" * 200000
    ours(box, text=text)
    [name] = new(box)
    path = box + "/new/" + name
    st = os.stat(path)
    m = re.fullmatch(r"(\d+)\.M\d{6}P\d+V([0-9A-F]{16})I([0-9A-F]{16})\.[^,:/]+,S=(\d+)", name)
    assert m and int(m[3], 16) == st.st_ino and int(m[4]) == len(text) == st.st_size
    assert (st.st_mode & 0o777, st.st_uid) == (0o600, MAIL_UID)
    with open(path, "rb") as f:
        assert f.read() == text


def test_durable_before_seen(box):
    done = subprocess.run(["strace", "-f", "-e", "trace=fsync,rename,renameat,renameat2", CTL, "deliverquota", box], input=TEXT,
                          capture_output=True, check=False)
    calls = re.findall(rb"^(fsync|rename)", done.stderr, re.M)
    assert done.returncode == 0 and calls == [b"fsync", b"rename", b"fsync"], done.stderr


def test_session_in_idle(place):
    server = Server(users=("demo:{PLAIN}demo::::::quota=1000S",)).start()
    try:
        home = server.make_maildir("demo")
        with Imap(server.port) as c:
            c.login("demo")
            c.ok("SELECT INBOX")
            c.ok("GETQUOTA ROOT")
            c.idle()
            for n in (1, 2, 3):
                ours(home)
                c.idle_until(r"^\* %d EXISTS$" % n)
            c.done()
            assert c.ok("FETCH 3 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").find(r"Subject: d")
            ours(home, text=b"x" * 800, expect=77)
            assert len(os.listdir(home + "/cur")) + len(new(home)) == 3
            assert use(home) == [300, 3]
            assert not c.append("INBOX", b"x" * 800).ok
    finally:
        server.stop()


def test_folder_and_trash(box):
    for name in ("Work", "Trash"):
        subprocess.run([CTL, "maildirmake", "-f", name, box], check=True)
    subprocess.run([CTL, "maildirmake", "-q", "250S", box], check=True)
    ours(box + "/.Work")
    ours(box + "/.Trash", text=b"t" * 1000)
    assert use(box) == [100, 1] and not os.path.exists(box + "/.Work/maildirsize")
    ours(box + "/.Work/")
    ours(box + "/.Work", expect=77)
    assert len(new(box + "/.Work")) == 2 and len(new(box + "/.Trash")) == 1


def test_makes_what_is_missing(place):
    home = place + "/a/b/Maildir"
    assert "No such file" in ours(home, expect=75)
    ours("-c", home, "1000S")
    ours("-c", home + "/")
    assert use(home) == [200, 2]
    assert {os.stat(p).st_uid for p in (place + "/a", home, home + "/maildirsize")} == {MAIL_UID}
    assert os.stat(home).st_mode & 0o777 == 0o700


def test_warning(place, box):
    warning = put(place + "/warn", b"From: postmaster\nSubject: full\n\nDelete something.\n")
    opts = ("-w", "80", "-W", warning)
    ours(*opts, box, "1000S", text=b"x" * 790)
    assert len(new(box)) == 1 and not os.path.exists(box + "/quotawarn")
    ours(*opts, box, text=b"x" * 10)
    said = [n for n in new(box) if b"Subject: full" in open(box + "/new/" + n, "rb").read()]
    assert len(said) == 1 and len(new(box)) == 3
    with open(box + "/new/" + said[0], encoding="ascii") as f:
        assert re.match(r"Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\nMessage-Id: <[^ >@]+@[^ >]+>\nFrom: postmaster\n", f.read())
    size = os.path.getsize(box + "/new/" + said[0])
    assert use(box) == [800 + size, 3]
    ours(*opts, box, text=b"x")  # not again within a day, ours or theirs
    theirs(*opts, box, text=b"x")
    assert len(new(box)) == 5
    then = time.time() - 86400 - 60
    os.utime(box + "/quotawarn", (then, then))
    ours("-w80", "-W" + warning, box, "2000000S", text=b"x")  # 0 percent now
    assert len(new(box)) == 6
    ours("-w0", "-W" + warning, box, text=b"x")
    assert len(new(box)) == 8 and abs(os.stat(box + "/quotawarn").st_mtime - time.time()) < 600
    put(box + "/quotawarn", b"\n")
    future = time.time() + 10 * 86400
    os.utime(box + "/quotawarn", (future, future))
    ours("-w0", "-W" + warning, box, text=b"x")
    assert len(new(box)) == 10


@pytest.mark.parametrize("what", ["absent", "directory", "fifo", "empty", "huge"])
def test_warning_that_is_none(place, box, what):
    """Said, and the message is delivered."""
    path = place + "/warn"
    if what == "directory":
        os.mkdir(path)
    elif what == "fifo":
        os.mkfifo(path)
        os.chmod(path, 0o666)
    elif what != "absent":
        put(path, b"" if what == "empty" else b"x" * 70000)
    assert "no warning in" in ours("-w", "1", "-W", path, box, "200S")
    assert len(new(box)) == 1 and not os.path.exists(box + "/quotawarn")


def test_many_at_a_time(box):
    """No line is lost, and nothing more than the quota is delivered but for what was under way."""
    ours(box, "1000000S")
    threads = [threading.Thread(target=lambda: [ours(box) for _ in range(8)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert use(box) == [3300, 33] and len(new(box)) == 33


@pytest.mark.parametrize("argv", [(), ("-x", "M"), ("-w",), ("-w", "abc", "M"), ("-w", "101", "M"), ("-w", "-1", "M"), ("-W",), ("M", "1S", "x"),
                                  ("M", "foo"), ("M", "-1S"), ("M", "10S,,5C"), ("M", "1K"), ("",)])
def test_wrong_calls_wait(argv):
    assert "Usage: posthousectl deliverquota" in ours(*argv, expect=75)


def test_bad_places(place, box):
    os.symlink(box, place + "/link")
    os.mkfifo(place + "/fifo")
    put(place + "/file", b"")
    os.makedirs(place + "/bare")
    for name, text in (("link", "symbolic link"), ("link/", "symbolic link"), ("fifo", "no directory"), ("file", "no directory"),
                       ("bare", "tmp/"), ("absent", "No such file"), ("x" * 300, "xxx")):
        said = ours(place + "/" + name, expect=75)
        assert text in said and said.count("\n") == 1, said
    assert "no message" in ours(box, text=b"", expect=75)
    assert "\x1b" not in ours(place + "/\x1b[31m", expect=75)
    assert new(box) == [] and os.listdir(box + "/tmp") == []
    os.rmdir(box + "/new")
    os.symlink("/tmp", box + "/new")
    assert "new/" in ours(box, expect=75)
    assert os.listdir(box + "/tmp") == []
    with open("/dev/null", "wb") as shut:
        done = subprocess.run([CTL, "deliverquota", place + "/Theirs"], stdin=shut, capture_output=True, check=False)
    assert done.returncode == 75 and b"can't read the message" in done.stderr


@pytest.mark.parametrize("what", ["directory", "fifo", "symlink", "binary", "short", "long"])
def test_bad_maildirsize(place, box, what):
    path = box + "/maildirsize"
    if what == "directory":
        os.mkdir(path)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "symlink":
        os.symlink(put(place + "/elsewhere", b"1S\n1 1\n"), path)
    else:
        put(path, {"binary": b"\0\xff" * 300, "short": b"150S", "long": b"150S\n" + b"%12d %12d\n" % (0, 0) * 300}[what])
    said = ours(box)
    assert len(new(box)) == 1
    if what in ("directory", "fifo", "symlink"):
        assert "delivered without a quota" in said and said.count("\n") == 1
    if what == "symlink":
        with open(place + "/elsewhere", "rb") as f:
            assert f.read() == b"1S\n1 1\n"
    if what == "long":
        assert lines(box)[0] == "150S" and use(box) == [100, 1]
        ours(box, expect=77)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_of_somebody_else(box):
    said = ours(box, expect=75, prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    assert "Permission denied" in said or "belongs to uid" in said
    assert new(box) == []


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_disk_full(place):
    home = place + "/small"
    os.mkdir(home)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700,uid=%d" % MAIL_UID, "none", home], check=False).returncode:
        pytest.skip("no mount")
    try:
        ours("-c", home + "/Maildir", "100000000S")
        assert "No space left" in ours(home + "/Maildir", text=b"x" * 1000000, expect=75)
        assert len(new(home + "/Maildir")) == 1 and os.listdir(home + "/Maildir/tmp") == []
        assert use(home + "/Maildir") == [100, 1]
        ours(home + "/Maildir")
    finally:
        subprocess.run(["umount", "-l", home], check=False)


def test_help():
    done = subprocess.run([CTL, "deliverquota", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "[-c] [-w PERCENT] [-W FILE] MAILDIR [QUOTA]" in done.stdout
