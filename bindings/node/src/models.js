// SPDX-License-Identifier: MIT
// models.js - of each model its number, its fields, and how an object is made of a row;
// made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
import { timeIn, timeOut } from './values.js';

export const MODELS = {
  case: {
    number: 1,
    table: 'cases',
    keys: ['id'],
    bigs: 0,
    columns: [
      'id', 'title', 'description', 'created_at', 'updated_at',
    ],
    fields: [
      'id', 'title', 'description', 'createdAt', 'updatedAt',
    ],
    make: (v, i) => ({
      id: v.at(i), title: v.at(i + 1), description: v.at(i + 2), createdAt: timeOut(v.at(i + 3)),
      updatedAt: timeOut(v.at(i + 4)),
    }),
    put: (list, o) => list.push(
      o.id, o.title, o.description, timeIn(o.createdAt), timeIn(o.updatedAt),
    ),
  },
  document: {
    number: 2,
    table: 'documents',
    keys: ['id'],
    bigs: 16,
    columns: [
      'id', 'case_id', 'file_name', 'content_type', 'byte_size', 'sha256', 'file_path', 'extraction_status',
      'page_count', 'pages_failed', 'error', 'error_class', 'error_code', 'attempt', 'created_at', 'updated_at',
    ],
    fields: [
      'id', 'caseId', 'fileName', 'contentType', 'byteSize', 'sha256', 'filePath', 'extractionStatus', 'pageCount',
      'pagesFailed', 'error', 'errorClass', 'errorCode', 'attempt', 'createdAt', 'updatedAt',
    ],
    make: (v, i) => ({
      id: v.at(i), caseId: v.at(i + 1), fileName: v.at(i + 2), contentType: v.at(i + 3), byteSize: v.at(i + 4),
      sha256: v.at(i + 5), filePath: v.at(i + 6), extractionStatus: v.at(i + 7), pageCount: v.at(i + 8),
      pagesFailed: v.at(i + 9), error: v.at(i + 10), errorClass: v.at(i + 11), errorCode: v.at(i + 12),
      attempt: v.at(i + 13), createdAt: timeOut(v.at(i + 14)), updatedAt: timeOut(v.at(i + 15)),
    }),
    put: (list, o) => list.push(
      o.id, o.caseId, o.fileName, o.contentType, o.byteSize, o.sha256, o.filePath, o.extractionStatus, o.pageCount,
      o.pagesFailed, o.error, o.errorClass, o.errorCode, o.attempt, timeIn(o.createdAt), timeIn(o.updatedAt),
    ),
  },
  documentPage: {
    number: 3,
    table: 'document_pages',
    keys: ['documentId', 'page'],
    bigs: 0,
    columns: [
      'document_id', 'page', 'text', 'source', 'error',
    ],
    fields: [
      'documentId', 'page', 'text', 'source', 'error',
    ],
    make: (v, i) => ({
      documentId: v.at(i), page: v.at(i + 1), text: v.at(i + 2), source: v.at(i + 3), error: v.at(i + 4),
    }),
    put: (list, o) => list.push(
      o.documentId, o.page, o.text, o.source, o.error,
    ),
  },
  documentChunk: {
    number: 4,
    table: 'document_chunks',
    keys: ['id'],
    bigs: 192,
    columns: [
      'id', 'document_id', 'chunk_index', 'content', 'page_from', 'page_to', 'char_start', 'char_end', 'created_at',
    ],
    fields: [
      'id', 'documentId', 'chunkIndex', 'content', 'pageFrom', 'pageTo', 'charStart', 'charEnd', 'createdAt',
    ],
    make: (v, i) => ({
      id: v.at(i), documentId: v.at(i + 1), chunkIndex: v.at(i + 2), content: v.at(i + 3), pageFrom: v.at(i + 4),
      pageTo: v.at(i + 5), charStart: v.at(i + 6), charEnd: v.at(i + 7), createdAt: timeOut(v.at(i + 8)),
    }),
    put: (list, o) => list.push(
      o.id, o.documentId, o.chunkIndex, o.content, o.pageFrom, o.pageTo, o.charStart, o.charEnd, timeIn(o.createdAt),
    ),
  },
};
