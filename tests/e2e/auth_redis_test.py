# SPDX-License-Identifier: Apache-2.0
"""AUTHMODULES=redis: accounts in Redis, in several forms, by several ways (U3, O2, O8, B13, B14)."""
import crypt
import json
import os
import re
import subprocess

import pytest

from lib.redis import Redis
from lib.redisfront import NO, UNAVAILABLE, connected, login, make_front, plain, record, tcp
from lib.server import BIN, TOP, wait_for


@pytest.fixture(scope="module")
def redis():
    with Redis() as r:
        yield r


@pytest.fixture(scope="module")
def front(redis):
    with make_front(tcp(redis)).running() as f:
        yield connected(f)


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
            for options in (["--check"], []):  # it doesn't start with them either
                done = subprocess.run([os.path.join(BIN, "frontend"), "-C", front.conf] + options, capture_output=True, text=True,
                                      check=False, timeout=30)
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
