# SPDX-License-Identifier: Apache-2.0
"""AUTHMODULES=redis: accounts in Redis, its forms, its faults (U3, U4, O2, B13, B14, B18)."""
import base64
import contextlib
import crypt
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.redis import FakeRedis, Redis, Sentinel
from lib.server import BIN, TOP, Server, free_port, wait_for

NO = "[AUTHENTICATIONFAILED] Login failed."
UNAVAILABLE = "[UNAVAILABLE]"


def make_front(url, **settings):
    """Answers are not kept, unless the test is about that."""
    settings = {"AUTHMODULES": "redis", "REDIS_URL": url, "AUTH_CACHE_SIZE": 0, "LOGIN_FAILURE_DELAY": 0,
                "LOGIN_PENALTY_MAX": 0, "LOGIN_FAILURE_MAX": 1000, **settings}
    return Front(users=[], **{k: '"%s"' % v if isinstance(v, str) and " " in v else v for k, v in settings.items()})


class Whole(Server):
    close = Server.stop


def tcp(redis):
    return "redis://127.0.0.1:%d" % redis.port


def plain(user, password):
    user, password = (x if isinstance(x, bytes) else x.encode() for x in (user, password))
    return "AUTHENTICATE PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password).decode()


def login(front, user, password=None):
    """"OK", or the text of the refusal."""
    with front.client() as c:
        reply = c.cmd(plain(user, user if password is None else password))
        return "OK" if reply.ok else reply.text


def connected(front):
    wait_for("redis", lambda: "redis connected" in front.log())
    return front


@pytest.fixture(scope="module")
def redis():
    with Redis() as r:
        yield r


@pytest.fixture(scope="module")
def front(redis):
    with make_front(tcp(redis)).running() as f:
        yield connected(f)


def record(front):
    """The user record in the ticket of the last login."""
    ticket, at, out = front.backend.given[-1].ticket, 1 + 16, {}
    for name, number in (("user", 0), ("uid", 1), ("gid", 1), ("home", 0), ("maildir", 0), ("quota", 0), ("options", 0),
                         ("mailhost", 0)):
        value = struct.unpack_from("<I", ticket, at)[0]
        at += 4
        if not number:
            value, at = ticket[at:at + value].decode(), at + value
        out[name] = value
    return out


# ---- accounts ------------------------------------------------------------------------------------------
def test_default_command(front, redis):
    redis.account("alice@example.com", "secret", uid=1234, gid=1235, home="/srv/alice", maildir="Post",
                  quota="1000S,5C", options="disablepop3=1", mailhost="")
    assert login(front, "alice@example.com", "secret") == "OK"
    assert record(front) == {"user": "alice@example.com", "uid": 1234, "gid": 1235, "home": "/srv/alice",
                             "maildir": "Post", "quota": "1000S,5C", "options": "disablepop3=1", "mailhost": ""}
    redis.account("bob", crypt.crypt("secret", crypt.METHOD_SHA512))
    assert login(front, "bob", "secret") == "OK"
    assert record(front)["home"] == os.path.join(front.mail, "bob")
    redis.account("carl", "{SHA512-CRYPT}" + crypt.crypt("secret", crypt.METHOD_SHA512))
    assert login(front, "carl", "secret") == "OK"
    for user, password in (("bob", "wrong"), ("bob", ""), ("nobody", "secret"), ("alice", "secret")):
        assert login(front, user, password) == NO


def test_password_changed(front, redis):
    redis.account("eve", "old")
    assert login(front, "eve", "old") == "OK"
    redis("HSET", "user:{eve}", "password", "{PLAIN}new")
    assert login(front, "eve", "old") == NO
    assert login(front, "eve", "new") == "OK"
    redis("DEL", "user:{eve}")
    assert login(front, "eve", "new") == NO


def test_accounts_that_may_not(front, redis):
    redis.account("off", enabled=0)
    assert login(front, "off").startswith("[AUTHORIZATIONFAILED]")
    assert login(front, "off", "wrong") == NO
    redis.account("off", options="disableimap=1", enabled=1)
    assert login(front, "off").startswith("[AUTHORIZATIONFAILED]")
    redis.account("far", mailhost="elsewhere.example")
    assert login(front, "far").startswith(UNAVAILABLE)


@pytest.mark.parametrize("fields", [
    {"uid": "0"}, {"uid": "x"}, {"uid": "-1"}, {"uid": "99999999999"}, {"home": "/"}, {"home": "relative"},
    {"home": "/a\nb"}, {"enabled": "maybe"}, {"home": "/" + "x" * 70000}, {"password": "{PLAIN}" + "x" * 5000},
])
def test_records_that_are_none(front, redis, fields):
    """A record that can't be served is no wrong password."""
    redis.account("broken", **fields)
    assert login(front, "broken", "broken").startswith(UNAVAILABLE)
    redis.account("fine")
    assert login(front, "fine") == "OK"


def test_keys_of_other_kinds(front, redis):
    redis("DEL", "user:{kind}")
    for words in (("SET", "user:{kind}", "text"), ("RPUSH", "user:{kind}", "a"), ("SADD", "user:{kind}", "a")):
        redis(*words)
        assert login(front, "kind").startswith(UNAVAILABLE)
        redis("DEL", "user:{kind}")
    assert "WRONGTYPE" in front.log()
    redis("HSET", "user:{kind}", "uid", "1000")  # no password: nobody gets in, and no other fault
    for password in ("", "kind", "{PLAIN}"):
        assert login(front, "kind", password) == NO


ODD = ["a{b}", "a}b", "{", "}", "a:b", "a%b", "a%7Bb", "%u", "%n%d%p%%", 'q"uo\'te', "back\\slash", "a b  c", "$3", "*",
       "user:{bob}", "x}y:{z", "b\u00f6b@ex\u00e4mple.com", "?[x]", "a@b@c", "fail:ip"]


@pytest.mark.parametrize("user", ODD)
def test_odd_user_names(front, redis, user):
    """Each has a key of its own, which no other name makes."""
    key = "user:{%s}" % "".join("%%%02X" % ord(c) if c in "%{}:" else c for c in user)
    redis("FLUSHALL")
    redis("HSET", key, "password", "{PLAIN}secret", "home", "/srv/odd")
    assert login(front, user, "secret") == "OK"
    assert record(front)["user"] == user
    for other in ODD:
        if other != user:
            assert login(front, other, "secret") == NO


@pytest.mark.parametrize("user", [b"a\r\nSET x y", b"a\nb", b"\xff", b"x" * 256, b"a\x00"])
def test_names_that_never_get_there(front, redis, user):
    before = redis("INFO", "commandstats")
    with front.client() as c:
        assert c.cmd(plain(user, b"x")).status in ("NO", "BAD")
    count = redis("INFO", "commandstats")
    find = lambda text: re.search(rb"cmdstat_hmget:calls=(\d+)", text)
    assert (find(before) and find(before).group(1)) == (find(count) and find(count).group(1))
    assert redis("EXISTS", "x") == 0


@pytest.mark.parametrize("password", [b"p%40", b"a b", b"x\r\nFLUSHALL\r\n", b"*1\r\n$8\r\nFLUSHALL\r\n", b'{"a":1}', b"x" * 500,
                                      "p\u00e4ss".encode()])
def test_odd_passwords(front, redis, password):
    redis("HSET", "user:{pw}", "password", crypt.crypt(password.decode(), crypt.METHOD_SHA256))
    redis("SET", "stays", "1")
    assert login(front, "pw", password) == "OK"
    assert login(front, "pw", password + b"x") == NO
    assert redis("EXISTS", "stays") == 1


# ---- other forms ----------------------------------------------------------------------------------------
def test_several_passwords(redis):
    with make_front(tcp(redis), REDIS_COMMAND="HGETALL %pmail/%d/%n", REDIS_PREFIX="%px:").running() as front:
        redis.account("a@b", "main", key="%%px:mail/b/a%.0s", services="imap,smtp",
                      passwords=json.dumps([{"hash": "{PLAIN}phone"}, {"hash": "{PLAIN}smtp only", "services": "smtp"},
                                            {"hash": "{PLAIN}both", "services": ["pop3", "imap"]},
                                            {"hash": "{PLAIN}none", "services": []}]))
        connected(front)
        for password in ("main", "phone", "both"):
            assert login(front, "a@b", password) == "OK"
        for password in ("smtp only", "none", "", "main,phone"):
            assert login(front, "a@b", password) == NO
        redis("HSET", "%px:mail/b/a", "passwords", "[{]")
        assert login(front, "a@b", "main").startswith(UNAVAILABLE)


def test_json(redis):
    with make_front(tcp(redis), REDIS_COMMAND="GET passdb/%u", REDIS_FORMAT="json").running() as front:
        def put(value, user="j"):
            redis("SET", "passdb/" + user, value if isinstance(value, (str, bytes)) else json.dumps(value))
        connected(front)
        put({"password": "{PLAIN}secret", "uid": 77, "gid": "78", "home": "/srv/j", "quota": "5S", "enabled": True, "x": [1],
             "mailhost": None})
        assert login(front, "j", "secret") == "OK"
        assert (record(front)["uid"], record(front)["gid"], record(front)["home"]) == (77, 78, "/srv/j")
        put({"passwords": [{"hash": "{PLAIN}secret", "services": ["imap"]}]})
        assert login(front, "j", "secret") == "OK"
        put({"password": "{PLAIN}secret", "enabled": False})
        assert login(front, "j", "secret").startswith("[AUTHORIZATIONFAILED]")
        put({"password": "{PLAIN}secret", "expired": 1})
        assert login(front, "j", "secret").startswith("[EXPIRED]")
        put({"password": "{PLAIN}secret", "user": "canonical"})
        assert login(front, "j", "secret") == "OK"
        assert record(front)["user"] == "canonical"
        for bad in ("", "{", "[]", "null", '"x"', '{"password": 1.5}', '{"password": "a", "password": "b"}', '{"uid": 1e3}',
                    '{"password": {"a": 1}}', '{"passwords": {}}', '{"passwords": ["x"]}', '{"passwords": [{"services": "imap"}]}',
                    '{"password": "a\\u0000b"}', b'{"password": "\xff"}', "[" * 5000, '{"password":"{PLAIN}secret","user":"a\\nb"}'):
            put(bad)
            assert login(front, "j", "secret").startswith(UNAVAILABLE), bad
        assert login(front, "unknown", "secret") == NO
        assert "secret" not in front.log()


def test_bare_hash_and_template_faults(redis):
    with make_front(tcp(redis), REDIS_COMMAND="GET credentials:%u").running() as front:
        redis("SET", "credentials:old", crypt.crypt("secret", crypt.METHOD_MD5))
        connected(front)
        assert login(front, "old", "secret") == "OK"
        assert login(front, "old", "wrong") == NO
    for fault in ({"REDIS_COMMAND": "GET x"}, {"REDIS_COMMAND": "GET"}, {"REDIS_COMMAND": "GET %x"}, {"REDIS_COMMAND": "HMGET %u"},
                  {"REDIS_URL": "rediss://h"}, {"REDIS_URL": "http://h"}, {"REDIS_URL": ""},
                  {"REDIS_URL": "", "AUTHMODULES": "passwd-file", "LIMITS_SHARED": "redis"}):
        front = make_front(tcp(redis), **fault)
        try:
            done = subprocess.run([os.path.join(BIN, "authd"), "-C", front.conf, "--check"], capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 1 and "REDIS" in done.stderr.upper(), (fault, done.stderr)
        finally:
            front.stop()


# ---- ways to Redis ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def locked():
    """A Redis with a password, and an ACL user who may do nothing but look accounts up."""
    with Redis("requirepass geheim", "user mail on >p@ss:%/w +hmget ~user:* resetchannels", password="geheim") as r:
        yield r


@pytest.mark.parametrize("url", [
    "redis://:geheim@127.0.0.1:%(port)d/3", "redis://default:geheim@localhost:%(port)d/3",
    "redis://mail:p%%40ss%%3A%%25%%2Fw@127.0.0.1:%(port)d",
    "redis+unix://:geheim@%(path)s?db=3", "redis+unix://mail:p%%40ss%%3A%%25%%2Fw@%(path)s",
])
def test_urls(locked, url):
    for db in (0, 3):
        locked("SELECT", db)
        locked.account("demo", "db%d" % db)
    locked("SELECT", 0)
    with make_front(url % {"port": locked.port, "path": locked.path}).running() as front:
        connected(front)
        assert login(front, "demo", "db0" if "mail:" in url else "db3") == "OK"
        assert login(front, "demo", "db3" if "mail:" in url else "db0") == NO
        assert "geheim" not in front.log() and "p@ss" not in front.log()


@pytest.mark.parametrize("login_part", ["", ":wrong@", "mail:wrong@"])
def test_wrong_login_to_redis(locked, login_part):
    with make_front("redis://%s127.0.0.1:%d" % (login_part, locked.port), REDIS_TIMEOUT=300).running() as front:
        assert login(front, "demo", "db0").startswith(UNAVAILABLE)
        assert "NOAUTH" in front.log() or "WRONGPASS" in front.log()


def test_acl_of_the_manual(redis):
    """The rights that docs/authentication.md gives are enough for all of it."""
    with open(os.path.join(TOP, "docs", "authentication.md"), encoding="utf-8") as f:
        rules = re.findall(r"^ +(ACL SETUSER .*?)(?: +#.*)?$", f.read(), re.M)
    assert len(rules) == 2
    redis("FLUSHALL")
    redis.account("demo")
    for rule in rules:
        redis(*rule.split())
    try:
        with make_front("redis://mail:secret@127.0.0.1:%d/0" % redis.port, LIMITS_SHARED="redis").running() as front:
            wait_for("all", lambda: front.log().count("redis connected") >= 3)
            assert login(front, "demo") == "OK"
            assert login(front, "demo", "wrong") == NO
            wait_for("counts", lambda: redis("GET", "fail:user:{demo}") == b"1")
            wait_for("window", lambda: redis("TTL", "fail:user:{demo}") > 0)
            redis("PUBLISH", "revoke", "demo")
            wait_for("the news", lambda: "account revoked" in front.log())
            wait_for("forgiven", lambda: not redis("EXISTS", "fail:user:{demo}"))
            assert "NOPERM" not in front.log() and "trouble" not in front.log()
    finally:
        redis("ACL", "DELUSER", "mail")


# ---- faults of Redis -------------------------------------------------------------------------------------
GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\x00\x02\x02\x28", b"*2147483647\r\n", b"*1000000\r\n$1\r\na\r\n",
    b"$999999999999\r\n", b"$1073741824\r\n" + b"x" * 300000, b"*9\r\n$-1\r\n", b"+OK\r\n", b":5\r\n", b"*-1\r\n*-1\r\n",
    b"*9\r\n" + b"*0\r\n" * 9, b"*2\r\n$-1\r\n$-1\r\n", b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-READONLY You can't write against a read only replica.\r\n", b"-BUSY Redis is busy running a script.\r\n",
    b"-MASTERDOWN Link with MASTER is down\r\n", b"-CLUSTERDOWN The cluster is down\r\n", b"-MOVED 1 127.0.0.1:1\r\n",
    b"-MOVED\r\n", b"-MOVED 1 :\r\n", b"-MOVED 1 x:99999999\r\n", b"-ERR\r\n", b"-\r\n", b"-NOAUTH Authentication required.\r\n",
    b"*9\r\n$7\r\n{PLAIN}\r\n" + b"$1\r\n1\r\n" * 7, b"*9\r\n:1\r\n" + b"$-1\r\n" * 7 + b"*1\r\n:1\r\n", Ellipsis, None,
]


@pytest.fixture(scope="module")
def garbage():
    state = {"answer": None}
    with FakeRedis(lambda words: state["answer"]) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=400).running() as front:
            yield connected(front), state


@pytest.mark.parametrize("answer", GARBAGE, ids=lambda a: repr(a)[:30])
def test_garbage(garbage, answer):
    """Never OK, never a wrong password; and it is served again as soon as Redis makes sense."""
    front, state = garbage
    state["answer"] = answer
    assert login(front, "demo").startswith(UNAVAILABLE)
    state["answer"] = b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    wait_for("good answers", lambda: login(front, "demo") == "OK", 5)
    assert login(front, "demo", "other") == NO


@pytest.mark.parametrize("first", [b"+OK\r\n", b"-ERR max number of clients reached\r\n", b"*1\r\n", b"x" * 100000])
def test_greeted_by_garbage(first):
    with FakeRedis(lambda words: None, first=first) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=400).running() as front:
            assert login(front, "demo").startswith(UNAVAILABLE)
            assert len(front.pids("authd")) == 1 and front.log().count("child ended") == 0


def test_answer_in_pieces():
    whole = b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8

    class Slow(FakeRedis):
        def serve(self, sock):
            class Wrap:
                makefile = sock.makefile

                @staticmethod
                def sendall(data):
                    for i in range(len(data)):
                        sock.sendall(data[i:i + 1])
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().serve(Wrap)
    with Slow(lambda words: whole) as fake, make_front("redis://127.0.0.1:%d" % fake.port).running() as front:
        assert login(front, "demo") == "OK"
        assert login(front, "demo", "x") == NO


def test_away_and_back(redis):
    """While Redis is away nobody is told that a password is wrong, others are served by the next module, and
    after the first seconds nobody waits."""
    with Redis() as own:
        own.account("demo", "demo")
        with make_front(tcp(own), AUTHMODULES="redis passwd-file", REDIS_TIMEOUT=500).running() as front:
            with open(front.passwd, "w", encoding="utf-8") as f:
                f.write("local:{PLAIN}local::::::\n")
            wait_for("passwd-file", lambda: login(front, "local") == "OK")
            assert login(front, "demo") == "OK"
            own.kill()
            assert login(front, "demo").startswith(UNAVAILABLE)

            def at_once():
                begin = time.monotonic()
                assert login(front, "demo").startswith(UNAVAILABLE)
                return time.monotonic() - begin < 0.4
            wait_for("a refusal without waiting", at_once)
            begin = time.monotonic()
            for _ in range(20):
                assert login(front, "local") == "OK"
                assert login(front, "demo", "whatever").startswith(UNAVAILABLE)
            assert time.monotonic() - begin < 5  # 40 times 0.5 s, if each had waited
            own.start()
            own.account("demo", "demo")
            begin = time.monotonic()
            wait_for("Redis", lambda: login(front, "demo") == "OK", 10)
            assert time.monotonic() - begin < 4
            # one line or two per fault, not one per login
            assert front.log().count("module unavailable") <= 3


def test_frozen(redis):
    """A Redis that takes commands and answers nothing."""
    with Redis() as own:
        own.account("demo")
        with make_front(tcp(own), REDIS_TIMEOUT=300, REDIS_CONNECT_TIMEOUT=300).running() as front:
            assert login(front, "demo") == "OK"
            own.freeze()
            for _ in range(3):  # clients that don't wait
                with front.client() as c:
                    c.start(plain("demo", "demo"))
            assert login(front, "demo").startswith(UNAVAILABLE)
            own.thaw()
            wait_for("Redis", lambda: login(front, "demo") == "OK", 5)


def test_a_lost_look_up_is_asked_again():
    """Once: the server closes instead of answering, then answers."""
    answers = [Ellipsis, b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8]
    with FakeRedis(lambda words: answers.pop(0) if len(answers) > 1 else answers[0]) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port).running() as front:
            assert login(front, "demo") == "OK"
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 2


def test_loading():
    """A Redis that is still reading its data set is waited for, and said to be the reason."""
    state = {"ready": False}

    def reply(words):
        if not state["ready"]:
            return b"-LOADING Redis is loading the dataset in memory\r\n"
        return b"+PONG\r\n" if words[0] == b"PING" else b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    with FakeRedis(reply, greet=False) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=300).running() as front:
            assert login(front, "demo").startswith(UNAVAILABLE)
            assert "LOADING" in front.log()
            state["ready"] = True
            wait_for("Redis", lambda: login(front, "demo") == "OK", 5)


def test_queue_has_a_limit():
    with FakeRedis(lambda words: None) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_QUEUE_MAX=2, REDIS_TIMEOUT=1500).running() as front:
            connected(front)
            clients = [front.client() for _ in range(6)]
            tags = [c.start(plain("u%d" % i, "x")) for i, c in enumerate(clients)]
            assert all(c.finish(t).text.startswith(UNAVAILABLE) for c, t in zip(clients, tags))
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 2
            for c in clients:
                c.close()


def test_moved_is_followed_once():
    with Redis() as there:
        there.account("demo")
        for hops in (1, 2):
            with FakeRedis(lambda words: b"-MOVED 5474 127.0.0.1:%d\r\n" % there.port) as here:
                first = here
                with contextlib.ExitStack() as stack:
                    if hops == 2:
                        first = stack.enter_context(FakeRedis(lambda words: b"-MOVED 5474 127.0.0.1:%d\r\n" % here.port))
                    front = stack.enter_context(make_front("redis://127.0.0.1:%d" % first.port).running())
                    assert login(front, "demo").startswith("OK" if hops == 1 else UNAVAILABLE)


def test_a_dead_node_holds_up_only_its_own():
    def reply(words):
        if b"{gone}" in words[1]:
            return b"-MOVED 1 127.0.0.1:%d\r\n" % dead
        return b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    dead = free_port()
    with FakeRedis(reply) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=1500).running() as front:
            connected(front)
            with front.client() as waits:
                tag = waits.start(plain("gone", "demo"))
                wait_for("the command", lambda: [b"HMGET", b"user:{gone}"] in [w[:2] for w in fake.commands])
                for i in range(5):
                    assert login(front, "u%d" % i, "demo") == "OK"
                assert not waits.pending()
                assert waits.finish(tag).text.startswith(UNAVAILABLE)


def test_counts_in_stats(redis):
    redis.account("demo")
    with make_front(tcp(redis)).running() as front:
        connected(front)

        def counts():
            done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "stats", "--json"], capture_output=True,
                                  text=True, check=False, timeout=30)
            begin = "authd.0.redis_"
            return {row["name"][len(begin):]: int(row["value"]) for row in json.loads(done.stdout)
                    if row["name"].startswith(begin)}
        for _ in range(3):
            assert login(front, "demo") == "OK"
        assert counts() == {"started": 3, "refused": 0, "failed": 0, "again": 0, "lost": 0, "pending": 0, "connected": 1}
        redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_for("the connection", lambda: (counts()["lost"], counts()["connected"]) == (1, 1))


# ---- replicas and sentinels ------------------------------------------------------------------------------
def test_replicas_are_read():
    with Redis() as master, Redis("replicaof 127.0.0.1 %d" % master.port) as replica:
        master.account("demo", "demo")
        wait_for("replication", lambda: replica("EXISTS", "user:{demo}"))
        with make_front(tcp(master), REDIS_REPLICA_URL=tcp(replica)).running() as front:
            wait_for("both", lambda: front.log().count("redis connected") >= 2)

            def reads(r):
                found = re.search(rb"cmdstat_hmget:calls=(\d+)", r("INFO", "commandstats"))
                return int(found.group(1)) if found else 0
            for _ in range(5):
                assert login(front, "demo") == "OK"
            assert (reads(master), reads(replica)) == (0, 5)
            replica.kill()
            for _ in range(5):
                assert login(front, "demo") == "OK"
            assert reads(master) == 5


def test_replicas_that_lag(redis):
    """After a revocation the master is asked: a replica may not know the new password yet."""
    with Redis() as late:
        late.account("demo", "old")
        redis.account("demo", "new")
        with make_front(tcp(redis), REDIS_REPLICA_URL=tcp(late)).running() as front:
            wait_for("all", lambda: front.log().count("redis connected") >= 3)
            assert login(front, "demo", "old") == "OK"
            redis("PUBLISH", "revoke", "demo")
            wait_for("the news", lambda: "account revoked" in front.log())
            assert login(front, "demo", "old") == NO
            assert login(front, "demo", "new") == "OK"


def run_logins(front, stop, users, results):
    n = 0
    while not stop.is_set():
        user = users[n % len(users)]
        wrong = n % 5 == 4
        n += 1
        with contextlib.suppress(OSError, EOFError):
            results.append((wrong, login(front, user, user + "x" if wrong else user)))


def judged(results):
    """How many got in, were refused, were asked to come again; nobody may be answered wrongly."""
    got = {"OK": 0, "NO": 0, "UNAVAILABLE": 0}
    for wrong, text in results:
        kind = "OK" if text == "OK" else "NO" if text == NO else "UNAVAILABLE"
        assert kind != "UNAVAILABLE" or text.startswith(UNAVAILABLE), text
        assert kind != ("OK" if wrong else "NO"), (wrong, text)
        got[kind] += 1
    return got


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("replicas", [0, 1])
def test_failover(replicas, planned):
    """The master is killed (or demoted) while logins run: each is answered rightly or [UNAVAILABLE], and soon all are."""
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(Redis())
        replica = stack.enter_context(Redis("replicaof 127.0.0.1 %d" % master.port))
        users = ["u%d" % i for i in range(5)]
        for user in users:
            master.account(user)
        wait_for("replication", lambda: replica("DBSIZE") == 5)
        sentinel = stack.enter_context(Sentinel(master.port, password="wachter"))
        wait_for("the replica's name", lambda: sentinel("SENTINEL", "replicas", "mail"))
        dead = free_port()
        front = stack.enter_context(make_front(
            "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mail?sentinel_password=wachter" % (dead, sentinel.port), REDIS_READ_FROM_REPLICAS=replicas,
            AUTH_THREADS=1).running())
        wait_for("the master", lambda: "as=master" in front.log())
        stop, results, threads = threading.Event(), [], []
        for _ in range(3):
            threads.append(threading.Thread(target=run_logins, args=(front, stop, users, results)))
            threads[-1].start()
        try:
            wait_for("logins", lambda: len(results) > 20)
            if planned:
                sentinel("SENTINEL", "FAILOVER", "mail")
            else:
                master.kill()
            wait_for("failover", lambda: sentinel.master() == replica.port, 20)
            wait_for("the new master", lambda: front.log().count("as=master") >= 2, 10)
            seen = len(results)
            wait_for("logins", lambda: len(results) > seen + 20)
        finally:
            stop.set()
            for t in threads:
                t.join()
        got = judged(results)
        assert got["OK"] > 10 and got["NO"] > 2
        assert judged(results[-9:])["UNAVAILABLE"] == 0
        # what is written from now on is found
        replica.answers()
        replica.account("late")
        assert login(front, "late") == "OK"
        print(got)


# ---- revocation and shared counts ---------------------------------------------------------------------------
def test_revoked_by_a_message(redis):
    redis("FLUSHALL")
    redis.account("demo", "old", key="x:user:{%s}")
    with make_front(tcp(redis), REDIS_PREFIX="x:", AUTH_CACHE_SIZE=1000, AUTH_CACHE_TTL=3600).running() as front:
        wait_for("the subscription", lambda: redis("PUBSUB", "NUMSUB", "x:revoke")[1] == 1)
        wait_for("the subscription's news", lambda: "kept answers dropped" in front.log())
        assert login(front, "demo", "old") == "OK"
        redis.account("demo", "new", key="x:user:{%s}")
        assert login(front, "demo", "old") == "OK"  # kept
        redis("PUBLISH", "x:revoke", "demo")
        wait_for("the news", lambda: "account revoked" in front.log())
        assert login(front, "demo", "old") == NO
        assert login(front, "demo", "new") == "OK"
        for odd in ("", " ", "a\nb", b"\xff", "x" * 300, "nobody"):
            redis("PUBLISH", "x:revoke", odd)
        # a gap: what was kept is dropped
        dropped = front.log().count("kept answers dropped")
        redis.account("demo", "newer", key="x:user:{%s}")
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        wait_for("the gap", lambda: front.log().count("kept answers dropped") > dropped)
        assert login(front, "demo", "new") == NO
        assert login(front, "demo", "newer") == "OK"


def test_sessions_end_within_a_second(redis):
    """Password changed and published: the old one is refused, and who came in with it is out."""
    redis("FLUSHALL")
    for user in ("demo", "other"):
        redis.account(user)
    with contextlib.closing(Whole(users=[], AUTHMODULES="redis", REDIS_URL=tcp(redis))) as server:
        server.start()
        sessions = [Imap(server.port).login("demo"), Imap(server.sslport, tls=True).login("demo")]
        stays = Imap(server.port).login("other")
        sessions[0].ok("SELECT INBOX")
        sessions[0].idle()
        redis.account("demo", "changed")
        begin = time.monotonic()
        redis("PUBLISH", "revoke", "demo")
        for c in sessions:
            assert c.closed(10) and b"* BYE" in c.last
        took = time.monotonic() - begin
        assert took < (1 if "san" not in BIN else 5), took
        with Imap(server.port) as c:
            assert c.cmd("LOGIN demo demo").text == NO
            c.login("demo", "changed")
        stays.ok("NOOP")
        for c in sessions + [stays]:
            c.close()


def test_a_herd_of_one_user_asks_once():
    """A thousand connections at once: one command (and one hash)."""
    asked = threading.Event()

    def reply(words):
        asked.wait(20)
        return b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    with FakeRedis(reply) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, AUTH_CACHE_SIZE=1000, REDIS_TIMEOUT=20000,
                        AUTH_QUEUE_MAX=2000).running() as front:
            connected(front)
            clients = [front.client() for _ in range(300)]
            tags = [c.start(plain("demo", "demo")) for c in clients]
            wait_for("the command", lambda: any(w[0] == b"HMGET" for w in fake.commands))
            asked.set()
            assert all(c.finish(t).ok for c, t in zip(clients, tags))
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 1
            for c in clients:
                c.close()


def test_counts_are_shared(redis):
    """Two hosts, one account under attack on the first: the second makes it wait as well, at once."""
    redis("FLUSHALL")
    redis.account("demo", "demo", key="y:user:{%s}")
    more = {"REDIS_PREFIX": "y:", "LIMITS_SHARED": "redis", "LOGIN_PENALTY_MAX": 60000, "LOGIN_PENALTY_FREE": 3,
            "LOGIN_FAILURE_DELAY": 300, "LOGIN_PENALTY_WINDOW": 777}
    with make_front(tcp(redis), **more).running() as one, make_front(tcp(redis), **more).running() as two:
        for f in (one, two):
            connected(f)
        wait_for("subscriptions", lambda: redis("PUBSUB", "NUMSUB", "y:fail")[1] == 2)
        for i in range(4):
            assert login(one, "demo", "wrong%d" % i) == NO
        wait_for("counts", lambda: redis("GET", "y:fail:user:{demo}") == b"4")
        assert redis("GET", "y:fail:ip:127.0.0.1/32") == b"4"
        begin = time.monotonic()
        assert login(two, "demo") == "OK"
        assert time.monotonic() - begin >= 0.3
        assert 0 < redis("TTL", "y:fail:user:{demo}") <= 777 and 0 < redis("TTL", "y:fail:ip:127.0.0.1/32") <= 777
        redis("PUBLISH", "y:revoke", "demo")
        wait_for("forgiven", lambda: redis("EXISTS", "y:fail:user:{demo}") == 0)
