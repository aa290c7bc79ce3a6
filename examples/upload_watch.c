/* SPDX-License-Identifier: MIT
 * upload_watch.c - stores a file below UPLOAD_DIR, adds its row and its task in one transaction, and
 * shows the progress of its extraction.
 *
 *     ./upload_watch contract.pdf
 */
#include <string.h>
#include <unistd.h>

#include "example.h"

enum { TAG_COMMIT = 1, TAG_WATCH, TAG_RELAY, TIMEOUT_MS = 60000 };

/* Copies the file to UPLOAD_DIR/NAME; its size. */
static int64_t store_file(const char *source, const char *name) {
    char target[4096], block[65536];
    const char *folder = getenv("UPLOAD_DIR");
    snprintf(target, sizeof target, "%s/%s", folder ? folder : ".", name);
    FILE *from = fopen(source, "rb"), *to = fopen(target, "wbx");
    if (!from || !to) return -1;
    int64_t total = 0;
    for (size_t size; (size = fread(block, 1, sizeof block, from)) > 0; total += (int64_t)size)
        if (fwrite(block, 1, size, to) != size) return -1;
    fclose(from);
    return fclose(to) ? -1 : total;
}

static void add_document(shared_session *session, const char *id, const char *name, int64_t size) {
    shared_record *document = NULL;
    must(shared_record_new(SHARED_DOCUMENT, &document), "document");
    must(shared_record_set_text(document, SHARED_DOCUMENT_ID, id, strlen(id)), "id");
    must(shared_record_set_text(document, SHARED_DOCUMENT_FILE_NAME, name, strlen(name)),
         "file_name");
    must(shared_record_set_text(document, SHARED_DOCUMENT_FILE_PATH, id, strlen(id)), "file_path");
    must(shared_record_set_int(document, SHARED_DOCUMENT_BYTE_SIZE, size), "byte_size");
    must(shared_session_add(session, document), "add");
    shared_record_unref(document);
}

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "usage: upload_watch FILE\n"), 64;
    const char *slash = strrchr(words[1], '/'), *name = slash ? slash + 1 : words[1];
    char id[64], payload[128];
    snprintf(id, sizeof id, "example-%ld", (long)getpid());
    snprintf(payload, sizeof payload, "[{\"document_id\":\"%s\"}]", id);
    int64_t size = store_file(words[1], id);
    if (size < 0) return perror(words[1]), 1;

    shared_client *client = connect_client();
    shared_session *session = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    must(shared_queue_relay(client, TAG_RELAY), "relay"); /* sends what is committed, at once */
    add_document(session, id, name, size);
    must(shared_session_enqueue(session, "extract_text_from_document", payload, id), "enqueue");
    must(shared_session_commit(session, TAG_COMMIT), "commit");
    must(shared_client_wait(client, TAG_COMMIT, TIMEOUT_MS, &event), "commit");

    must(shared_progress_subscribe(client, id, NULL, TAG_WATCH), "watch");
    do {
        must(shared_client_wait(client, TAG_WATCH, TIMEOUT_MS, &event), "watch");
        if (shared_event_more(event)) printf("%s\n", shared_event_json(event));
    } while (shared_event_more(event));
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
