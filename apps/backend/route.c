/* SPDX-License-Identifier: MIT
 * route.c - the one table of what is served, and /openapi.json, which is written from it and from the
 * components that libshared/model/models.py makes of models.txt. Never answers by itself.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "page.h"

static const char one_case[] = "/cases/{id}";
static const char one_document[] = "/documents/{id}";
static const char numbered[] = "limit:limit after:number";
static const char page_of[] = "limit:limit after:string";
static const char last_id[] = "last_event_id:string";
static const char events[] = "text/event-stream";
static const char json[] = "application/json";

static const struct route routes[] = {
    {"GET", "/cases", BODY_NONE, 200, case_list, "Cases, newest first", .query = page_of,
     .response_schema = "CaseList"},
    {"POST", "/cases", BODY_JSON, 201, case_create, "Makes a case", .request_schema = "CaseCreate",
     .response_schema = "Case"},
    {"GET", one_case, BODY_NONE, 200, case_get, "One case", .response_schema = "Case"},
    {"PATCH", one_case, BODY_JSON, 200, case_change, "Changes what is named",
     .request_schema = "CaseChange", .response_schema = "Case"},
    {"DELETE", one_case, BODY_NONE, 204, case_delete,
     "Deletes a case; with ?cascade=true its documents too", .query = "cascade:boolean"},
    {"POST", "/cases/{id}/documents", BODY_UPLOAD, 201, document_upload, "Uploads a file to a case",
     .response_schema = "Document"},
    {"GET", "/cases/{id}/progress", BODY_STREAM, 200, stream_case,
     "Progress of all documents of a case", .query = last_id, .response_type = events},
    {"GET", "/documents", BODY_NONE, 200, document_list,
     "Documents, newest first; an empty case_id asks for those of no case",
     .query = "case_id:string status:status limit:limit after:string",
     .response_schema = "DocumentList"},
    {"POST", "/documents", BODY_UPLOAD, 201, document_upload, "Uploads a file",
     .response_schema = "Document"},
    {"GET", one_document, BODY_NONE, 200, document_get, "One document",
     .response_schema = "Document"},
    {"DELETE", one_document, BODY_NONE, 204, document_delete,
     "Deletes a document, its text, and its file with the last document that has it",
     .query = NULL},
    {"POST", "/documents/{id}/extract", BODY_NONE, 202, document_extract, "Reads the file again",
     .response_schema = "Document"},
    {"GET", "/documents/{id}/chunks", BODY_NONE, 200, document_chunks, "Its chunks, in order",
     .query = numbered, .response_schema = "DocumentChunkList"},
    {"GET", "/documents/{id}/text", BODY_NONE, 200, document_text,
     "Its text by page; with Accept: text/plain as one text, a form feed between pages",
     .query = numbered, .response_schema = "DocumentPageList"},
    {"GET", "/documents/{id}/file", BODY_NONE, 200, document_file, "The file as it was uploaded",
     .response_type = "application/octet-stream"},
    {"GET", "/documents/{id}/progress", BODY_STREAM, 200, stream_document, "Progress of a document",
     .query = last_id, .response_type = events},
    {"GET", "/progress", BODY_STREAM, 200, stream_documents, "Progress of up to 200 documents",
     .query = "document_id:ids last_event_id:string", .response_type = events},
    {"GET", "/health", BODY_NONE, 200, health_show, "What works and what does not",
     .response_type = json},
    {"GET", "/livez", BODY_NONE, 200, health_live, "Whether this process should be kept",
     .response_type = json},
    {"GET", "/readyz", BODY_NONE, 200, health_ready, "Whether requests should be sent here",
     .response_type = json},
    {"GET", "/metrics", BODY_NONE, 200, metrics_show, "Counters, in Prometheus' text form",
     .response_type = "text/plain"},
    {"GET", "/openapi.json", BODY_NONE, 200, openapi_show, "This description",
     .response_type = json},
};

enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

/* The page's files: any name beneath /, found by page.c. */
static const struct route page_route = {"GET",     "/",        BODY_NONE,    200,
                                        page_show, "The page", .query = NULL};

static bool method_fits(const struct route *route, const char *method) {
    if (!strcmp(route->method, method)) return true;
    return !strcmp(method, "HEAD") && !strcmp(route->method, "GET") && route->body != BODY_STREAM;
}

static void allow_add(char *allow, size_t size, const struct route *route) {
    size_t used = strlen(allow);
    const char *head =
        strcmp(route->method, "GET") == 0 && route->body != BODY_STREAM ? ", HEAD" : "";
    snprintf(allow + used, size - used, "%s%s%s", used ? ", " : "", route->method, head);
}

const struct route *route_find(const char *method, const struct target *target, const char **id,
                               const char **allow) {
    static char methods[64];
    methods[0] = '\0';
    for (int i = 0; i < ROUTE_COUNT; i++) {
        if (!target_match(target, routes[i].path, id)) continue;
        if (method_fits(&routes[i], method)) return &routes[i];
        allow_add(methods, sizeof methods, &routes[i]);
    }
    if (!*methods && page_exists(target)) {
        if (method_fits(&page_route, method)) return &page_route;
        allow_add(methods, sizeof methods, &page_route);
    }
    *allow = methods;
    return NULL;
}

/* --- /openapi.json --------------------------------------------------------------------------------- */

static struct text openapi;

static void add_string(struct text *out, const char *string) {
    text_add_json(out, string, strlen(string));
}

static void add_schema(struct text *out, const char *type, size_t size) {
    static const struct {
        const char *type, *schema;
    } rows[] = {
        {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,\"default\":50}"},
        {"number", "{\"type\":\"integer\",\"minimum\":0}"},
        {"status", "{\"enum\":[\"pending\",\"processing\",\"completed\",\"failed\"]}"},
        {"ids",
         "{\"type\":\"array\",\"minItems\":1,\"maxItems\":200,\"items\":{\"type\":\"string\"}}"},
        {"boolean", "{\"type\":\"boolean\",\"default\":false}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!equal_fold(type, size, rows[i].type)) continue;
        text_add_string(out, rows[i].schema);
        return;
    }
    text_add_string(out, "{\"type\":\"string\"}");
}

static void add_parameter(struct text *out, const char *name, size_t size, bool in_path,
                          const char *type, size_t type_size) {
    bool required = in_path || equal_fold(type, type_size, "ids");
    text_add_string(out, "{\"name\":");
    text_add_json(out, name, size);
    text_format(out, ",\"in\":\"%s\",\"required\":%s,\"schema\":", in_path ? "path" : "query",
                required ? "true" : "false");
    add_schema(out, type, type_size);
    text_add_string(out, "}");
}

static void add_parameters(struct text *out, const struct route *route) {
    const char *comma = "";
    text_add_string(out, ",\"parameters\":[");
    if (strchr(route->path, '{')) {
        add_parameter(out, "id", 2, true, "string", 6);
        comma = ",";
    }
    for (const char *word = route->query; word && *word; comma = ",") {
        size_t size = strcspn(word, " ");
        size_t name_size = strcspn(word, ":");
        text_add_string(out, comma);
        add_parameter(out, word, name_size, false, word + name_size + 1, size - name_size - 1);
        word += size + (word[size] == ' ');
    }
    text_add_string(out, "]");
}

static void add_request_body(struct text *out, const struct route *route) {
    static const char form[] =
        ",\"requestBody\":{\"required\":true,\"content\":{\"multipart/form-data\":{\"schema\":{"
        "\"type\":\"object\",\"required\":[\"file\"],\"properties\":{\"file\":{\"type\":\"string\","
        "\"contentMediaType\":\"application/octet-stream\"},\"case_id\":{\"type\":\"string\"},"
        "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}}}}}";
    if (route->body == BODY_UPLOAD)
        text_add_string(out, form);
    else if (route->request_schema)
        text_format(
            out,
            ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{"
            "\"$ref\":\"#/components/schemas/%s\"}}}}",
            route->request_schema);
}

static void add_operation(struct text *out, const struct route *route) {
    /* What is wrong with which field, as FastAPI says it. */
    static const char fields[] =
        ",\"422\":{\"description\":\"A field is not "
        "right\",\"content\":{\"application/json\":{\"schema\":{"
        "\"type\":\"object\",\"required\":[\"detail\"],\"properties\":{\"detail\":{\"type\":"
        "\"array\","
        "\"items\":{\"type\":\"object\",\"required\":[\"loc\",\"msg\",\"type\"],\"properties\":{"
        "\"loc\":{\"type\":\"array\",\"items\":{}},\"msg\":{\"type\":\"string\"},"
        "\"type\":{\"type\":\"string\"}}}}}}}}}";
    static const char error[] =
        ",\"default\":{\"description\":\"An error\",\"content\":{\"application/json\":{\"schema\":{"
        "\"$ref\":\"#/components/schemas/ErrorBody\"}}}}}}";
    char method[8] = "";
    for (size_t i = 0; route->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    text_format(out, "\"%s\":{\"summary\":", method);
    add_string(out, route->summary);
    add_parameters(out, route);
    add_request_body(out, route);
    text_format(out, ",\"responses\":{\"%d\":{\"description\":\"Success\"", route->status);
    if (route->response_schema)
        text_format(out,
                    ",\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"
                    "schemas/%s\"}}}",
                    route->response_schema);
    else if (route->response_type)
        text_format(out, ",\"content\":{\"%s\":{}}", route->response_type);
    text_add_string(out, "}");
    if (route->query || route->body == BODY_JSON || route->body == BODY_UPLOAD)
        text_add_string(out, fields);
    text_add_string(out, error);
}

/* Routes of one path stand under one key, whatever their order in the table. */
static void add_paths(struct text *out) {
    const char *path_comma = "";
    for (int i = 0; i < ROUTE_COUNT; i++) {
        bool seen = false;
        for (int k = 0; k < i; k++) seen = seen || !strcmp(routes[k].path, routes[i].path);
        if (seen) continue;
        text_format(out, "%s\"%s\":{", path_comma, routes[i].path);
        path_comma = ",";
        const char *comma = "";
        for (int k = i; k < ROUTE_COUNT; k++) {
            if (strcmp(routes[k].path, routes[i].path) != 0) continue;
            text_add_string(out, comma);
            add_operation(out, &routes[k]);
            comma = ",";
        }
        text_add_string(out, "}");
    }
}

const char *route_openapi(size_t *size) {
    if (!openapi.size) {
        text_format(&openapi,
                    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"lex-intel\",\"version\":\"%s\"},"
                    "\"servers\":[{\"url\":\"/api\"},{\"url\":\"/\"}],\"paths\":{",
                    shared_version_text());
        add_paths(&openapi);
        text_add_string(&openapi, "},\"components\":");
        text_add(&openapi, page_components, page_components_size);
        text_add_string(&openapi, "}");
    }
    *size = openapi.size;
    return openapi.failed ? NULL : openapi.data;
}

void route_openapi_free(void) {
    text_finish(&openapi);
}
