# SPDX-License-Identifier: MIT
"""SQLAlchemy's own suite for dialects, on a server and a database of its own. ALCHEMY_DRIVER=asyncpg runs it with that
one, to compare."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin import pytestplugin  # noqa: E402
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

HERE = Path(__file__).parent
DATABASE = r"""
ALTER ROLE {role} CREATEDB;
CREATE DATABASE alchemy OWNER {role};
\c alchemy
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
SET ROLE {role};
CREATE SCHEMA test_schema;
CREATE SCHEMA test_schema_2;
"""


def pytest_configure(config: Any) -> None:
    """The first process starts the server; pytest-xdist's find it in the environment."""
    if "ALCHEMY_URL" not in os.environ:
        sys.path[:0] = [str(HERE.parents[1] / "deploy"), str(HERE.parent / "integration")]
        from dev.servers import ROLE
        from stack import LabStack
        lab = LabStack()
        config.add_cleanup(lab.close)
        lab.prepare()
        lab.servers_start()
        lab.postgres.admin_run(DATABASE.format(role=ROLE))
        url = lab.postgres.url.rsplit("/", 1)[0] + "/alchemy"
        os.environ.update(lab.urls() | {"ALCHEMY_URL": url, "LOG_LEVEL": "warning"})
    driver = os.environ.get("ALCHEMY_DRIVER", "shared")
    config.option.dburi = [os.environ["ALCHEMY_URL"].replace("postgresql:", f"postgresql+{driver}:", 1)]
    pytestplugin.pytest_configure(config)
