// SPDX-License-Identifier: MIT
// models.d.ts - the rows that services share, as TypeScript sees them;
// made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
import type { Timestamp } from './index.js';

/** A matter that documents belong to. */
export interface Case {
  /** Any text: "case-123" is valid; a UUIDv7 when absent. */
  id: string;
  /** Name of the matter. */
  title: string;
  /** What it is about. */
  description: string | null;
  /** When the row was first stored. */
  createdAt: Timestamp;
  /** When the row was last changed. */
  updatedAt: Timestamp;
}

/** What `add` takes; what may be absent is filled in by library or database. A matter that documents belong to. */
export interface NewCase {
  /** Any text: "case-123" is valid; a UUIDv7 when absent. */
  id?: string | undefined;
  /** Name of the matter. */
  title: string;
  /** What it is about. */
  description?: string | null | undefined;
  /** When the row was first stored. */
  createdAt?: Date | string | undefined;
  /** When the row was last changed. */
  updatedAt?: Date | string | undefined;
}

/** An uploaded file and how far its extraction has come. */
export interface Document {
  /** Any text: "doc-123" is valid; a UUIDv7 when absent. */
  id: string;
  /** Matter the file belongs to. */
  caseId: string | null;
  /** Name given by the client, never a path. */
  fileName: string;
  /** Type given by the client, never trusted. */
  contentType: string | null;
  /** Size of the upload in bytes. */
  byteSize: bigint | null;
  /** Digest of the upload, hexadecimal. */
  sha256: string | null;
  /** Where the file is, below UPLOAD_DIR. */
  filePath: string | null;
  /** Changed by the worker alone. */
  extractionStatus: 'pending' | 'processing' | 'completed' | 'failed';
  /** Pages read, not pages promised. */
  pageCount: number | null;
  /** Pages that could not be read. */
  pagesFailed: number;
  /** Why it failed, a sentence for a person. */
  error: string | null;
  /** Whether trying again may help. */
  errorClass: 'permanent' | 'retryable' | null;
  /** The reason as a stable word: password_required, ... */
  errorCode: string | null;
  /** Fence: which run of the extraction may write. */
  attempt: number;
  /** When the row was first stored. */
  createdAt: Timestamp;
  /** When the row was last changed. */
  updatedAt: Timestamp;
}

/** What `add` takes; what may be absent is filled in by library or database. An uploaded file and how far its extraction has come. */
export interface NewDocument {
  /** Any text: "doc-123" is valid; a UUIDv7 when absent. */
  id?: string | undefined;
  /** Matter the file belongs to. */
  caseId?: string | null | undefined;
  /** Name given by the client, never a path. */
  fileName: string;
  /** Type given by the client, never trusted. */
  contentType?: string | null | undefined;
  /** Size of the upload in bytes. */
  byteSize?: bigint | number | null | undefined;
  /** Digest of the upload, hexadecimal. */
  sha256?: string | null | undefined;
  /** Where the file is, below UPLOAD_DIR. */
  filePath?: string | null | undefined;
  /** Changed by the worker alone. */
  extractionStatus?: 'pending' | 'processing' | 'completed' | 'failed' | undefined;
  /** Pages read, not pages promised. */
  pageCount?: number | null | undefined;
  /** Pages that could not be read. */
  pagesFailed?: number | undefined;
  /** Why it failed, a sentence for a person. */
  error?: string | null | undefined;
  /** Whether trying again may help. */
  errorClass?: 'permanent' | 'retryable' | null | undefined;
  /** The reason as a stable word: password_required, ... */
  errorCode?: string | null | undefined;
  /** Fence: which run of the extraction may write. */
  attempt?: number | undefined;
  /** When the row was first stored. */
  createdAt?: Date | string | undefined;
  /** When the row was last changed. */
  updatedAt?: Date | string | undefined;
}

/** One page's text: the checkpoint of an extraction. */
export interface DocumentPage {
  /** Document the page belongs to. */
  documentId: string;
  /** Page number, from 1. */
  page: number;
  /** Its text in normal form; empty when failed. */
  text: string;
  /** Where the text came from. */
  source: 'text' | 'ocr' | 'failed';
  /** Why the page failed, a sentence. */
  error: string | null;
}

/** What `add` takes; what may be absent is filled in by library or database. One page's text: the checkpoint of an extraction. */
export interface NewDocumentPage {
  /** Document the page belongs to. */
  documentId: string;
  /** Page number, from 1. */
  page: number;
  /** Its text in normal form; empty when failed. */
  text: string;
  /** Where the text came from. */
  source: 'text' | 'ocr' | 'failed';
  /** Why the page failed, a sentence. */
  error?: string | null | undefined;
}

/** A piece of a document's text, fit for search. */
export interface DocumentChunk {
  /** A UUIDv7 when absent. */
  id: string;
  /** Document the chunk belongs to. */
  documentId: string;
  /** Position in the document, from 0. */
  chunkIndex: number;
  /** An exact substring of the document's text. */
  content: string;
  /** Page of its first character. */
  pageFrom: number | null;
  /** Page of its last character. */
  pageTo: number | null;
  /** First character, in code points of the whole text. */
  charStart: bigint | null;
  /** Behind the last character. */
  charEnd: bigint | null;
  /** When the row was stored. */
  createdAt: Timestamp;
}

/** What `add` takes; what may be absent is filled in by library or database. A piece of a document's text, fit for search. */
export interface NewDocumentChunk {
  /** A UUIDv7 when absent. */
  id?: string | undefined;
  /** Document the chunk belongs to. */
  documentId: string;
  /** Position in the document, from 0. */
  chunkIndex: number;
  /** An exact substring of the document's text. */
  content: string;
  /** Page of its first character. */
  pageFrom?: number | null | undefined;
  /** Page of its last character. */
  pageTo?: number | null | undefined;
  /** First character, in code points of the whole text. */
  charStart?: bigint | number | null | undefined;
  /** Behind the last character. */
  charEnd?: bigint | number | null | undefined;
  /** When the row was stored. */
  createdAt?: Date | string | undefined;
}

/** Models by their name. */
export interface Models {
  case: Case;
  document: Document;
  documentPage: DocumentPage;
  documentChunk: DocumentChunk;
}

/** What `add` takes, by the model's name. */
export interface NewModels {
  case: NewCase;
  document: NewDocument;
  documentPage: NewDocumentPage;
  documentChunk: NewDocumentChunk;
}

/** The key of a row, by the model's name. */
export interface Keys {
  case: string;
  document: string;
  documentPage: { documentId: string; page: number };
  documentChunk: string;
}
