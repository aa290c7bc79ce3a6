# SPDX-License-Identifier: MIT
"""TLS to PostgreSQL and Redis: who is let in and who is refused, with certificates made here."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.process import wait_until
from dev.servers import port_choose
from driver import EREMOTE, PERMANENT, POSTGRES, REDIS, RETRYABLE, Answer, Driver
from private import Authority, PrivateRedis, redis_with
from stack import LabStack

NAMES = ("DNS:localhost", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that PostgreSQL's user may enter, as it may not those of pytest."""
    with tempfile.TemporaryDirectory(prefix="lex-tls-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, that signed nothing here."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def driver(stack: LabStack) -> Iterator[Driver]:
    driver = Driver(stack.logs / "driver.log", **stack.urls(), PGSSLMODE="", HOME="/nonexistent")
    yield driver
    driver.close()


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(servers: LabStack, authority: Authority) -> Iterator[LabStack]:
    """The stack's PostgreSQL speaks TLS, with a certificate for localhost."""
    certificate, key = authority.sign("postgres", *NAMES)
    settings = {"ssl": "on", "ssl_cert_file": f"'{certificate}'", "ssl_key_file": f"'{key}'"}
    servers.heal()
    for name, value in settings.items():
        servers.postgres.admin_run(f"ALTER SYSTEM SET {name} = {value};")
    servers.postgres.admin_run("SELECT pg_reload_conf();")
    wait_until(lambda: speaks_tls(servers), 20, "TLS at PostgreSQL")
    yield servers
    servers.heal()
    for name in settings:
        servers.postgres.admin_run(f"ALTER SYSTEM RESET {name};")
    servers.postgres.admin_run("SELECT pg_reload_conf();")
    wait_until(lambda: not speaks_tls(servers), 20, "no TLS at PostgreSQL")


def speaks_tls(stack: LabStack) -> bool:
    port = str(stack.settings["postgres_port"])
    words = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{port}"]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).returncode == 0


def ask_postgres(driver: Driver, stack: LabStack, host: str = "localhost", **options: object) -> Answer:
    url = stack.postgres.url.replace("@127.0.0.1", f"@{host}")
    driver.client(DATABASE_URL=f"{url}?{'&'.join(f'{name}={value}' for name, value in options.items())}")
    return driver.sql("SELECT COALESCE((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), 'none')",
                      read_only=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_postgres_of_a_known_authority_is_accepted(driver: Driver, secured: LabStack, authority: Authority,
                                                   host: str) -> None:
    answer = ask_postgres(driver, secured, host, sslmode="verify-full", sslrootcert=authority.file)
    assert answer.code == 0 and answer.text == "TLSv1.3", answer


def test_postgres_with_require_is_encrypted_and_not_verified(driver: Driver, secured: LabStack) -> None:
    answer = ask_postgres(driver, secured, sslmode="require")
    assert answer.code == 0 and answer.text == "TLSv1.3", answer


def refused_postgres(answer: Answer, *words: str) -> None:
    assert answer.code and answer.domain == POSTGRES and answer.operation == "shared_session_query", answer
    assert any(word in answer.message for word in words), answer


def test_postgres_with_another_name_is_refused(driver: Driver, secured: LabStack, authority: Authority) -> None:
    answer = ask_postgres(driver, secured, "127.0.0.2", sslmode="verify-full", sslrootcert=authority.file)
    refused_postgres(answer, "127.0.0.2")
    right = ask_postgres(driver, secured, "127.0.0.1", sslmode="verify-full", sslrootcert=authority.file)
    assert right.code == 0, right


def test_postgres_of_an_unknown_authority_is_refused(driver: Driver, secured: LabStack, stranger: Authority) -> None:
    answer = ask_postgres(driver, secured, sslmode="verify-full", sslrootcert=stranger.file)
    refused_postgres(answer, "certificate verify failed")


def test_postgres_without_the_authoritys_file_is_refused(driver: Driver, secured: LabStack) -> None:
    answer = ask_postgres(driver, secured, sslmode="verify-full", sslrootcert="/no/such/file")
    refused_postgres(answer, "/no/such/file")


def test_postgres_without_tls_is_refused(driver: Driver, stack: LabStack, authority: Authority) -> None:
    if speaks_tls(stack):
        stack.postgres.admin_run("ALTER SYSTEM RESET ssl;")
        stack.postgres.admin_run("SELECT pg_reload_conf();")
        wait_until(lambda: not speaks_tls(stack), 20, "no TLS at PostgreSQL")
    for mode in ("require", "verify-full"):
        answer = ask_postgres(driver, stack, sslmode=mode, sslrootcert=authority.file)
        refused_postgres(answer, "does not support SSL")


# -- Redis ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_tls(authority: Authority) -> Iterator[int]:
    """Redis with TLS, a certificate for localhost; its port. More is in tests/unit/net/test_tls.c."""
    certificate, key = authority.sign("redis", *NAMES)
    plain = PrivateRedis("--bind", "127.0.0.1", "127.0.0.2", "--tls-port", "0",
                         "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                         "--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "no")
    connection = plain.connect()
    port = port_choose()
    connection.config_set("tls-port", port)
    yield port
    plain.close()


def ask_redis(driver: Driver, url: str) -> Answer:
    driver.client(REDIS_URL=url)
    return driver.do("publish", "d1", 10, "extracting")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_redis_of_a_known_authority_is_accepted(driver: Driver, redis_tls: int, authority: Authority,
                                                host: str) -> None:
    assert ask_redis(driver, f"rediss://{host}:{redis_tls}?ssl_ca_certs={authority.file}").code == 0


def test_redis_with_another_name_is_refused(driver: Driver, redis_tls: int, authority: Authority) -> None:
    answer = ask_redis(driver, f"rediss://127.0.0.2:{redis_tls}?ssl_ca_certs={authority.file}")
    assert (answer.class_, answer.domain) == (PERMANENT, REDIS) and "mismatch" in answer.message, answer


def test_redis_of_an_unknown_authority_is_refused(driver: Driver, redis_tls: int, stranger: Authority) -> None:
    """Neither ours nor the system's have signed it."""
    for options in (f"?ssl_ca_certs={stranger.file}", ""):
        answer = ask_redis(driver, f"rediss://localhost:{redis_tls}{options}")
        assert (answer.class_, answer.code, answer.domain) == (PERMANENT, EREMOTE, REDIS), answer
        assert "certificate is not accepted" in answer.message, answer


def test_redis_whose_certificate_signed_itself_is_refused(driver: Driver, stranger: Authority) -> None:
    port = port_choose()
    with redis_with("--tls-port", str(port), "--tls-cert-file", str(stranger.file), "--tls-key-file",
                    str(stranger.folder / "authority.key"), "--tls-ca-cert-file", str(stranger.file),
                    "--tls-auth-clients", "no"):
        answer = ask_redis(driver, f"rediss://localhost:{port}")
        assert (answer.class_, answer.code, answer.domain) == (PERMANENT, EREMOTE, REDIS), answer
        assert "self-signed" in answer.message, answer
        assert ask_redis(driver, f"rediss://localhost:{port}?ssl_cert_reqs=none").code == 0


def test_plain_redis_on_the_port_is_refused(driver: Driver, authority: Authority) -> None:
    with redis_with() as server:
        answer = ask_redis(driver, f"rediss://localhost:{server.port}?ssl_ca_certs={authority.file}")
    assert answer.code and answer.domain == REDIS and "TLS" in answer.message, answer
    assert answer.class_ in (PERMANENT, RETRYABLE)
