# SPDX-License-Identifier: MIT
"""What SQLAlchemy's suite may ask of PostgreSQL through this dialect, beyond what it asks of every one.

Left out, as for postgresql+asyncpg, because PostgreSQL or DBAPI's way has it not: computed_columns_virtual (PostgreSQL
18), the kinds of lastrowid, denormalized_names, fetch_percent, foreign_keys_reflect_as_index, reflect_table_options
(of 2.0), nvarchar_types, two_phase_transactions (no driver for asyncio has them),
unique_index_reflect_as_unique_constraints,
sane_multi_rowcount, json_deserializer_binary, delete_from.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

OPEN = """
    array_type async_dialect autocommit boolean_col_expressions cast_precision_numerics_many_significant_digits
    check_constraint_reflection column_collation_reflection comment_reflection comment_reflection_full_unicode
    computed_columns computed_columns_default_persisted computed_columns_reflect_persisted computed_columns_stored
    constraint_comment_reflection cross_schema_fk_reflection ctes ctes_on_dml ctes_with_update_delete
    ctes_with_values date_historic datetime_historic datetime_interval datetime_literals datetime_timezone
    datetime_timezone_historic default_schema_name_switch deferrable_fks except_ expression_server_defaults
    fetch_expression fetch_first fetch_no_order_by fetch_offset_with_options fetch_ties
    fk_constraint_option_reflection_ondelete_noaction fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_onupdate_restrict float_or_double_precision_behaves_generically
    foreign_key_constraint_name_reflection foreign_key_constraint_option_reflection_ondelete
    foreign_key_constraint_option_reflection_onupdate has_temp_table identity_columns identity_columns_standard
    implicit_default_schema index_ddl_if_exists index_reflects_included_columns indexes_check_column_order
    indexes_with_expressions infinity_floats inline_check_constraint_reflection intersect isolation_level
    json_array_indexes json_type legacy_unconditional_json_extract materialized_views nullsordering
    order_by_collation percent_schema_names precision_numerics_enotation_small
    precision_numerics_many_significant_digits precision_numerics_retains_significant_digits
    reflect_indexes_with_expressions reflect_tables_no_columns reflects_pk_names regexp_match regexp_replace
    repeated_column_foreign_keys savepoints schema_create_delete server_defaults skip_autocommit_rollback
    supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_shift supports_bitwise_xor
    supports_distinct_on table_ddl_if_exists table_value_constructor temp_table_comment_reflection temp_table_names
    temporary_views time_timezone tuple_in tuple_in_w_empty unicode_ddl unique_constraints_reflect_as_index
    update_from uuid_data_type view_column_reflection view_reflection views window_functions
"""


class Requirements(SuiteRequirements):
    def get_isolation_levels(self, config: Any) -> dict[str, Any]:
        with config.db.connect() as connection:
            levels = config.db.dialect.get_isolation_level_values(connection.connection.dbapi_connection)
        return {"default": config.db.dialect.default_isolation_level, "supported": levels}

    def get_order_by_collation(self, config: Any) -> str:
        return "POSIX"


OPEN_SINCE_2_1 = "reflect_table_options"
IS_2_1 = sqlalchemy.__version__ >= "2.1"

for _name in (OPEN + OPEN_SINCE_2_1 * IS_2_1).split():
    setattr(Requirements, _name, property(lambda self: exclusions.open()))

if IS_2_1:  # and says so where a server before 18 stores what may be virtual
    Requirements.computed_columns = property(  # type: ignore[method-assign,assignment]
        lambda self: exclusions.warns_if("postgresql < 18", "Computed column .* is being created as 'STORED'", False))
