# SPDX-License-Identifier: Apache-2.0
"""What Courier's tools do, as verbs of posthousectl and under their old names, beside Debian's own (R12, R13, R65, R127 to R136)."""
import os
import select
import shutil
import signal
import subprocess
import time

import pytest

from lib.imap import Imap
from lib.peers import AS_OWNER, Posthouse, look, make_home, unpacked
from lib.server import BIN, MAIL_UID, ROOT, TOP, Server, wait_for

CTL = os.path.join(BIN, "posthousectl")


def run(*argv, stdin="", expect=0, **kw):
    done = subprocess.run([CTL, *argv], input=stdin, capture_output=True, text=True, errors="replace", timeout=30, check=False,
                          **kw)
    assert done.returncode == expect, (argv, done)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def server():
    s = Server(users=("demo", "gone:{PLAIN}secret7::::::expires=2020-01-01", "off:{PLAIN}secret7::::::disableimap=1", "popper:{PLAIN}secret7::::/srv/popper::quota=1000S"), LOGIN_PENALTY_MAX=15000).start()
    yield s
    s.stop()


# ---- authtest ------------------------------------------------------------------------------------------------

def test_authtest_prints_the_record(server):
    said = run("-C", server.conf, "authtest", "popper", "secret7")
    assert said.startswith("Authentication succeeded.\n\n")
    for line in ("     Authenticated: popper  (uid ", "    Home Directory: /srv/popper\n", "             Quota: 1000S\n",
                 "Encrypted Password: (not shown)\n", "           Options: quota=1000S\n", "            Module: passwd-file\n"):
        assert line in said, said
    assert "secret7" not in said
    assert "Home Directory: /srv/popper" in run("-C", server.conf, "authtest", "popper")
    assert "succeeded" in run("-C", server.conf, "authtest", "-s", "imap", "-p", "popper", stdin="secret7\n")
    assert '"home": "/srv/popper"' in run("-C", server.conf, "authtest", "--json", "popper").replace('":"', '": "')


def test_authtest_says_why_not(server):
    ask = ("-C", server.conf, "authtest")
    assert "FAILED: wrong password" in run(*ask, "popper", "secret8", expect=1)
    assert "FAILED: no module knows" in run(*ask, "nobody-here", "x", expect=1)
    assert "FAILED: no module knows" in run(*ask, "nobody-here", expect=1)
    assert "FAILED: no module knows" in run(*ask, "bad\x01name", expect=1)
    assert "FAILED: no module knows" in run(*ask, "", expect=1)
    said = run(*ask, "off", "secret7", expect=1)
    assert "FAILED: the account may not log in" in said and "Home Directory" in said
    assert "FAILED: wrong password" in run(*ask, "off", "x", expect=1)
    assert "FAILED: the account has expired" in run(*ask, "gone", "secret7", expect=1)
    assert "succeeded" in run(*ask, "-s", "smtp", "off", "secret7")
    assert "posthousectl passwd" in run(*ask, "demo", "demo", "new", expect=2)
    run(*ask, expect=2)
    run(*ask, "x" * 5000, expect=1)
    assert "no password" in run(*ask, "-p", "demo", stdin="", expect=1)
    for secret in ("secret7", "secret8"):
        assert secret not in server.log()


def test_authtest_is_no_guess(server):
    """However often: who logs in afterwards waits for no penalty."""
    for i in range(20):
        run("-C", server.conf, "authtest", "demo", "wrong%d" % i, expect=1)
    begun = time.monotonic()
    with Imap(server.port) as c:
        assert c.cmd("LOGIN demo demo").ok
    assert time.monotonic() - begun < 5


def test_authtest_without_a_frontend(server, tmp_path):
    assert "isn't running" in run("-C", server.conf, "--set", "RUNDIR=%s" % tmp_path, "authtest", "demo", expect=1)


# ---- maildirmake ---------------------------------------------------------------------------------------------

@pytest.fixture
def place():
    path = make_home()
    shutil.rmtree(path + "/Maildir", ignore_errors=True)
    yield path
    shutil.rmtree(path)


def courier(tool, *argv, expect=0):
    root = unpacked()
    libs = ":".join(root + "/usr/lib" + d for d in ("/x86_64-linux-gnu", "/aarch64-linux-gnu", ""))
    done = subprocess.run([*AS_OWNER, root + "/usr/bin/" + tool, *argv], capture_output=True, text=True, timeout=30, check=False,
                          env={"LD_LIBRARY_PATH": libs, "PATH": "/usr/bin:/bin"})
    assert done.returncode == expect, (tool, argv, done)
    return done.stdout


def tree(path):
    found = {}
    for base, dirs, files in os.walk(path):
        for name in dirs + files:
            st = os.lstat(os.path.join(base, name))
            found[os.path.relpath(os.path.join(base, name), path)] = (oct(st.st_mode), st.st_uid, st.st_gid)
    return found


def test_maildirmake_makes_what_couriers_does(place):
    for make in ("Maildir", "Theirs"):
        for options in ([], ["-f", "Work"], ["-f", "Work.Résumé"], ["-q", "1000S,10C"]):
            if make == "Theirs":
                courier("maildirmake.courier", *options, place + "/" + make)
            else:
                run("maildirmake", *options, place + "/" + make)
    ours, theirs = tree(place + "/Maildir"), tree(place + "/Theirs")
    del ours["maildirsize"], theirs["maildirsize"]
    assert ours == theirs and all(owner[1] == MAIL_UID for owner in ours.values())
    with open(place + "/Maildir/maildirsize", encoding="ascii") as a, open(place + "/Theirs/maildirsize", encoding="ascii") as b:
        assert a.read() == b.read()
    assert {"INBOX", "INBOX.Work", "INBOX.Work.R&AOk-sum&AOk-"} <= set(look(Posthouse, place)[0])
    run("maildirmake", "-S", place + "/Open")
    assert os.stat(place + "/Open/cur").st_mode & 0o777 == 0o755


def test_maildirmake_quota_counts_what_is_there(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    run("maildirmake", "-f", "Trash", home)
    run("maildirmake", "-f", "A", home)
    for name, size in (("cur/1.a.h:2,S", 10), ("cur/2.a.h:2,ST", 100), ("new/3.a.h", 1000), (".A/cur/4.a.h:2,", 10000),
                       (".Trash/cur/5.a.h:2,", 100000)):
        with open(home + "/" + name, "wb") as f:
            f.write(b"x" * size)
    run("maildirmake", "-q", "5000000S", home)
    with open(home + "/maildirsize", encoding="ascii") as f:
        assert f.read() == "5000000S\n%12d %12d\n" % (11010, 3)
    for bad in ("", "x", "10", "S", "10S,", "-1S", "99999999999999999999S", "10S 20C"):
        run("maildirmake", "-q", bad, home, expect=2)


def test_maildirmake_refuses_what_is_no_folder(place):
    home = place + "/Maildir"
    assert "make it first" in run("maildirmake", "-f", "Work", place, expect=1)
    run("maildirmake", home)
    assert "File exists" in run("maildirmake", home, expect=1)
    before = tree(place)
    for bad in ("", ".", "..", "../x", "a/b", ".a", "a.", "a..b", "a\nb", "x" * 250, os.fsdecode(b"\xff\xfe")):
        assert "can be no folder's name" in run("maildirmake", "-f", bad, home, expect=1), bad
    run("maildirmake", "-f", "Work", home)
    assert "File exists" in run("maildirmake", "-f", "Work", home, expect=1)
    os.symlink(place, place + "/Link")
    assert "symbolic link" in run("maildirmake", "-f", "Else", place + "/Link/", expect=1)
    os.symlink("/nonexistent", home + "/.Dangling")
    assert "File exists" in run("maildirmake", "-f", "Dangling", home, expect=1)
    for args in (["--add", "nick=/x", home], ["-s", "read", "-f", "X", home], ["--del", "nick", home]):
        assert "not there yet" in run("maildirmake", *args, expect=1)
    for args in ([], [home, home], ["-x", home], ["-f"], ["-q", "1S", "-f", "X", home]):
        run("maildirmake", *args, expect=2)
    after = tree(place)
    assert {p.split("/")[1] for p in set(after) - set(before) if "/" in p} == {".Work", ".Dangling"}
    if ROOT:
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", CTL, "maildirmake", "-f", "X", home],
                              capture_output=True, text=True, check=False)
        assert done.returncode != 0 and not os.path.exists(home + "/.X")


def test_folder_names_from_one_form_to_the_other(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    coded = (".R&AOk-sum&AOk-", ".R&AOk-sum&AOk-.deeper", ".Plain", ".R&D")
    for name in coded:
        run("maildirmake", "-f", name[1:], home)
    with open(home + "/courierimapsubscribed", "w", encoding="utf-8") as f:
        f.write("INBOX\nINBOX.R&AOk-sum&AOk-\nINBOX.Plain\n")
    if ROOT:
        os.chown(home + "/courierimapsubscribed", MAIL_UID, MAIL_UID)
    assert ".R&AOk-sum&AOk- -> .Résumé\n" in run("maildirmake", "--checkutf8", home)
    assert os.path.isdir(home + "/.R&AOk-sum&AOk-")
    run("maildirmake", "--convutf8", home)
    assert {n for n in os.listdir(home) if n[0] == "."} == {".Résumé", ".Résumé.deeper", ".Plain", ".R&D"}
    with open(home + "/courierimapsubscribed", encoding="utf-8") as f:
        assert f.read() == "INBOX\nINBOX.Résumé\nINBOX.Plain\n"
    assert run("maildirmake", "--convutf8", home) == ""
    run("maildirmake", "--convutf7", home)
    assert {n for n in os.listdir(home) if n[0] == "."} == {*coded[:3], ".R&-D"}
    run("maildirmake", "-F", "Entwürfe", home)
    assert os.path.isdir(home + "/.Entw&APw-rfe/cur")
    os.mkdir(home + "/.Résumé")
    os.mkdir(os.fsencode(home) + b"/.\xff\x1b[2J")
    said = run("maildirmake", "--convutf8", home, expect=1)
    assert "bring them together by hand" in said and "rename it by hand" in said and "\x1b" not in said
    assert os.path.isdir(home + "/.R&AOk-sum&AOk-/cur")


# ---- acl -----------------------------------------------------------------------------------------------------

def test_acl_as_couriers(place):
    """The same commands on two Maildirs; lists and files are the same after each."""
    for name in ("Maildir", "Theirs"):
        run("maildirmake", place + "/" + name)
        for folder in ("Work", "Work.Sub"):
            run("maildirmake", "-f", folder, place + "/" + name)
    # Courier writes a list where it only looks at one, so each folder gets its own first.
    for args in (["-set", "INBOX.Level", "anyone", "l"], ["-set", "INBOX.Work", "user=bob", "lr"], ["-set", "INBOX.Work", "user=bob", "+w"], ["-set", "INBOX.Work", "-user=bob", "r"],
                 ["-set", "INBOX.Work", "anyone", "srl"], ["-set", "INBOX.Work", "user=bob", "-l"], ["-set", "INBOX", "group=staff", "lrs"],
                 ["-set", "INBOX.Work", "user=rené", "aceilrstwx"], ["-set", "INBOX.Work", "owner", "+l"],
                 ["-delete", "INBOX.Work", "user=nobody"], ["-delete", "INBOX.Work", "-user=bob"], ["-set", "INBOX.Work", "-owner", "r"],
                 ["-set", "INBOX.Work", "owner", "lr"], ["-set", "INBOX.Work", "-anyone", "a"], ["-set", "INBOX.Work", "administrators", "l"],
                 ["-delete", "INBOX.Work", "owner"]):
        refused = args[2:] in (["owner", "lr"], ["-anyone", "a"], ["administrators", "l"], ["owner"])
        courier("maildiracl", args[0], place + "/Theirs", *args[1:], expect=int(refused))
        run("acl", args[0], place + "/Maildir", *args[1:], expect=int(refused))
        assert run("acl", "-list", place + "/Maildir", args[1]) == courier("maildiracl", "-list", place + "/Theirs", args[1]), args
        ours, theirs = ({p: m for p, m in tree(place + "/" + name).items() if "acl" in p} for name in ("Maildir", "Theirs"))
        for path in ours:
            if os.path.isfile(place + "/Maildir/" + path):
                with open(place + "/Maildir/" + path, "rb") as a, open(place + "/Theirs/" + path, "rb") as b:
                    assert a.read() == b.read(), path
                assert ours[path] == theirs[path]
    for ids in (["owner"], ["user=bob"], ["user=zoe", "group=staff"], ["anyone"], ["user=x", "administrators"]):
        assert (run("acl", "-compute", place + "/Maildir", "INBOX.Work", *ids)
                == courier("maildiracl", "-compute", place + "/Theirs", "INBOX.Work", *ids)), ids
    for folder in ("INBOX.Work.Sub", "INBOX.Level.x", "INBOX.Work.Sub.x"):  # those of the level above
        assert run("acl", "-list", place + "/Maildir", folder) == courier("maildiracl", "-list", place + "/Theirs", folder)
    run("acl", "-reset", place + "/Maildir")
    assert os.listdir(place + "/Maildir/courierimaphieracl") == []


def test_acl_says_what_is_wrong(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    run("maildirmake", "-f", "W", home)
    assert "doesn't heed them yet" in run("acl", "-set", home, "INBOX.W", "user=a", "lr")
    for folder in ("", "W", "INBOX.", "INBOX..W", "INBOX./W", "INBOX.../../x", "inbox.W", "INBOX.a/../../b"):
        assert "a folder is INBOX" in run("acl", "-list", home, folder, expect=1), folder
    assert "an identifier is" in run("acl", "-set", home, "INBOX.W", "bob", "l", expect=1)
    assert "rights are letters" in run("acl", "-set", home, "INBOX.W", "user=bob", "lZ", expect=1)
    for args in ([], ["-list", home], ["-set", home, "INBOX", "owner"], ["-what", home], ["-compute", home, "INBOX"]):
        run("acl", *args, expect=2)
    path = home + "/.W/courierimapacl"
    with open(path, "wb") as f:
        f.write(b"owner al\n\x00\x01\x02\n")
    assert "line 2" in run("acl", "-list", home, "INBOX.W", expect=1)
    assert "line 2" in run("acl", "-set", home, "INBOX.W", "user=b", "l", expect=1)
    with open(path, "wb") as f:
        f.write(b"user=x l\n" * 200000)
    assert "too large" in run("acl", "-list", home, "INBOX.W", expect=1)
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    assert "can't read" in run("acl", "-list", home, "INBOX.W", expect=1)
    os.unlink(path)
    os.mkfifo(path)
    assert "no regular file" in run("acl", "-list", home, "INBOX.W", expect=1)
    os.unlink(path)
    os.symlink(place, home + "/.Away")
    run("acl", "-set", home, "INBOX.Away", "user=a", "l")
    assert not os.path.exists(place + "/courierimapacl")


# ---- kw ------------------------------------------------------------------------------------------------------

def test_kw_changes_keywords(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    run("maildirmake", "-f", "W&AOk-", home)
    for folder in ("", "/.W&AOk-"):
        for name in ("1.a.h:2,FS", "2.a.h:2,"):
            with open(home + folder + "/cur/" + name, "wb") as f:
                f.write(b"Subject: x\n\nx\n")
            if ROOT:
                os.chown(home + folder + "/cur/" + name, MAIL_UID, MAIL_UID)
    for folder in ("", "/.W&AOk-"):
        at = home + folder
        assert run("kw", "-L", at) == ""
        run("kw", at, "1.a.h", "$Label1", "work")
        run("kw", "-l", "-a", at, "cur/1.a.h:2,S", "more")
        run("kw", "-a", at, at + "/cur/2.a.h:2,", "work")
        assert run("kw", "-L", at) == "1.a.h $Label1 work more\n2.a.h work\n"
        run("kw", "-r", at, "1.a.h:2,FS", "work", "nosuch")
        run("kw", at, "2.a.h")
        assert run("kw", "-L", at) == "1.a.h $Label1 more\n"
        assert os.path.exists(at + "/cur/1.a.h:2,FS")
    run("export", "--to", "courier", home)
    assert courier("maildirkw", "-L", home).split() == ["1.a.h", "$Label1", "more"]
    # Beside a session that has the folder open.
    shell = Posthouse(place)
    shell.ok("SELECT INBOX")
    run("kw", "-a", home, "2.a.h", "seen-live")
    wait_for("the keyword", lambda: shell.ok("NOOP").all("FETCH.*seen-live"))
    shell.close()


def test_kw_says_what_is_wrong(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    with open(home + "/cur/1.a.h:2,", "wb") as f:
        f.write(b"Subject: x\n\nx\n")
    assert "no message with this file name" in run("kw", "-a", home, "nosuch", "k", expect=1)
    assert "no message with this file name" in run("kw", "-a", home, "", "k", expect=1)
    for bad in ("a b", "a(b", "\\Seen", "", "é", "x" * 5000, "a\nb"):
        assert "no keyword" in run("kw", "-a", home, "1.a.h", bad, expect=1), bad
    assert "no such folder" in run("kw", "-L", home + "/.Nix", expect=1)
    for path in (home + "/nix", home + "/..", "", "/dev/null"):
        assert "is no Maildir" in run("kw", "-L", path, expect=1), path
    os.symlink(place, home + "/.Away")
    run("kw", "-L", home + "/.Away", expect=1)
    for args in ([], ["-L"], ["-L", home, "x"], ["-a", "-r", home, "1.a.h", "k"], ["-x", home, "1.a.h"], [home]):
        run("kw", *args, expect=2)
    assert run("kw", "-L", home) == ""


def test_imapd_version_is_one_line():
    done = subprocess.run([BIN + "/imapd", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1 and done.stdout.startswith("imapd (Posthouse) ")


# ---- watch ---------------------------------------------------------------------------------------------------

class Watch:
    def __init__(self, *argv):
        self.process = subprocess.Popen([CTL, "watch", *argv], stdout=subprocess.PIPE, text=True)
        assert self.line() == "watching"

    def line(self):
        assert select.select([self.process.stdout], [], [], 15)[0]
        return self.process.stdout.readline().rstrip("\n")

    def until(self, line):
        while self.line() != line:
            pass


def test_watch_prints_a_line(place):
    home = place + "/Maildir"
    run("maildirmake", home)
    w = Watch(home)
    with open(home + "/new/1.a.h", "w", encoding="ascii"):
        pass
    w.until("changed INBOX")
    os.rename(home + "/new/1.a.h", home + "/cur/1.a.h:2,S")
    w.until("changed INBOX")
    run("maildirmake", "-f", "W&AOk-", home)  # one that comes later is watched, too
    w.until("folders")
    with open(home + "/.W&AOk-/new/1.a.h", "w", encoding="ascii"):
        pass
    w.until("changed INBOX.Wé")
    w.process.send_signal(signal.SIGTERM)
    assert w.process.wait(15) == 0
    once = Watch("--once", home)
    os.unlink(home + "/cur/1.a.h:2,S")
    assert once.line() == "changed INBOX" and once.process.wait(15) == 0
    gone = Watch(home)
    shutil.rmtree(home)
    assert gone.process.wait(15) == 1


def test_watch_wants_a_maildir(place):
    assert "is no Maildir" in run("watch", place, expect=1)
    assert "No such file" in run("watch", place + "/nix", expect=1)
    assert "no directory" in run("watch", "/dev/null", expect=1)
    for args in ([], ["-x"], [place, place], ["--once"]):
        run("watch", *args, expect=2)


# ---- the old names -------------------------------------------------------------------------------------------

def test_old_names(place, tmp_path):
    done = subprocess.run(["make", "-s", "-C", TOP, "install-courier-names", "DESTDIR=%s" % tmp_path, "PREFIX="], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done
    links = tmp_path / "bin"

    def old(name, *argv, expect=0):
        assert os.readlink(links / name) == "posthousectl"
        done = subprocess.run([name, *argv], executable=CTL, capture_output=True, text=True, timeout=30, check=False,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == expect, (name, done)
        return done.stdout + done.stderr

    home, pem = place + "/Maildir", str(tmp_path / "imapd.pem")
    old("maildirmake", home)
    old("maildirmake", "-f", "Old", home)
    assert old("maildiracl", "-list", home, "INBOX.Old") == "owner\taceilrstwx\nadministrators\taceilrstwx\n"
    assert old("maildirkw", "-L", home) == ""
    assert "isn't running" in old("authtest", "--set", "RUNDIR=%s" % tmp_path, "demo", expect=1)
    assert "watch: " in old("maildirwatch", str(tmp_path), expect=1)
    assert "made for localhost" in old("mkimapdcert", "--set", "TLS_CERTFILE=" + pem)
    for name in ("mkimapdcert", "mkpop3dcert"):
        assert old(name, "--set", "TLS_CERTFILE=" + pem, expect=1).endswith("/imapd.pem already exists.\n")
    assert "posthouse-frontend(8)" in old("couriertcpd", "-stop", "-pid=/x", expect=2)
    assert "LOG_TO" in old("courierlogger", "-name=imapd", expect=2)
    assert "no message on standard input" in old("deliverquota", home, expect=75)
    assert "Usage: posthousectl [-C FILE] acl" in old("maildiracl", "--help")
    for name, status in (("maildirmake", 2), ("maildiracl", 2), ("maildirkw", 2), ("maildirwatch", 2), ("authtest", 2), ("deliverquota", 75)):
        assert "sage: posthousectl" in old(name, expect=status)
    assert {p.name for p in links.iterdir()} == {"authtest", "courierlogger", "couriertcpd", "deliverquota", "maildiracl", "maildirkw",
                                                 "maildirmake", "maildirwatch", "mkimapdcert", "mkpop3dcert"}


def test_help_of_each_verb():
    for line in run("--help").splitlines():
        if line.startswith("  ") and line[2].isalpha() and line.split()[0] not in ("authtest,",):
            assert run(line.split()[0], "--help").startswith("Usage: posthousectl "), line
