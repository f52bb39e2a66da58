# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile. `make` builds into build/; `make help` lists the targets.

PREFIX ?= /usr
DESTDIR ?=
SYSCONFDIR ?= /etc
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build/$(notdir $(CC))$(if $(SAN),-san)
VERSION := 0.1.0

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-unused-parameter -Wno-missing-field-initializers \
	$(if $(findstring gcc,$(CC)),-Wno-format-truncation) # cutting a text short with snprintf is meant
CFLAGS ?= -O2 -g
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifdef SAN
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
HARDEN := -fPIE
LDFLAGS += -fsanitize=address,undefined
endif
CPPFLAGS += -std=gnu11 -D_GNU_SOURCE -I. -include common/base/banned.h \
	-DPOSTHOUSE_VERSION='"$(VERSION)"' -DPOSTHOUSE_PREFIX='"$(PREFIX)"' -DPOSTHOUSE_SYSCONFDIR='"$(SYSCONFDIR)"'
LDFLAGS += -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

# ---- what is made of what -------------------------------------------------------------------
src = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIB_SRC := $(call src,common)
LIB := $(BUILD)/libcommon.a
STORE_SRC := $(call src,backend/store)
STORE := $(BUILD)/libstore.a

PROGRAMS := frontend login authd backend imapd mailer loginexec notifyd
frontend_SRC := $(wildcard frontend/*.c)
login_SRC := $(call src,frontend/login)
authd_SRC := $(call src,frontend/authd)
backend_SRC := $(call src,backend/master)
loginexec_SRC := $(call src,backend/loginexec)
imapd_SRC := $(call src,backend/imapd)
mailer_SRC := $(call src,backend/mailer)
notifyd_SRC := $(call src,notifyd)
posthousectl_SRC := $(call src,ctl)

# ASan has a crypt_r of its own that calls libcrypt's: it must be there though nothing seems to need it.
CRYPT := -Wl,--push-state,--no-as-needed -lcrypt -Wl,--pop-state
# Optional: without libargon2 authd has no {ARGON2..} hashes; ARGON2= builds so though it is there.
ifeq ($(origin ARGON2),undefined)
ARGON2 := $(shell echo '\#include <argon2.h>' | $(CC) -E -x c - >/dev/null 2>&1 && echo -largon2)
endif
ifneq ($(strip $(ARGON2)),)
CPPFLAGS += -DHAVE_ARGON2
endif
frontend_LIBS := -lssl -lcrypto -lev
login_LIBS := -lssl -lcrypto -lev
authd_LIBS := -lcurl -lhiredis -ljansson -lutf8proc -lssl -lcrypto $(CRYPT) $(ARGON2) -lev -lpthread
backend_LIBS := -lcrypto -lev
loginexec_LIBS := -lev
imapd_LIBS := -lutf8proc -lev -lpthread
mailer_LIBS := -lcurl -lev
notifyd_LIBS := -lev
posthousectl_LIBS := -lcrypto $(CRYPT) -lutf8proc -lev

ALL_PROGRAMS := $(PROGRAMS) posthousectl
BINS := $(addprefix $(BUILD)/bin/,$(ALL_PROGRAMS))

# V=1 shows whole commands.
Q := $(if $(V),,@)

all: $(BINS) $(if $(strip $(ARGON2)),,no-argon2) ## the programs, into build/gcc/bin (default)

no-argon2:
	@echo "  NOTE argon2.h is missing (libargon2-dev): built without {ARGON2I} and {ARGON2ID} hashes"

define program
$(BUILD)/bin/$(1): $(call obj,$($(1)_SRC)) $(if $(filter imapd,$(1)),$(STORE)) $(LIB)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$($(1)_LIBS)
endef
$(foreach p,$(ALL_PROGRAMS),$(eval $(call program,$(p))))

$(LIB): $(call obj,$(LIB_SRC))
	@rm -f $@; ar rcsD $@ $^
$(STORE): $(call obj,$(STORE_SRC))
	@rm -f $@; ar rcsD $@ $^

# What knows the paths is compiled anew when they are others.
PATHS := $(BUILD)/paths
$(shell mkdir -p $(BUILD); echo '$(PREFIX) $(SYSCONFDIR) $(VERSION)' | cmp -s - $(PATHS) || echo '$(PREFIX) $(SYSCONFDIR) $(VERSION)' >$(PATHS))
$(call obj,$(shell grep -rlE 'POSTHOUSE_(PREFIX|SYSCONFDIR|VERSION)' --include='*.c' common frontend backend notifyd ctl)): $(PATHS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(WARN) -MMD -MP -c -o $@ $<

# ---- unit tests: tests/unit/a/b_test.c tests a/b.c; cmocka --------------------------------------
UNIT_SRC := $(call src,tests/unit)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
ALL_LIBS := -lcurl -lhiredis -ljansson -lssl -lcrypto $(CRYPT) $(ARGON2) -lutf8proc -lev -lpthread
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(STORE) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(ALL_LIBS)

# Tests of a program's own modules link them without its main.
FRONTEND := $(BUILD)/libfrontend.a
$(FRONTEND): $(call obj,$(filter-out %/main.c,$(login_SRC) $(authd_SRC)))
	@rm -f $@; ar rcsD $@ $^
$(BUILD)/unit/frontend/%: $(BUILD)/tests/unit/frontend/%.o $(FRONTEND) $(STORE) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(ALL_LIBS)

check: all $(UNIT_BIN) $(BUILD)/settings-text layers lint-man ## unit tests and lints: seconds
	@tests/lint/settings $(BUILD)/settings-text
	@tests/unit/run $(UNIT_BIN)
check-asan: ## unit tests under ASan and UBSan
	$(MAKE) SAN=1 check
check-e2e: all ## the running server as clients see it: minutes
	/usr/bin/python3 -m pytest -q tests/e2e

# ---- fuzzing: tests/fuzz/NAME.c holds LLVMFuzzerTestOneInput -------------------------------------
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ_SECONDS ?= 5
fuzz:
	$(MAKE) CC=clang BUILD=build/fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
		LDFLAGS='-fsanitize=address,undefined -pie' fuzz-bins
fuzz-bins: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FRONTEND) $(STORE) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -pie -o $@ $^ $(ALL_LIBS)
fuzz-smoke: fuzz ## each fuzz target for FUZZ_SECONDS (5)
	@tests/fuzz/run $(FUZZ_SECONDS)

# ---- made from the settings table --------------------------------------------------------------
$(BUILD)/settings-text: $(BUILD)/tests/tools/settings-text.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
conf/posthouse.conf: common/config/settings.def common/config/settings_text.c
	@$(MAKE) -s $(BUILD)/settings-text
	$(BUILD)/settings-text sample >$@
man-settings: $(BUILD)/settings-text
	@$< man

# ---- manual pages; those of docs/man/*.in get the settings put in -------------------------------
MAN := $(patsubst docs/man/%,$(BUILD)/man/%,$(basename $(wildcard docs/man/*.in)) $(wildcard docs/man/*.[1-9]))
$(BUILD)/man/%: docs/man/%.in $(BUILD)/settings-text
	@mkdir -p $(@D)
	@$(BUILD)/settings-text man | sed -e '/^@SETTINGS@$$/r /dev/stdin' -e '/^@SETTINGS@$$/d' $< >$@
$(BUILD)/man/%: docs/man/%
	@mkdir -p $(@D)
	@cp $< $@
man: $(MAN) ## manual pages, into build/gcc/man
lint-man: $(MAN)
	@if command -v mandoc >/dev/null; then mandoc -T lint -W warning $(MAN); else echo "mandoc is missing: manual pages not checked"; fi

# ---- keeping the house ---------------------------------------------------------------------------
C_FILES = $(shell git ls-files '*.c' '*.h')
fmt: ## clang-format
	clang-format -i $(C_FILES)
layers: ## includes go down only
	@tests/lint/layers
tidy: ## clang-tidy: minutes
	@printf '%s\n' $(filter-out tests/%,$(filter %.c,$(C_FILES))) | \
		xargs -P$$(nproc) -n8 sh -c 'clang-tidy --quiet "$$@" -- $(subst ','\'',$(CPPFLAGS)) 2>/dev/null' tidy
soak: all ## hours under load
	tests/soak/run
bench bench-quick: export BENCH_CLIENT = $(CURDIR)/$(BUILD)/bench/client
bench: all $(BUILD)/bench/client ## against Dovecot and Cyrus: long
	@/usr/bin/python3 tests/bench/bench.py
bench-quick: all $(BUILD)/bench/client ## ours alone: a minute
	@/usr/bin/python3 tests/bench/bench.py --quick
BENCH_SRC := $(call src,tests/bench/client)
$(BUILD)/bench/client: $(call obj,$(BENCH_SRC))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lssl -lcrypto
run: all ## quickstart, in the foreground
	deploy/quickstart.sh --no-install
bare-debian: ## quickstart and run.sh in a debootstrap folder (root)
	tests/bare-debian.sh

# An installed program looks for the others beside itself, and for its settings in SYSCONFDIR.
to = $(DESTDIR)$(PREFIX)
install: all man ## DESTDIR=, PREFIX=/usr, SYSCONFDIR=/etc
	install -d "$(to)/libexec/posthouse" "$(to)/bin" "$(to)/share/doc/posthouse" "$(DESTDIR)$(SYSCONFDIR)/posthouse"
	install $(STRIP) $(addprefix $(BUILD)/bin/,$(PROGRAMS)) "$(to)/libexec/posthouse"
	install $(STRIP) $(BUILD)/bin/posthousectl "$(to)/bin"
	install -m 644 conf/posthouse.conf "$(DESTDIR)$(SYSCONFDIR)/posthouse/posthouse.conf.sample"
	install -m 644 README.md LICENSE docs/architecture.md docs/authentication.md docs/courier.md "$(to)/share/doc/posthouse"
	install -D -m 644 deploy/completions/posthousectl "$(to)/share/bash-completion/completions/posthousectl"
	install -d $(foreach n,1 5 7 8,"$(to)/share/man/man$(n)")
	for page in $(MAN); do \
		to="$(to)/share/man/man$${page##*.}/$${page##*/}"; \
		sed -e 's|/usr/libexec|$(PREFIX)/libexec|g' -e 's|/etc/posthouse|$(SYSCONFDIR)/posthouse|g' $$page >"$$to" && \
		chmod 644 "$$to" || exit 1; \
	done
# Debian's Courier packages own these names: not for beside them.
install-courier-names: ## links with the names of Courier's tools to posthousectl
	install -d "$(to)/bin"
	for name in authtest courierlogger couriertcpd deliverquota maildiracl maildirkw maildirmake maildirwatch mkimapdcert mkpop3dcert; do \
		ln -s posthousectl "$(to)/bin/$$name" || exit 1; \
	done
install-strip: ## the same, without symbols
	@$(MAKE) install STRIP=-s
install-configure: all ## new settings into an edited posthouse.conf; without one, the sample
	@conf="$(DESTDIR)$(SYSCONFDIR)/posthouse/posthouse.conf"; \
	if [ -e "$$conf" ]; then $(BUILD)/bin/posthousectl merge-settings "$$conf"; \
	else install -D -m 640 conf/posthouse.conf "$$conf"; fi
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 20 | sed 's/^/  make /'

.PHONY: all no-argon2 man man-settings lint-man bare-debian check check-asan check-e2e fuzz fuzz-bins fuzz-smoke fmt layers tidy soak bench bench-quick run install install-courier-names install-strip install-configure clean help
.SECONDARY:
-include $(patsubst %.c,$(BUILD)/%.d,$(LIB_SRC) $(STORE_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(foreach p,$(ALL_PROGRAMS),$($(p)_SRC)))
