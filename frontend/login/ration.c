/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/ration.h"
#include "common/base/log.h"

bool ration_take(struct ration *r, uint64_t now_ms, const char *event)
{
	if (now_ms / 1000 != r->second) {
		if (r->n > RATION_PER_SECOND)
			LOG(L_WARN, event, L_U("unlogged", r->n - RATION_PER_SECOND));
		r->second = now_ms / 1000;
		r->n = 0;
	}
	return r->n++ < RATION_PER_SECOND;
}
