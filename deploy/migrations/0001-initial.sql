-- SPDX-License-Identifier: MIT
-- The tables as models.txt describes them, and the outbox of the task queue. Checks repeat the rules of models.txt,
-- so that every writer, in whatever language, is held to them. The table alembic_version is the migrator's.

CREATE TABLE cases (
    id          text PRIMARY KEY CHECK (char_length(id) BETWEEN 1 AND 255),
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 255),
    description text CHECK (char_length(description) <= 10000),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX cases_by_age ON cases (created_at, id);

-- No cascade from cases: a case that holds documents is deleted on purpose or not at all.
CREATE TABLE documents (
    id                text PRIMARY KEY CHECK (char_length(id) BETWEEN 1 AND 255),
    case_id           text REFERENCES cases (id),
    file_name         text NOT NULL CHECK (char_length(file_name) BETWEEN 1 AND 255),
    content_type      text CHECK (char_length(content_type) <= 255),
    byte_size         bigint CHECK (byte_size >= 0),
    sha256            text CHECK (char_length(sha256) = 64),
    file_path         text CHECK (char_length(file_path) <= 4096),
    extraction_status text NOT NULL DEFAULT 'pending'
                      CHECK (extraction_status IN ('pending', 'processing', 'completed', 'failed')),
    page_count        integer CHECK (page_count >= 0),
    pages_failed      integer NOT NULL DEFAULT 0 CHECK (pages_failed >= 0),
    error             text CHECK (char_length(error) <= 2000),
    error_class       text CHECK (error_class IN ('permanent', 'retryable')),
    error_code        text CHECK (char_length(error_code) <= 64),
    attempt           integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
-- Lists of a case and of all, by age; the order of the columns is that of the pages' cursor.
CREATE INDEX documents_of_case ON documents (case_id, created_at, id);
CREATE INDEX documents_by_age ON documents (created_at, id);
-- What the worker compares with the queue: few rows, however many documents there are.
CREATE INDEX documents_unfinished ON documents (updated_at, id)
    WHERE extraction_status IN ('pending', 'processing');
-- Two documents may share a file; it goes with the last of them.
CREATE INDEX documents_of_file ON documents (sha256) WHERE sha256 IS NOT NULL;

CREATE TABLE document_pages (
    document_id text NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    page        integer NOT NULL CHECK (page >= 1),
    text        text NOT NULL,
    source      text NOT NULL CHECK (source IN ('text', 'ocr', 'failed')),
    error       text CHECK (char_length(error) <= 2000),
    PRIMARY KEY (document_id, page)
);

CREATE TABLE document_chunks (
    id          text PRIMARY KEY CHECK (char_length(id) BETWEEN 1 AND 255),
    document_id text NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    chunk_index integer NOT NULL CHECK (chunk_index >= 0),
    content     text NOT NULL CHECK (char_length(content) >= 1),
    page_from   integer CHECK (page_from >= 1),
    page_to     integer CHECK (page_to >= 1),
    char_start  bigint CHECK (char_start >= 0),
    char_end    bigint CHECK (char_end >= 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT document_chunks_position UNIQUE (document_id, chunk_index)
);

-- Tasks that a committed change asked for and that are not yet in Redis. The relay sends and deletes them.
CREATE TABLE task_outbox (
    id         text PRIMARY KEY,
    queue      text NOT NULL,
    task       text NOT NULL,
    args_json  text NOT NULL,
    key        text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Whoever writes for a run of an extraction calls this first in its transaction: it ends the transaction with SQLSTATE
-- LX001 when another run has taken over, and until the commit no other run can.
CREATE FUNCTION document_fence(document text, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM documents
        WHERE documents.id = document_fence.document AND documents.attempt = document_fence.attempt
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'document %: attempt % is not the current one', document, attempt USING ERRCODE = 'LX001';
    END IF;
END
$$;
