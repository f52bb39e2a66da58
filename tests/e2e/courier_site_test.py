# SPDX-License-Identifier: Apache-2.0
"""A Courier site as Debian's packages make it: its files, userdb, authdaemond, and Maildirs that Courier's imapd made and filled,
served by ours with no edit but paths and ports (X11, P10, U19, R39, R57, O4)."""
import os
import re
import shutil
import subprocess

import pytest

from courier_settings_test import Site, append, debian, edit, refused  # pylint: disable=unused-import
from lib.authdaemon import PRESENT, AuthDaemon
from lib.imap import Imap
from lib.outbox import Sendmail
from lib.peers import AS_OWNER, Courier, deliver, everything, folders, messages, select, subscribed, unpacked
from lib.server import MAIL_UID, wait_for

pytestmark = pytest.mark.skipif(not PRESENT, reason="needs root and courier-authdaemon")
QUOTA = "300000S,200C"
ACCOUNTS = {"demo": b"demo", "ann@example.com": b"pa ss\"w\xc3\xb6rd"}
RESUME = "INBOX.R&AOk-sum&AOk-"  # Résumé
FOLDERS = [RESUME, RESUME + ".&ZeVnLIqe-", "INBOX.Work &- Play", "INBOX.Trash", "INBOX.Old"]


class CourierOfSite(Courier):
    """Debian's imapd with what its start script would give it: the environment that the site's files make."""

    def __init__(self, site, user):
        self.site, self.user = site, user
        super().__init__(os.path.dirname(site.maildir(user)))

    def command(self, root):
        argv, env = super().command(root)
        files = subprocess.run(["env", "-i", "sh", "-ac", ". %s/imapd-ssl; . %s/imapd; exec env -0" % ((self.site.courier,) * 2)],
                               capture_output=True, check=True, text=True).stdout
        env = dict(line.split("=", 1) for line in files.split("\0") if line) | env
        return argv, env | {"AUTHENTICATED": self.user, "MAILDIRQUOTA": QUOTA, "PROTOCOL": "IMAP"}


def quota(client):
    return client.ok("GETQUOTAROOT INBOX").find(r'\* QUOTA "?ROOT"? \(STORAGE (\d+) (\d+) MESSAGE (\d+) (\d+)\)').groups()


def in_use(client):
    """What somebody has who has used it for a while: gaps in the UIDs, every flag, keywords, subscriptions."""
    for folder in FOLDERS:
        client.ok('CREATE "%s"' % folder)
    for folder in FOLDERS[:3]:
        client.ok('SUBSCRIBE "%s"' % folder)
        for i in range(4):
            client.append('"%s"' % folder, b"From: a@test\r\nSubject: m-%d\r\n\r\n%s\r\n" % (i, b"x" * 3000), flags="\\Seen")
    client.ok('UNSUBSCRIBE "%s"' % FOLDERS[2])
    select(client, "INBOX")
    client.ok("STORE 1 +FLAGS (\\Flagged $Label1 NonJunk)")
    client.ok("STORE 2 +FLAGS (\\Deleted)")
    client.ok("STORE 3 +FLAGS (\\Answered \\Seen)")
    client.ok('COPY 4 "%s"' % RESUME)
    client.ok("EXPUNGE")
    select(client, RESUME)
    client.ok("STORE 1 -FLAGS (\\Seen)")
    client.ok("STORE 5 +FLAGS (\\Draft $Forwarded)")


class Moved:
    """The site: what Courier said of each account, and then ours in its place."""

    def __init__(self, files):
        self.site = site = Site(files)
        self.daemon = AuthDaemon()
        os.chmod(self.daemon.dir, 0o755)
        shutil.copy(os.path.join(files, "authdaemonrc"), self.daemon.dir + "/etc")
        edit(self.daemon.dir + "/etc/authdaemonrc", authmodulelist='"authuserdb"')
        self.sendmail = Sendmail(site.dir)
        edit(site.courier + "/imapd", SENDMAIL=self.sendmail.path, IMAP_MOVE_EXPUNGE_TO_TRASH=1,
             IMAP_EMPTYTRASH="Trash:7,Old:0", MAXPERIP=3)
        append(site.courier + "/imapd", "OUTBOX=.Outbox\n")
        edit(site.courier + "/authdaemonrc", authmodulelist='"authuserdb"', authdaemonvar=os.path.dirname(self.daemon.socket))
        self.theirs = {}
        for user, password in ACCOUNTS.items():
            self.make_maildir(user)
            self.daemon.add(user, password, uid=MAIL_UID, gid=MAIL_UID, home=os.path.join(site.mail, user),
                            quota=QUOTA)
            client = CourierOfSite(site, user)
            in_use(client)
            self.theirs[user] = everything(client), quota(client)
            client.close()
        self.daemon.make().start()
        site.start()

    def make_maildir(self, user):
        """By Courier's own tool, with the quota; mail is there before anybody looks."""
        home, root = os.path.join(self.site.mail, user), unpacked()
        os.mkdir(home, 0o755)
        os.chown(home, MAIL_UID, MAIL_UID)
        for options in ([], ["-q", QUOTA]):  # the second counts what is there
            if options:
                for i in range(6):
                    deliver(home, "first-%d" % i)
            subprocess.run([*AS_OWNER, "env", "LD_LIBRARY_PATH=" + root + "/usr/lib/x86_64-linux-gnu", root + "/usr/bin/maildirmake.courier",
                            *options, home + "/Maildir"], check=True, capture_output=True)

    def client(self, user="demo", tls=False):
        """By 993, or by 143 with STARTTLS or without"""
        c = Imap(self.site.sslport if tls == "ssl" else self.site.port, tls=tls == "ssl")
        if tls == "starttls":
            c.ok("STARTTLS")
            c.start_tls()
        c.ok('LOGIN "%s" "%s"' % (user, ACCOUNTS[user].decode().replace('"', '\\"')))
        c.name = lambda folder: folder
        return c

    def stop(self):
        try:
            self.site.stop()
        finally:
            self.daemon.close()


@pytest.fixture(scope="module")
def moved(debian):  # pylint: disable=redefined-outer-name
    m = Moved(debian)
    yield m
    m.stop()


@pytest.mark.parametrize("user,tls", [("demo", False), ("ann@example.com", "starttls"), ("demo", "ssl"), ("ann@example.com", "ssl")])
def test_nothing_is_different(moved, user, tls):
    """UIDVALIDITY, UIDs, flags, keywords, subscriptions, use of the quota"""
    state, used = moved.theirs[user]
    with moved.client(user, tls) as c:
        assert quota(c) == used
        assert folders(c) == set(state[0]) == {"INBOX", *FOLDERS}
        assert everything(c) == state
        assert quota(c) == used
    assert used[1::2] == (b"293", b"200") and int(used[0]) > 30
    assert int(used[2]) == sum(len(m) for name, (_, m) in state[0].items() if name != "INBOX.Trash")


def test_capabilities_are_what_courier_said(moved):
    """IMAP_CAPABILITY of the file, and what Courier adds by other settings; but for what ours doesn't have"""
    client = CourierOfSite(moved.site, "demo")
    theirs = set(client.ok("CAPABILITY").untagged[0].split())
    client.close()
    with moved.client() as c:
        ours = set(c.ok("CAPABILITY").untagged[0].split())
    assert not ours - theirs
    assert theirs - ours <= {b"ACL", b"ACL2=UNION", b"SORT", b"THREAD=ORDEREDSUBJECT", b"THREAD=REFERENCES", b"ENABLE", b"UTF8=ACCEPT"}


def test_wrong_password(moved):
    for user in ACCOUNTS:
        with Imap(moved.site.port) as c:
            assert c.cmd('LOGIN "%s" wrong' % user).text.startswith("[AUTHENTICATIONFAILED]")


def test_quota_goes_on(moved):
    """Courier counts what we added and we count what it added: the file is the same."""
    user = "ann@example.com"
    with moved.client(user) as c:
        before = quota(c)
        assert c.append("INBOX", b"Subject: ours\r\n\r\n" + b"x" * 10000 + b"\r\n").ok
        ours = quota(c)
        assert int(ours[0]) - int(before[0]) in (9, 10) and int(ours[2]) == int(before[2]) + 1
        reply = c.append("INBOX", b"Subject: too much\r\n\r\n" + b"x" * 300000 + b"\r\n")
        assert reply.status == "NO" and "OVERQUOTA" in reply.text
    client = CourierOfSite(moved.site, user)
    assert quota(client) == ours
    client.close()


def test_outbox(moved):
    with moved.client() as c:
        c.ok("CREATE INBOX.Outbox")
        message = b"From: demo\r\nTo: b@test\r\nMessage-ID: <site@test>\r\nSubject: out\r\n\r\nbody\r\n"
        assert c.append("INBOX.Outbox", message).ok
        assert moved.sendmail.sent() == [b"X-IMAP-Sender: demo\n" + message.replace(b"\r\n", b"\n")]
        c.ok("SELECT INBOX.Outbox")
        assert len(messages(c)) == 1


def test_trash(moved):
    """IMAP_MOVE_EXPUNGE_TO_TRASH, and IMAP_EMPTYTRASH for more than one folder: Old's at once, not yet the trash's"""
    with moved.client() as c:
        select(c, "INBOX")
        before = messages(c)
        gone = before[max(before)][1]
        c.ok("UID STORE %d +FLAGS (\\Deleted)" % max(before))
        c.ok("EXPUNGE")
        select(c, "INBOX.Trash")
        assert gone in [m[1] for m in messages(c).values()]
        assert c.append("INBOX.Old", b"Subject: old\r\n\r\nx\r\n").ok

    def emptied():
        with moved.client() as c:
            return c.ok("STATUS INBOX.Old (MESSAGES)").find(r"MESSAGES 0\)")
    wait_for("IMAP_EMPTYTRASH", emptied)
    with moved.client() as c:
        select(c, "INBOX.Trash")
        assert gone in [m[1] for m in messages(c).values()]


def test_subscriptions_are_in_the_same_file(moved):
    with moved.client() as c:
        c.ok('SUBSCRIBE "%s"' % FOLDERS[2])
        ours = subscribed(c)
    assert FOLDERS[2] in ours
    client = CourierOfSite(moved.site, "demo")
    assert subscribed(client) == ours
    client.close()


def test_maxperip(moved):
    """Clients that have logged in aren't counted by ours"""
    wait_for("the count of connections", lambda: not refused(moved.site.port, False))
    with Imap(moved.site.port), Imap(moved.site.port), Imap(moved.site.port):
        assert refused(moved.site.port, False)


def test_keywords_switched_off(moved):
    """Last: another value in Courier's file, and another start"""
    site = moved.site
    for program in ("frontend", "backend", "notifyd"):
        site.stop_one(program)
    edit(site.courier + "/imapd", IMAP_KEYWORDS=0)
    site.start()
    with moved.client() as c:
        reply = c.ok("SELECT INBOX")
        assert not reply.find(r"PERMANENTFLAGS \([^)]*\\\*") and reply.find(r"PERMANENTFLAGS \([^)]*\\Flagged")
        assert c.cmd("STORE 1 +FLAGS (Another)").text.startswith("[LIMIT]")
        assert not c.ok("FETCH 1 FLAGS").find("Another")
    assert re.search(r"courier/imapd:\d+: IMAP_ACL is ignored", site.log())
