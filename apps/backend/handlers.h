/* SPDX-License-Identifier: MIT
 * handlers.h - what stands in route.c's table. Each is called once its request's body is there, and
 * answers or asks (request.h).
 */
#ifndef BACKEND_HANDLERS_H
#define BACKEND_HANDLERS_H

#include "request.h"

void case_create(struct request *request);
void case_list(struct request *request);
void case_get(struct request *request);
void case_change(struct request *request);
void case_delete(struct request *request);

void document_upload(struct request *request); /* upload.c */
void document_list(struct request *request);
void document_get(struct request *request);
void document_delete(struct request *request);
void document_extract(struct request *request);
void document_chunks(struct request *request);
void document_text(struct request *request);
void document_file(struct request *request);

void stream_document(struct request *request); /* stream.c: these take the connection out */
void stream_documents(struct request *request);
void stream_case(struct request *request);

void health_show(struct request *request);
void health_live(struct request *request);
void health_ready(struct request *request);
void metrics_show(struct request *request);
void page_show(struct request *request);
void openapi_show(struct request *request);

#endif
