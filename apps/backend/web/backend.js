// SPDX-License-Identifier: MIT
// The backend's HTTP API as functions, and its errors as sentences. Never touches the document,
// never retries by itself.
import { sentence } from './format.js';

/** @typedef {{id: string, title: string, description: string | null, created_at: string}} Case */
/** @typedef {{id: string, case_id: string | null, file_name: string, content_type: string | null,
 *   byte_size: number | null, extraction_status: string, page_count: number | null,
 *   pages_failed: number | null,
 *   error: string | null, error_code: string | null, attempt: number, created_at: string}} Document */
/** @typedef {{page: number, text: string | null, source: string, error: string | null}} Page */
/** @typedef {{loc?: (string | number)[], msg?: string}} FieldError */

const REQUEST_MS = 30000;
const LIST_LIMIT = 100;

const WORDS = /** @type {Record<number, string>} */ ({
  0: 'The server cannot be reached. Check the connection and try again.',
  401: 'You are not signed in.',
  403: 'The server does not allow this.',
  404: 'It is not there any more.',
  408: 'The file came too slowly and the server stopped waiting.',
  409: 'It is in use or already there.',
  413: 'The file is larger than the server accepts.',
  415: 'This kind of file is not accepted.',
  422: 'The server did not accept what was sent.',
  429: 'Too many requests at once. Try again in a moment.',
  502: 'The server cannot be reached just now. Try again in a moment.',
  503: 'The server is busy. Try again in a moment.',
  504: 'The server did not answer in time. Try again in a moment.',
  507: 'The server has no room left for files.',
});

/** A request that did not do what it should; `message` is a sentence for the person. */
export class ApiError extends Error {
  /** @param {number} status 0: no answer  @param {unknown} [detail] @param {number} [retryAfterS] */
  constructor(status, detail, retryAfterS = 0) {
    super(errorText(status, detail));
    this.status = status;
    this.retryAfterS = retryAfterS;
    /** @type {Record<string, string>} field name -> sentence */
    this.fields = Array.isArray(detail) ? fieldTexts(detail) : {};
  }

  /** Whether the same request may work a little later. */
  get passing() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

/** @param {number} status @param {unknown} detail */
function errorText(status, detail) {
  const known =
    WORDS[status] ??
    (status >= 500 ? 'Something went wrong on the server.' : `The server answered ${status}.`);
  if (Array.isArray(detail)) return detail.map(fieldText).filter(Boolean).join(' ') || known;
  if (typeof detail !== 'string' || !detail.trim()) return known;
  return status === 413 || status >= 500 ? `${known} ${sentence(detail)}` : sentence(detail);
}

/** @param {FieldError} error */
function fieldText(error) {
  const field = (error.loc ?? [])
    .filter((part) => part !== 'body' && part !== 'query' && part !== 'path')
    .join('.');
  return error.msg ? sentence(field ? `${field}: ${error.msg}` : error.msg) : '';
}

/** @param {FieldError[]} detail */
function fieldTexts(detail) {
  /** @type {Record<string, string>} */
  const texts = {};
  for (const { loc, msg } of detail)
    if (loc?.length && msg) texts[String(loc[loc.length - 1])] = sentence(msg);
  return texts;
}

/** The `detail` of an error body, whatever the body is. @param {string} body */
export function detailOf(body) {
  try {
    return JSON.parse(body)?.detail;
  } catch {
    return undefined;
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
async function request(method, path, body) {
  /** @type {RequestInit} */
  const options = {
    method,
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(REQUEST_MS),
  };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { ...options.headers, 'Content-Type': 'application/json' };
  }
  let response, text;
  try {
    response = await fetch(`api/${path}`, options);
    text = await response.text();
  } catch {
    throw new ApiError(0);
  }
  if (!response.ok)
    throw new ApiError(response.status, detailOf(text), Number(response.headers.get('Retry-After')) || 0);
  return text ? JSON.parse(text) : null;
}

/** `path` with the parameters that have a value.
 * @param {string} path @param {Record<string, string | number | null>} values */
function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== null) query.set(name, String(value));
  return `${path}?${query}`;
}

/** At most `max` rows of a list, a request per hundred, and where the rest begins.
 * @param {string} path @param {Record<string, string | number | null>} values @param {number} max
 * @returns {Promise<{items: any[], next: string | null}>} */
async function listAll(path, values, max) {
  const items = [];
  let after = null;
  do {
    const body = await request('GET', withQuery(path, { ...values, limit: LIST_LIMIT, after }));
    items.push(...body.items);
    after = body.items.length ? (body.next ?? null) : null;
  } while (after !== null && items.length < max);
  return { items, next: after };
}

const id = encodeURIComponent;

/** Where to send a document of the case, or one of none. @param {string | null} caseId */
export const uploadPath = (caseId) =>
  caseId === null ? 'api/documents' : `api/cases/${id(caseId)}/documents`;
/** @param {string} documentId */
export const filePath = (documentId) => `api/documents/${id(documentId)}/file`;
/** @param {string} caseId */
export const caseStreamPath = (caseId) => `api/cases/${id(caseId)}/progress`;
/** @param {string[]} documentIds */
export const documentsStreamPath = (documentIds) =>
  `api/progress?${documentIds.map((one) => `document_id=${id(one)}`).join('&')}`;

/** @param {number} max @returns {Promise<{items: Case[], next: string | null}>} */
export const listCases = (max) => listAll('cases', {}, max);
/** @param {string} caseId @returns {Promise<Case>} */
export const getCase = (caseId) => request('GET', `cases/${id(caseId)}`);
/** @param {{title: string, description: string | null}} values @returns {Promise<Case>} */
export const createCase = (values) => request('POST', 'cases', values);
/** @param {string} caseId @param {{title: string, description: string | null}} values
 * @returns {Promise<Case>} */
export const updateCase = (caseId, values) => request('PATCH', `cases/${id(caseId)}`, values);
/** @param {string} caseId @param {boolean} cascade */
export const deleteCase = (caseId, cascade) =>
  request('DELETE', `cases/${id(caseId)}${cascade ? '?cascade=true' : ''}`);

/** The documents of a case, or (null) those of none.
 * @param {string | null} caseId @param {number} max
 * @returns {Promise<{items: Document[], next: string | null}>} */
export async function listDocuments(caseId, max) {
  const page = await listAll('documents', { case_id: caseId ?? '' }, max);
  return { ...page, items: page.items.filter((one) => (one.case_id ?? null) === caseId) };
}
/** @param {string} documentId @returns {Promise<Document>} */
export const getDocument = (documentId) => request('GET', `documents/${id(documentId)}`);
/** @param {string} documentId */
export const deleteDocument = (documentId) => request('DELETE', `documents/${id(documentId)}`);
/** @param {string} documentId @returns {Promise<Document | null>} */
export const extractDocument = (documentId) => request('POST', `documents/${id(documentId)}/extract`);
/** Pages behind page `after`. @param {string} documentId @param {number} after @param {number} limit
 * @returns {Promise<{pages: Page[], next: unknown}>} */
export async function getText(documentId, after, limit) {
  const body = await request('GET', withQuery(`documents/${id(documentId)}/text`, { after, limit }));
  return { pages: body?.pages ?? body?.items ?? [], next: body?.next ?? null };
}
