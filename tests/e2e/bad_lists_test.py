# SPDX-License-Identifier: Apache-2.0
"""Damaged, hostile and odd lists of other servers (B62, B64): the same UIDs, or a higher UIDVALIDITY; never a UID twice."""
import os
import re
import shutil
import time

import pytest

from lib.peers import Posthouse, ctl, deliver, make_home, messages, select
from lib.server import MAIL_UID, ROOT

VALIDITY = 795670445


@pytest.fixture
def home():
    path = make_home()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def names(home):
    return [deliver(home, "m-%d" % i) for i in range(4)]


def put(home, name, text, mode=0o600):
    path = os.path.join(home, "Maildir", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    if ROOT:
        os.chown(path, MAIL_UID, MAIL_UID)
    return path


def opened(home):
    """UIDVALIDITY, UIDNEXT, {subject: (uid, keywords)}, and the log, as of a first open."""
    shutil.rmtree(home + "/Maildir/posthouse", ignore_errors=True)
    client = Posthouse(home)
    reply = client.ok("SELECT INBOX")
    validity, uidnext = (int(reply.find(r"%s (\d+)" % w).group(1)) for w in ("UIDVALIDITY", "UIDNEXT"))
    found = {m[1].decode(): (uid, {f.decode() for f in m[0] if not f.startswith(b"\\")}) for uid, m in messages(client).items()}
    log = client.log()
    client.close()
    open(home + "/Maildir.stderr", "w", encoding="ascii").close()
    return validity, uidnext, found, log


def uids(found):
    return [found["m-%d" % i][0] for i in range(4)]


def both(names, validity=VALIDITY, uidnext=50, given=(11, 12, 30, 44)):
    """The same list as Courier and as Dovecot write it."""
    lines = list(zip(given, names))
    return {"courierimapuiddb": "1 %s %s\n" % (validity, uidnext) + "".join("%s %s\n" % x for x in lines),
            "dovecot-uidlist": "3 V%s N%s G%032x\n" % (validity, uidnext, 5) + "".join("%s W7 :%s\n" % x for x in lines)}


@pytest.mark.parametrize("kind", ["courierimapuiddb", "dovecot-uidlist"])
def test_any_truncation(home, names, kind):
    text = both(names)[kind]
    for cut in range(0, len(text), 1 if os.environ.get("POSTHOUSE_LONG") else 5):
        put(home, kind, text[:cut])
        validity, uidnext, found, log = opened(home)
        got = uids(found)
        assert len(set(got)) == 4 and max(got) < uidnext
        if validity == VALIDITY:  # then nobody has another one's UID, and new ones are above all that were given
            assert all(uid == old or uid >= 50 for uid, old in zip(got, (11, 12, 30, 44))), (cut, got)
        else:
            assert validity > VALIDITY and got == [1, 2, 3, 4], (cut, got)
        if cut < len(text):
            assert cut == 0 or "folder_imported" in log
    assert validity == VALIDITY or kind == "dovecot-uidlist"


@pytest.mark.parametrize("kind", ["courierimapuiddb", "dovecot-uidlist"])
@pytest.mark.parametrize("what,given,expect", [
    ("unsorted", (44, 30, 12, 11), [44, 30, 12, 11]),
    ("one UID twice", (11, 12, 12, 44), [11, 50, 51, 44]),
    ("UID 0", (0, 12, 30, 44), [50, 12, 30, 44]),
    ("no number", ("x", 12, 30, 44), [50, 12, 30, 44]),
    ("too large", (4294967296, 12, 30, 44), [50, 12, 30, 44]),
    ("negative", (-1, 12, 30, 44), [50, 12, 30, 44]),
], ids=lambda v: v if isinstance(v, str) else "")
def test_odd_lines(home, names, kind, what, given, expect):
    put(home, kind, both(names, given=given)[kind])
    validity, uidnext, found, _ = opened(home)
    assert (validity, uids(found)) == (VALIDITY, expect) and uidnext > max(expect)


@pytest.mark.parametrize("kind", ["courierimapuiddb", "dovecot-uidlist"])
@pytest.mark.parametrize("head", [
    dict(validity=0), dict(uidnext=0), dict(uidnext=4294967295), dict(uidnext=4294967296), dict(uidnext="x"), dict(validity=4294967295),
    dict(validity=4294967296), dict(validity="")], ids=str)
def test_odd_heads(home, names, kind, head):
    put(home, kind, both(names, **head)[kind])
    before = int(time.time()) - 5
    validity, uidnext, found, log = opened(home)
    assert before < validity < before + 600 and uids(found) == [1, 2, 3, 4] and uidnext == 5
    assert re.search(r"warn .*folder_imported .*fault=\"", log)


def test_uids_above_the_next(home, names):
    put(home, "courierimapuiddb", both(names, uidnext=20)["courierimapuiddb"])
    validity, uidnext, found, log = opened(home)  # of 20 to 43 some may have gone to messages that are no more
    assert validity > VALIDITY and uids(found) == [1, 2, 3, 4] and "not given yet" in log
    os.unlink(home + "/Maildir/courierimapuiddb")
    put(home, "dovecot-uidlist", both(names, uidnext=20)["dovecot-uidlist"])
    assert opened(home)[:2] == (VALIDITY, 45)  # Dovecot appends without writing the first line anew


def test_other_versions(home, names):
    for head in ("2 1 5\n", "4 V795670445 N50\n", "1\n", "\n", "3 N50 V\n", "1 795670445 50 7\n"):
        put(home, "courierimapuiddb", head + "".join("%d %s\n" % x for x in zip((11, 12, 30, 44), names)))
        validity, _, found, log = opened(home)
        assert validity > VALIDITY and uids(found) == [1, 2, 3, 4] and "first line is damaged" in log, head


def test_the_order_of_a_damaged_list_stays(home, names):
    put(home, "courierimapuiddb", both(names, validity=0, given=(44, 30, 12, 11))["courierimapuiddb"])
    assert uids(opened(home)[2]) == [4, 3, 2, 1]


def test_crlf_flags_and_strange_names(home, names):
    lines = both(names)["courierimapuiddb"].replace("\n", "\r\n").replace(names[1], names[1] + ":2,RS")
    put(home, "courierimapuiddb", lines + "45 ../../../etc/passwd\r\n46 .hidden\r\n47 gone\r\n48 \r\n49\r\n" + "1" * 5000 + "\r\n")
    validity, uidnext, found, _ = opened(home)
    assert (validity, uidnext, uids(found)) == (VALIDITY, 50, [11, 12, 30, 44])


def test_a_store_counts_on_from_there(home, names):
    ahead = int(time.time()) + 1000000
    put(home, "courierimapuiddb", both(names, validity=ahead)["courierimapuiddb"])
    assert opened(home)[0] == ahead
    client = Posthouse(home)
    client.ok("CREATE INBOX.x")
    assert select(client, "INBOX.x") > ahead
    client.close()


@pytest.mark.parametrize("kind", ["courierimapuiddb", "dovecot-uidlist"])
def test_no_list_is_followed_elsewhere(home, names, kind):
    text = both(names)[kind]
    path = os.path.join(home, "Maildir", kind)

    def link():
        put(home, "../elsewhere", text)
        os.symlink("../elsewhere", path)

    def directory():
        os.mkdir(path)

    def of_another():
        put(home, kind, text, 0o644)
        os.chown(path, MAIL_UID + 1, MAIL_UID + 1)

    for make in [link, directory, lambda: os.mkfifo(path)] + ([of_another] if ROOT else []):
        make()
        validity, _, found, log = opened(home)
        assert validity > VALIDITY + 1000 and uids(found) == [1, 2, 3, 4] and "list_refused" in log
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def test_courier_keywords_in_all_their_stages(home, names):
    put(home, "courierimapuiddb", both(names)["courierimapuiddb"])
    put(home, "courierimapkeywords/:list", "list\nOTHER\nbad (name)\n\n%s:0\n%s:0 1 9 x\n%s:0 2\n%s:1\ngone:0\nno colon\n%s:" %
        (*names, names[0]))
    put(home, "courierimapkeywords/.5.%s" % names[0], "older\n")
    put(home, "courierimapkeywords/.7.%s" % names[0], "newer\nlist\n\nbehind\n")
    put(home, "courierimapkeywords/" + names[3], "")  # its keywords were taken away
    put(home, "courierimapkeywords/.99." + names[3], "stage\n")
    put(home, "courierimapkeywords/.tmp.1." + names[2], "tmp\n")
    put(home, "courierimapkeywords/somebody", "else\n")
    found = opened(home)[2]
    assert [found["m-%d" % i][1] for i in range(4)] == [{"newer", "list"}, {"list", "OTHER"}, {"list", "bad__name_"}, set()]
    shutil.rmtree(home + "/Maildir/courierimapkeywords")
    put(home, "../elsewhere/:list", "list\n\n%s:0\n" % names[0])
    os.symlink("../elsewhere", home + "/Maildir/courierimapkeywords")
    assert all(not m[1] for m in opened(home)[2].values())


def test_dovecot_keywords(home, names):
    cur = home + "/Maildir/cur/"
    for name, letters in zip(names, ("a", "SabZ", "z", "c")):
        os.rename(home + "/Maildir/new/" + name, cur + name + ":2," + letters)
    put(home, "dovecot-uidlist", both(names)["dovecot-uidlist"])
    put(home, "dovecot-keywords", "0 $Label1\n1 A\"b\n26 toofar\nx y\n25 last\n3\n2 cut-of")
    found = opened(home)[2]
    assert [found["m-%d" % i][1] for i in range(4)] == [{"$Label1"}, {"$Label1", "A_b"}, {"last"}, set()]
    assert sorted(n.partition(":2,")[2] for n in os.listdir(cur)) == ["SZab", "a", "c", "z"] or \
        sorted(n.partition(":2,")[2] for n in os.listdir(cur)) == ["SabZ", "a", "c", "z"]


def test_too_many_keywords(home, names):
    put(home, "courierimapuiddb", both(names)["courierimapuiddb"])
    many = "".join("k%d\n" % i for i in range(5000)) + "\n" + names[0] + ":" + " ".join(map(str, range(5000))) + "\n"
    put(home, "courierimapkeywords/:list", many + names[1] + ":4999\n")
    _, _, found, log = opened(home)
    assert len(found["m-0"][1]) == 256 and not found["m-1"][1] and re.search(r"keywords_lost=474[45]", log)


def test_subscriptions(home, names):
    for folder in (".Sent", ".A.b", ".R&AOk-sum&AOk-"):
        for sub in ("", "/cur", "/new", "/tmp"):
            os.mkdir("%s/Maildir/%s%s" % (home, folder, sub))
            if ROOT:
                os.chown("%s/Maildir/%s%s" % (home, folder, sub), MAIL_UID, MAIL_UID)

    def subscribed(text, name="subscriptions"):
        for f in ("courierimapsubscribed", "subscriptions"):
            if os.path.lexists(home + "/Maildir/" + f):
                os.unlink(home + "/Maildir/" + f)
        shutil.rmtree(home + "/Maildir/posthouse", ignore_errors=True)
        put(home, name, text)
        client = Posthouse(home)
        out = {m.group(1).decode() for m in client.ok('LSUB "" "*"').all(r'LSUB \([^)]*\) "." "?([^"]*?)"?$')}
        client.close()
        return out

    everything = {"INBOX.Sent", "INBOX.A.b", "INBOX.R&AOk-sum&AOk-"}
    assert subscribed("Sent\nA.b\nR&AOk-sum&AOk-\n") == everything
    assert subscribed("INBOX.Sent\r\nA/b\r\nRésumé\r\n") == everything
    assert subscribed("V\t2\n\nSent\nA\tb\nR&AOk-sum&AOk-\n") == everything
    assert subscribed("V\t2\nINBOX\tSent\nA\tb\nRésumé") == everything
    assert subscribed(b"Sent\n\n..\nA..b\n\xff\xfe\nA.b\nx\0y\n") == {"INBOX.Sent", "INBOX.A.b"}
    assert subscribed("INBOX.Sent\nINBOX.R&AOk-sum&AOk-\n", "courierimapsubscribed") == {"INBOX.Sent", "INBOX.R&AOk-sum&AOk-"}


def test_a_death_while_the_first_open_writes(home, names):
    """What is there when it dies between two of its files: nobody was shown anything yet."""
    put(home, "courierimapuiddb", both(names)["courierimapuiddb"])
    ph = home + "/Maildir/posthouse/"
    opened(home)
    whole = home + "/whole"
    shutil.copytree(ph, whole)
    expect = (VALIDITY, [11, 12, 30, 44])
    for left, size in ((["snapshot.1"], 0), (["snapshot.1", "journal.1"], 64), (["snapshot.1", "journal.1"], 0), (["uidvalidity"], 0)):
        shutil.rmtree(ph)
        os.mkdir(ph)
        for name in left:
            shutil.copy(whole + "/" + name, ph + name)
        if "journal.1" in left:
            os.truncate(ph + "journal.1", size)
        if ROOT:
            os.system("chown -R %d:%d %s" % (MAIL_UID, MAIL_UID, ph))
        client = Posthouse(home)
        got = select(client, "INBOX"), sorted(messages(client))
        client.close()
        assert got == expect, left


def test_export_says_what_is_wrong(home, names):
    os.mkdir(home + "/Maildir/courierimapuiddb")
    assert "courierimapuiddb" in ctl("export", "--to", "courier", home + "/Maildir", status=1)
    ctl("export", home + "/Maildir", status=2)
    ctl("export", "--to", "cyrus", home + "/Maildir", status=2)
    assert "No such file" in ctl("export", "--to", "dovecot", home + "/nothing", status=1)
    put(home, "dovecot-uidlist.lock", "")
    out = ctl("--set", "LOCK_TIMEOUT=1", "export", "--to", "dovecot", home + "/Maildir", status=1)
    assert "dovecot-uidlist.lock" in out
    assert "IMAP_USELOCKS" in ctl("--set", "IMAP_USELOCKS=0", "export", "--to", "dovecot", home + "/Maildir", status=1)
