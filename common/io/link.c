/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/base/list.h"
#include "common/base/secret.h"

/* On the wire: u16 type, u16 version, u32 length of the body; then the body. */
enum { HEADER = 8, VERSION = 1, MSGS_PER_TURN = 16, RETRY_MS = 10, SEND_BLOCKING_MS = 30000 };

struct packet {
	struct list link;
	struct buf bytes; /* with header */
	int fds[LINK_FDS_MAX];
	unsigned nfds;
};

struct link {
	struct loop *loop;
	struct loop_io *io;
	int fd; /* -1: closed */
	bool broken; /* sending failed; what the peer sent before is still read */
	struct list queue;
	size_t queued, max_queue;
	struct loop_timer *retry; /* made when the kernel holds too many descriptors in flight */
	const struct link_ops *ops;
	void *ctx;
	bool busy, freed; /* busy: a callback is running, and the memory outlives link_free */
};

/* ---- packets ------------------------------------------------------------------------------- */

static void close_fds(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void make_header(unsigned char h[HEADER], uint16_t type, size_t n)
{
	h[0] = (unsigned char)(type & 255);
	h[1] = (unsigned char)(type >> 8);
	h[2] = VERSION;
	h[3] = 0;
	for (int i = 0; i < 4; i++)
		h[4 + i] = (unsigned char)(n >> (8 * i) & 255);
}

static int send_parts(int fd, struct iovec *iov, size_t niov, const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
	} control;
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = niov};
	ssize_t n;

	if (nfds) {
		memset(&control, 0, sizeof control);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * nfds);
	}
	do {
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static int send_now(int fd, uint16_t type, struct str body, const int *fds, unsigned nfds)
{
	unsigned char header[HEADER];
	struct iovec iov[2] = {{header, HEADER}, {(void *)body.p, body.n}};

	if (body.n > LINK_MSG_MAX - HEADER) {
		errno = EMSGSIZE;
		return -1;
	}
	if (nfds > LINK_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	make_header(header, type, body.n);
	return send_parts(fd, iov, body.n ? 2 : 1, fds, nfds);
}

/* Takes the descriptors of a received message; false where the kernel had to drop some. */
static bool take_fds(struct msghdr *h, struct link_msg *m)
{
	bool ok = !(h->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->nfds < LINK_FDS_MAX) {
				m->fds[m->nfds++] = fd;
			} else {
				close(fd);
				ok = false;
			}
		}
	}
	return ok;
}

/* 1: a message in *m, its body in store; 0: end of stream; -1: errno, EPROTO for a bad packet. */
static int receive(int fd, char *store, struct link_msg *m)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
	} control;
	struct iovec iov = {store, LINK_MSG_MAX};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof control};
	const unsigned char *p = (const unsigned char *)store;
	ssize_t n;

	*m = (struct link_msg){.nfds = 0};
	do {
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	if (take_fds(&h, m) && !(h.msg_flags & MSG_TRUNC) && n >= HEADER &&
	    (p[2] | p[3] << 8) == VERSION &&
	    ((uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24) ==
		    (size_t)n - HEADER) {
		m->type = (uint16_t)(p[0] | p[1] << 8);
		m->body = str_mem(p + HEADER, (size_t)n - HEADER);
		return 1;
	}
	close_fds(m->fds, m->nfds);
	m->nfds = 0;
	errno = EPROTO;
	return -1;
}

/* ---- a link in a loop ---------------------------------------------------------------------- */

static void drop_queue(struct link *k)
{
	while (!list_empty(&k->queue)) {
		struct packet *p = list_entry(k->queue.next, struct packet, link);

		list_remove(&p->link);
		close_fds(p->fds, p->nfds);
		buf_wipe(&p->bytes);
		free(p);
	}
	k->queued = 0;
}

static void shut(struct link *k)
{
	loop_timer_free(&k->retry);
	loop_io_free(&k->io);
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	drop_queue(k);
}

static void end(struct link *k, const char *why)
{
	shut(k);
	k->ops->on_close(k->ctx, why);
}

static void set_events(struct link *k)
{
	bool waiting = k->retry && loop_timer_active(k->retry);

	loop_io_set(k->io, LOOP_READ | (k->queued && !waiting && !k->broken ? LOOP_WRITE : 0));
}

static void retry_later(void *ctx)
{
	set_events(ctx);
}

/* Sending failed for good. The end is told when the socket says it, after what the peer sent. */
static void break_off(struct link *k)
{
	k->broken = true;
	drop_queue(k);
	shutdown(k->fd, SHUT_WR);
}

/* True: try again later. False: the error is final. */
static bool try_again(struct link *k)
{
	if (errno == EAGAIN)
		return true;
	if (errno != ETOOMANYREFS && errno != ENOBUFS && errno != ENOMEM)
		return false;
	if (k->retry == NULL)
		k->retry = loop_timer_new(k->loop, retry_later, k);
	loop_timer_set(k->retry, RETRY_MS);
	return true;
}

static void flush(struct link *k)
{
	while (k->queued) {
		struct packet *p = list_entry(k->queue.next, struct packet, link);
		struct iovec iov = {(void *)buf_str(&p->bytes).p, p->bytes.n};

		if (send_parts(k->fd, &iov, 1, p->fds, p->nfds) < 0) {
			if (!try_again(k))
				break_off(k);
			break;
		}
		list_remove(&p->link);
		close_fds(p->fds, p->nfds);
		buf_wipe(&p->bytes);
		free(p);
		k->queued--;
	}
	set_events(k);
	if (k->queued == 0 && !k->broken && k->ops->on_drained)
		k->ops->on_drained(k->ctx);
}

static void read_messages(struct link *k)
{
	static char store[LINK_MSG_MAX];
	struct link_msg m;

	for (int i = 0; i < MSGS_PER_TURN && k->fd >= 0; i++) {
		int rc = receive(k->fd, store, &m);

		if (rc < 0 && errno == EAGAIN)
			return;
		if (rc <= 0) {
			end(k, rc == 0 ? "closed by the peer" : errno == EPROTO ? "malformed packet" : strerror(errno));
			return;
		}
		rc = k->ops->on_msg(k->ctx, &m);
		close_fds(m.fds, m.nfds);
		secret_zero(store, HEADER + m.body.n); /* logins pass here */
		if (k->freed)
			return;
		if (rc < 0) {
			end(k, "malformed message");
			return;
		}
	}
}

static void io_event(void *ctx, int events)
{
	struct link *k = ctx;

	k->busy = true;
	if (events & LOOP_WRITE && k->queued)
		flush(k);
	if (events & LOOP_READ && k->fd >= 0)
		read_messages(k);
	k->busy = false;
	if (k->freed)
		free(k);
}

struct link *link_new(struct loop *l, int fd, size_t max_queue, const struct link_ops *ops, void *ctx)
{
	struct link *k = xcalloc(1, sizeof *k);

	k->loop = l;
	k->fd = fd;
	k->max_queue = max_queue;
	k->ops = ops;
	k->ctx = ctx;
	list_init(&k->queue);
	k->io = loop_io_new(l, fd, LOOP_READ, io_event, k);
	return k;
}

static int enqueue(struct link *k, uint16_t type, struct str body, const int *fds, unsigned nfds)
{
	unsigned char header[HEADER];
	struct packet *p;

	if (k->queued >= k->max_queue) {
		errno = ENOBUFS;
		return -1;
	}
	p = xcalloc(1, sizeof *p);
	for (; p->nfds < nfds; p->nfds++) {
		p->fds[p->nfds] = fcntl(fds[p->nfds], F_DUPFD_CLOEXEC, 3);
		if (p->fds[p->nfds] < 0) {
			close_fds(p->fds, p->nfds);
			free(p);
			return -1;
		}
	}
	make_header(header, type, body.n);
	buf_reserve(&p->bytes, HEADER + body.n);
	buf_put(&p->bytes, header, HEADER);
	buf_str_put(&p->bytes, body);
	list_append(&k->queue, &p->link);
	k->queued++;
	set_events(k);
	return 0;
}

int link_send(struct link *k, uint16_t type, struct str body, const int *fds, unsigned nfds)
{
	if (!link_open(k)) {
		errno = EPIPE;
		return -1;
	}
	if (body.n > LINK_MSG_MAX - HEADER || nfds > LINK_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if (k->queued)
		return enqueue(k, type, body, fds, nfds);
	if (send_now(k->fd, type, body, fds, nfds) == 0)
		return 0;
	if (errno == EBADF && nfds) /* a descriptor of the caller's: nothing is wrong with the link */
		return -1;
	if (try_again(k))
		return enqueue(k, type, body, fds, nfds);
	break_off(k);
	errno = EPIPE;
	return -1;
}

bool link_open(const struct link *k)
{
	return k->fd >= 0 && !k->broken;
}

size_t link_queued(const struct link *k)
{
	return k->queued;
}

void link_free(struct link **k)
{
	if (*k == NULL)
		return;
	shut(*k);
	(*k)->freed = true;
	if (!(*k)->busy)
		free(*k);
	*k = NULL;
}

/* ---- without a loop ------------------------------------------------------------------------ */

/* 1: ready; -1: errno. timeout_ms < 0: for ever. */
static int wait_for(int fd, short events, int timeout_ms)
{
	uint64_t start = clock_ms();
	int left = timeout_ms, rc;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};

		rc = poll(&p, 1, left);
		if (rc > 0)
			return 1;
		if (rc < 0 && errno != EINTR)
			return -1;
		if (timeout_ms >= 0) {
			uint64_t past = clock_ms() - start;

			if (past >= (uint64_t)timeout_ms) {
				errno = ETIMEDOUT;
				return -1;
			}
			left = timeout_ms - (int)past;
		}
	}
}

int link_send_blocking(int fd, uint16_t type, struct str body, const int *fds, unsigned nfds)
{
	while (send_now(fd, type, body, fds, nfds) < 0) {
		if (errno != EAGAIN)
			return -1;
		if (wait_for(fd, POLLOUT, SEND_BLOCKING_MS) < 0)
			return -1;
	}
	return 0;
}

int link_recv_blocking(int fd, struct buf *store, struct link_msg *m, int timeout_ms)
{
	int rc;

	buf_reset(store);
	for (;;) {
		rc = receive(fd, buf_reserve(store, LINK_MSG_MAX), m);
		if (rc >= 0 || errno != EAGAIN)
			return rc;
		if (wait_for(fd, POLLIN, timeout_ms) < 0)
			return -1;
	}
}

/* ---- sockets ------------------------------------------------------------------------------- */

int link_pair(int out[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out);
}

static int unix_socket(const char *path, struct sockaddr_un *sa)
{
	size_t n = strlen(path);

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n >= sizeof sa->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa->sun_path, path, n + 1);
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int link_connect(const char *path)
{
	struct sockaddr_un sa;
	int fd = unix_socket(path, &sa);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		return close_keep_errno(fd);
	return fd;
}

/* Removes a socket that nobody listens on. Anything else that has the name stays. */
static int remove_dead_socket(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = link_connect(path);
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	return errno == ECONNREFUSED ? unlink(path) : -1;
}

int link_listen(const char *path, unsigned mode)
{
	struct sockaddr_un sa;
	mode_t before;
	int fd, rc;

	if (remove_dead_socket(path) != 0)
		return -1;
	fd = unix_socket(path, &sa);
	if (fd < 0)
		return -1;
	before = umask(0777 & ~mode);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof sa);
	umask(before);
	if (rc != 0 || listen(fd, 1024) != 0)
		return close_keep_errno(fd);
	return fd;
}

int link_accept(int listen_fd, unsigned *uid, int *pid)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return close_keep_errno(fd);
	if (uid)
		*uid = cred.uid;
	if (pid)
		*pid = cred.pid;
	return fd;
}
