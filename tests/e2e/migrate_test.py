# SPDX-License-Identifier: Apache-2.0
"""A Maildir that Courier or Dovecot served goes on with its UIDs, and the way back (P10, U19), with the real servers."""
import os
import random
import shutil
import subprocess
import time

import pytest

from lib.peers import (AS_OWNER, Courier, Dovecot, DovecotUtf8, Posthouse, ctl, deliver, everything, folders, look, make_home, messages,
                       select)
from lib.server import BIN

RESUME = "INBOX.R&AOk-sum&AOk-"  # Résumé
ROUNDS = int(os.environ.get("ROUNDS", "100"))


@pytest.fixture
def home():
    path = make_home()
    yield path
    shutil.rmtree(path)


def work(client, tag):
    """What a user does in a day, so that UIDs have gaps, and flags and keywords differ."""
    for folder in (RESUME, RESUME + ".deeper", "INBOX.Work &- Play"):
        if folder not in folders(client):
            client.ok('CREATE "%s"' % client.name(folder))
            client.ok('SUBSCRIBE "%s"' % client.name(folder))
        for i in range(4):
            client.append('"%s"' % client.name(folder), b"Subject: %s-%d\r\n\r\nx\r\n" % (tag.encode(), i), flags="\\Seen")
    select(client, "INBOX")
    uids = sorted(messages(client))
    client.ok("UID STORE %d +FLAGS (\\Flagged $Label1)" % uids[0])
    client.ok("UID STORE %d +FLAGS (\\Answered %s NonJunk)" % (uids[1], tag))
    client.ok("UID STORE %d +FLAGS (\\Deleted)" % uids[2])
    client.ok("EXPUNGE")
    select(client, RESUME)
    uids = sorted(messages(client))
    client.ok("UID STORE %d +FLAGS (\\Draft $Forwarded)" % uids[-1])
    client.ok("UID STORE %d -FLAGS (\\Seen)" % uids[0])
    client.ok('UID COPY %d "%s"' % (uids[-1], client.name("INBOX")))


def day(kind, home, tag):
    """A session of that server; what a client then has of it."""
    client = kind(home)
    work(client, tag)
    state = everything(client)
    client.close()
    return state


def known(before, after):
    """Each message that a client has is still itself."""
    for folder, (uidvalidity, had) in before[0].items():
        now = after[0][folder]
        assert now[0] == uidvalidity, folder
        for uid, message in had.items():
            assert uid not in now[1] or now[1][uid][1] == message[1], (folder, uid)


@pytest.mark.parametrize("kind,server", [(Courier, "courier"), (Dovecot, "dovecot")], ids=["courier", "dovecot"])
def test_served_on_and_back(home, kind, server):
    for i in range(5):
        deliver(home, "first-%d" % i)
    theirs = day(kind, home, "one")
    for i in range(3):
        deliver(home, "unseen-%d" % i)

    ours = look(Posthouse, home)
    inbox = ours[0]["INBOX"][1]
    new = {uid for uid, m in inbox.items() if m[1].startswith(b"unseen")}
    assert len(new) == 3 and min(new) > max(theirs[0]["INBOX"][1])
    for uid in new:
        del inbox[uid]
    assert ours == theirs

    ours = day(Posthouse, home, "two")
    said = ctl("export", "--to", server, home + "/Maildir")
    assert said.count("UIDVALIDITY") == 4 and "Résumé.deeper" in said
    assert look(kind, home) == ours
    theirs = day(kind, home, "three")
    known(ours, theirs)

    said = ctl("import", "--from", server, home + "/Maildir")
    assert "instead of" not in said
    assert look(Posthouse, home) == theirs


def test_courier_then_dovecot_by_us(home):
    """From one to the other, through us, is a stop and a start."""
    for i in range(4):
        deliver(home, "m-%d" % i)
    state = day(Courier, home, "one")
    ctl("export", "--to", "dovecot", home + "/Maildir")
    assert look(DovecotUtf8, home) == state
    state = day(DovecotUtf8, home, "two")
    assert "instead of" not in ctl("import", home + "/Maildir")
    assert look(Posthouse, home) == state
    ctl("export", "--to", "courier", home + "/Maildir")
    assert look(Courier, home) == state


def test_the_list_of_the_server_that_was_last_at_work_counts(home):
    for i in range(4):
        deliver(home, "m-%d" % i)
    look(Courier, home)
    old = os.path.join(home, "Maildir", "courierimapuiddb")
    with open(old, encoding="ascii") as f:
        stale = f.read()
    for i in range(2):
        deliver(home, "later-%d" % i)
    state = day(DovecotUtf8, home, "one")
    with open(old, "w", encoding="ascii") as f:
        f.write(stale)
    os.utime(old, (time.time() + 60, time.time() + 60))  # newer, but it knows less
    assert look(Posthouse, home) == state


def test_of_two_lists_that_know_as_much_the_newer_one_counts(home):
    for i in range(4):
        deliver(home, "m-%d" % i)
    look(Courier, home)
    theirs = look(Dovecot, home)
    for stamp, is_dovecot in ((time.time() - 60, True), (time.time() + 60, False)):
        shutil.rmtree(home + "/Maildir/posthouse", ignore_errors=True)
        os.utime(home + "/Maildir/courierimapuiddb", (stamp, stamp))
        assert (look(Posthouse, home) == theirs) == is_dovecot


def test_courier_forgets_what_single_messages_had(home):
    """Update files that Courier hasn't folded into its list would win over what is exported."""
    deliver(home, "a")
    client = Courier(home)
    select(client, "INBOX")
    client.ok("STORE 1 +FLAGS (one two)")
    client.close()
    assert len(os.listdir(home + "/Maildir/courierimapkeywords")) > 0
    client = Posthouse(home)
    select(client, "INBOX")
    client.ok("STORE 1 FLAGS (three)")
    state = everything(client)
    client.close()
    ctl("export", "--to", "courier", home + "/Maildir")
    assert look(Courier, home) == state


def test_dovecot_letters_and_keywords(home):
    deliver(home, "a")
    client = Dovecot(home)
    select(client, "INBOX")
    client.ok("STORE 1 +FLAGS (one two three)")
    client.close()
    client = Posthouse(home)
    select(client, "INBOX")
    client.ok("STORE 1 -FLAGS (two)")
    client.ok("STORE 1 +FLAGS (four \\Flagged)")
    state = everything(client)
    assert [n.partition(":2,")[2] for n in os.listdir(home + "/Maildir/cur")] == ["Fabc"]  # they stay, until the export
    client.close()
    ctl("export", "--to", "dovecot", home + "/Maildir")
    assert [n.partition(":2,")[2] for n in os.listdir(home + "/Maildir/cur")] == ["Facd"]
    assert look(Dovecot, home) == state
    assert look(Posthouse, home) == state


def test_more_keywords_than_letters(home):
    for i in range(3):
        deliver(home, "m-%d" % i)
    client = Posthouse(home)
    select(client, "INBOX")
    client.ok("STORE 1:3 +FLAGS (everybody)")
    for i in range(0, 30, 10):
        client.ok("STORE 1 +FLAGS (%s)" % " ".join("kw%d" % n for n in range(i, i + 10)))
    state = everything(client)[0]["INBOX"]
    client.close()
    assert "no room" in ctl("export", "--to", "dovecot", home + "/Maildir")
    theirs = look(Dovecot, home)[0]["INBOX"]
    assert theirs[0] == state[0] and set(theirs[1]) == set(state[1])
    assert len(theirs[1][1][0]) == 26 and all(b"everybody" in m[0] for m in theirs[1].values())


def test_a_client_with_qresync_hears_what_it_missed(home):
    """It comes with a modseq of Dovecot's, and ours start above any of those."""
    for i in range(4):
        deliver(home, "m-%d" % i)
    client = Dovecot(home)
    client.ok("ENABLE QRESYNC")
    reply = client.ok("SELECT INBOX")
    validity, modseq = (int(reply.find(r"%s (\d+)" % w).group(1)) for w in ("UIDVALIDITY", "HIGHESTMODSEQ"))
    client.ok("STORE 1 +FLAGS (\\Flagged)")
    client.close()
    client = Dovecot(home)
    client.ok("SELECT INBOX")
    client.ok("STORE 2 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.ok("STORE 2 +FLAGS (kw)")
    client.close()
    client = Posthouse(home)
    client.ok("ENABLE QRESYNC")
    reply = client.ok("SELECT INBOX (QRESYNC (%d %d 1:4))" % (validity, modseq))
    client.close()
    assert reply.find(r"UIDVALIDITY %d\]" % validity) and reply.find(r"VANISHED \(EARLIER\) 2$")
    assert reply.find(r"UID 1 .*\\Flagged") and reply.find(r"UID 3 .*kw")


# ---- once, and once more -------------------------------------------------------------------------------------


def test_imported_once(home):
    for i in range(3):
        deliver(home, "m-%d" % i)
    look(Courier, home)
    ours = look(Posthouse, home)
    with open(home + "/Maildir/courierimapuiddb", encoding="ascii") as f:
        text = f.read()
    with open(home + "/Maildir/courierimapuiddb", "w", encoding="ascii") as f:
        f.write(text.replace("1 ", "7 ", 1))
    assert look(Posthouse, home) == ours
    shutil.rmtree(home + "/Maildir/posthouse")
    with open(home + "/Maildir/courierimapuiddb", "w", encoding="ascii") as f:
        f.write(text)
    assert look(Posthouse, home) == ours


def test_without_our_directory_no_uid_is_given_twice(home):
    """posthouse/ is deleted after it gave UIDs under Courier's UIDVALIDITY: those are never given again."""
    deliver(home, "a")
    theirs = look(Courier, home)[0]["INBOX"]
    client = Posthouse(home)
    select(client, "INBOX")
    client.append("INBOX", b"Subject: gone\r\n\r\nx\r\n")
    client.append("INBOX", b"Subject: stays\r\n\r\nx\r\n")
    client.ok("STORE 2 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    ours = messages(client)
    client.close()
    shutil.rmtree(home + "/Maildir/posthouse")
    now = look(Posthouse, home)[0]["INBOX"]
    assert now[0] == theirs[0] and now[1][1] == theirs[1][1]
    assert min(set(now[1]) - {1}) > max(ours)


def test_both_gave_uids(home):
    """Without an export in between, one UID went to two messages: clients must begin anew, under a higher UIDVALIDITY."""
    deliver(home, "a")
    look(Courier, home)
    deliver(home, "b")
    client = Posthouse(home)
    select(client, "INBOX")
    client.ok("UID STORE 2 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.close()
    client = Posthouse(home)
    select(client, "INBOX")  # a session that is there all the time
    deliver(home, "c")
    theirs = look(Courier, home)[0]["INBOX"]
    assert theirs[1][2][1] == b"c"
    assert "instead of" in ctl("import", "--from", "courier", home + "/Maildir")
    tag = client.start("NOOP")
    line = client.read_line()
    while not line.startswith(b"* BYE"):  # its UIDs are no longer valid
        assert not line.startswith(tag + b" OK"), line
        line = client.read_line()
    client.close()
    now = look(Posthouse, home)[0]["INBOX"]
    assert now[0] > theirs[0] and [m[1] for _, m in sorted(now[1].items())] == [b"a", b"c"]
    ctl("import", home + "/Maildir")  # without anything new, nothing happens
    again = look(Posthouse, home)[0]["INBOX"]
    assert [m[1] for _, m in sorted(again[1].items())] == [b"a", b"c"] and again[0] >= now[0]


def test_unseen_mail_keeps_its_uid_at_courier(home):
    """Courier forgets the UIDs of what lies in new/."""
    deliver(home, "a")
    client = Posthouse(home)
    client.ok("EXAMINE INBOX")
    ours = messages(client)
    client.close()
    assert len(os.listdir(home + "/Maildir/new")) == 1
    ctl("export", "--to", "courier", home + "/Maildir")
    assert look(Courier, home)[0]["INBOX"][1] == ours


def test_asked_for_without_a_list(home):
    deliver(home, "a")
    ours = look(Posthouse, home)
    assert "nothing was changed" in ctl("import", home + "/Maildir")
    assert look(Posthouse, home) == ours


def test_a_server_at_work_meanwhile(home):
    """Exports beside an imapd that serves: its client notices nothing, and nothing is lost."""
    for i in range(20):
        deliver(home, "m-%d" % i)
    client = Posthouse(home)
    select(client, "INBOX")
    for round_ in range(5):
        for server in ("courier", "dovecot"):
            client.append("INBOX", b"Subject: more-%d\r\n\r\nx\r\n" % round_)
            client.ok("STORE 1:5 +FLAGS (round%d)" % round_)
            ctl("export", "--to", server, home + "/Maildir")
            client.ok("STORE 3 -FLAGS (round%d)" % round_)
    client.ok("NOOP")
    state = everything(client)
    assert len(state[0]["INBOX"][1]) == 30
    for server, kind in (("courier", Courier), ("dovecot", Dovecot)):
        ctl("export", "--to", server, home + "/Maildir")
        assert everything(client) == state
        assert look(kind, home) == state
    client.close()


def test_killed_while_it_takes_over(home):
    for i in range(300):
        deliver(home, "m-%d" % i)
    client = Courier(home)
    select(client, "INBOX")
    client.ok("STORE 1:50 +FLAGS (kw)")
    client.ok("STORE 100:300 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.append("INBOX", b"Subject: last\r\n\r\nx\r\n")
    state = everything(client)
    client.close()
    assert look(Posthouse, home) == state
    for kill in range(1, 16):
        for name in os.listdir(home + "/Maildir/posthouse"):
            if not name.startswith("uidvalidity"):  # its lock is left for ten seconds where the kill hits it
                os.unlink(home + "/Maildir/posthouse/" + name)
        process = subprocess.Popen([*AS_OWNER, os.path.join(BIN, "imapd"), "-C", "/dev/null", "--import", home + "/Maildir"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.002 * kill)
        process.kill()
        process.wait()
        assert look(Posthouse, home) == state, kill


def test_by_name_of_the_account(account):
    """As root for a user of the running server, which serves on."""
    account.deliver()
    client = account.client(select="INBOX")
    conf = account.server.conf
    said = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", conf, "export", "--to", "dovecot", account.user],
                          capture_output=True, text=True, check=False)
    assert said.returncode == 0 and said.stdout.startswith("INBOX: UIDVALIDITY "), said
    made = os.stat(os.path.join(account.maildir, "dovecot-uidlist"))
    assert made.st_uid == os.stat(account.maildir).st_uid
    client.ok("STORE 1 +FLAGS (later)")
    assert client.ok("FETCH 1 FLAGS").find(r"later")
    said = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", conf, "export", "--to", "dovecot", "nobody"],
                          capture_output=True, text=True, check=False)
    assert said.returncode == 1 and "has no account nobody" in said.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("POSTHOUSE_LONG"), reason="the long form")
def test_rounds(home):
    """Dovecot, Courier and Posthouse in turn: a client that keeps what it has downloads no message twice."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print("seed %d" % seed)
    rnd = random.Random(seed)
    for i in range(5):
        deliver(home, "first-%d" % i)
    cache, downloads = {}, 0
    last = None
    for number in range(ROUNDS):
        kind = rnd.choice([Courier, DovecotUtf8, Posthouse])
        if kind is Posthouse and last not in (None, Posthouse):
            said = ctl("import", "--from", "courier" if last is Courier else "dovecot", home + "/Maildir")
            assert "instead of" not in said, said
        elif kind is not last and kind is not Posthouse:
            if last not in (None, Posthouse):
                said = ctl("import", "--from", "courier" if last is Courier else "dovecot", home + "/Maildir")
                assert "instead of" not in said, said
            ctl("export", "--to", "courier" if kind is Courier else "dovecot", home + "/Maildir")
        last = kind
        client = kind(home)
        some_operations(client, home, rnd, number)
        state, subscriptions = everything(client)
        client.close()
        for folder, (uidvalidity, now) in state.items():
            had = cache.setdefault((folder, uidvalidity), {})
            for uid, (flags, subject) in now.items():
                if uid in had:
                    assert had[uid] == subject, (number, kind, folder, uid)
                else:
                    downloads += 1
                    assert subject not in had.values(), "downloaded again: %r in %s by %s" % (subject, folder, kind)
                    had[uid] = subject
            assert len({v for f, v in cache if f == folder}) == 1, "UIDVALIDITY of %s changed by %s" % (folder, kind)
        if number and rnd.random() < 0.3:
            again = look(kind, home)
            assert again == (state, subscriptions)
    print("seed %d: %d rounds, %d messages, each downloaded once" % (seed, ROUNDS, downloads))


def some_operations(client, home, rnd, number):
    for turn in range(rnd.randrange(1, 8)):
        names = sorted(folders(client))
        folder = rnd.choice(names)
        subject = "r%d-%d" % (number, turn)
        what = rnd.randrange(7)
        if what == 0:
            deliver(home, subject)
        elif what == 1:
            client.append('"%s"' % client.name(folder), b"Subject: %s\r\n\r\nx\r\n" % subject.encode(), flags=rnd.choice(["", "\\Seen"]))
        elif what == 2 and len(names) < 8:
            name = rnd.choice([RESUME, "INBOX.A", RESUME + ".deeper", "INBOX.&ZeVnLIqe-"])
            if name not in names:
                client.ok('CREATE "%s"' % client.name(name))
                client.ok('SUBSCRIBE "%s"' % client.name(name))
        else:
            select(client, folder)
            uids = sorted(messages(client))
            if not uids:
                continue
            uid = rnd.choice(uids)
            if what == 3:
                client.ok("UID STORE %d %sFLAGS (%s)" % (uid, rnd.choice("+-"), rnd.choice(["\\Flagged", "\\Seen", "kw1", "kw2 $Junk"])))
            elif what == 4 and len(uids) > 3:
                client.ok("UID STORE %d +FLAGS (\\Deleted)" % uid)
                client.ok("EXPUNGE")
            elif what == 5:
                client.ok("UID STORE %d FLAGS (kw3)" % uid)
