"""What is known to go wrong when rows move between these systems, and the test that holds each case.

Each line is a trap that was measured; after it come tests as ``file::name``, the file below its package's ``tests``
(``core/…``, ``mysql/…``), below ``tests`` (``all/…``) or one of the conformance kit's suites (``kit/…``). A test that
is renamed or goes away turns this red.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KIT = ROOT / "osiris-core" / "src" / "osiris_core" / "testing" / "suites"

TYPES = {
    "zero and partial dates": "mysql/test_types::test_dates_that_do_not_exist "
    "mysql/test_types::test_counting_goes_on_over_all_batches",
    "TIME 838:59:59, -01:30:00": "mysql/test_types::test_a_value_arrives_exactly "
    "postgres/test_writing::test_time_spans_are_intervals",
    "tinyint(1) = 4, -1": "mysql/test_types::test_a_value_arrives_exactly",
    "BIGINT UNSIGNED max": "postgres/test_writing::test_unsigned_64_is_numeric_and_exact",
    "nullable BIGINT 2^53+1": "mysql/test_types::test_a_value_arrives_exactly "
    "kit/read::test_edge_values_come_back_exact",
    "FLOAT 16777216": "mysql/test_types::test_a_value_arrives_exactly "
    "mysql/test_types::test_nan_free_negative_zero_and_every_magnitude",
    "DECIMAL(65,30)": "mysql/test_types::test_a_value_arrives_exactly "
    "postgres/test_wire::test_numeric_keeps_every_digit "
    "supabase/test_rest_round_trip::test_big_numbers_decimals_and_nan_travel_as_text",
    "text with NUL, \\u0000 in JSON": "postgres/test_writing::test_nul_in_text_is_refused_or_counted "
    "postgres/test_writing::test_nul_in_json_is_refused_or_counted "
    "supabase/test_rest_safety::test_the_character_nul_is_an_error_or_counted",
    "TIMESTAMP and DATETIME under TZ=Tokyo": "mysql/test_reading::test_nobody_s_time_zone_matters "
    "postgres/test_writing::test_local_time_zones_of_client_and_server_change_nothing",
    "JSON re-serialised, digits lost": "mysql/test_types::test_json_text_is_passed_through "
    "postgres/test_writing::test_json_keeps_its_text_unless_jsonb_is_asked_for",
    "SET, ENUM, BIT(1), empty BLOB": "mysql/test_types::test_a_value_arrives_exactly "
    "postgres/test_writing::test_bits_sets_enums_and_empty_bytes",
    "generated columns": "mysql/test_discovery::test_generated_and_defaulted_columns_are_marked "
    "mysql/test_writing::test_generated_columns_are_left_out "
    "postgres/test_writing::test_generated_columns_are_left_to_the_server",
    "names: Order, has space, quotes, emoji": "mysql/test_types::test_names_are_preserved "
    "postgres/test_writing::test_names_are_quoted_and_kept",
    "naming: snake is opt-in, a collision is a compile error": "all/test_snake_names::"
    "test_names_arrive_in_snake_case_and_every_value_as_it_was "
    "all/test_snake_names::test_files_get_plain_headings "
    "all/test_snake_names::test_emoji_that_another_system_cannot_name "
    "all/test_snake_names::test_a_collision_is_an_error_at_compile_time "
    "all/test_snake_names::test_a_collision_that_was_not_foreseen_stops_the_run_with_nothing_written "
    "supabase/test_rest_naming::test_rows_go_out_under_the_names_of_the_target",
    "'ABC ' and 'abc' are one key": "mysql/test_discovery::test_text_that_ignores_case_is_marked "
    "core/validate/test_catalogue::test_a_key_that_ignores_case_is_worth_a_word "
    "postgres/test_writing::test_keys_that_only_differ_in_case_are_one_key_where_the_column_says_so",
    "every coercion is counted": "kit/delivery::test_the_ledger_keeps_the_coercions "
    "mysql/test_pipeline::test_dates_that_do_not_exist_end_a_run_or_are_counted",
}
READING = {
    "a slow consumer and net_write_timeout": "mysql/test_reading::test_a_slow_consumer_is_waited_for "
    "mysql/test_reading::test_a_silent_server_is_given_up core/run/test_readahead::test_what_waits_is_bounded_in_bytes",
    "a server that dies mid-read": "mysql/test_reading::"
    "test_a_server_that_is_killed_in_the_middle_is_a_lost_connection "
    "postgres/test_reading::test_a_server_that_is_killed_in_the_middle_is_a_lost_connection",
    "SSCursor.close hides the true error": "mysql/test_reading::test_the_true_error_of_a_killed_connection_is_raised",
    "the anonymous account shadows a user": "mysql/test_doctor::test_the_anonymous_account_that_shadows_a_user",
    "READ ONLY, one consistent snapshot": "mysql/test_reading::test_a_read_is_one_snapshot "
    "mysql/test_reading::test_a_read_cannot_write postgres/test_reading::test_a_read_sees_one_state",
    "a query is one SELECT": "kit/read::test_query_is_one_select core/sql/test_sql::test_everything_else_is_refused "
    "postgres/test_one_statement::test_a_query_is_one_statement",
}
SQL_CHANNEL = {
    "one transaction, lock, ledger row, COPY": "kit/delivery::test_a_kill_and_a_plain_rerun_give_the_exact_table "
    "postgres/test_delivery::test_a_kill_at_each_transition_and_a_plain_rerun_give_the_exact_table "
    "postgres/test_delivery::test_kills_at_random_moments_and_plain_reruns_give_the_exact_table "
    "postgres/test_delivery::test_without_the_ledger_a_rerun_would_write_twice "
    "mysql/test_delivery::test_a_kill_at_any_moment_and_a_plain_rerun_give_the_exact_table",
    "killed between the commit and the bookkeeping": "core/run/test_processes::"
    "test_a_kill_at_each_transition_and_a_plain_rerun_give_the_exact_table "
    "postgres/test_delivery::test_a_connection_cut_right_after_commit_is_no_doubt "
    "mysql/test_delivery::test_a_connection_cut_in_commit_is_never_in_doubt",
    "transaction pooler: prepared statements, session locks, SET, temp tables": "postgres/test_pooler::"
    "test_many_clients_share_few_sessions "
    "postgres/test_pooler::test_the_lock_excludes_others_and_goes_with_the_transaction "
    "postgres/test_pooler::test_nothing_of_ours_stays_in_the_session",
    "the direct host is IPv6 only": "postgres/test_doctor::"
    "test_a_direct_host_with_ipv6_only_is_told_the_session_pooler",
    "statement_timeout is short": "postgres/test_pooler::"
    "test_statement_timeout_is_that_of_the_connection_and_none_by_default",
    "a merge key that is NULL": "kit/write::test_a_null_merge_key_is_an_error",
    "the same key twice in one batch": "kit/write::test_a_merge_key_that_comes_twice_is_an_error "
    "kit/write::test_dedupe_keeps_one_of_equal_keys",
}
REST_CHANNEL = {
    "names that call functions, reach Auth or embed": "supabase/test_rest_safety::"
    "test_a_name_goes_out_only_if_discovery_has_seen_it "
    "supabase/test_rest_safety::test_a_column_cannot_embed_another_table",
    "delete() without a filter is sent": "supabase/test_rest_safety::"
    "test_what_the_channel_cannot_do_is_refused_by_name",
    "inserts echo every row": "supabase/test_rest_safety::test_nothing_is_echoed",
    "Decimal, NaN, 2**64": "supabase/test_rest_round_trip::test_big_numbers_decimals_and_nan_travel_as_text",
    "ragged rows overwrite with NULL": "supabase/test_rest_round_trip::"
    "test_rows_are_never_ragged_and_columns_the_source_lacks_keep_their_values",
    "reads stop at 1,000 rows": "supabase/test_rest_round_trip::test_reads_go_on_beyond_max_rows "
    "supabase/test_rest_round_trip::test_a_read_that_ends_early_is_an_error",
    "57014": "supabase/test_rest_safety::test_a_statement_timeout_halves_the_request",
    "PGRST204/205 after DDL": "supabase/test_rest_safety::test_a_stale_schema_cache_is_waited_for "
    "supabase/test_sql_channel::test_the_api_sees_a_new_table_at_once",
    "anon keys": "supabase/test_rest_safety::test_an_anonymous_key_is_refused_before_anything_is_sent "
    "supabase/test_rest_safety::test_key_roles",
    "append is at least once": "core/validate/test_contracts::test_exactly_once_is_promised_or_refused "
    "supabase/test_rest_kills::test_a_kill_and_a_plain_rerun_lose_no_row",
}
SECRETS = {
    "validators print the whole instance": "core/test_json_schema::test_values_are_never_shown_when_they_must_not_be "
    "core/test_connections::test_no_value_is_ever_echoed",
    "YAML errors print the offending line": "core/test_connections::"
    "test_a_malformed_file_is_refused_without_showing_what_is_in_it",
    "DSNs leak fragments of passwords": "postgres/test_doctor::test_connections_are_keywords_and_never_text "
    "kit/secrets::test_secrets_never_come_out",
    "argv": "mysql/test_pipeline::test_no_process_carries_a_secret_in_its_arguments",
    "the manifest has no place for a value": "core/compile/test_determinism::"
    "test_no_byte_of_what_is_compiled_or_printed_is_secret_or_a_place",
    "redaction of leaves, then of the line": "core/test_secrets::"
    "test_the_redactor_masks_values_in_text_keys_and_leaves core/run/test_events::"
    "test_secrets_are_masked_wherever_they_hide",
    "secrets of under four characters": "core/compile/test_commands::test_doctor_warns_of_a_secret_too_short_to_mask",
}
DOCUMENTS = {
    "no, 22:22, 0123, 1e3": "core/oml/test_loader::test_scalars_follow_the_core_schema",
    "equal keys": "core/oml/test_loader::test_every_duplicate_is_found_and_the_first_value_kept",
    "alias bombs, depth, size": "core/oml/test_loader::test_what_is_refused "
    "core/oml/test_loader::test_no_text_takes_a_second_or_much_memory",
    "RFC 8785: 1.0 and 1, integers from 2^53": "core/test_canonical::"
    "test_equal_looking_values_have_different_fingerprints "
    "core/test_canonical::test_numbers_that_a_double_cannot_hold_are_text_for_other_readers",
    "a fingerprint is over a named map": "core/test_canonical::test_a_fingerprint_tells_names_apart "
    "core/compile/test_determinism::test_the_manifest_is_the_same_to_the_byte_everywhere",
}
COMMANDS = {
    "usage errors 2, SIGINT 130, SIGTERM 143": "core/cli/test_main::"
    "test_usage_errors_exit_with_2_and_say_what_was_meant "
    "core/cli/test_main::test_signals_end_a_command_with_their_codes all/test_exit_codes::test_130_and_143_a_signal",
    "tracebacks that print locals": "core/cli/test_main::"
    "test_a_bug_exits_with_1_and_a_redacted_traceback_only_when_asked",
    "one broken plugin, two of one name": "core/plugins/test_loading::"
    "test_every_way_to_be_broken_is_shown_and_stops_nothing "
    "core/plugins/test_loading::test_two_owners_of_a_component_are_named_when_it_is_used_and_listed_before "
    "core/plugins/test_loading::test_only_allowed_plugins_are_imported",
}
#: Beside those: what has to hold when a machine, a server or a schema changes under a run.
FAULTS = {
    "disk full": "all/test_disk_full::test_a_full_disk_leaves_the_target_as_it_was "
    "all/test_disk_full::test_a_full_disk_of_mysql_leaves_the_table_as_it_was "
    "postgres/test_delivery::test_a_full_disk_leaves_nothing",
    "a server killed mid-write": "mysql/test_delivery::test_a_server_that_dies_leaves_nothing "
    "postgres/test_delivery::test_a_server_that_crashes_mid_write_leaves_nothing",
    "two processes on one table": "all/test_two_runs::test_two_processes_write_one_after_the_other "
    "mysql/test_delivery::test_two_runs_on_one_table_from_two_processes "
    "postgres/test_delivery::test_two_processes_on_one_table_wait_for_each_other",
    "columns added, dropped, retyped": "all/test_schema_changes::"
    "test_a_change_after_discovery_is_told_before_a_row_is_read "
    "all/test_schema_changes::test_a_column_added_after_the_compile_is_up_to_on_drift",
    "the ledger is pruned": "kit/delivery::test_the_ledger_keeps_what_reruns_and_incremental_reads_need "
    "all/test_ledger::test_pruning_forgets_what_is_old_and_no_run_notices",
}
GROUPS = {
    "types": TYPES,
    "reading": READING,
    "SQL channel": SQL_CHANNEL,
    "REST channel": REST_CHANNEL,
    "secrets": SECRETS,
    "documents": DOCUMENTS,
    "commands": COMMANDS,
    "faults": FAULTS,
}


@pytest.mark.parametrize("group", GROUPS)
def test_each_trap_is_held_by_a_test(group: str) -> None:
    named = {trap: tests.split() for trap, tests in GROUPS[group].items()}
    gone = [f"{trap}: {test}" for trap, tests in named.items() for test in tests if not exists(test)]
    assert gone == []
    assert [trap for trap, tests in named.items() if not tests] == []


def exists(test: str) -> bool:
    where, _, name = test.partition("::")
    return name in functions(where)


@cache
def functions(where: str) -> frozenset[str]:
    """Names of the test functions and methods of a file."""
    package, _, rest = where.partition("/")
    folders = {"kit": KIT, "all": ROOT / "tests"}
    path = folders.get(package, ROOT / f"osiris-{package}" / "tests") / f"{rest}.py"
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
