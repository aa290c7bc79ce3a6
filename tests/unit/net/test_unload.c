/* SPDX-License-Identifier: MIT
 * test_unload.c - libshared as a plug-in that is loaded, used and closed again, while a helper thread of a client
 * that was freed is still on its way.
 */
#include <dlfcn.h>
#include <shared.h>

#include "unit.h"

/* What the library's name is at the dynamic linker, as a function of the type that its header says. */
#define FIND(library, name)                                                                        \
    __typeof__(&name) name##_found;                                                                \
    *(void **)&name##_found = dlsym(library, #name);                                               \
    ck_assert_ptr_nonnull((void *)(uintptr_t)name##_found)

static void use(void *library) {
    FIND(library, shared_config_from_env);
    FIND(library, shared_config_set);
    FIND(library, shared_config_free);
    FIND(library, shared_client_new);
    FIND(library, shared_client_ping);
    FIND(library, shared_client_dispatch);
    FIND(library, shared_client_free);
    shared_config *config = NULL;
    shared_client *client = NULL;
    ck_assert_int_eq(shared_config_from_env_found(&config), SHARED_OK);
    /* A name, which the helper thread looks up. */
    ck_assert_int_eq(shared_config_set_found(config, "REDIS_URL", "redis://localhost:1/0"),
                     SHARED_OK);
    ck_assert_int_eq(shared_client_new_found(config, &client), SHARED_OK);
    shared_config_free_found(config);
    ck_assert_int_eq(shared_client_ping_found(client, SHARED_REDIS, 1), SHARED_OK);
    ck_assert_int_ge(shared_client_dispatch_found(client, 0), 0);
    shared_client_free_found(client);
}

START_TEST(a_thread_that_is_left_behind_keeps_its_code) {
    enum { ROUNDS = 50 };
    const char *path = getenv("TEST_LIBRARY");
    ck_assert_ptr_nonnull(path);
    for (int i = 0; i < ROUNDS; i++) {
        void *library = dlopen(path, RTLD_NOW);
        ck_assert_msg(library != NULL, "%s", dlerror());
        use(library);
        ck_assert_int_eq(dlclose(library), 0);
        ck_assert_ptr_nonnull(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_thread_that_is_left_behind_keeps_its_code,
    };
    return unit_run("unload", tests, sizeof tests / sizeof *tests);
}
