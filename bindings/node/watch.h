/* SPDX-License-Identifier: MIT
 * watch.h - calls JavaScript when a descriptor is readable, by Node's own loop (uv_poll). Knows nothing of libshared.
 */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include <node_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Watches until watch_close, or until nobody has what this returned. callback(): readable, or the watch has failed;
 * it finds out which by its next call. The process does not wait for it unless watch_ref says so. */
napi_value watch_new(napi_env env, int32_t fd, napi_value callback);
/* on 1: the process goes on as long as this watch; 0: it may end. */
napi_value watch_ref(napi_env env, napi_value watch, int32_t on);
napi_value watch_close(napi_env env, napi_value watch);

#ifdef __cplusplus
}
#endif
#endif
