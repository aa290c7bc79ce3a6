/* SPDX-License-Identifier: MIT
 * intake.c - stores a case from JSON, and says everything that is wrong with it: each field that breaks a
 * rule, and what the database answers.
 *
 *     ./intake '{"id":"case-1","title":"Smith v. Jones"}'
 */
#include <string.h>
#include <time.h>

#include "example.h"

enum { TAG_COMMIT = 1, TIMEOUT_MS = 5000 };

static int refuse(void) {
    fprintf(stderr, "%s\n", shared_error_message(shared_error_last()));
    for (int32_t i = 0; i < shared_failure_count(); i++)
        fprintf(stderr, "  %s: %s [%s, value %s, limit %s]\n", shared_failure_path(i),
                shared_failure_message(i), shared_failure_rule(i), shared_failure_value(i),
                shared_failure_limit(i));
    fprintf(stderr, "as an HTTP service would say it: %s\n", shared_record_failures());
    return 1;
}

static int explain(const shared_error *error) {
    fprintf(stderr, "%s failed: %s\n", shared_error_operation(error), shared_error_message(error));
    fprintf(stderr, "  domain %d, code %d, SQLSTATE %s\n", shared_error_domain(error),
            shared_error_code(error), shared_error_sqlstate(error));
    fprintf(stderr, "  detail: %s\n  hint: %s\n", shared_error_detail(error),
            shared_error_hint(error));
    return shared_error_class(error) == SHARED_RETRYABLE ? 75 : 1; /* 75: try again later */
}

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "usage: intake JSON\n"), 64;
    shared_record *legal_case = NULL;
    if (shared_record_from_json(SHARED_CASE, words[1], strlen(words[1]), &legal_case) < 0)
        return refuse();
    int code = 0;
    const char *closed = "{\"description\":\"taken in by hand\"}";
    if (shared_record_is_null(legal_case, SHARED_CASE_DESCRIPTION))
        must(shared_record_merge_json(legal_case, closed, strlen(closed)), "description");
    must(shared_record_set_time(legal_case, SHARED_CASE_CREATED_AT, time(NULL) * 1000000LL),
         "time");
    if (shared_record_check(legal_case) < 0) code = refuse();

    shared_client *client = connect_client();
    shared_session *session = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    if (!code && shared_session_add(session, legal_case) < 0) code = refuse();
    if (!code) {
        must(shared_session_commit(session, TAG_COMMIT), "commit");
        shared_client_wait(client, TAG_COMMIT, TIMEOUT_MS, &event);
        if (event && shared_event_error(event))
            code = explain(shared_event_error(event));
        else
            printf("%s\n", shared_record_json(legal_case));
    }
    shared_record_unref(legal_case);
    shared_session_free(session);
    shared_client_free(client);
    return code;
}
