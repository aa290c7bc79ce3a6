/* SPDX-License-Identifier: MIT
 * captured.h - what a real Celery 5.7 client sent (redis-cli MONITOR): add.delay(2, 3); the same with
 * every option; send_task with a payload.
 */
#ifndef CAPTURED_H
#define CAPTURED_H

static const char captured_delay[] =
    "{\"body\": \"W1syLCAzXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgIm"
    "NoYWluIjogbnVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-t"
    "ype\": \"application/json\", \"headers\": {\"lang\": \"py\", \"task\": \"capapp.add\", "
    "\"id\": "
    "\"5cb5266d-69c8-444c-8b7f-5cd3d3c595ab\", \"shadow\": null, \"eta\": null, \"expires\": "
    "null, \"group\": null, \"group_index\": null, \"retries\": 0, \"timelimit\": [null, null"
    "], \"root_id\": \"5cb5266d-69c8-444c-8b7f-5cd3d3c595ab\", \"parent_id\": null, \"argsre"
    "pr\": \"(2, 3)\", \"kwargsrepr\": \"{}\", \"origin\": \"gen6324@vm\", \"ignore_result\": fals"
    "e, \"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properti"
    "es\": {\"correlation_id\": \"5cb5266d-69c8-444c-8b7f-5cd3d3c595ab\", \"reply_to\": \"71b"
    "29274-915a-3901-9eb3-72eadb1bbfb8\", \"delivery_mode\": 2, \"delivery_info\": {\"excha"
    "nge\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"d"
    "elivery_tag\": \"e0695ff5-1322-4d21-a760-8df1562e859b\"}}";

static const char captured_options[] =
    "{\"body\": \"W1syLCAzXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgIm"
    "NoYWluIjogbnVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-t"
    "ype\": \"application/json\", \"headers\": {\"lang\": \"py\", \"task\": \"capapp.add\", "
    "\"id\": "
    "\"cabe088f-5bca-4442-a8b4-26c8984415ff\", \"shadow\": \"sh\", \"eta\": \"2026-11-24T02:35"
    ":04.757472+00:00\", \"expires\": \"2026-11-24T02:37:04.757472+00:00\", \"group\": null,"
    " \"group_index\": null, \"retries\": 0, \"timelimit\": [1800, 1500], \"root_id\": \"cabe0"
    "88f-5bca-4442-a8b4-26c8984415ff\", \"parent_id\": null, \"argsrepr\": \"(2, 3)\", \"kwar"
    "gsrepr\": \"{}\", \"origin\": \"gen6324@vm\", \"ignore_result\": true, \"replaced_task_nes"
    "ting\": 0, \"stamped_headers\": null, \"stamps\": {}, \"x\": \"1\"}, \"properties\": {\"corr"
    "elation_id\": \"cabe088f-5bca-4442-a8b4-26c8984415ff\", \"reply_to\": \"71b29274-915a-"
    "3901-9eb3-72eadb1bbfb8\", \"delivery_mode\": 2, \"expiration\": \"600000\", \"delivery_i"
    "nfo\": {\"exchange\": \"\", \"routing_key\": \"hi\"}, \"priority\": 9, \"body_encoding\": \"ba"
    "se64\", \"delivery_tag\": \"1c9c1d99-d7b8-4a4b-b3c8-9730940fb0bc\"}}";

static const char captured_send_task[] =
    "{\"body\": \"W1t7ImRvY3VtZW50X2lkIjogImRvYy0xMjMifV0sIHt9LCB7ImNhbGxiYWNrcyI6IG51bG"
    "wsICJlcnJiYWNrcyI6IG51bGwsICJjaGFpbiI6IG51bGwsICJjaG9yZCI6IG51bGx9XQ==\", \"conten"
    "t-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": {\"lang\": \"p"
    "y\", \"task\": \"extract_text_from_document\", \"id\": \"d58a3a35-a897-4d9f-9a03-1815585"
    "8b957\", \"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, \"group_inde"
    "x\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"d58a3a35-a897-4d9"
    "f-9a03-18155858b957\", \"parent_id\": null, \"argsrepr\": \"[{'document_id': 'doc-123'"
    "}]\", \"kwargsrepr\": \"{}\", \"origin\": \"gen6324@vm\", \"ignore_result\": null, \"replace"
    "d_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properties\": {\"corr"
    "elation_id\": \"d58a3a35-a897-4d9f-9a03-18155858b957\", \"reply_to\": \"71b29274-915a-"
    "3901-9eb3-72eadb1bbfb8\", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \""
    "routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \"base64\", \"delivery_tag"
    "\": \"211e8050-4e84-4805-9cbd-fd356ada2f14\"}}";

#endif
