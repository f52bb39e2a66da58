# SPDX-License-Identifier: Apache-2.0
"""A Posthouse of the test's own: settings, accounts and mail in a temporary directory, on free ports."""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BIN = os.environ.get("POSTHOUSE_BIN", os.path.join(TOP, "build", "gcc", "bin"))
ROOT = os.geteuid() == 0
# As root: an account that exists wherever Debian does, since maildrop wants a name for its uid.
MAIL_UID = pwd.getpwnam("mail").pw_uid if ROOT else os.getuid()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def wait_for(what, condition, seconds=15.0):
    """Waits until condition() is true (its value is returned), at most so long."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("still waiting for %s after %g s" % (what, seconds))
        time.sleep(0.01)


class Server:
    """start() runs notifyd, backend and frontend; each can be stopped and started alone."""

    PROGRAMS = ("notifyd", "backend", "frontend")

    def __init__(self, users=("demo",), **settings):
        self.dir = tempfile.mkdtemp(prefix="ph-e2e.")
        os.chmod(self.dir, 0o711)
        self.port, self.sslport = free_port(), free_port()
        self.mail = os.path.join(self.dir, "mail")
        self.run = os.path.join(self.dir, "run")
        self.log_path = os.path.join(self.dir, "log")
        self.passwd = os.path.join(self.dir, "passwd")
        self.conf = os.path.join(self.dir, "posthouse.conf")
        for path in (self.mail, self.run):
            os.mkdir(path, 0o755)
        os.chown(self.mail, MAIL_UID, MAIL_UID if ROOT else os.getgid())
        with open(self.passwd, "w", encoding="utf-8") as f:
            for user in users:
                f.write(user + "\n" if ":" in user else "%s:{PLAIN}%s::::::\n" % (user, user))
        self.settings = {
            "ADDRESS": "127.0.0.1", "PORT": self.port, "SSLADDRESS": "127.0.0.1", "SSLPORT": self.sslport,
            "RUNDIR": self.run, "CACHEDIR": self.dir, "PASSWD_FILE": self.passwd,
            "MAIL_UID": MAIL_UID, "MAIL_GID": MAIL_UID if ROOT else os.getgid(),
            "MAIL_HOME": self.mail + "/%u", "TLS_CERTFILE": os.path.join(self.dir, "tls.pem"),
            "LOGIN_FAILURE_DELAY": 50, "LOGIN_PENALTY_MAX": 200, "LOGIN_WORKERS": 1, "MAXPERIP": 1000,
        }
        if ROOT:
            self.settings.update(LOGIN_USER=61901, AUTH_USER=61902, NOTIFY_USER=61903)
        self.settings.update(settings)
        self.write_settings()
        make_certificate(self.settings["TLS_CERTFILE"])
        self.processes = {}

    def write_settings(self):
        with open(self.conf, "w", encoding="utf-8") as f:
            # Some of it is secret; the mail account runs imapd by itself.
            os.chmod(self.conf, 0o640)
            if ROOT:
                os.chown(self.conf, 0, MAIL_UID)
            for name, value in self.settings.items():
                f.write("%s=%s\n" % (name, value))

    # ---- processes --------------------------------------------------------------------------------
    def start_one(self, program):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PH_")}
        with open(self.log_path, "ab") as log:
            self.processes[program] = subprocess.Popen(
                [os.path.join(BIN, program), "-C", self.conf], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=env, start_new_session=True)

    def start(self, programs=PROGRAMS):
        for program in programs:
            self.start_one(program)
        self.wait_ready()
        return self

    def wait_ready(self, user="demo"):
        from .imap import Imap

        def logs_in():
            for program, process in self.processes.items():
                if process.poll() is not None:
                    raise AssertionError("%s ended with %d:\n%s" % (program, process.returncode, self.log()))
            try:
                with Imap(self.port, timeout=5) as c:
                    return c.cmd("LOGIN %s %s" % (user, user)).ok
            except OSError:
                return False
        wait_for("a login", logs_in, 30)

    def stop_one(self, program, sig=signal.SIGTERM):
        process = self.processes.pop(program)
        process.send_signal(sig)
        try:
            return process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("%s does not end on signal %d" % (program, sig)) from None

    def stop(self):
        bad = []
        for program in reversed([p for p in self.PROGRAMS if p in self.processes]):
            try:
                code = self.stop_one(program)
                if code != 0:
                    bad.append("%s ended with %d" % (program, code))
            except AssertionError as fault:
                bad.append(str(fault))
        log = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ensure"):
            if sign in log:
                bad.append("%s in the log" % sign)
        if bad:
            raise AssertionError("%s\n%s" % ("; ".join(bad), log[-20000:]))

    def log(self):
        with contextlib.suppress(FileNotFoundError), open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()
        return ""

    def pids(self, program):
        """Running processes of this server with that name (argv[0]), oldest first."""
        mine, found = {p.pid for p in self.processes.values()}, []
        table = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
                    after = f.read().rsplit(")", 1)[1].split()
                with open("/proc/%s/cmdline" % entry, "rb") as f:
                    name = f.read().split(b"\0")[0].decode(errors="replace")
                table[int(entry)] = (int(after[1]), os.path.basename(name.split()[0] if name else ""), after[0])
        for pid, (parent, name, state) in sorted(table.items()):
            up = pid
            while up in table and up not in mine:
                up = table[up][0]
            if up in mine and name.startswith(program) and state != "Z":
                found.append(pid)
        return found

    def imapds(self, maildir):
        """Those that serve this Maildir."""
        found = []
        for pid in self.pids("imapd"):
            with contextlib.suppress(OSError):
                if os.path.samefile("/proc/%d/cwd" % pid, maildir):
                    found.append(pid)
        return found

    # ---- mail --------------------------------------------------------------------------------------
    def maildir(self, user="demo", folder=None):
        path = os.path.join(self.mail, user, "Maildir")
        return os.path.join(path, "." + folder) if folder else path

    def make_maildir(self, user="demo", folder=None):
        path = self.maildir(user, folder)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub), mode=0o700, exist_ok=True)
        self.give(os.path.join(self.mail, user))
        return path

    def give(self, path):
        """Everything below path belongs to the mail account, as a delivery agent would have left it."""
        if ROOT:
            for base, dirs, files in os.walk(path):
                for name in [""] + dirs + files:
                    os.lchown(os.path.join(base, name), MAIL_UID, MAIL_UID)

    counter = 0

    def deliver(self, text=b"Subject: hello\n\nbody\n", user="demo", folder=None, sub="new", flags=None):
        """One message by rename into new/ (or cur/ with flags); its file name is returned."""
        path = self.maildir(user, folder)
        if not os.path.isdir(path):
            self.make_maildir(user, folder)
        Server.counter += 1
        now = time.time_ns()  # names sort as they were made
        name = "%d.M%06dP%dQ%06d.test" % (now // 10**9, now // 1000 % 10**6, os.getpid(), Server.counter)
        if flags is not None:
            sub, name = "cur", "%s:2,%s" % (name, flags)
        if isinstance(text, str):
            text = text.encode()
        tmp = os.path.join(path, "tmp", name)
        with open(tmp, "wb") as f:
            f.write(text)
        if ROOT:
            os.chown(tmp, MAIL_UID, MAIL_UID)
        os.rename(tmp, os.path.join(path, sub, name))
        return name


def make_certificate(path):
    key, crt = path + ".key", path + ".crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", crt], check=True, capture_output=True)
    with open(path, "w", encoding="ascii") as f:
        for part in (crt, key):
            with open(part, encoding="ascii") as p:
                f.write(p.read())
    os.chmod(path, 0o600)

