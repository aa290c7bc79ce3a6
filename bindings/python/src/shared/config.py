# SPDX-License-Identifier: MIT
"""The settings, by their names in the environment: ``settings.MAX_UPLOAD_BYTES`` is a number,
``settings.DATABASE_URL`` a text. docs/config.md lists them; a value that cannot be is an error that names it, its
range, and the nearest word."""

from __future__ import annotations

from collections.abc import Iterator

from . import native

__all__ = ["Settings", "settings"]


class Settings:
    """Read when first asked for. The names may be in small letters too."""

    def __init__(self) -> None:
        self.__dict__["_config"] = None

    @property
    def _native(self) -> native.config:
        if self.__dict__["_config"] is None:
            self.reload()
        return self.__dict__["_config"]  # type: ignore[no-any-return]

    def reload(self) -> None:
        """Reads the environment anew."""
        self.__dict__["_config"] = native.config_from_env()

    def __getattr__(self, name: str) -> str | int:
        upper = name.upper()
        value = native.config_get(self._native, upper)
        if value is None:
            raise AttributeError(f"there is no setting {upper}; docs/config.md lists them")
        number = native.config_int(self._native, upper)
        return number if str(number) == value else value

    def __setattr__(self, name: str, value: object) -> None:
        native.config_set(self._native, name.upper(), str(value))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Names and values, passwords masked."""
        index = 0
        while (name := native.config_name(index)) is not None:
            yield name, native.config_safe(self._native, name)
            index += 1

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value}' for name, value in self)})"


settings = Settings()
