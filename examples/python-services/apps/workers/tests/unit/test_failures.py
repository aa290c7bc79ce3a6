# SPDX-License-Identifier: MIT
"""What the row and the queue are told."""

from __future__ import annotations

import pickle

from shared.errors import RetryableError
from workers.failures import DocumentError, failure_of


def test_a_documents_fault_is_permanent_and_has_its_word() -> None:
    failure = failure_of(DocumentError("file_damaged"))
    assert (failure.error_class, failure.error_code) == ("permanent", "file_damaged")
    assert failure.error == "This file is damaged and cannot be read."


def test_our_fault_may_be_tried_again() -> None:
    assert failure_of(RetryableError("away")).error_class == "retryable"


def test_a_fault_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(DocumentError("too_large", "Too much.")))
    assert (again.code, str(again)) == ("too_large", "Too much.")
