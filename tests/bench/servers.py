# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared. Each has start(), stop(), restart(), cpu(), pss(), and says where it listens."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import corpus as mail
from account import Cgroup, pss

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.redis import Redis  # noqa: E402
from lib.server import ROOT, Server, free_port, make_certificate  # noqa: E402

CLIENT = os.environ.get("BENCH_CLIENT", "build/gcc/bench/client")
PEER_UID = 61910


ENDPOINT = """
daemon off; pid %(dir)s/pid; error_log %(dir)s/log; worker_processes 1;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; client_body_temp_path %(dir)s/body;
  proxy_temp_path %(dir)s/a; fastcgi_temp_path %(dir)s/b; uwsgi_temp_path %(dir)s/c; scgi_temp_path %(dir)s/d;
  server {
    listen 127.0.0.1:%(port)d;
    location /json { default_type application/json; return 200 '{"success":true}'; }
    location /mail { add_header Auth-Status OK; return 200; }
  }
}
"""


class Endpoint:
    """Debian's nginx, which says yes to whoever it is asked about, in either form; it is in no server's account."""

    def __init__(self):
        self.dir, self.port = tempfile.mkdtemp(prefix="ph-endpoint."), free_port()
        os.chmod(self.dir, 0o755)
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(ENDPOINT % {"dir": self.dir, "port": self.port})
        self.process = subprocess.Popen(["nginx", "-c", conf, "-e", os.path.join(self.dir, "log")], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not self.listening():
            if time.monotonic() > end:
                raise RuntimeError("nginx doesn't start: apt-get install nginx")
            time.sleep(0.05)

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self.port

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Measured:
    """What all of them share. users are u0, u1, ...; besides, there is `bodies` with the 1,000 messages."""

    def __init__(self, name, users, corpus):
        self.name, self.users, self.corpus = name, users, corpus
        self.group = Cgroup(name)
        self.news = "append"

    def accounts(self):
        return ["u%d" % i for i in range(self.users)] + ["bodies"]

    def fill_maildirs(self, where, uid, gid):
        for user in self.accounts():
            mail.to_maildir(os.path.join(self.corpus, "bodies" if user == "bodies" else "small"), where(user), uid, gid)

    def start(self):
        with self.group.inside():
            self.start_processes()
        self.wait_ready()

    def restart(self):
        self.stop_processes()
        self.start()

    def stop(self):
        self.stop_processes()
        self.clean()
        self.group.remove()

    def clean(self):
        pass

    def with_redis(self, redis):
        """Runs anew with its accounts in this Redis and no cache of them; None: as before."""
        self.stop_processes()
        self.use_redis(redis)
        self.start()

    def with_http(self, port, cache=True):
        """Runs anew, asking an Endpoint there, with its cache or without; None: as before."""
        self.stop_processes()
        self.use_http(port, cache)
        self.start()

    def cpu(self):
        return self.group.cpu(self.roots())

    def pss(self):
        return pss(self.group.pids(self.roots()))

    def client(self, tls, user, *work):
        """The command line of the client for this server."""
        return [CLIENT, str(self.sslport if tls else self.port), "tls" if tls else "plain", user, "", *map(str, work)]

    def wait_ready(self):
        end = time.monotonic() + 60
        while True:
            done = subprocess.run(self.client(False, "u0", "login", 1, 1), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > end:
                raise RuntimeError("%s takes no login: %s\n%s" % (self.name, done.stderr, self.log()))
            time.sleep(0.2)


class Posthouse(Measured):
    def __init__(self, users, corpus):
        super().__init__("posthouse", users, corpus)
        self.news = "rename"
        # every client here has one address, so the limit per address is lifted; all else is as installed
        self.server = Server(users=["demo"] + self.accounts(), LOGIN_WORKERS=0, MAXPERIP=0)
        self.run_directory()
        self.port, self.sslport = self.server.port, self.server.sslport
        self.fill_maildirs(self.server.maildir, self.server.settings["MAIL_UID"], self.server.settings["MAIL_GID"])
        self.server.make_maildir("demo")

    def run_directory(self):
        """As installed, it is on tmpfs (/run)."""
        self.shm = None
        if os.access("/dev/shm", os.W_OK):
            self.shm = tempfile.mkdtemp(prefix="ph-bench.", dir="/dev/shm")
            os.chmod(self.shm, 0o755)
            self.server.settings["RUNDIR"] = self.shm
            self.server.write_settings()

    def maildir(self, user):
        return self.server.maildir(user)

    def use_http(self, port, cache):
        settings = self.server.settings
        settings.update(AUTHMODULES="http" if port else "passwd-file", AUTH_CACHE_SIZE=100000 if cache else 0,
                        HTTP_AUTH_FORMAT="json", HTTP_AUTH_URL="http://127.0.0.1:%d/json" % (port or 1))
        self.server.write_settings()
    def use_redis(self, redis):
        settings = self.server.settings
        settings.pop("REDIS_URL", None)
        settings.update(AUTHMODULES="passwd-file", AUTH_CACHE_SIZE=100000)
        if redis:
            settings.update(AUTHMODULES="redis", AUTH_CACHE_SIZE=0, REDIS_URL="redis://127.0.0.1:%d" % redis.port)
            for user in ["demo"] + self.accounts():
                redis.account(user)
        self.server.write_settings()

    def roots(self):
        return [p.pid for p in self.server.processes.values()]

    def log(self):
        return self.server.log()[-3000:]

    def start_processes(self):
        self.server.start()

    def stop_processes(self):
        for program in list(reversed(self.server.processes)):
            self.server.stop_one(program)

    def clean(self):
        self.server.stop()
        if self.shm:
            shutil.rmtree(self.shm, ignore_errors=True)


class Peer(Measured):
    """A server of Debian's in a folder of its own, run by chroot in its own mount and process namespace."""

    def __init__(self, name, users, corpus, cache):
        super().__init__(name, users, corpus)
        self.root, self.process = os.path.join(cache, name.split("-")[0]), None
        self.port, self.sslport = free_port(), free_port()
        shutil.rmtree(self.inside("/srv"), ignore_errors=True)
        os.makedirs(self.inside("/srv/mail"))
        make_certificate(self.inside("/etc/bench.pem"))

    def inside(self, path):
        return self.root + path

    def write(self, path, text):
        with open(self.inside(path), "w", encoding="utf-8") as f:
            f.write(text)

    def log(self):
        try:
            with open(self.inside("/srv/log"), encoding="utf-8", errors="replace") as f:
                return f.read()[-3000:]
        except FileNotFoundError:
            return ""

    def roots(self):
        return [self.process.pid]

    def chroot(self, command, **more):
        script = ('mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && ulimit -n $(ulimit -Hn);'
                  ' exec chroot "$0" sh -c \'%s\'' % command)
        return subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, self.root],
                                stdin=subprocess.DEVNULL, start_new_session=True, **more)

    def start_processes(self):
        with open(self.inside("/srv/out"), "ab") as out:
            self.process = self.chroot(self.COMMAND, stdout=out, stderr=out)

    def stop_processes(self):
        kill_namespace(self.process)
        end = time.monotonic() + 20
        while self.listening() and time.monotonic() < end:
            time.sleep(0.1)

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0


def kill_namespace(process):
    """Ends process 1 of the namespace that process (unshare) has made, and all others in it with that."""
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as f:
        for child in f.read().split():
            os.kill(int(child), signal.SIGKILL)
    process.wait()


DOVECOT = """
base_dir = /srv/run
state_dir = /srv/run
log_path = /srv/log
protocols = imap
listen = 127.0.0.1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = </etc/bench.pem
ssl_key = </etc/bench.pem
first_valid_uid = 1000
%(passdb)s
userdb {
  driver = passwd-file
  args = /etc/bench.users
}
default_vsz_limit = 0
# login processes that serve many clients, imap processes that serve one after the other, as its manual
# advises for speed
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 4000
  inet_listener imap {
    port = %(port)d
  }
  inet_listener imaps {
    port = %(sslport)d
    ssl = yes
  }
}
service imap {
  process_limit = 4000
  service_count = %(count)d
  %(imap)s
}
service auth {
  client_limit = 20000
}
service anvil {
  client_limit = 20000
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
protocol imap {
  imap_hibernate_timeout = %(hibernate)s
}
"""


FROM_FILE = """
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/bench.users
}
"""
BY_LUA = """
auth_cache_size = %s
passdb {
  driver = lua
  args = file=/etc/bench.lua blocking=no
}
"""
# What this Dovecot has for an endpoint of one's own: Lua with luasocket, over a connection that is kept, and in
# its auth process: that is a quarter quicker than in worker processes as long as the endpoint is.
LUA = r"""
local socket = require("socket")
local conn

local function quoted(s)
  return '"' .. s:gsub('[%%c"\\]', function(c) return string.format("\\u%%04x", c:byte()) end) .. '"'
end

local function post(body)
  if not conn then
    conn = assert(socket.connect("127.0.0.1", %d))
    conn:setoption("tcp-nodelay", true)
    conn:settimeout(10)
  end
  conn:send("POST /json HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " .. #body ..
            "\r\n\r\n" .. body)
  local status, length = conn:receive("*l"), 0
  while true do
    local line = conn:receive("*l")
    if not line then
      conn = nil
      return nil
    end
    if line == "" then break end
    length = tonumber(line:match("^Content%%-Length: (%%d+)")) or length
  end
  return status, conn:receive(length)
end

function auth_password_verify(req, password)
  local status, body = post('{"username":' .. quoted(req.user) .. ',"password":' .. quoted(password) ..
                            ',"real_rip":' .. quoted(req.rip) .. ',"service":"imap"}')
  if status and status:match(" 200 ") and body:match('"success":true') then
    return dovecot.auth.PASSDB_RESULT_OK, {}
  end
  return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, {}
end

function auth_passdb_lookup(req)
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end
"""
# Its own quickest way: one look-up gives the password and, prefetched, the rest.
DOVECOT_REDIS = """
passdb {
  driver = dict
  args = /etc/bench.dict
}
userdb {
  driver = prefetch
}
auth_cache_size = 0
"""
DOVECOT_DICT = """
uri = redis:host=127.0.0.1:port=%d:prefix=dovecot/
iterate_disable = yes
default_pass_scheme = PLAIN
key passdb {
  key = passdb/%%u
  format = json
}
passdb_objects = passdb
"""


class Dovecot(Peer):
    COMMAND = "exec dovecot -F -c /etc/bench.conf"
    redis = None

    def __init__(self, users, corpus, cache):
        super().__init__("dovecot", users, corpus, cache)
        self.news = "rename"
        self.hibernate, self.passdb = 0, FROM_FILE
        self.fill_maildirs(self.maildir, PEER_UID, PEER_UID)

    def use_http(self, port, cache):
        self.passdb = FROM_FILE
        if port:
            self.write("/etc/bench.lua", LUA % port)
            self.passdb = BY_LUA % ("10M" if cache else "0")

    def maildir(self, user):
        return self.inside("/srv/mail/%s/Maildir" % user)

    def use_redis(self, redis):
        self.redis = redis
        if redis:
            self.write("/etc/bench.dict", DOVECOT_DICT % redis.port)
            for user in self.accounts():
                redis("SET", "dovecot/passdb/" + user, json.dumps({
                    "password": user, "userdb_home": "/srv/mail/" + user, "userdb_uid": PEER_UID,
                    "userdb_gid": PEER_UID}))

    def configuration(self, text):
        """The text, with accounts in Redis where they are."""
        if self.redis:
            begin, end = text.index("passdb {"), text.index("default_vsz_limit")
            text = text[:begin] + DOVECOT_REDIS + text[end:]
        return text

    def write_users(self):
        """One uid for all; but each its own where sessions hibernate, which needs an inotify instance for each
        session, and a uid has 128 of them."""
        with open(self.inside("/etc/bench.users"), "w", encoding="ascii") as f:
            for i, user in enumerate(self.accounts()):
                uid = PEER_UID + (1 + i if self.hibernate else 0)
                f.write("%s:%s:%d:%d::/srv/mail/%s::\n" % (user, user, uid, uid, user))
                subprocess.run(["chown", "-R", "%d:%d" % (uid, uid), self.inside("/srv/mail/%s" % user)], check=True)

    def start_processes(self):
        self.write_users()
        self.write("/etc/bench.conf", self.configuration(DOVECOT % {
            "port": self.port, "sslport": self.sslport, "hibernate": "%ds" % self.hibernate,
            "count": 1 if self.hibernate else 256, "passdb": self.passdb,
            "imap": "unix_listener imap-master {\n    user = $default_internal_user\n  }" if self.hibernate else ""}))
        super().start_processes()


CYRUS = """
configdirectory: /srv/cyrus
defaultpartition: default
partition-default: /srv/mail
admins: admin
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /srv/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
altnamespace: no
unixhierarchysep: yes
tls_server_cert: /etc/bench.pem
tls_server_key: /etc/bench.pem
servername: localhost
virtdomains: off
maxlogins_per_host: 0
maxlogins_per_user: 0
idlesocket: /srv/cyrus/socket/idle
proc_path: /srv/cyrus/proc
mboxname_lockpath: /srv/cyrus/lock
"""

CYRUS_SERVICES = """
START {
  recover cmd="ctl_cyrusdb -r"
}
SERVICES {
  imap cmd="imapd" listen="127.0.0.1:%d" prefork=4 maxforkrate=1000
  imaps cmd="imapd -s" listen="127.0.0.1:%d" prefork=4 maxforkrate=1000
}
DAEMON {
  idled cmd="idled"
}
"""


def redis_server():
    return Redis()


class Cyrus(Peer):
    COMMAND = "exec cyrmaster -p /srv/pid"

    def __init__(self, users, corpus, cache):
        super().__init__("cyrus", users, corpus, cache)
        self.write("/etc/imapd.conf", CYRUS)
        self.write("/etc/cyrus.conf", CYRUS_SERVICES % (self.port, self.sslport))
        self.run("mkdir -p /srv/cyrus/socket /srv/cyrus/proc /srv/cyrus/lock && chown -R cyrus:mail /srv && chown cyrus:mail /etc/bench.pem &&"
                 " su -s /bin/sh cyrus -c \"/usr/lib/cyrus/bin/makedirs -C /etc/imapd.conf\" &&"
                 " for u in admin %s; do echo $u | saslpasswd2 -p -c -u localhost -f /srv/sasldb2 $u; done &&"
                 " chown cyrus:mail /srv/sasldb2" % " ".join(self.accounts()))
        self.filled = False

    def run(self, command):
        process = self.chroot(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate()[0].decode(errors="replace")
        if process.returncode:
            raise RuntimeError("cyrus: %s\n%s" % (command[:200], out[-2000:]))

    def maildir(self, user):
        return "-"

    def wait_ready(self):
        if not self.filled:
            self.fill()
        super().wait_ready()

    def fill(self):
        """Mailboxes by the administrator, messages by APPEND."""
        self.filled = True
        from lib.imap import Imap
        end = time.monotonic() + 60
        while not self.listening() and time.monotonic() < end:
            time.sleep(0.2)
        with Imap(self.port) as admin:
            admin.login("admin")
            for user in self.accounts():
                admin.ok("CREATE user/%s" % user)
        for user in self.accounts():
            part = os.path.join(self.corpus, "bodies" if user == "bodies" else "small")
            subprocess.run(self.client(False, user, "fill", part), check=True, stdout=subprocess.DEVNULL)
